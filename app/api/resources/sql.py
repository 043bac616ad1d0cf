from typing import Any

from flask import Response
from flask.views import MethodView

from app.api.schemas.queries import CompressionQuery
from app.api.schemas.sql import SqlExplanationSchema, SqlQuerySchema
from app.featurestore.sql.explain import SqlExplanation
from app.featurestore.sql.service import SqlQuery
from app.web.arrow import arrow_response
from app.web.blueprint import Blueprint
from app.web.disconnect import client_gone
from app.web.state import current_container, request_context
from tenancy.actions import Action

blp = Blueprint("sql", __name__, description="SQL over the feature groups that the key can read")


@blp.route("/projects/<project>/sql")
class Sql(MethodView):
    @blp.operation(action=Action.QUERY_RUN, query=CompressionQuery, body=SqlQuerySchema, answers_rows=True)
    def post(self, query: dict[str, Any], command: SqlQuery, project: str) -> Response:
        sql = current_container().sql
        pinned = sql.pin(request_context(), project, command)
        return arrow_response(sql.run(pinned, compression=query["compression"].value, abandoned=client_gone()))


@blp.route("/projects/<project>/sql/explain")
class SqlExplanations(MethodView):
    @blp.operation(action=Action.QUERY_EXPLAIN, body=SqlQuerySchema, returns=SqlExplanationSchema)
    def post(self, command: SqlQuery, project: str) -> SqlExplanation:
        return current_container().sql.explain(request_context(), project, command)
