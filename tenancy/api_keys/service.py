"""Use cases around API keys."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, true

from infra.clock import Clock
from infra.crypto import Pepper, SecretValue
from infra.database.paging import Page, PageRequest, paginate
from infra.database.unit_of_work import Database
from infra.errors import InvalidInputError
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.api_keys.authentication import key_mac
from tenancy.api_keys.errors import AlreadyInitialisedError, ApiKeyInactiveError
from tenancy.api_keys.models import ApiKey
from tenancy.api_keys.repository import ApiKeyRepository
from tenancy.api_keys.rules import (
    require_manages_key_of,
    require_no_wider,
    require_project_scopes,
    resolve_expiry,
    resolve_member_name,
)
from tenancy.api_keys.token import mint
from tenancy.audit.service import AuditLog
from tenancy.members.models import Member
from tenancy.members.repository import MemberRepository
from tenancy.principals import Principal, RequestContext, Role
from tenancy.scopes import DEFAULT_SCOPES, Scope

OPERATOR_KEY_DAYS = 365


@dataclass(frozen=True)
class CreateApiKey:
    name: str
    member: str | None = None
    scopes: tuple[Scope, ...] = DEFAULT_SCOPES
    expires_in_days: int | None = None


@dataclass(frozen=True)
class ApiKeyInfo:
    key_id: str
    name: str
    member: str | None
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    rotated_to: str | None
    last_used_at: datetime | None
    state: str

    @classmethod
    def of(cls, key: ApiKey, now: datetime, pepper_id: str) -> "ApiKeyInfo":
        return cls(
            key_id=key.key_id,
            name=key.name,
            member=key.member_name,
            scopes=key.scopes,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            rotated_to=key.rotated_to,
            last_used_at=key.use.last_used_at if key.use else None,
            state=_state(key, now, pepper_id),
        )


@dataclass(frozen=True)
class IssuedKey:
    """A key with its secret: the only moment at which the secret exists outside its owner's store."""

    info: ApiKeyInfo
    key: SecretValue


class ApiKeyService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        clock: Clock,
        pepper: Pepper,
        environment: str,
        default_days: int,
        max_days: int,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._pepper = pepper
        self._environment = environment
        self._default_days = default_days
        self._max_days = max_days

    def create(self, context: RequestContext, project: str, command: CreateApiKey) -> IssuedKey:
        principal = context.principal
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, principal, Action.API_KEY_CREATE, project)
            member = MemberRepository(uow.session).get(
                access.project_id, resolve_member_name(principal, command.member)
            )
            require_manages_key_of(principal, member.name)
            require_project_scopes(command.scopes)
            require_no_wider(principal, command.scopes)
            expires_at = self._expiry(principal, command.expires_in_days)
            issued, key = self._issue(command.name, command.scopes, expires_at, principal.name, access, member)
            uow.session.add(key)
            self._audit.record(
                uow.session,
                context,
                Action.API_KEY_CREATE,
                project_id=access.project_id,
                subject=key.key_id,
                member=member.name,
                scopes=key.scopes,
            )
            uow.commit()
            return issued

    def rotate(self, context: RequestContext, project: str, key_id: str, overlap: timedelta) -> IssuedKey:
        """Make a successor with the same scopes and lifetime; the old key works on for `overlap` at the most."""
        principal = context.principal
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, principal, Action.API_KEY_ROTATE, project)
            old = ApiKeyRepository(uow.session).get(access.project_id, key_id)
            require_manages_key_of(principal, old.member_name)
            now = self._clock.now()
            if old.revoked_at or old.rotated_to or old.expires_at <= now or old.member is None:
                raise ApiKeyInactiveError(f"API key {key_id} is revoked, expired or already rotated; make a new one.")
            scopes = tuple(Scope(scope) for scope in old.scopes)
            require_no_wider(principal, scopes)
            expires_at = now + min(old.expires_at - old.created_at, timedelta(days=self._max_days))
            issued, key = self._issue(old.name, scopes, expires_at, principal.name, access, old.member)
            uow.session.add(key)
            old.rotated_to = key.key_id
            old.expires_at = min(old.expires_at, now + overlap)
            self._audit.record(
                uow.session,
                context,
                Action.API_KEY_ROTATE,
                project_id=access.project_id,
                subject=key_id,
                successor=key.key_id,
            )
            uow.commit()
            return issued

    def revoke(self, context: RequestContext, project: str, key_id: str) -> None:
        """Make the key useless from the next request on; requests already authenticated finish."""
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.API_KEY_REVOKE, project)
            key = ApiKeyRepository(uow.session).get(access.project_id, key_id)
            require_manages_key_of(context.principal, key.member_name)
            key.revoked_at = key.revoked_at or self._clock.now()
            self._audit.record(
                uow.session, context, Action.API_KEY_REVOKE, project_id=access.project_id, subject=key_id
            )
            uow.commit()

    def list_api_keys(self, context: RequestContext, project: str, page: PageRequest) -> Page[ApiKeyInfo]:
        """All keys for a data owner or operator, one's own for others."""
        principal = context.principal
        with self._database.read() as session:
            access = self._authorizer.require(session, principal, Action.API_KEY_LIST, project)
            sees_all = principal.is_operator or principal.role is Role.DATA_OWNER
            query: Select[ApiKey] = (
                ApiKeyRepository(session)
                .of_project(access.project_id)
                .where(true() if sees_all else ApiKey.member_name == principal.member)
            )
            now = self._clock.now()
            return paginate(session, query, page, [ApiKey.key_id]).map(
                lambda key: ApiKeyInfo.of(key, now, self._pepper.id)
            )

    def create_first_operator_key(self, context: RequestContext) -> IssuedKey:
        """For `oast init`: raises AlreadyInitialisedError while an operator key works."""
        with self._database.read() as session:
            if ApiKeyRepository(session).has_live_operator_key(self._clock.now(), self._pepper.id):
                raise AlreadyInitialisedError(
                    "This gateway has an operator key already; nothing was changed.",
                    hint="`oast operator create` makes another one.",
                )
        return self.create_operator_key(context, "first operator")

    def create_operator_key(self, context: RequestContext, name: str) -> IssuedKey:
        """For a shell on the gateway's own machine: no route reaches this."""
        self._authorizer.require_server(context.principal, Action.OPERATOR_KEY_MANAGE)
        expires_at = self._clock.now() + timedelta(days=OPERATOR_KEY_DAYS)
        issued, key = self._issue(name, (Scope.OPERATOR,), expires_at, context.principal.key_id, None, None)
        with self._database.write() as uow:
            uow.session.add(key)
            self._audit.record(
                uow.session, context, Action.OPERATOR_KEY_MANAGE, project_id=None, subject=key.key_id, change="created"
            )
            uow.commit()
        return issued

    def list_operator_keys(self, context: RequestContext, page: PageRequest) -> Page[ApiKeyInfo]:
        self._authorizer.require_server(context.principal, Action.OPERATOR_KEY_MANAGE)
        with self._database.read() as session:
            query = ApiKeyRepository(session).of_operators()
            now = self._clock.now()
            return paginate(session, query, page, [ApiKey.key_id]).map(
                lambda key: ApiKeyInfo.of(key, now, self._pepper.id)
            )

    def revoke_operator_key(self, context: RequestContext, key_id: str) -> None:
        self._authorizer.require_server(context.principal, Action.OPERATOR_KEY_MANAGE)
        with self._database.write() as uow:
            key = ApiKeyRepository(uow.session).get_operator_key(key_id)
            key.revoked_at = key.revoked_at or self._clock.now()
            self._audit.record(
                uow.session, context, Action.OPERATOR_KEY_MANAGE, project_id=None, subject=key_id, change="revoked"
            )
            uow.commit()

    def _expiry(self, principal: Principal, days: int | None) -> datetime:
        if days is not None and not 1 <= days <= self._max_days:
            raise InvalidInputError(f"A key may live for 1 to {self._max_days} days, not {days}.")
        return resolve_expiry(principal, self._clock.now(), days, self._default_days)

    def _issue(
        self,
        name: str,
        scopes: tuple[Scope, ...],
        expires_at: datetime,
        by: str,
        access: Access | None,
        member: Member | None,
    ) -> tuple[IssuedKey, ApiKey]:
        token = mint(self._environment)
        now = self._clock.now()
        key = ApiKey(
            key_id=token.key_id,
            environment=token.environment,
            pepper_id=self._pepper.id,
            mac=key_mac(self._pepper, token),
            name=name,
            project_id=access.project_id if access else None,
            member_id=member.id if member else None,
            member_name=member.name if member else None,
            scopes=sorted(scope.value for scope in set(scopes)),
            created_at=now,
            created_by=by,
            expires_at=expires_at,
        )
        return IssuedKey(ApiKeyInfo.of(key, now, self._pepper.id), token.text()), key


def _state(key: ApiKey, now: datetime, pepper_id: str) -> str:
    if key.revoked_at:
        return "revoked"
    if key.pepper_id != pepper_id:
        return "void"
    return "expired" if key.expires_at <= now else "active"
