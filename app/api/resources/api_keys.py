from datetime import timedelta
from typing import Any

from flask.views import MethodView

from app.api.schemas.tenancy import ApiKeyCreateSchema, ApiKeyPageSchema, ApiKeyRotateSchema, IssuedApiKeySchema
from app.web.blueprint import Blueprint
from app.web.schemas import PageQuery
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from tenancy.actions import Action
from tenancy.api_keys.service import ApiKeyInfo, CreateApiKey, IssuedKey

blp = Blueprint("api-keys", __name__, description="API keys of a project")


@blp.route("/projects/<project>/api-keys")
class ApiKeys(MethodView):
    @blp.operation(action=Action.API_KEY_LIST, query=PageQuery, returns=ApiKeyPageSchema)
    def get(self, page: PageRequest, project: str) -> Page[ApiKeyInfo]:
        return current_container().api_keys.list_api_keys(request_context(), project, page)

    @blp.operation(action=Action.API_KEY_CREATE, body=ApiKeyCreateSchema, returns=IssuedApiKeySchema, status=201)
    def post(self, command: CreateApiKey, project: str) -> dict[str, Any]:
        return _shown_once(current_container().api_keys.create(request_context(), project, command))


@blp.route("/projects/<project>/api-keys/<key_id>")
class ApiKey(MethodView):
    @blp.operation(action=Action.API_KEY_REVOKE, status=204)
    def delete(self, project: str, key_id: str) -> None:
        current_container().api_keys.revoke(request_context(), project, key_id)


@blp.route("/projects/<project>/api-keys/<key_id>/rotate")
class ApiKeyRotation(MethodView):
    @blp.operation(action=Action.API_KEY_ROTATE, body=ApiKeyRotateSchema, returns=IssuedApiKeySchema, status=201)
    def post(self, options: dict[str, int], project: str, key_id: str) -> dict[str, Any]:
        overlap = timedelta(hours=options["overlap_hours"])
        return _shown_once(current_container().api_keys.rotate(request_context(), project, key_id, overlap))


def _shown_once(issued: IssuedKey) -> dict[str, Any]:
    return {**vars(issued.info), "key": issued.key.reveal()}
