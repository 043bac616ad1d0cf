import re
from typing import Final

from marshmallow import Schema, fields, validate

from app.api.schemas.vending import CredentialSchema
from app.featurestore.staging.files import StagedFile, StagedRows
from app.web.schemas import CommandSchema

MOST_FILES: Final = 4096
# Neither a folder nor a name that means anything to anybody.
_NAME: Final = re.compile(r"[0-9a-z-]{1,64}\.parquet\Z")
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


class StagingWantedSchema(Schema):
    bytes = fields.Integer(strict=True, load_default=0, validate=validate.Range(min=0))
    staging = fields.UUID(load_default=None, allow_none=True)


class StagingSchema(Schema):
    mode = fields.String()
    why = fields.String()
    staging = fields.UUID(allow_none=True)
    credential = fields.Nested(CredentialSchema, allow_none=True)


class StagedFileSchema(CommandSchema):
    command = StagedFile

    name = fields.String(required=True, validate=validate.Regexp(_NAME))
    bytes = fields.Integer(required=True, strict=True, validate=validate.Range(min=1))
    sha256 = fields.String(required=True, validate=validate.Regexp(_SHA256))


class StagedRowsSchema(CommandSchema):
    command = StagedRows

    staging = fields.UUID(required=True)
    rows = fields.Integer(required=True, strict=True, validate=validate.Range(min=0))
    files = fields.List(fields.Nested(StagedFileSchema), required=True, validate=validate.Length(min=1, max=MOST_FILES))
