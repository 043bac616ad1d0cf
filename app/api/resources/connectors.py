from flask.views import MethodView

from app.api.schemas.connectors import (
    ConnectorCreateSchema,
    ConnectorPageSchema,
    ConnectorSchema,
    ConnectorTestSchema,
    ConnectorUpdateSchema,
)
from app.featurestore.connectors.infos import ConnectorInfo, ConnectorTestInfo
from app.featurestore.connectors.service import CreateConnector, UpdateConnector
from app.web.blueprint import Blueprint
from app.web.etags import expected_revision
from app.web.schemas import PageQuery
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from tenancy.actions import Action

blp = Blueprint("connectors", __name__, description="Storage connectors")


@blp.route("/projects/<project>/connectors")
class Connectors(MethodView):
    @blp.operation(action=Action.CONNECTOR_LIST, query=PageQuery, returns=ConnectorPageSchema)
    def get(self, page: PageRequest, project: str) -> Page[ConnectorInfo]:
        return current_container().connectors.list_connectors(request_context(), project, page)

    @blp.operation(action=Action.CONNECTOR_CREATE, body=ConnectorCreateSchema, returns=ConnectorSchema, status=201)
    def post(self, command: CreateConnector, project: str) -> ConnectorInfo:
        return current_container().connectors.create(request_context(), project, command)


@blp.route("/projects/<project>/connectors/<name>")
class Connector(MethodView):
    @blp.operation(action=Action.CONNECTOR_READ, returns=ConnectorSchema)
    def get(self, project: str, name: str) -> ConnectorInfo:
        return current_container().connectors.get(request_context(), project, name)

    @blp.operation(action=Action.CONNECTOR_UPDATE, body=ConnectorUpdateSchema, returns=ConnectorSchema)
    def patch(self, command: UpdateConnector, project: str, name: str) -> ConnectorInfo:
        return current_container().connectors.update(request_context(), project, name, command, expected_revision())

    @blp.operation(action=Action.CONNECTOR_DELETE, status=204)
    def delete(self, project: str, name: str) -> None:
        current_container().connectors.delete(request_context(), project, name)


@blp.route("/projects/<project>/connectors/<name>/test")
class ConnectorTest(MethodView):
    @blp.operation(action=Action.CONNECTOR_TEST, returns=ConnectorTestSchema)
    def post(self, project: str, name: str) -> ConnectorTestInfo:
        return current_container().connectors.test(request_context(), project, name)
