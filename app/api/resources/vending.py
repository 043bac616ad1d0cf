from typing import Any

from flask import Response, after_this_request
from flask.views import MethodView

from app.api.schemas.queries import ExpressionSchema
from app.api.schemas.staging import StagingSchema, StagingWantedSchema
from app.api.schemas.vending import (
    CredentialSchema,
    CredentialWantedSchema,
    PlanByPathSchema,
    VendingSchema,
    VendingSetSchema,
)
from app.featurestore.query.expression import FeatureExpression
from app.featurestore.vending.service import GroupName, ProjectVendingInfo
from app.web.blueprint import Blueprint
from app.web.state import current_container, request_context
from infra.ports.vending import Credential, Level
from tenancy.actions import Action

blp = Blueprint("vending", __name__, description="Credentials to read a table in S3 directly")


@blp.route("/projects/<project>/vending")
class Vending(MethodView):
    @blp.operation(action=Action.PROJECT_READ, returns=VendingSchema)
    def get(self, project: str) -> ProjectVendingInfo:
        return current_container().vending.get(request_context(), project)

    @blp.operation(action=Action.VENDING_SET, body=VendingSetSchema, returns=VendingSchema)
    def put(self, body: dict[str, bool], project: str) -> ProjectVendingInfo:
        return current_container().vending.set(request_context(), project, enabled=body["enabled"])


@blp.route("/projects/<project>/feature-groups/<name>/versions/<int:version>/credentials")
class FeatureGroupCredentials(MethodView):
    @blp.operation(action=Action.DATA_VEND, body=CredentialWantedSchema, returns=CredentialSchema)
    def post(self, body: dict[str, Level], project: str, name: str, version: int) -> dict[str, Any]:
        after_this_request(_never_kept)
        level = body["level"]
        [place] = current_container().vending.vend(request_context(), [GroupName(project, name, version)], level)
        return {**_revealed(place.credential), "uri": place.uri, "level": level.value}


@blp.route("/projects/<project>/feature-groups/<name>/versions/<int:version>/staged-inserts")
class StagedInserts(MethodView):
    @blp.operation(action=Action.FEATURE_GROUP_INSERT, body=StagingWantedSchema, returns=StagingSchema)
    def post(self, body: dict[str, Any], project: str, name: str, version: int) -> dict[str, Any]:
        after_this_request(_never_kept)
        staging, context = current_container().staging, request_context()
        group = GroupName(project, name, version)
        if body["staging"] is not None:
            made = staging.renew(context, group, body["staging"])
        else:
            made = staging.begin(context, group, body["bytes"])
        place = made.place
        credential = place and {**_revealed(place.credential), "uri": place.uri, "level": Level.STAGE.value}
        return {"mode": made.transfer.mode, "why": made.transfer.why, "staging": made.id, "credential": credential}


@blp.route("/projects/<project>/queries/credentials")
class QueryCredentials(MethodView):
    @blp.operation(action=Action.DATA_VEND, body=ExpressionSchema, returns=PlanByPathSchema)
    def post(self, expression: FeatureExpression, project: str) -> dict[str, Any]:
        after_this_request(_never_kept)
        context, container = request_context(), current_container()
        plan = container.parts.plan_by_path(context, container.queries.retrieve(context, project, expression))
        return {**vars(plan), "credentials": [_revealed(each) for each in plan.credentials]}


def _revealed(made: Credential) -> dict[str, Any]:
    names = ("access_key_id", "secret_access_key", "session_token")
    return {**vars(made), **{name: getattr(made, name).reveal() for name in names}}


def _never_kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
