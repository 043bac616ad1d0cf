from functools import partial
from typing import Any

from flask import Response
from flask.views import MethodView

from app.api.schemas.queries import (
    CompressionQuery,
    ExplanationSchema,
    ExpressionSchema,
    FeatureStorePageSchema,
    SparkPlanSchema,
)
from app.featurestore.parts.spark_plan import SparkPlan
from app.featurestore.query.explain import Explanation
from app.featurestore.query.service import FeatureStoreInfo
from app.web.arrow import arrow_response
from app.web.blueprint import Blueprint
from app.web.bodies import receive_command
from app.web.disconnect import client_gone
from app.web.parts import parts_response, takes_parts
from app.web.state import current_container, request_context
from infra.database.paging import Page
from tenancy.actions import Action

blp = Blueprint("queries", __name__, description="Features by name, across every feature store the key can read")


@blp.route("/projects/<project>/featurestores")
class FeatureStores(MethodView):
    @blp.operation(action=Action.FEATURE_STORE_LIST, returns=FeatureStorePageSchema)
    def get(self, project: str) -> Page[FeatureStoreInfo]:
        return Page(current_container().queries.list_feature_stores(request_context(), project))


@blp.route("/projects/<project>/queries")
class Queries(MethodView):
    @blp.operation(
        action=Action.QUERY_RUN, query=CompressionQuery, body=ExpressionSchema, takes_frame=True, answers_rows=True
    )
    def post(self, query: dict[str, Any], project: str) -> Response:
        expression, labels = receive_command(ExpressionSchema())
        queries = current_container().queries
        retrieval = queries.retrieve(request_context(), project, expression, labels)
        if takes_parts() and (manifest := current_container().parts.offer(request_context(), retrieval)):
            group = retrieval.plan.sources[0].group
            return parts_response(manifest, project=group.project, name=group.name, version=group.version)
        return arrow_response(queries.run(retrieval, compression=query["compression"].value, abandoned=client_gone()))


@blp.route("/projects/<project>/queries/explain")
class QueryExplanations(MethodView):
    @blp.operation(action=Action.QUERY_EXPLAIN, body=ExpressionSchema, takes_frame=True, returns=ExplanationSchema)
    def post(self, project: str) -> Explanation:
        expression, labels = receive_command(ExpressionSchema())
        context, container = request_context(), current_container()
        transfer = partial(container.parts.transfer, context)
        return container.queries.explain(context, project, expression, labels, transfer)


@blp.route("/projects/<project>/queries/spark")
class SparkQueries(MethodView):
    @blp.operation(action=Action.QUERY_RUN, body=ExpressionSchema, takes_frame=True, returns=SparkPlanSchema)
    def post(self, project: str) -> SparkPlan:
        expression, labels = receive_command(ExpressionSchema())
        container = current_container()
        return container.parts.plan_for_spark(
            container.queries.announce(request_context(), project, expression, labels)
        )
