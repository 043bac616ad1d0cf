"""Use cases around projects."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select, true

from infra.clock import Clock
from infra.database.paging import Page, PageRequest, paginate
from infra.database.unit_of_work import Database
from infra.ids import IdFactory
from tenancy.access import Authorizer
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.members.models import Member
from tenancy.names import require_member_name, require_name
from tenancy.principals import RequestContext, Role
from tenancy.projects.errors import ProjectExistsError
from tenancy.projects.models import Project
from tenancy.projects.repository import ProjectRepository


@dataclass(frozen=True)
class CreateProject:
    name: str
    owner: str
    description: str = ""


@dataclass(frozen=True)
class ProjectInfo:
    name: str
    description: str
    featurestore: str
    created_at: datetime

    @classmethod
    def of(cls, project: Project) -> "ProjectInfo":
        return cls(project.name, project.description, feature_store_name(project.name), project.created_at)


def feature_store_name(project: str) -> str:
    """The name of a project's feature store, as the original clients know it."""
    return f"{project}_featurestore"


class ProjectService:
    def __init__(
        self, *, database: Database, authorizer: Authorizer, audit: AuditLog, clock: Clock, ids: IdFactory
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._ids = ids

    def create(self, context: RequestContext, command: CreateProject) -> ProjectInfo:
        """Make a project with its first data owner."""
        self._authorizer.require_server(context.principal, Action.PROJECT_CREATE)
        require_name(command.name, "project")
        require_member_name(command.owner)
        now = self._clock.now()
        with self._database.write() as uow:
            project = Project(
                id=self._ids(),
                name=command.name,
                description=command.description,
                created_at=now,
                created_by=context.principal.name,
            )
            uow.session.add(project)
            uow.flush_or(ProjectExistsError(f"There is a project {command.name!r} already."))
            uow.session.add(
                Member(
                    id=self._ids(),
                    project_id=project.id,
                    name=command.owner,
                    role_rank=Role.DATA_OWNER.value,
                    created_at=now,
                )
            )
            self._audit.record(
                uow.session,
                context,
                Action.PROJECT_CREATE,
                project_id=project.id,
                subject=project.name,
                owner=command.owner,
            )
            uow.commit()
            return ProjectInfo.of(project)

    def get(self, context: RequestContext, name: str) -> ProjectInfo:
        with self._database.read() as session:
            self._authorizer.require(session, context.principal, Action.PROJECT_READ, name)
            project = ProjectRepository(session).find(name)
            assert project is not None, "the authorizer found it in this transaction"
            return ProjectInfo.of(project)

    def list_projects(self, context: RequestContext, page: PageRequest) -> Page[ProjectInfo]:
        """The caller's project and those that share with it; an operator sees all."""
        self._authorizer.require_server(context.principal, Action.PROJECT_LIST)
        query: Select[Project] = select(Project)
        visible = self._authorizer.visible(context.principal, Action.PROJECT_READ)
        query = query.where(true() if context.principal.is_operator else Project.id.in_(visible))
        with self._database.read() as session:
            return paginate(session, query, page, [Project.name]).map(ProjectInfo.of)
