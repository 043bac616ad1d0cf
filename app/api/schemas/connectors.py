from typing import Any

from marshmallow import Schema, fields

from app.featurestore.connectors.service import CreateConnector, UpdateConnector
from app.web.schemas import CommandSchema, page_of, text

_MAX_DESCRIPTION = 1_000
_MAX_REFERENCE = 700


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


class ConnectorCreateSchema(CommandSchema):
    command = CreateConnector

    name = fields.String(required=True)
    kind = text(16)
    description = text(_MAX_DESCRIPTION)
    options = fields.Dict(keys=text(64), required=True)
    secret = text(_MAX_REFERENCE, allow_none=True)


class ConnectorUpdateSchema(CommandSchema):
    command = UpdateConnector

    description = text(_MAX_DESCRIPTION)
    options = fields.Dict(keys=text(64))
    secret = text(_MAX_REFERENCE, allow_none=True)

    def build(self, data: dict[str, Any]) -> UpdateConnector:
        return UpdateConnector(**data, changes_secret="secret" in data)


class ConnectorTestSchema(Schema):
    latency_ms = fields.Float()


ConnectorPageSchema = page_of(ConnectorSchema)
