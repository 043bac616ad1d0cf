"""From the Authorization header to a principal."""

from collections.abc import Callable

from flask import request

from app.web.state import current_container, current_state
from tenancy.access import KeyNotValidError
from tenancy.principals import Principal, RequestContext


def authenticate() -> RequestContext:
    """Raises KeyNotValidError. A key anywhere but in the header is not looked at: URLs end up in logs."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    container = current_container()
    ways: dict[str, Callable[[str], Principal]] = {
        "apikey": container.authenticator.authenticate,
        "bearer": container.sessions.authenticate,
    }
    find_principal = ways.get(scheme.lower())
    if find_principal is None or not text.strip():
        raise KeyNotValidError(
            "The request carries no API key.", hint="Send the header `Authorization: ApiKey oast_…`."
        )
    state = current_state()
    state.context = RequestContext(find_principal(text.strip()), state.request_id)
    return state.context
