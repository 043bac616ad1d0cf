from uuid import UUID

from flask.views import MethodView

from app.api.schemas.login import BindRoleSchema, RoleBindingPageSchema, RoleBindingSchema
from app.web.blueprint import Blueprint
from app.web.schemas import PageQuery
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from tenancy.actions import Action
from tenancy.role_bindings.service import BindRole, RoleBindingInfo

blp = Blueprint("role-bindings", __name__, description="AWS roles that act in a project without a stored key")


@blp.route("/projects/<project>/role-bindings")
class RoleBindings(MethodView):
    @blp.operation(action=Action.ROLE_BINDING_LIST, query=PageQuery, returns=RoleBindingPageSchema)
    def get(self, page: PageRequest, project: str) -> Page[RoleBindingInfo]:
        return current_container().role_bindings.list_role_bindings(request_context(), project, page)

    @blp.operation(action=Action.ROLE_BINDING_CREATE, body=BindRoleSchema, returns=RoleBindingSchema, status=201)
    def post(self, command: BindRole, project: str) -> RoleBindingInfo:
        return current_container().role_bindings.bind(request_context(), project, command)


@blp.route("/projects/<project>/role-bindings/<uuid:binding_id>")
class RoleBinding(MethodView):
    @blp.operation(action=Action.ROLE_BINDING_DELETE, status=204)
    def delete(self, project: str, binding_id: UUID) -> None:
        current_container().role_bindings.unbind(request_context(), project, binding_id)
