"""Who acts where `oast` is called: the shell on the gateway's own machine."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.container import Container
from infra.database.paging import MAX_LIMIT, Page, PageRequest
from infra.errors import InvalidInputError
from infra.ids import new_id
from tenancy.members.repository import MemberRepository
from tenancy.principals import Principal, RequestContext
from tenancy.projects.repository import ProjectRepository
from tenancy.scopes import Scope

LOCAL_KEY_ID = "local-shell"


def as_operator(container: Container) -> RequestContext:
    return RequestContext(_local_principal(container, scopes=frozenset({Scope.OPERATOR})), str(new_id()))


def acting_as(container: Container, project_name: str, member_name: str) -> RequestContext:
    """The shell in the place of a member, with that member's role and no more."""
    with container.database.read() as session:
        found = ProjectRepository(session).find(project_name)
        if found is None:
            raise InvalidInputError(f"There is no project {project_name!r}.", hint="`oast project list` names them.")
        role = MemberRepository(session).get(found.id, member_name).role
        principal = _local_principal(
            container,
            scopes=frozenset(Scope) - {Scope.OPERATOR},
            project_id=found.id,
            project=found.name,
            member=member_name,
            role=role,
        )
    return RequestContext(principal, str(new_id()))


def every(fetch: Callable[[PageRequest], Page[Any]]) -> list[Any]:
    """All pages of a list."""
    rows: list[Any] = []
    page: Page[Any] = Page([], next_cursor="")
    while page.next_cursor is not None:
        page = fetch(PageRequest(MAX_LIMIT, page.next_cursor or None))
        rows.extend(page.items)
    return rows


def _local_principal(container: Container, **who: Any) -> Principal:
    environment = container.settings.environment
    return Principal(key_id=LOCAL_KEY_ID, environment=environment, expires_at=datetime.max.replace(tzinfo=UTC), **who)
