from flask.views import MethodView

from app.api.schemas.tenancy import (
    MemberPageSchema,
    MemberSchema,
    MemberSetSchema,
    ProjectCreateSchema,
    ProjectPageSchema,
    ProjectSchema,
)
from app.web.blueprint import Blueprint
from app.web.schemas import PageQuery
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from tenancy.actions import Action
from tenancy.members.service import MemberInfo, SetMember
from tenancy.projects.service import CreateProject, ProjectInfo

blp = Blueprint("projects", __name__, description="Projects and their members")


@blp.route("/projects")
class Projects(MethodView):
    @blp.operation(action=Action.PROJECT_LIST, query=PageQuery, returns=ProjectPageSchema)
    def get(self, page: PageRequest) -> Page[ProjectInfo]:
        return current_container().projects.list_projects(request_context(), page)

    @blp.operation(action=Action.PROJECT_CREATE, body=ProjectCreateSchema, returns=ProjectSchema, status=201)
    def post(self, command: CreateProject) -> ProjectInfo:
        return current_container().projects.create(request_context(), command)


@blp.route("/projects/<project>")
class Project(MethodView):
    @blp.operation(action=Action.PROJECT_READ, returns=ProjectSchema)
    def get(self, project: str) -> ProjectInfo:
        return current_container().projects.get(request_context(), project)


@blp.route("/projects/<project>/members")
class Members(MethodView):
    @blp.operation(action=Action.MEMBER_LIST, query=PageQuery, returns=MemberPageSchema)
    def get(self, page: PageRequest, project: str) -> Page[MemberInfo]:
        return current_container().members.list_members(request_context(), project, page)


@blp.route("/projects/<project>/members/<name>")
class Member(MethodView):
    @blp.operation(action=Action.MEMBER_SET, body=MemberSetSchema, returns=MemberSchema)
    def put(self, command: SetMember, project: str, name: str) -> MemberInfo:
        return current_container().members.set(request_context(), project, name, command)

    @blp.operation(action=Action.MEMBER_REMOVE, status=204)
    def delete(self, project: str, name: str) -> None:
        current_container().members.remove(request_context(), project, name)
