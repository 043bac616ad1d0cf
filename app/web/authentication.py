"""From the Authorization header to a principal."""

from typing import Protocol

from flask import request

from app.web.clients import current_client
from app.web.state import current_container, current_state
from tenancy.access import KeyNotValidError
from tenancy.principals import Principal, RequestContext


class _Way(Protocol):
    def recognises(self, text: str) -> bool: ...

    def authenticate(self, text: str) -> Principal: ...


def authenticate() -> RequestContext:
    """Raises KeyNotValidError or TooManyRequestsError. A key anywhere but in the header is not looked at: URLs end up in logs."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    container = current_container()
    ways: dict[str, _Way] = {"apikey": container.authenticator, "bearer": container.sessions}
    scheme, text = scheme.lower(), text.strip()
    way = ways.get(scheme)
    if way is None or not text:
        raise KeyNotValidError(
            "The request carries no API key.", hint="Send the header `Authorization: ApiKey oast_…`."
        )
    state = current_state()
    state.context = RequestContext(_admitted(scheme, text, way), state.request_id)
    return state.context


def _admitted(scheme: str, text: str, way: _Way) -> Principal:
    """Raises TooManyRequestsError where that failed too often from this address. Keys and sessions are counted apart."""
    address, attempts = current_client(), current_container().attempts
    client = f"{scheme} {address}" if address else None
    attempts.admit(client, text, way.recognises)
    try:
        principal = way.authenticate(text)
    except KeyNotValidError:
        attempts.failed(client, text)
        raise
    attempts.succeeded(client, text)
    return principal
