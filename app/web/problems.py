"""Errors become `application/problem+json` (RFC 9457) here and nowhere else."""

import json
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from app.web.state import current_state
from infra.errors import ErrorKind, GatewayError, InvalidInputError

STATUS: dict[ErrorKind, HTTPStatus] = {
    ErrorKind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorKind.MALFORMED: HTTPStatus.BAD_REQUEST,
    ErrorKind.MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ErrorKind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ErrorKind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ErrorKind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorKind.CONFLICT: HTTPStatus.CONFLICT,
    ErrorKind.STALE: HTTPStatus.PRECONDITION_FAILED,
    ErrorKind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorKind.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorKind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorKind.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_RETRYABLE = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TOO_MANY})
_RETRYABLE_CODES = frozenset({"request-in-progress"})
_log = structlog.get_logger(__name__)


def register_problems(app: Flask) -> None:
    app.register_error_handler(GatewayError, gateway_problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unexpected_problem)


def gateway_problem(error: GatewayError) -> Response:
    """The body says what is wrong; a gateway's own failure says only that it failed."""
    if error.kind is ErrorKind.INTERNAL:
        return _unexpected_problem(error)
    extra: dict[str, Any] = {"retryable": error.kind in _RETRYABLE or error.code in _RETRYABLE_CODES}
    if error.hint:
        extra["hint"] = error.hint
    if error.candidates:
        extra["candidates"] = list(error.candidates)
    if error.errors:
        extra["errors"] = list(error.errors)
    response = _problem(error.code, error.title, STATUS[error.kind], error.detail, extra)
    if error.kind is ErrorKind.UNAUTHENTICATED:
        response.headers["WWW-Authenticate"] = 'ApiKey realm="oasthouse"'
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def fields_not_valid(messages: Any) -> InvalidInputError:
    """Marshmallow's messages as one error with an entry per field."""
    fields = _flatten(messages)
    names = ", ".join(str(field["field"]) for field in fields[:5])
    return InvalidInputError(f"Some fields are not valid: {names}.", errors=fields)


def _http_problem(error: HTTPException) -> Response:
    """Flask's own refusals: no such route, wrong method, a body that does not fit its schema."""
    messages = (getattr(error, "data", None) or {}).get("messages")
    if messages:
        return gateway_problem(fields_not_valid(messages))
    status = HTTPStatus(error.code or 500)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unexpected_problem(error)
    code = status.phrase.lower().replace(" ", "-")
    response = _problem(code, status.phrase, status, error.description or status.description, {"retryable": False})
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _unexpected_problem(error: Exception) -> Response:
    _log.error("unexpected error", exc_info=error)
    detail = "The gateway failed; the request id tells its operator where to look."
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _problem("internal-error", "The gateway failed", status, detail, {"retryable": False})


def _problem(code: str, title: str, status: HTTPStatus, detail: str, extra: dict[str, Any]) -> Response:
    body = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status.value,
        "detail": detail,
        "instance": request.path,
        "code": code,
        "request_id": current_state().request_id,
        **extra,
    }
    return Response(json.dumps(body, default=str), status.value, content_type="application/problem+json")


def _flatten(messages: Any, path: str = "") -> list[dict[str, object]]:
    """Marshmallow's nested messages as one entry per field."""
    if isinstance(messages, dict):
        nested = [_flatten(value, f"{path}.{key}" if path else str(key)) for key, value in messages.items()]
        return [entry for entries in nested for entry in entries]
    if isinstance(messages, list):
        text = " ".join(str(message) for message in messages)
        return [{"field": path.removeprefix("json.").removeprefix("query."), "message": text}]
    return [{"field": path, "message": str(messages)}]
