"""What belongs to the request at hand."""

from dataclasses import dataclass
from typing import cast

from flask import current_app, g

from app.container import Container
from infra.database.idempotency import Claim
from tenancy.principals import RequestContext

EXTENSION = "oasthouse"


@dataclass
class RequestState:
    """Kept in `flask.g`; `context` is set once the caller is known."""

    request_id: str
    started: float
    context: RequestContext | None = None
    claim: Claim | None = None


def current_container() -> Container:
    return cast("Container", current_app.extensions[EXTENSION])


def current_state() -> RequestState:
    return cast("RequestState", g.oast)


def request_context() -> RequestContext:
    """Who asks, in which request. Only views of authenticated operations may call it."""
    context = current_state().context
    assert context is not None, "the operation authenticates before its view runs"
    return context
