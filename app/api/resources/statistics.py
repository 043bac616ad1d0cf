from typing import Any

from flask.views import MethodView

from app.api.schemas.jobs import RunSchema
from app.api.schemas.statistics import (
    DriftQuestionSchema,
    DriftSchema,
    StateQuery,
    StatesSchema,
    StatisticsAskSchema,
    StatisticsSchema,
)
from app.featurestore.jobs.infos import RunInfo
from app.featurestore.statistics.maths.options import StatisticsOptions
from app.featurestore.statistics.service import DriftQuestion, StatesInfo, StatisticsInfo
from app.featurestore.statistics.subjects import FEATURE_GROUP, TRAINING_DATASET, SubjectRef
from app.web.blueprint import Blueprint
from app.web.state import current_container, request_context
from infra.database.paging import Page
from tenancy.actions import Action

blp = Blueprint("statistics", __name__, description="What rows look like, after each commit")
_GROUP = "/projects/<project>/feature-groups/<name>/versions/<int:version>/statistics"
_DATASET = "/projects/<project>/training-datasets/<name>/versions/<int:version>/statistics"


@blp.route(_GROUP)
class FeatureGroupStatistics(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ_ROWS, query=StateQuery, returns=StatisticsSchema)
    def get(self, query: dict[str, Any], project: str, name: str, version: int) -> StatisticsInfo:
        return _get(project, SubjectRef(FEATURE_GROUP, name, version), query)

    @blp.operation(
        action=Action.FEATURE_GROUP_UPDATE, body=StatisticsAskSchema, returns=RunSchema, status=202, idempotent=True
    )
    def post(self, options: StatisticsOptions | None, project: str, name: str, version: int) -> RunInfo:
        return _update(project, SubjectRef(FEATURE_GROUP, name, version), options)


@blp.route(f"{_GROUP}/states")
class FeatureGroupStates(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ_ROWS, returns=StatesSchema)
    def get(self, project: str, name: str, version: int) -> Page[StatesInfo]:
        return _states(project, SubjectRef(FEATURE_GROUP, name, version))


@blp.route(_DATASET)
class TrainingDatasetStatistics(MethodView):
    @blp.operation(action=Action.TRAINING_DATASET_READ_ROWS, query=StateQuery, returns=StatisticsSchema)
    def get(self, query: dict[str, Any], project: str, name: str, version: int) -> StatisticsInfo:
        return _get(project, SubjectRef(TRAINING_DATASET, name, version), query)

    @blp.operation(
        action=Action.TRAINING_DATASET_CREATE, body=StatisticsAskSchema, returns=RunSchema, status=202, idempotent=True
    )
    def post(self, options: StatisticsOptions | None, project: str, name: str, version: int) -> RunInfo:
        return _update(project, SubjectRef(TRAINING_DATASET, name, version), options)


@blp.route(f"{_DATASET}/states")
class TrainingDatasetStates(MethodView):
    @blp.operation(action=Action.TRAINING_DATASET_READ_ROWS, returns=StatesSchema)
    def get(self, project: str, name: str, version: int) -> Page[StatesInfo]:
        return _states(project, SubjectRef(TRAINING_DATASET, name, version))


@blp.route("/projects/<project>/drift")
class Drift(MethodView):
    @blp.operation(action=Action.DRIFT_READ, body=DriftQuestionSchema, returns=DriftSchema)
    def post(self, question: DriftQuestion, project: str) -> dict[str, Any]:
        return current_container().statistics.compare(request_context(), project, question)


def _get(project: str, ref: SubjectRef, query: dict[str, Any]) -> StatisticsInfo:
    return current_container().statistics.get(request_context(), project, ref, query["state"])


def _update(project: str, ref: SubjectRef, options: StatisticsOptions | None) -> RunInfo:
    return current_container().statistics.update(request_context(), project, ref, options)


def _states(project: str, ref: SubjectRef) -> Page[StatesInfo]:
    return Page(current_container().statistics.list_states(request_context(), project, ref))
