from typing import Any

from marshmallow import Schema, fields, post_load, validate

from app.api.schemas.queries import CompressionQuery, ExpressionSchema, Names
from app.api.schemas.sql import SqlQuerySchema
from app.api.schemas.statistics import StoredStatisticsOptions
from app.featurestore.training_datasets.service import (
    CreateTrainingDataset,
    InsertMode,
    ReadRows,
    RecreateTrainingDataset,
)
from app.featurestore.training_datasets.splits import Splits
from app.web.arrow import Compression
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
    label = fields.String(allow_none=True)
    fixed = fields.Boolean(truthy={True}, falsy={False})
    sink = fields.String(allow_none=True)
    path = text(1_024, allow_none=True)
    statistics = StoredStatisticsOptions()
    engine = fields.String(allow_none=True)


class TrainingRowsQuery(CompressionQuery):
    split = fields.String(load_default=None)
    file = fields.String(load_default=None)
    columns = fields.String(load_default="", metadata={"description": "Names separated by commas; all where empty."})
    content_hash = fields.String(load_default=None)

    @post_load
    def _load_rows(self, data: dict[str, Any], **_: Any) -> tuple[ReadRows, Compression]:
        columns = tuple(name for name in data.pop("columns").split(",") if name)
        compression = data.pop("compression")
        return ReadRows(columns=columns, **data), compression


class TrainingInsertQuery(Schema):
    mode = fields.Enum(InsertMode, by_value=True, load_default=InsertMode.OVERWRITE)


class RecreateSchema(CommandSchema):
    command = RecreateTrainingDataset

    name = fields.String(allow_none=True)
    version = fields.Integer(strict=True, allow_none=True, validate=validate.Range(1))


class RecreatedSchema(Schema):
    dataset = fields.Nested(TrainingDatasetSchema)
    equal = fields.Boolean()
    content_hash = fields.String()
    recorded_content_hash = fields.String()
    code_changed = fields.List(fields.String())


class FileSchema(Schema):
    path = fields.String()
    bytes = fields.Integer()
    sha256 = fields.String()
    rows = fields.Integer()
    split = fields.String(allow_none=True)


class AnomalySchema(Schema):
    column = fields.String()
    kind = fields.String()
    detail = fields.String()
    write = fields.Integer()


class WriteSchema(Schema):
    at = fields.String()
    by = fields.String()
    mode = fields.String()
    rows = fields.Integer()


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
    sql_options = fields.Dict(allow_none=True)
    splits = fields.Dict(allow_none=True)
    labels = fields.List(fields.String())
    label_file = fields.Nested(FileSchema, allow_none=True)
    fixed = fields.Boolean()
    tf_record_schema = fields.Dict(allow_none=True)
    anomalies = fields.List(fields.Nested(AnomalySchema))
    writes = fields.List(fields.Nested(WriteSchema))
    code_versions = fields.Dict()
    content_hash = fields.String(allow_none=True)
    engine = fields.String(allow_none=True)


TrainingDatasetPageSchema = page_of(TrainingDatasetSchema)
