from typing import Any

from flask import Response
from flask.views import MethodView

from app.api.schemas.queries import CompressionQuery, ExplanationSchema, ExpressionSchema, FeatureStorePageSchema
from app.featurestore.query.explain import Explanation
from app.featurestore.query.expression import FeatureExpression
from app.featurestore.query.service import FeatureStoreInfo
from app.web.arrow import arrow_response
from app.web.blueprint import Blueprint
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
    @blp.operation(action=Action.QUERY_RUN, query=CompressionQuery, body=ExpressionSchema, answers_rows=True)
    def post(self, query: dict[str, Any], expression: FeatureExpression, project: str) -> Response:
        queries = current_container().queries
        retrieval = queries.retrieve(request_context(), project, expression)
        return arrow_response(retrieval.schema, queries.run(retrieval), query["compression"])


@blp.route("/projects/<project>/queries/explain")
class QueryExplanations(MethodView):
    @blp.operation(action=Action.QUERY_EXPLAIN, body=ExpressionSchema, returns=ExplanationSchema)
    def post(self, expression: FeatureExpression, project: str) -> Explanation:
        return current_container().queries.explain(request_context(), project, expression)
