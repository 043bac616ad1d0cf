from marshmallow import Schema, fields, validate

from app.api.schemas.queries import CompressionQuery, ExpressionSchema, Names
from app.api.schemas.sql import SqlQuerySchema
from app.featurestore.training_datasets.service import CreateTrainingDataset
from app.featurestore.training_datasets.splits import Splits
from app.web.schemas import CommandSchema, page_of, text


class ColumnSchema(Schema):
    name = fields.String()
    type = fields.String()


class TrainingDatasetSchema(Schema):
    id = fields.UUID()
    project = fields.String()
    name = fields.String()
    version = fields.Integer()
    kind = fields.String()
    description = fields.String()
    data_format = fields.String()
    features = fields.List(fields.Nested(ColumnSchema))
    jobs = fields.List(fields.String())
    created_at = fields.AwareDateTime(format="iso")
    created_by = fields.String()
    path = fields.String()
    rows = fields.Integer()
    bytes = fields.Integer()
    revision = fields.Integer()


class SplitsSchema(CommandSchema):
    command = Splits

    shares = fields.Dict(keys=fields.String(), values=fields.Float(), required=True, validate=validate.Length(max=20))
    by = fields.String()
    columns = Names()
    seed = fields.Integer(strict=True, validate=validate.Range(0, 2**63 - 1))


class TrainingDatasetCreateSchema(CommandSchema):
    command = CreateTrainingDataset

    name = fields.String(required=True)
    version = fields.Integer(strict=True)
    description = text(10_000)
    data_format = fields.String()
    query = fields.Nested(ExpressionSchema, allow_none=True)
    sql = fields.Nested(SqlQuerySchema, allow_none=True)
    splits = fields.Nested(SplitsSchema, allow_none=True)
    overwrite = fields.Boolean()
    jobs = fields.List(text(256), validate=validate.Length(max=100))


class TrainingRowsQuery(CompressionQuery):
    split = fields.String(load_default=None)


class FileSchema(Schema):
    path = fields.String()
    bytes = fields.Integer()
    sha256 = fields.String()
    rows = fields.Integer()
    split = fields.String(allow_none=True)


class ManifestSchema(Schema):
    files = fields.List(fields.Nested(FileSchema))
    features = fields.List(fields.Nested(ColumnSchema))
    rows = fields.Integer()
    data_format = fields.String()
    created_at = fields.String()
    oasthouse_version = fields.String()
    groups = fields.List(fields.Dict())
    query = fields.Dict(allow_none=True)
    sql = fields.String(allow_none=True)
    splits = fields.Dict(allow_none=True)


TrainingDatasetPageSchema = page_of(TrainingDatasetSchema)
