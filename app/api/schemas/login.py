from typing import Any

from marshmallow import Schema, fields, validate

from app.web.schemas import CommandSchema, page_of
from infra.ports.identity import LoginProof
from tenancy.principals import Role
from tenancy.role_bindings.login import LogIn
from tenancy.role_bindings.service import BindRole
from tenancy.scopes import Scope

_MOST_CHARACTERS = 16_384


def _part() -> fields.String:
    """As it came: what a proof may look like is one place's business, and one answer."""
    return fields.String(required=True, validate=validate.Length(max=_MOST_CHARACTERS))


class AwsLoginSchema(CommandSchema):
    project = _part()
    region = _part()
    server_id = _part()
    nonce = _part()
    amz_date = _part()
    authorization = _part()
    security_token = _part()

    def build(self, data: dict[str, Any]) -> LogIn:
        return LogIn(data.pop("project"), LoginProof(**data))


class SessionSchema(Schema):
    token = fields.String(metadata={"description": "The session itself, shown this once."})
    expires_at = fields.AwareDateTime(format="iso")
    expires_in = fields.Integer(metadata={"description": "Seconds, for clients whose clock is wrong."})
    binding_id = fields.UUID()
    project = fields.String()
    role_arn = fields.String()


class RoleBindingSchema(Schema):
    id = fields.UUID()
    role_arn = fields.String()
    role_unique_id = fields.String(allow_none=True)
    member = fields.String()
    role = fields.String()
    scopes = fields.List(fields.String())
    created_at = fields.AwareDateTime(format="iso")
    created_by = fields.String()
    last_login_at = fields.AwareDateTime(format="iso", allow_none=True)
    state = fields.String()


class BindRoleSchema(CommandSchema):
    command = BindRole

    role_arn = fields.String(required=True, validate=validate.Length(max=2048))
    role_unique_id = fields.String(validate=validate.Length(max=128))
    member = fields.String()
    role = fields.String(validate=validate.OneOf([role.label for role in Role]))
    scopes = fields.List(fields.Enum(Scope, by_value=True))


RoleBindingPageSchema = page_of(RoleBindingSchema)
