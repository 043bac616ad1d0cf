"""What the use cases ask before they read or change anything. Answered by `tenancy/authorizer.py`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from infra.errors import NotAuthenticatedError, NotFoundError, NotPermittedError
from tenancy.actions import Action
from tenancy.principals import Principal, Role


class ProjectNotFoundError(NotFoundError):
    """No such project, or none that the caller may know of."""

    code = "project-not-found"
    title = "No such project"


class NotSharedError(NotFoundError):
    """The project is known to the caller through a share of something else."""

    code = "not-shared"
    title = "Not shared with your project"


class ScopeMissingError(NotPermittedError):
    """The key was not made for this."""

    code = "scope-missing"
    title = "The API key lacks a scope"


class RoleTooLowError(NotPermittedError):
    """The key's member may not do this in the key's project."""

    code = "role-too-low"
    title = "The member's role does not allow this"


class NotCreatorError(NotPermittedError):
    """Only who made a thing, or a data owner, may take it away."""

    code = "not-creator"
    title = "Only its creator or a data owner may do this"


class KeyNotValidError(NotAuthenticatedError):
    """Absent, malformed, unknown, expired or revoked: the answer does not tell which."""

    code = "not-authenticated"
    title = "No valid API key"


@dataclass(frozen=True)
class Access:
    """Proof that a question was asked and answered yes. `grant` is what allowed it, in words, until `expires_at`."""

    project_id: UUID
    project: str
    grant: str
    expires_at: datetime | None = None


class Authorizer(Protocol):
    def require(self, session: Session, principal: Principal, action: Action, project: str) -> Access:
        """Raise ProjectNotFoundError if the project is absent or invisible, NotPermittedError if it is only not allowed."""

    def require_key(self, principal: Principal, action: Action) -> None:
        """The part that needs no resource: the key's life, its scopes, its member's role."""

    def require_server(self, principal: Principal, action: Action) -> None:
        """The same question about the gateway itself."""

    def visible(self, principal: Principal, action: Action) -> Select[UUID]:
        """Ids of the projects in which the principal may do `action`, as a sub-select for lists."""

    def accesses(self, session: Session, principal: Principal, action: Action) -> list[Access]:
        """The same as values, the principal's own project first, then by name."""


def require_creator_or_owner(principal: Principal, created_by: str) -> None:
    """Data owners take away anything of their project, others what they made themselves."""
    if principal.role is not Role.DATA_OWNER and principal.member != created_by:
        raise NotCreatorError(f"This was made by {created_by!r}; ask them or a data owner.")
