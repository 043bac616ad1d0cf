"""A refusal's HTTP answer → the error to raise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Dict, Optional, Type

from hops.featurestore import (
    errors,
    login_errors,  # noqa: F401 its classes are found among the descendants below
    source_errors,  # noqa: F401 likewise
)


def _with_descendants(error: Type[errors.GatewayError]) -> Iterator[Type[errors.GatewayError]]:
    yield error
    for child in error.__subclasses__():
        yield from _with_descendants(child)


_BY_CODE: Dict[str, Type[errors.GatewayError]] = {
    error.code: error for error in _with_descendants(errors.GatewayError) if error is not errors.GatewayError
}
_BY_STATUS: Dict[int, Type[errors.GatewayError]] = {
    400: errors.RefusedInputError,
    401: errors.NotAuthenticatedError,
    403: errors.NotPermittedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    412: errors.RevisionStaleError,
    413: errors.TooLargeError,
    415: errors.RefusedInputError,
    422: errors.RefusedInputError,
    429: errors.TooManyRequestsError,
    500: errors.InternalError,
    502: errors.UnavailableError,
    503: errors.UnavailableError,
    504: errors.UnavailableError,
}


def error_from_answer(
    status: int, headers: Mapping[str, str], body: bytes, request_id: Optional[str] = None
) -> errors.GatewayError:
    """Never raises: an answer that is no problem+json (a proxy's page, say) becomes an error by its status."""
    problem = _problem(body)
    code = _text(problem.get("code"))
    kind = _BY_CODE.get(code or "") or _BY_STATUS.get(status, errors.GatewayError)
    retryable = problem.get("retryable")
    return kind(
        _text(problem.get("detail")) or _text(problem.get("title")) or _foreign_detail(status, headers),
        code=code,
        status=status,
        hint=_text(problem.get("hint")),
        candidates=[str(candidate) for candidate in _items(problem.get("candidates"))],
        errors=[error for error in _items(problem.get("errors")) if isinstance(error, dict)],
        request_id=_text(problem.get("request_id")) or headers.get("X-Request-Id") or request_id,
        retryable=retryable if isinstance(retryable, bool) else None,
    )


def error_from_run(run_id: str, problem: Mapping[str, Any]) -> errors.GatewayError:
    """A failed run's `error` → the same class that a request which failed like this would have raised."""
    code = _text(problem.get("code"))
    detail = _text(problem.get("detail")) or _text(problem.get("title")) or "It gave no reason."
    error = _BY_CODE.get(code or "", errors.GatewayError)(
        detail,
        code=code,
        hint=_text(problem.get("hint")),
        candidates=[str(candidate) for candidate in _items(problem.get("candidates"))],
    )
    error.run_id = run_id
    return error


def _problem(body: bytes) -> Dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _foreign_detail(status: int, headers: Mapping[str, str]) -> str:
    if 300 <= status < 400:
        # Following would hand the key to whoever the answer names.
        return (
            f"The host answered {status}, a redirect to {headers.get('Location')!r}, which is not followed because the "
            "API key would travel along. Give connect() the gateway's own address."
        )
    kind = headers.get("Content-Type", "no content type")
    return f"The host answered {status} ({kind}) in a form that is not the gateway's; is a proxy in between?"


def _text(value: object) -> Optional[str]:
    return value if isinstance(value, str) and value else None


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
