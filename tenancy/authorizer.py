"""Puts the policy's question with what the database holds at this moment."""

from typing import NoReturn
from uuid import UUID

from sqlalchemy import Select, or_, select, union
from sqlalchemy.orm import Session

from infra.clock import Clock
from infra.errors import NotPermittedError
from tenancy.access import (
    Access,
    KeyNotValidError,
    NotSharedError,
    ProjectNotFoundError,
    RoleTooLowError,
    ScopeMissingError,
)
from tenancy.actions import RULES, Action
from tenancy.policy import Grant, Verdict, decide, refuse_key
from tenancy.principals import Principal
from tenancy.projects.models import Project
from tenancy.projects.repository import ProjectRepository
from tenancy.shares.models import Share
from tenancy.shares.repository import ShareRepository, accepted_shares


class DatabaseAuthorizer:
    """Implements `tenancy.access.Authorizer`. Nothing is cached: a share that ended is gone for the next request."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def require(self, session: Session, principal: Principal, action: Action, project: str) -> Access:
        self.require_key(principal, action)
        found = ProjectRepository(session).find(project)
        if found is None:
            _refuse(Verdict.INVISIBLE, principal, action, project)
        decision = decide(principal, action, found.id, _grants(session, principal), self._clock.now())
        if not decision.is_allowed:
            _refuse(decision.verdict, principal, action, project)
        return Access(found.id, found.name, decision.grant, decision.expires_at)

    def require_key(self, principal: Principal, action: Action) -> None:
        refusal = refuse_key(principal, action, self._clock.now())
        if refusal is not None:
            _refuse(refusal, principal, action, "")

    def require_server(self, principal: Principal, action: Action) -> None:
        decision = decide(principal, action, None, (), self._clock.now())
        if not decision.is_allowed:
            _refuse(decision.verdict, principal, action, "")

    def visible(self, principal: Principal, action: Action) -> Select[UUID]:
        now = self._clock.now()
        shares = accepted_shares(principal.project_id) if principal.project_id else accepted_shares(UUID(int=0))
        kinds = [kind.value for kind in RULES[action].shared_by]
        shared = shares.with_only_columns(Share.owner_project_id).where(
            Share.what.in_(kinds), or_(Share.expires_at.is_(None), Share.expires_at > now)
        )
        own = select(Project.id).where(Project.id == principal.project_id)
        return select(union(own, shared).subquery().c[0])

    def accesses(self, session: Session, principal: Principal, action: Action) -> list[Access]:
        projects = session.scalars(select(Project).where(Project.id.in_(self.visible(principal, action))))
        ordered = sorted(projects, key=lambda project: (project.id != principal.project_id, project.name))
        self.require_key(principal, action)
        grants, now = _grants(session, principal), self._clock.now()
        decided = [(project, decide(principal, action, project.id, grants, now)) for project in ordered]
        return [
            Access(project.id, project.name, made.grant, made.expires_at)
            for project, made in decided
            if made.is_allowed
        ]


def _grants(session: Session, principal: Principal) -> list[Grant]:
    return ShareRepository(session).grants_to(principal.project_id) if principal.project_id else []


def _refuse(verdict: Verdict, principal: Principal, action: Action, project: str) -> NoReturn:
    match verdict:
        case Verdict.UNAUTHENTICATED:
            raise KeyNotValidError("The API key has expired.")
        case Verdict.SCOPE_MISSING:
            scope = RULES[action].scope
            what = "API key" if principal.binding_id is None else "role binding"
            raise ScopeMissingError(
                f"This needs the scope {scope.value if scope else 'operator'!r}, which the {what} {principal.key_id} lacks.",
                hint="Ask a data owner for one with this scope.",
            )
        case Verdict.ROLE_TOO_LOW:
            role = RULES[action].role.label
            raise RoleTooLowError(f"This needs the role {role!r} in project {principal.project!r}.")
        case Verdict.FORBIDDEN:
            raise NotPermittedError(
                f"Project {project!r} shares some of its data with yours; this is for its own members."
            )
        case Verdict.NOT_SHARED:
            raise NotSharedError(f"Project {project!r} does not share this with project {principal.project!r}.")
        case _:
            raise ProjectNotFoundError(f"There is no project {project[:80]!r} that this API key can see.")
