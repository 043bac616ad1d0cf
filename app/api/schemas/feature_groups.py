from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.api.schemas.expectations import ExpectationsSetSchema, InsertValidationSchema
from app.api.schemas.queries import State
from app.api.schemas.statistics import StoredStatisticsOptions
from app.featurestore.feature_groups.models import CACHED, ON_DEMAND
from app.featurestore.feature_groups.on_demand import MAX_QUERY, CreateOnDemand
from app.featurestore.feature_groups.rules import MAX_FEATURES, FeatureSpec, GroupSpec
from app.featurestore.feature_groups.service import UpdateFeatureGroup
from app.web.arrow import Compression
from app.web.schemas import CommandSchema, PageQuery, page_of, text
from infra.ports.tables import WriteMode

MAX_TAG_LENGTH = 4096


class FeatureSchema(Schema):
    name = fields.String()
    type = fields.String()
    description = fields.String()
    primary = fields.Boolean()
    partition = fields.Boolean()


class FeatureGroupSchema(Schema):
    id = fields.UUID()
    project = fields.String()
    featurestore = fields.String()
    name = fields.String()
    version = fields.Integer()
    kind = fields.String()
    description = fields.String()
    primary_key = fields.List(fields.String())
    event_time = fields.String(allow_none=True)
    partition_by = fields.List(fields.String())
    features = fields.List(fields.Nested(FeatureSchema))
    tags = fields.Dict(keys=fields.String(), values=fields.String())
    jobs = fields.List(fields.String())
    statistics = fields.Dict(allow_none=True)
    created_at = fields.AwareDateTime(format="iso")
    created_by = fields.String()
    updated_at = fields.AwareDateTime(format="iso")
    table_version = fields.Integer()
    revision = fields.Integer()


class FeatureSpecSchema(CommandSchema):
    command = FeatureSpec

    name = fields.String(required=True)
    type = fields.String()
    description = text(10_000)


class FeatureGroupCreateSchema(CommandSchema):
    command = GroupSpec

    name = fields.String(required=True)
    version = fields.Integer(strict=True)
    description = text(10_000)
    primary_key = fields.List(fields.String(), validate=validate.Length(1, MAX_FEATURES))
    event_time = fields.String(allow_none=True)
    partition_by = fields.List(fields.String(), validate=validate.Length(max=MAX_FEATURES))
    features = fields.List(fields.Nested(FeatureSpecSchema), validate=validate.Length(max=MAX_FEATURES))
    tags = fields.Dict(keys=fields.String(), values=text(MAX_TAG_LENGTH), validate=validate.Length(max=100))
    jobs = fields.List(text(256), validate=validate.Length(max=100))
    statistics = StoredStatisticsOptions()
    expectations = fields.Nested(ExpectationsSetSchema)
    kind = fields.String(validate=validate.OneOf([CACHED, ON_DEMAND]))
    connector = fields.String()
    query = text(MAX_QUERY)

    @validates_schema
    def _agrees_with_itself(self, data: dict[str, Any], **_: Any) -> None:
        for name in ("connector", "query"):
            if (name in data) != (data.get("kind") == ON_DEMAND):
                raise ValidationError(f"Goes with kind {ON_DEMAND}, and always with it.", name)
        if data.get("kind") == ON_DEMAND and "expectations" in data:
            raise ValidationError("Of rows that are in another database nothing is expected.", "expectations")

    def build(self, data: dict[str, Any]) -> GroupSpec | CreateOnDemand:
        kind, connector, query = (data.pop(name, None) for name in ("kind", "connector", "query"))
        spec: GroupSpec = super().build(data)
        return CreateOnDemand(spec, connector, query) if kind == ON_DEMAND else spec


class FeatureGroupSourceSchema(Schema):
    connector = fields.String()
    query = fields.String()


class FeatureDescriptionSchema(Schema):
    name = fields.String(required=True)
    description = text(10_000, required=True)


class FeatureGroupUpdateSchema(CommandSchema):
    command = UpdateFeatureGroup

    description = text(10_000)
    features = fields.List(fields.Nested(FeatureDescriptionSchema), validate=validate.Length(max=MAX_FEATURES))
    jobs = fields.List(text(256), validate=validate.Length(max=100))
    statistics = StoredStatisticsOptions()

    def build(self, data: dict[str, Any]) -> UpdateFeatureGroup:
        described = data.pop("features", None)
        if described is not None:
            data["feature_descriptions"] = {feature["name"]: feature["description"] for feature in described}
        return UpdateFeatureGroup(**data)


class NamedPageQuery(PageQuery):
    """A page, perhaps of things of one name."""

    name = fields.String(load_default=None)

    def build(self, data: dict[str, Any]) -> Any:
        name = data.pop("name")
        return super().build(data), name


class InsertQuery(Schema):
    mode = fields.Enum(WriteMode, by_value=True, load_default=WriteMode.APPEND)


class InsertSchema(Schema):
    rows_received = fields.Integer()
    rows_inserted = fields.Integer()
    rows_updated = fields.Integer()
    table_version = fields.Integer()
    mode = fields.String()
    validation = fields.Nested(InsertValidationSchema, allow_none=True)


class RowsQuery(Schema):
    columns = fields.String(load_default="", metadata={"description": "Names separated by commas; all where empty."})
    compression = fields.Enum(Compression, by_value=True, load_default=Compression.LZ4)
    as_of = State(load_default=None, metadata={"description": "A version of the table, or a time with its zone."})


class ChangesQuery(Schema):
    compression = fields.Enum(Compression, by_value=True, load_default=Compression.LZ4)
    to = State(load_default=None)

    class Meta:
        include = {"from": State(load_default=0)}  # noqa: RUF012 marshmallow's form for names that Python keeps


class CommitSchema(Schema):
    version = fields.Integer()
    committed_at = fields.AwareDateTime(format="iso")
    operation = fields.String()
    rows_inserted = fields.Integer(allow_none=True)
    rows_updated = fields.Integer(allow_none=True)
    rows_deleted = fields.Integer(allow_none=True)
    member = fields.String(allow_none=True)
    key_id = fields.String(allow_none=True)


class CommitsSchema(Schema):
    items = fields.List(fields.Nested(CommitSchema))
    next_cursor = fields.String(allow_none=True)


class AppendFeaturesSchema(CommandSchema):
    """Loads into the features."""

    features = fields.List(
        fields.Nested(FeatureSpecSchema), required=True, validate=validate.Length(min=1, max=MAX_FEATURES)
    )

    def build(self, data: dict[str, Any]) -> tuple[FeatureSpec, ...]:
        return tuple(data["features"])


class TagSchema(Schema):
    name = fields.String()
    value = fields.String()


class TagSetSchema(Schema):
    value = text(MAX_TAG_LENGTH, required=True)


class TagsSchema(Schema):
    items = fields.List(fields.Nested(TagSchema))


class PartitionsSchema(Schema):
    items = fields.List(fields.Dict(keys=fields.String(), values=fields.String(allow_none=True)))
    next_cursor = fields.String(allow_none=True)


FeatureGroupPageSchema = page_of(FeatureGroupSchema)
