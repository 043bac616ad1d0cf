from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from app.featurestore.query.expression import FeatureExpression
from app.featurestore.query.planner import MAX_FEATURES
from app.web.arrow import Compression
from app.web.schemas import CommandSchema, page_of


class JoinKey(fields.Field[tuple[str, ...]]):
    """One column or several."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValidationError("Give a column or a list of columns.")
        if len(names) > MAX_FEATURES or len(set(names)) < len(names):
            raise ValidationError("Name each column once.")
        return tuple(names)


class ExpressionSchema(CommandSchema):
    command = FeatureExpression

    features = fields.List(fields.String(), required=True, validate=validate.Length(1, MAX_FEATURES))
    featurestore = fields.String(allow_none=True)
    feature_group = fields.String(allow_none=True)
    version = fields.Integer(strict=True, allow_none=True)
    feature_group_versions = fields.Dict(keys=fields.String(), values=fields.Integer(strict=True))
    join_key = JoinKey()


class CompressionQuery(Schema):
    compression = fields.Enum(Compression, by_value=True, load_default=Compression.LZ4)


class ExplainedGroupSchema(Schema):
    project = fields.String()
    featurestore = fields.String()
    name = fields.String()
    version = fields.Integer()
    table_version = fields.Integer()
    columns = fields.List(fields.String())
    why = fields.String()
    grant = fields.String()


class ExplanationSchema(Schema):
    sql = fields.String()
    join_key = fields.List(fields.String())
    join_type = fields.String()
    columns = fields.List(fields.String())
    groups = fields.List(fields.Nested(ExplainedGroupSchema))
    text = fields.String()


class FeatureStoreSchema(Schema):
    name = fields.String()
    project = fields.String()
    shared = fields.Boolean()


FeatureStorePageSchema = page_of(FeatureStoreSchema)
