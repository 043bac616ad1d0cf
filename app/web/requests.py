"""What happens around every request: an id, a log line, headers that browsers obey."""

import re
import time

import structlog
from flask import Flask, Response, g, request

from app.web.state import RequestState, current_state
from infra.ids import IdFactory

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
_log = structlog.get_logger("oasthouse.request")


def register_requests(app: Flask, ids: IdFactory) -> None:
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(ids())
        g.oast = RequestState(request_id=request_id, started=time.perf_counter())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

    app.before_request(begin)
    app.after_request(_finish)


def _finish(response: Response) -> Response:
    state = current_state()
    response.headers["X-Request-Id"] = state.request_id
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    principal = state.context.principal if state.context else None
    _log.info(
        "request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        ms=round((time.perf_counter() - state.started) * 1000, 1),
        key_id=principal.key_id if principal else None,
        project=principal.project if principal else None,
    )
    return response
