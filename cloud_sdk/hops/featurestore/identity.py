"""Whether the key that was found is the right one."""

from __future__ import annotations

import re
import warnings
from datetime import datetime, timedelta, timezone

from hops.featurestore.api_key import ApiKey
from hops.featurestore.credentials.found import FoundKey
from hops.featurestore.errors import ApiKeyError, NotAuthenticatedError
from hops.featurestore.metadata import Identity, from_json
from hops.featurestore.transport import Request, Transport

_KEY_ID = re.compile(r"oast_[a-z]+_([0-9A-Za-z]+)_")
_WARN_BEFORE = timedelta(days=14)


class KeyOfOtherProjectError(ApiKeyError):
    """The key is valid, but not for the project that was named."""

    code = "key-of-other-project"


class KeyExpiryWarning(UserWarning):
    """The key will stop working within 14 days."""


def confirm_identity(transport: Transport, project: str, found: FoundKey) -> Identity:
    """Asks the gateway whose key it is. Raises KeyOfOtherProjectError, NotAuthenticatedError or ConnectionFailedError."""
    try:
        answer = transport.json(Request("GET", "/me"))
    except NotAuthenticatedError as error:
        _explain_refusal(error, project, found)
        raise
    identity = from_json(Identity, answer)
    if identity.project != project:
        belongs = f"belongs to project {identity.project!r}" if identity.project else "belongs to no project"
        raise KeyOfOtherProjectError(
            f"The API key from {found.store} ({found.name}) {belongs}, not to {project!r}.",
            hint="Name the key's project in connect(), or store a key of the right project there.",
        )
    if identity.expires_at and found.is_stored:
        _warn_of_expiry(identity.expires_at)
    return identity


def _explain_refusal(error: NotAuthenticatedError, project: str, found: FoundKey) -> None:
    """The gateway tells nobody why, so it is said which key it was and who can see its state."""
    if not isinstance(found.key, ApiKey):
        return  # a session says itself why
    key_id = _KEY_ID.match(found.key.reveal())
    named = f"API key {key_id[1]} from {found.store}" if key_id else f"text from {found.store}, which is no API key,"
    error.detail = f"The gateway does not accept the {named}: {found.name}."
    error.args = (error.detail,)
    error.hint = (
        f"Keys that are expired, revoked, or of another gateway are refused alike; `oast key list {project}` shows which it is, "
        f"and `oast key publish {project} --member … --role …` puts a fresh one into Secrets Manager or Parameter Store."
    )


def _warn_of_expiry(expires_at: str) -> None:
    moment = datetime.fromisoformat(expires_at.replace("Z", "+00:00"))  # Python 3.9 knows no Z
    left = moment - datetime.now(timezone.utc)
    if left < _WARN_BEFORE:
        warnings.warn(
            f"The API key expires in {max(left.days, 0)} days ({expires_at}); have it rotated.",
            KeyExpiryWarning,
            stacklevel=4,
        )
