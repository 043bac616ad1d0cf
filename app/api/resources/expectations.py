from typing import Any

from flask.views import MethodView

from app.api.schemas.expectations import ExpectationsSchema, ExpectationsSetSchema, ValidationReportPageSchema
from app.api.schemas.jobs import RunSchema
from app.featurestore.expectations.service import ExpectationsInfo, ReportInfo
from app.featurestore.jobs.infos import RunInfo
from app.web.blueprint import Blueprint
from app.web.etags import expected_revision
from app.web.schemas import PageQuery
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from tenancy.actions import Action

blp = Blueprint("expectations", __name__, description="What is expected of rows, and whether they keep to it")
_GROUP = "/projects/<project>/feature-groups/<name>/versions/<int:version>"


@blp.route(f"{_GROUP}/expectations")
class Expectations(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ, returns=ExpectationsSchema)
    def get(self, project: str, name: str, version: int) -> ExpectationsInfo:
        return current_container().expectations.get(request_context(), project, name, version)

    @blp.operation(action=Action.FEATURE_GROUP_UPDATE, body=ExpectationsSetSchema, returns=ExpectationsSchema)
    def put(self, body: dict[str, Any], project: str, name: str, version: int) -> ExpectationsInfo:
        expectations = current_container().expectations
        return expectations.set(request_context(), project, name, version, body, expected_revision())

    @blp.operation(action=Action.FEATURE_GROUP_UPDATE, status=204)
    def delete(self, project: str, name: str, version: int) -> None:
        current_container().expectations.remove(request_context(), project, name, version)


@blp.route(f"{_GROUP}/validations")
class Validations(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_READ_ROWS, query=PageQuery, returns=ValidationReportPageSchema)
    def get(self, page: PageRequest, project: str, name: str, version: int) -> Page[ReportInfo]:
        return current_container().expectations.list_reports(request_context(), project, name, version, page)

    @blp.operation(action=Action.FEATURE_GROUP_UPDATE, returns=RunSchema, status=202, idempotent=True)
    def post(self, project: str, name: str, version: int) -> RunInfo:
        return current_container().expectations.validate(request_context(), project, name, version)
