from marshmallow import Schema, fields, validate

from infra.ports.vending import Level


class ProbeCheckSchema(Schema):
    name = fields.String()
    passed = fields.Boolean()
    detail = fields.String()
    counts = fields.Boolean()


class ProofSchema(Schema):
    checked_at = fields.AwareDateTime(format="iso")
    passed = fields.Boolean()
    checks = fields.List(fields.Nested(ProbeCheckSchema))


class VendingSchema(Schema):
    enabled = fields.Boolean()
    why = fields.String()
    changed_by = fields.String(allow_none=True)
    changed_at = fields.AwareDateTime(format="iso", allow_none=True)
    proof = fields.Nested(ProofSchema, allow_none=True)


class VendingSetSchema(Schema):
    enabled = fields.Boolean(required=True, truthy={True}, falsy={False})


class CredentialWantedSchema(Schema):
    # A table is read with a credential, and never written.
    level = fields.Enum(Level, by_value=True, load_default=Level.READ, validate=validate.OneOf([Level.READ]))


class KeysSchema(Schema):
    region = fields.String(allow_none=True)
    endpoint_url = fields.String(allow_none=True)
    access_key_id = fields.String()
    secret_access_key = fields.String()
    session_token = fields.String()
    expires_at = fields.AwareDateTime(format="iso")


class CredentialSchema(KeysSchema):
    uri = fields.String()
    level = fields.String()


class TableByPathSchema(Schema):
    name = fields.String()
    project = fields.String()
    feature_group = fields.String()
    version = fields.Integer()
    table_version = fields.Integer()
    uri = fields.String()
    credential = fields.Integer()


class PlanByPathSchema(Schema):
    sql = fields.String()
    tables = fields.List(fields.Nested(TableByPathSchema))
    credentials = fields.List(fields.Nested(KeysSchema))
