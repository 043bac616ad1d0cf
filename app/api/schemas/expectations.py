from marshmallow import Schema, fields, validate

from app.featurestore.validation.expectations import MAX_RULES, POLICIES, STRICT
from app.web.schemas import page_of


class ExpectationsSetSchema(Schema):
    """What a rule may hold is for the rules themselves to say."""

    policy = fields.String(load_default=STRICT, validate=validate.OneOf(POLICIES))
    rules = fields.List(fields.Dict(keys=fields.String()), required=True, validate=validate.Length(1, MAX_RULES))


class ExpectationsSchema(Schema):
    policy = fields.String()
    rules = fields.List(fields.Dict())
    revision = fields.Integer()


class InsertValidationSchema(Schema):
    report = fields.String()
    passed = fields.Boolean()
    rules = fields.Integer()
    rules_failed = fields.Integer()


class ValidationExampleSchema(Schema):
    row = fields.Integer(allow_none=True)
    column = fields.String()
    value = fields.String(allow_none=True)


class ValidationResultSchema(Schema):
    rule = fields.String()
    name = fields.String(allow_none=True)
    columns = fields.List(fields.String())
    description = fields.String()
    passed = fields.Boolean()
    rows_passed = fields.Integer()
    rows_failed = fields.Integer()
    examples = fields.List(fields.Nested(ValidationExampleSchema))


class ValidationReportSchema(Schema):
    id = fields.UUID()
    of = fields.String()
    table_version = fields.Integer(allow_none=True)
    policy = fields.String()
    passed = fields.Boolean()
    rows = fields.Integer()
    results = fields.List(fields.Nested(ValidationResultSchema))
    at = fields.AwareDateTime(format="iso")
    by = fields.String(allow_none=True)


ValidationReportPageSchema = page_of(ValidationReportSchema)
