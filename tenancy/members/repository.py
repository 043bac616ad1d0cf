from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tenancy.members.errors import MemberNotFoundError
from tenancy.members.models import Member
from tenancy.principals import Role


class MemberRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, project_id: UUID, name: str) -> Member | None:
        return self._session.scalar(select(Member).where(Member.project_id == project_id, Member.name == name))

    def get(self, project_id: UUID, name: str) -> Member:
        member = self.find(project_id, name)
        if member is None:
            raise MemberNotFoundError(f"The project has no member {name!r}.")
        return member

    def of_project(self, project_id: UUID) -> Select[Member]:
        return select(Member).where(Member.project_id == project_id)

    def count_other_owners(self, project_id: UUID, name: str) -> int:
        """Data owners besides `name`, locked: two owners leaving at once must not both pass."""
        owners = self.of_project(project_id).where(Member.role_rank == Role.DATA_OWNER.value).with_for_update()
        return sum(owner.name != name for owner in self._session.scalars(owners))
