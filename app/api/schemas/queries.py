import base64
from typing import Any

import pyarrow as pa
from marshmallow import Schema, ValidationError, fields, validate

from app.featurestore.query.expression import AsOf, FeatureExpression, JoinSpec, LabelsSpec
from app.featurestore.query.planner import MAX_FEATURES
from app.featurestore.query.time_travel import parse_as_of
from app.featurestore.query.transfer import TransferMode
from app.web.arrow import Compression
from app.web.schemas import CommandSchema, page_of
from infra.errors import InvalidInputError


class Names(fields.Field[tuple[str, ...]]):
    """One column or several."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValidationError("Give a column or a list of columns.")
        if len(names) > MAX_FEATURES or len(set(names)) < len(names):
            raise ValidationError("Name each column once.")
        return tuple(names)


class State(fields.Field[AsOf]):
    """A version of a table or a time."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> AsOf:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise ValidationError("Give a version of the table or a time such as 2026-03-01T12:00:00Z.")
        try:
            return parse_as_of(str(value))
        except InvalidInputError as error:
            raise ValidationError(f"{error.detail} {error.hint}") from error


class States(State):
    """One for all groups, or one for each by name."""

    def _deserialize(self, value: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(value, dict):
            return {name: super(States, self)._deserialize(each, *rest, **named) for name, each in value.items()}
        return super()._deserialize(value, *rest, **named)


def lookback() -> fields.Integer:
    """Microseconds; units of the event time where that is a BIGINT."""
    return fields.Integer(strict=True, allow_none=True, validate=validate.Range(0, 2**63 - 1))


class JoinSchema(CommandSchema):
    command = JoinSpec

    left_on = Names()
    right_on = Names()
    how = fields.String(allow_none=True)
    prefix = fields.String(validate=validate.Regexp(r"\A[a-z0-9_]{0,63}\Z"))
    lookback = lookback()


class LabelsSchema(CommandSchema):
    command = LabelsSpec

    event_time = fields.String(allow_none=True)
    given_back = fields.List(fields.String(), allow_none=True, validate=validate.Length(max=MAX_FEATURES))
    feature_group = fields.String(allow_none=True)


class ExpressionSchema(CommandSchema):
    command = FeatureExpression

    features = fields.List(fields.String(), required=True, validate=validate.Length(1, MAX_FEATURES))
    featurestore = fields.String(allow_none=True)
    feature_group = fields.String(allow_none=True)
    version = fields.Integer(strict=True, allow_none=True)
    feature_group_versions = fields.Dict(keys=fields.String(), values=fields.Integer(strict=True))
    join_key = Names()
    join_type = fields.String()
    joins = fields.Dict(
        keys=fields.String(), values=fields.Nested(JoinSchema), validate=validate.Length(max=MAX_FEATURES)
    )
    labels = fields.Nested(LabelsSchema, allow_none=True)
    lookback = lookback()
    as_known = fields.Boolean(truthy={True}, falsy={False})
    as_of = States(allow_none=True)


class CompressionQuery(Schema):
    compression = fields.Enum(Compression, by_value=True, load_default=Compression.LZ4)


class ExplainedKeySchema(Schema):
    left = fields.String()
    right = fields.String()


class ExplainedGroupSchema(Schema):
    project = fields.String()
    featurestore = fields.String()
    name = fields.String()
    version = fields.Integer()
    table_version = fields.Integer(allow_none=True)
    columns = fields.List(fields.String())
    on = fields.List(fields.Nested(ExplainedKeySchema))
    join_type = fields.String(allow_none=True)
    event_time = fields.String(allow_none=True)
    lookback = fields.Integer(allow_none=True)
    files = fields.Integer()
    files_read = fields.Integer()
    estimated_bytes = fields.Integer(allow_none=True)
    why = fields.String()
    grant = fields.String()


class ExplainedLabelsSchema(Schema):
    columns = fields.List(fields.String())
    event_time = fields.String(allow_none=True)
    first_time = fields.String(allow_none=True)
    last_time = fields.String(allow_none=True)
    feature_group = fields.String(allow_none=True)
    table_version = fields.Integer(allow_none=True)
    rows = fields.Integer(allow_none=True)
    as_known = fields.Boolean()
    grant = fields.String(allow_none=True)


class TransferSchema(Schema):
    mode = fields.Enum(TransferMode, by_value=True)
    why = fields.String()


class ExplanationSchema(Schema):
    sql = fields.String()
    join_key = fields.List(fields.String())
    join_type = fields.String()
    columns = fields.List(fields.String())
    labels = fields.Nested(ExplainedLabelsSchema, allow_none=True)
    groups = fields.List(fields.Nested(ExplainedGroupSchema))
    transfer = fields.Nested(TransferSchema)
    text = fields.String()


class ArrowSchema(fields.Field[pa.Schema]):
    """The bytes of Arrow's own schema message, in base64."""

    def _serialize(self, value: Any, *_: Any, **__: Any) -> str:
        return base64.b64encode(value.serialize()).decode()


class SparkFileSchema(Schema):
    uri = fields.String()
    partition = fields.Dict(keys=fields.String(), values=fields.String(allow_none=True))
    written_at = fields.AwareDateTime(format="iso", allow_none=True)
    removed_at = fields.AwareDateTime(format="iso", allow_none=True)


class SparkTableSchema(Schema):
    name = fields.String()
    schema = ArrowSchema()
    files = fields.List(fields.Nested(SparkFileSchema))


class SparkPlanSchema(Schema):
    sql = fields.String(allow_none=True)
    labels = fields.String(allow_none=True)
    tables = fields.List(fields.Nested(SparkTableSchema))


class FeatureStoreSchema(Schema):
    name = fields.String()
    project = fields.String()
    shared = fields.Boolean()


FeatureStorePageSchema = page_of(FeatureStoreSchema)
