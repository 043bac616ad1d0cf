from typing import Any

from marshmallow import Schema, fields, validate

from app.featurestore.connectors.service import CreateConnector, UpdateConnector
from app.web.schemas import CommandSchema, page_of, text
from infra.crypto import SecretValue

_MAX_DESCRIPTION = 1_000
_MAX_REFERENCE = 700
_MAX_SECRET = 16_384


class ConnectorSchema(Schema):
    id = fields.UUID()
    project = fields.String()
    name = fields.String()
    kind = fields.String()
    description = fields.String()
    options = fields.Dict(keys=fields.String())
    has_secret = fields.Boolean()
    secret = fields.String(allow_none=True)
    created_at = fields.AwareDateTime(format="iso")
    created_by = fields.String()
    updated_at = fields.AwareDateTime(format="iso")
    revision = fields.Integer()
    built_in = fields.Boolean()
    external_id = fields.String(allow_none=True)
    secret_source = fields.String(allow_none=True)
    secret_fingerprint = fields.String(allow_none=True)


def _secret_text() -> fields.String:
    """Never answered; whatever characters a secret has."""
    return fields.String(load_only=True, validate=validate.Length(min=1, max=_MAX_SECRET))


def _with_value(data: dict[str, Any]) -> dict[str, Any]:
    value = data.get("secret_value")
    return data if value is None else {**data, "secret_value": SecretValue(value)}


class ConnectorCreateSchema(CommandSchema):
    command = CreateConnector

    name = fields.String(required=True)
    kind = text(16)
    description = text(_MAX_DESCRIPTION)
    options = fields.Dict(keys=text(64), required=True)
    secret = text(_MAX_REFERENCE, allow_none=True)
    secret_value = _secret_text()

    def build(self, data: dict[str, Any]) -> CreateConnector:
        return CreateConnector(**_with_value(data))


class ConnectorUpdateSchema(CommandSchema):
    command = UpdateConnector

    description = text(_MAX_DESCRIPTION)
    options = fields.Dict(keys=text(64))
    secret = text(_MAX_REFERENCE, allow_none=True)
    secret_value = _secret_text()

    def build(self, data: dict[str, Any]) -> UpdateConnector:
        return UpdateConnector(**_with_value(data), changes_secret=bool({"secret", "secret_value"} & data.keys()))


class ConnectorTestSchema(Schema):
    latency_ms = fields.Float()


ConnectorPageSchema = page_of(ConnectorSchema)
