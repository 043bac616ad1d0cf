"""For whom a run acts: the member, with the scopes of the key that asked for it, and never more."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.featurestore.jobs.errors import RequesterGoneError
from app.featurestore.jobs.models import Job
from tenancy.api_keys.repository import ApiKeyRepository
from tenancy.members.models import Member
from tenancy.principals import Principal, Role
from tenancy.role_bindings.repository import RoleBindingRepository
from tenancy.scopes import Scope


@dataclass(frozen=True)
class Requester:
    """Who asked, as it is stored with a run."""

    key_id: str
    environment: str
    scopes: tuple[str, ...]
    member_id: str
    binding_id: str | None = None

    @classmethod
    def of(cls, principal: Principal) -> "Requester":
        scopes = tuple(sorted(scope.value for scope in principal.scopes))
        binding = str(principal.binding_id) if principal.binding_id else None
        return cls(principal.key_id, principal.environment, scopes, str(principal.member_id), binding)

    def stored(self) -> dict[str, Any]:
        return {**vars(self), "scopes": list(self.scopes)}


def saved_by(session: Session, job: Job) -> str:
    """The name of who saved the job last, for whom it runs when its time comes; of who made it, where they are gone."""
    member = session.get(Member, UUID(job.requester["member_id"]))
    return job.created_by if member is None else member.name


def require_principal(session: Session, stored: dict[str, Any], project_id: UUID, project: str) -> Principal:
    """Who the run acts as now. A key that merely expired still counts, since a schedule outlives it; a revoked one does not.

    Raises RequesterGoneError.
    """
    requester = Requester(**{**stored, "scopes": tuple(stored["scopes"])})
    member = session.get(Member, UUID(requester.member_id))
    if member is None or member.project_id != project_id:
        raise RequesterGoneError(
            "Who asked for the run is no member of the project any more.", hint="Let somebody else save the job again."
        )
    key = ApiKeyRepository(session).find_presented(requester.key_id)
    if key is not None and key.revoked_at is not None:
        raise RequesterGoneError(
            "The API key that asked for the run was revoked.", hint="Save the job again with another key."
        )
    return Principal(
        key_id=requester.key_id,
        environment=requester.environment,
        scopes=frozenset(Scope(scope) for scope in requester.scopes),
        expires_at=datetime.max.replace(tzinfo=UTC),
        project_id=project_id,
        project=project,
        member=member.name,
        member_id=member.id,
        role=_role(session, requester, member),
        binding_id=UUID(requester.binding_id) if requester.binding_id else None,
    )


def _role(session: Session, requester: Requester, member: Member) -> Role | None:
    """Of a session of an AWS role: no more than its binding gives now."""
    if requester.binding_id is None:
        return member.role
    binding = RoleBindingRepository(session).find_presented(UUID(requester.binding_id))
    if binding is None:
        raise RequesterGoneError(
            "The AWS role that asked for the run is not bound to the project any more.",
            hint="Let somebody else save the job again.",
        )
    return binding.role
