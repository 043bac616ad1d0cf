"""Requests that may be sent again: `Idempotency-Key`."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from app.web.bodies import announced_frame, discard_frame, is_frame, read_small_body
from app.web.state import current_container, current_state, request_context
from infra.database.idempotency import Claim, store_answer
from infra.errors import ErrorKind, GatewayError, InvalidInputError

_KEY = re.compile(r"[A-Za-z0-9_-]{8,128}")
# Refused before anything happened. After any other error an effect may be there, and the claim stays.
_WITHOUT_EFFECT = frozenset(
    {
        ErrorKind.INVALID,
        ErrorKind.MALFORMED,
        ErrorKind.MEDIA_TYPE,
        ErrorKind.FORBIDDEN,
        ErrorKind.NOT_FOUND,
        ErrorKind.CONFLICT,
        ErrorKind.TOO_LARGE,
    }
)

Dump = Callable[[Any], dict[str, Any]]


class IdempotencyKeyNotValidError(InvalidInputError):
    """The header is malformed, or the route does not take it."""

    code = "idempotency-key-unsupported"
    kind = ErrorKind.MALFORMED
    title = "The idempotency key cannot be used"


def refuse_key() -> None:
    """For routes that cannot keep the promise: ignoring the header would be worse."""
    if "Idempotency-Key" in request.headers:
        raise IdempotencyKeyNotValidError("This route takes no Idempotency-Key.", hint="Send the request without it.")


def run_once(view: Callable[[], Any], *, status: int, dump: Dump) -> Any:
    """Run `view`, or answer what it answered when this request came first."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return view()
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyNotValidError("An Idempotency-Key is 8 to 128 of A-Z, a-z, 0-9, _ and -.")
    ledger = current_container().ledger
    try:
        claim = ledger.claim(_owner(), key, _fingerprint())
    except GatewayError:
        discard_frame()
        raise
    if claim.answer is not None:
        discard_frame()
        return _replay(claim.answer)
    _bind(claim, status, dump)
    try:
        return view()
    except GatewayError as error:
        return _settle(claim, error)
    except BaseException:
        ledger.end_lease(claim)
        raise


def _bind(claim: Claim, status: int, dump: Dump) -> None:
    def remember(session: Session, answer: Any) -> None:
        store_answer(session, claim.id, {"status": status, "body": dump(answer)})

    state = current_state()
    state.context = replace(request_context(), claim_id=claim.id, remember=remember)


def _settle(claim: Claim, error: GatewayError) -> Response:
    """Another attempt of the same request may have answered while this one failed: its answer is the answer."""
    ledger = current_container().ledger
    answer = ledger.find_answer(claim)
    if answer is not None:
        return _replay(answer)
    if error.kind in _WITHOUT_EFFECT:
        ledger.release(claim)
    else:
        ledger.end_lease(claim)
    raise error


def _replay(answer: dict[str, Any]) -> Response:
    response = jsonify(answer["body"])
    response.status_code = answer["status"]
    response.headers["Idempotent-Replay"] = "true"
    if "revision" in answer["body"]:
        response.headers["ETag"] = f'"{answer["body"]["revision"]}"'
    return response


def _owner() -> str:
    """The member, not the key: a request is still the same when its key was rotated in between."""
    principal = request_context().principal
    return hashlib.sha256(f"{principal.project_id}\n{principal.member_id}".encode()).hexdigest()


def _fingerprint() -> str:
    # A frame is known by its digest, which is checked when the frame is received; JSON is small enough to read.
    body = announced_frame().digest if is_frame() else read_small_body(request)
    parts = (request.method.encode(), request.full_path.encode(), body)
    return hashlib.sha256(b"\n".join(parts)).hexdigest()
