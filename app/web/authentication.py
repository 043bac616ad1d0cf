"""From the Authorization header to a principal."""

from flask import request

from app.web.state import current_container, current_state
from tenancy.access import KeyNotValidError
from tenancy.principals import RequestContext


def authenticate() -> RequestContext:
    """Raises KeyNotValidError. A key anywhere but in the header is not looked at: URLs end up in logs."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "apikey" or not key.strip():
        raise KeyNotValidError(
            "The request carries no API key.", hint="Send the header `Authorization: ApiKey oast_…`."
        )
    state = current_state()
    principal = current_container().authenticator.authenticate(key.strip())
    state.context = RequestContext(principal, state.request_id)
    return state.context
