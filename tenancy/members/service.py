"""Use cases around the people of a project."""

from dataclasses import dataclass
from datetime import datetime

from infra.clock import Clock
from infra.database.paging import Page, PageRequest, paginate
from infra.database.unit_of_work import Database
from infra.ids import IdFactory
from tenancy.access import Authorizer
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.members.errors import LastDataOwnerError
from tenancy.members.models import Member
from tenancy.members.repository import MemberRepository
from tenancy.names import require_member_name
from tenancy.principals import RequestContext, Role


@dataclass(frozen=True)
class SetMember:
    """`role` by its label."""

    role: str


@dataclass(frozen=True)
class MemberInfo:
    name: str
    role: str
    created_at: datetime

    @classmethod
    def of(cls, member: Member) -> "MemberInfo":
        return cls(member.name, member.role.label, member.created_at)


class MemberService:
    def __init__(
        self, *, database: Database, authorizer: Authorizer, audit: AuditLog, clock: Clock, ids: IdFactory
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._ids = ids

    def list_members(self, context: RequestContext, project: str, page: PageRequest) -> Page[MemberInfo]:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.MEMBER_LIST, project)
            query = MemberRepository(session).of_project(access.project_id)
            return paginate(session, query, page, [Member.name]).map(MemberInfo.of)

    def set(self, context: RequestContext, project: str, name: str, command: SetMember) -> MemberInfo:
        """Add a member or change a role; keys of a member follow the role from the next request on."""
        require_member_name(name)
        role = Role[command.role.upper()]
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.MEMBER_SET, project)
            members = MemberRepository(uow.session)
            member = members.find(access.project_id, name)
            if member is None:
                member = Member(
                    id=self._ids(), project_id=access.project_id, name=name, role_rank=0, created_at=self._clock.now()
                )
                uow.session.add(member)
            elif member.role is Role.DATA_OWNER and role is not Role.DATA_OWNER:
                _require_another_owner(members, member)
            member.role_rank = role.value
            self._audit.record(
                uow.session,
                context,
                Action.MEMBER_SET,
                project_id=access.project_id,
                subject=name,
                role=role.label,
            )
            uow.commit()
            return MemberInfo.of(member)

    def remove(self, context: RequestContext, project: str, name: str) -> None:
        """Take a member out; every key of the member is useless from the next request on."""
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.MEMBER_REMOVE, project)
            members = MemberRepository(uow.session)
            member = members.get(access.project_id, name)
            if member.role is Role.DATA_OWNER:
                _require_another_owner(members, member)
            uow.session.delete(member)
            self._audit.record(uow.session, context, Action.MEMBER_REMOVE, project_id=access.project_id, subject=name)
            uow.commit()


def _require_another_owner(members: MemberRepository, leaving: Member) -> None:
    if members.count_other_owners(leaving.project_id, leaving.name) == 0:
        raise LastDataOwnerError(
            f"{leaving.name!r} is the last data owner.", hint="Make another member data_owner first."
        )
