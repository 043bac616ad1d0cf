"""`@blp.operation(action=…)`: the one way to make a route.

It authenticates, asks the part of the policy that needs no resource (gate 1), reads the body into a frozen command,
and keeps idempotent requests single. The use case behind the view asks the rest (gate 2).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

import flask_smorest
from marshmallow import Schema

from app.web.authentication import authenticate
from app.web.bodies import BodyParser, announced_frame, is_frame, require_small_body
from app.web.etags import note_revision
from app.web.idempotency import refuse_key, run_once
from app.web.state import current_container
from tenancy.actions import Action
from tenancy.principals import RequestContext

View = TypeVar("View", bound=Callable[..., Any])
MARK = "_oast_operation"


@dataclass(frozen=True)
class Operation:
    """What a route does, for the registry and the documentation."""

    action: Action
    takes_frame: bool = False
    answers_rows: bool = False


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    ARGUMENTS_PARSER = BodyParser()

    def operation(
        self,
        *,
        action: Action,
        body: type[Schema] | None = None,
        query: type[Schema] | None = None,
        returns: type[Schema] | None = None,
        status: int = 200,
        idempotent: bool = False,
        takes_frame: bool = False,
        answers_rows: bool = False,
    ) -> Callable[[View], View]:
        """Declare a view. Parsed arguments come first: `query`, then `body`; a frame the view receives itself."""
        mark = Operation(action, takes_frame, answers_rows)

        def declare(view: View) -> View:
            wrapped: Callable[..., Any] = _tagged(view)
            if body is not None and takes_frame:
                wrapped = self.doc(requestBody={"content": {"application/json": {"schema": body}}})(wrapped)
            elif body is not None:
                wrapped = self.arguments(body, location="json")(wrapped)
            if query is not None:
                wrapped = self.arguments(query, location="query", as_kwargs=False)(wrapped)
            if not answers_rows:
                wrapped = self.response(status, returns)(wrapped)
            guarded = _guard(wrapped, mark, idempotent=idempotent, status=status, returns=returns)
            setattr(guarded, MARK, mark)
            return cast("View", guarded)

        return declare

    def public(self, *, body: type[Schema], returns: type[Schema]) -> Callable[[View], View]:
        """Declare a view that anybody may call: its endpoint has to be named in `app/web/registry.py`, too."""

        def declare(view: View) -> View:
            wrapped = self.response(200, returns)(self.arguments(body, location="json")(view))
            wrapped = self.doc(security=[])(wrapped)

            @wraps(wrapped)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                require_small_body()
                refuse_key()
                return wrapped(*args, **kwargs)

            return cast("View", guarded)

        return declare


def _tagged(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def tagged(*args: Any, **kwargs: Any) -> Any:
        answer = view(*args, **kwargs)
        note_revision(answer)
        return answer

    return tagged


def _guard(
    view: Callable[..., Any], mark: Operation, *, idempotent: bool, status: int, returns: type[Schema] | None
) -> Callable[..., Any]:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        context = authenticate()
        current_container().authorizer.require_key(context.principal, mark.action)
        if mark.takes_frame and is_frame():
            announced_frame()
            _require_access(context, mark.action, kwargs["project"])
        else:
            require_small_body()
        if not idempotent or returns is None:
            refuse_key()
            return view(*args, **kwargs)
        return run_once(lambda: view(*args, **kwargs), status=status, dump=returns().dump)

    return guarded


def _require_access(context: RequestContext, action: Action, project: str) -> None:
    """Ask before gigabytes are taken from somebody whom the use case will refuse anyway."""
    container = current_container()
    with container.database.read() as session:
        container.authorizer.require(session, context.principal, action, project)
