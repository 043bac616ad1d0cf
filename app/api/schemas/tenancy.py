from marshmallow import Schema, fields, validate

from app.web.schemas import CommandSchema, page_of, text
from tenancy.actions import ShareKind
from tenancy.api_keys.service import CreateApiKey
from tenancy.members.service import SetMember
from tenancy.principals import Role
from tenancy.projects.service import CreateProject
from tenancy.scopes import Scope
from tenancy.shares.service import OfferShare


class IdentitySchema(Schema):
    key_id = fields.String()
    environment = fields.String()
    project = fields.String(allow_none=True)
    member = fields.String(allow_none=True)
    role = fields.String(allow_none=True)
    scopes = fields.List(fields.String())
    expires_at = fields.AwareDateTime(format="iso")
    operator = fields.Boolean()


class ProjectSchema(Schema):
    name = fields.String()
    description = fields.String()
    featurestore = fields.String()
    created_at = fields.AwareDateTime(format="iso")


class ProjectCreateSchema(CommandSchema):
    command = CreateProject

    name = fields.String(required=True)
    owner = fields.String(required=True)
    description = text(4096)


class MemberSchema(Schema):
    name = fields.String()
    role = fields.String()
    created_at = fields.AwareDateTime(format="iso")


class MemberSetSchema(CommandSchema):
    command = SetMember

    role = fields.String(required=True, validate=validate.OneOf([role.label for role in Role]))


class ApiKeySchema(Schema):
    key_id = fields.String()
    name = fields.String()
    member = fields.String(allow_none=True)
    scopes = fields.List(fields.String())
    created_at = fields.AwareDateTime(format="iso")
    expires_at = fields.AwareDateTime(format="iso")
    revoked_at = fields.AwareDateTime(format="iso", allow_none=True)
    rotated_to = fields.String(allow_none=True)
    last_used_at = fields.AwareDateTime(format="iso", allow_none=True)
    state = fields.String()


class IssuedApiKeySchema(ApiKeySchema):
    key = fields.String(metadata={"description": "The key itself, shown this once."})


class ApiKeyCreateSchema(CommandSchema):
    command = CreateApiKey

    name = text(128, required=True)
    member = fields.String()
    scopes = fields.List(fields.Enum(Scope, by_value=True))
    expires_in_days = fields.Integer(strict=True)


class ApiKeyRotateSchema(Schema):
    overlap_hours = fields.Integer(load_default=24, strict=True, validate=validate.Range(0, 24 * 30))


class ShareSchema(Schema):
    id = fields.UUID()
    owner = fields.String()
    receiver = fields.String()
    what = fields.String()
    state = fields.String()
    offered_by = fields.String()
    offered_at = fields.AwareDateTime(format="iso")
    answered_by = fields.String(allow_none=True)
    answered_at = fields.AwareDateTime(format="iso", allow_none=True)
    expires_at = fields.AwareDateTime(format="iso", allow_none=True)


class ShareOfferSchema(CommandSchema):
    command = OfferShare

    receiver = fields.String(required=True)
    what = fields.Enum(ShareKind, by_value=True, required=True)
    expires_at = fields.AwareDateTime(format="iso")


ProjectPageSchema = page_of(ProjectSchema)
MemberPageSchema = page_of(MemberSchema)
ApiKeyPageSchema = page_of(ApiKeySchema)
SharePageSchema = page_of(ShareSchema)
