from dataclasses import asdict
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.featurestore.statistics.maths.options import METHODS, StatisticsOptions
from app.featurestore.statistics.service import DriftQuestion, StateRef
from app.featurestore.statistics.subjects import FEATURE_GROUP, TRAINING_DATASET, SubjectRef
from app.web.schemas import CommandSchema


class StatisticsOptionsSchema(CommandSchema):
    command = StatisticsOptions

    descriptive = fields.Boolean(truthy={True}, falsy={False})
    correlations = fields.Boolean(truthy={True}, falsy={False})
    histograms = fields.Boolean(truthy={True}, falsy={False})
    clusters = fields.Boolean(truthy={True}, falsy={False})
    columns = fields.List(fields.String(), validate=validate.Length(max=2_000))
    bins = fields.Integer(strict=True, validate=validate.Range(2, 1_000))
    correlation_method = fields.String(validate=validate.OneOf(METHODS))
    cluster_count = fields.Integer(strict=True, validate=validate.Range(1, 100))


class StoredStatisticsOptions(fields.Nested):
    """The same as it is kept: all of them, as JSON."""

    def __init__(self) -> None:
        super().__init__(StatisticsOptionsSchema)

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        return asdict(super()._deserialize(*args, **kwargs))


class StatisticsAskSchema(CommandSchema):
    """Which statistics; those of the group or dataset itself where nothing is said."""

    options = fields.Nested(StatisticsOptionsSchema, load_default=None, allow_none=True)

    def build(self, data: dict[str, Any]) -> StatisticsOptions | None:
        options: StatisticsOptions | None = data["options"]
        return options


class StateQuery(Schema):
    state = fields.Integer(load_default=None, validate=validate.Range(0, 2**63 - 1))


class StatisticsSchema(Schema):
    state = fields.Integer()
    rows = fields.Integer()
    options = fields.Dict()
    computed_at = fields.AwareDateTime(format="iso")
    content = fields.Dict()


class StateSchema(Schema):
    state = fields.Integer()
    rows = fields.Integer()
    computed_at = fields.AwareDateTime(format="iso")


class StatesSchema(Schema):
    items = fields.List(fields.Nested(StateSchema))
    next_cursor = fields.String(allow_none=True)


class StateRefSchema(CommandSchema):
    """A feature group or a training dataset, in one state."""

    command = StateRef

    feature_group = fields.String()
    training_dataset = fields.String()
    version = fields.Integer(strict=True, load_default=1)
    project = fields.String(allow_none=True)
    state = fields.Integer(strict=True, allow_none=True, validate=validate.Range(0, 2**63 - 1))

    @validates_schema
    def _names_one(self, data: dict[str, Any], **_: Any) -> None:
        if ("feature_group" in data) == ("training_dataset" in data):
            raise ValidationError("Name a feature_group or a training_dataset.")

    def build(self, data: dict[str, Any]) -> StateRef:
        kind = FEATURE_GROUP if "feature_group" in data else TRAINING_DATASET
        return StateRef(SubjectRef(kind, data[kind], data["version"]), data.get("project"), data.get("state"))


class DriftQuestionSchema(CommandSchema):
    command = DriftQuestion

    old = fields.Nested(StateRefSchema, required=True)
    new = fields.Nested(StateRefSchema, required=True)


class DriftSchema(Schema):
    columns = fields.List(fields.Dict())
    only_in_old = fields.List(fields.String())
    only_in_new = fields.List(fields.String())
    verdict = fields.String()
