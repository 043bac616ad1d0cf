"""From the Authorization header to a principal."""

from collections.abc import Callable

from flask import request

from app.web.clients import current_client
from app.web.state import current_container, current_state
from tenancy.access import KeyNotValidError
from tenancy.principals import Principal, RequestContext


def authenticate() -> RequestContext:
    """Raises KeyNotValidError or TooManyRequestsError. A key anywhere but in the header is not looked at: URLs end up in logs."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    container = current_container()
    ways: dict[str, Callable[[str], Principal]] = {
        "apikey": container.authenticator.authenticate,
        "bearer": container.sessions.authenticate,
    }
    scheme, text = scheme.lower(), text.strip()
    find_principal = ways.get(scheme)
    if find_principal is None or not text:
        raise KeyNotValidError(
            "The request carries no API key.", hint="Send the header `Authorization: ApiKey oast_…`."
        )
    state = current_state()
    state.context = RequestContext(_admitted(scheme, text, find_principal), state.request_id)
    return state.context


def _admitted(scheme: str, text: str, find_principal: Callable[[str], Principal]) -> Principal:
    """Raises TooManyRequestsError where that failed too often from this address. Keys and sessions are counted apart."""
    address, attempts = current_client(), current_container().attempts
    client = f"{scheme} {address}" if address else None
    attempts.admit(client, text)
    try:
        principal = find_principal(text)
    except KeyNotValidError:
        attempts.failed(client, text)
        raise
    attempts.succeeded(client, text)
    return principal
