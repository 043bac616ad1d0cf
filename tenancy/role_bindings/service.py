"""Use cases around role bindings: which AWS roles may act in a project without a stored key."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from infra.clock import Clock
from infra.database.paging import Page, PageRequest, paginate
from infra.database.unit_of_work import Database
from infra.ids import IdFactory
from tenancy.access import Authorizer
from tenancy.actions import Action
from tenancy.api_keys.rules import require_no_wider, resolve_member_name
from tenancy.audit.service import AuditLog
from tenancy.members.models import Member
from tenancy.members.repository import MemberRepository
from tenancy.principals import RequestContext, Role
from tenancy.role_bindings.arns import RoleName, parse_role_arn, require_unique_id
from tenancy.role_bindings.errors import RoleBindingExistsError
from tenancy.role_bindings.models import RoleBinding
from tenancy.role_bindings.repository import RoleBindingRepository
from tenancy.role_bindings.rules import BINDING_SCOPES, require_binding_scopes
from tenancy.scopes import Scope


@dataclass(frozen=True)
class BindRole:
    """`role` is the most that it may do, by its label; `member` for whom it acts, the caller unless said."""

    role_arn: str
    role_unique_id: str | None = None
    member: str | None = None
    role: str = Role.DATA_SCIENTIST.label
    scopes: tuple[Scope, ...] = BINDING_SCOPES


@dataclass(frozen=True)
class RoleBindingInfo:
    id: UUID
    role_arn: str
    role_unique_id: str | None
    member: str
    role: str
    scopes: list[str]
    created_at: datetime
    created_by: str
    last_login_at: datetime | None
    state: str

    @classmethod
    def of(cls, binding: RoleBinding) -> "RoleBindingInfo":
        return cls(
            id=binding.id,
            role_arn=binding.iam_role.arn,
            role_unique_id=binding.role_unique_id,
            member=binding.member_name,
            role=binding.ceiling.label,
            scopes=binding.scopes,
            created_at=binding.created_at,
            created_by=binding.created_by,
            last_login_at=binding.last_login_at,
            state="active" if binding.member else "void",
        )


class RoleBindingService:
    def __init__(
        self, *, database: Database, authorizer: Authorizer, audit: AuditLog, clock: Clock, ids: IdFactory
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._ids = ids

    def list_role_bindings(self, context: RequestContext, project: str, page: PageRequest) -> Page[RoleBindingInfo]:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.ROLE_BINDING_LIST, project)
            query = RoleBindingRepository(session).of_project(access.project_id)
            by = [RoleBinding.partition, RoleBinding.account_id, RoleBinding.role_name]
            return paginate(session, query, page, by).map(RoleBindingInfo.of)

    def bind(self, context: RequestContext, project: str, command: BindRole) -> RoleBindingInfo:
        """Let a role act for a member. It gets no scope that the caller's key lacks, and never more than its member has."""
        principal = context.principal
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, principal, Action.ROLE_BINDING_CREATE, project)
            role = parse_role_arn(command.role_arn)
            require_binding_scopes(command.scopes)
            require_no_wider(principal, command.scopes)
            member = MemberRepository(uow.session).get(
                access.project_id, resolve_member_name(principal, command.member)
            )
            binding = self._made(command, role, member, principal.name)
            uow.session.add(binding)
            uow.flush_or(
                RoleBindingExistsError(
                    f"{role.arn} is bound to project {access.project!r}.",
                    hint="Unbind it first; its sessions then end at once.",
                )
            )
            self._record(uow.session, context, Action.ROLE_BINDING_CREATE, binding)
            uow.commit()
            return RoleBindingInfo.of(binding)

    def unbind(self, context: RequestContext, project: str, binding_id: UUID) -> None:
        """From the next request on sessions of the role are useless; requests already authenticated finish."""
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.ROLE_BINDING_DELETE, project)
            binding = RoleBindingRepository(uow.session).get(access.project_id, binding_id)
            self._record(uow.session, context, Action.ROLE_BINDING_DELETE, binding)
            uow.session.delete(binding)
            uow.commit()

    def _made(self, command: BindRole, role: RoleName, member: Member, by: str) -> RoleBinding:
        unique_id = command.role_unique_id
        return RoleBinding(
            id=self._ids(),
            project_id=member.project_id,
            partition=role.partition,
            account_id=role.account,
            role_name=role.name,
            role_unique_id=require_unique_id(unique_id) if unique_id is not None else None,
            member_id=member.id,
            member_name=member.name,
            role_rank=Role[command.role.upper()].value,
            scopes=sorted(scope.value for scope in set(command.scopes)),
            created_at=self._clock.now(),
            created_by=by,
        )

    def _record(self, session: Session, context: RequestContext, action: Action, binding: RoleBinding) -> None:
        self._audit.record(
            session,
            context,
            action,
            project_id=binding.project_id,
            subject=str(binding.id),
            role_arn=binding.iam_role.arn,
            role_unique_id=binding.role_unique_id,
            member=binding.member_name,
            role=binding.ceiling.label,
            scopes=binding.scopes,
        )
