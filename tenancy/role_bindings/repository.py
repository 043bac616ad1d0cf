from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tenancy.projects.models import Project
from tenancy.role_bindings.arns import RoleName
from tenancy.role_bindings.errors import RoleBindingNotFoundError
from tenancy.role_bindings.models import RoleBinding


class RoleBindingRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def find_presented(self, binding_id: UUID) -> RoleBinding | None:
        """Without a project, like that of keys: it is what tells us the project."""
        return self._session.get(RoleBinding, binding_id)

    def find_bound(self, project: str, role: RoleName) -> RoleBinding | None:
        """The binding that a login asks for, locked: its first login writes whom it is bound to."""
        query = (
            select(RoleBinding)
            .join(Project, Project.id == RoleBinding.project_id)
            .where(
                Project.name == project,
                RoleBinding.partition == role.partition,
                RoleBinding.account_id == role.account,
                RoleBinding.role_name == role.name,
            )
        )
        return self._session.scalar(query.with_for_update(of=RoleBinding))

    def get(self, project_id: UUID, binding_id: UUID) -> RoleBinding:
        binding = self._session.scalar(self.of_project(project_id).where(RoleBinding.id == binding_id))
        if binding is None:
            raise RoleBindingNotFoundError(f"The project has no role binding {binding_id}.")
        return binding

    def of_project(self, project_id: UUID) -> Select[RoleBinding]:
        return select(RoleBinding).where(RoleBinding.project_id == project_id)
