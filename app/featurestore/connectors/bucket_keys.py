"""Keys to a bucket, as a secret holds them. Pure."""

import json
import re
from typing import Any

from infra.crypto import SecretValue
from infra.ports.files import BucketKeys
from infra.ports.secrets import SecretNotFoundError

_NAMES = {
    "access_key_id": ("access_key_id", "accessKey"),
    "secret_access_key": ("secret_access_key", "secretKey"),
    "session_token": ("session_token", "sessionToken"),
}
# They go into headers: nothing that could end one.
_VALUE = re.compile(r"[\x21-\x7e]{1,8192}")


def read_keys(secret: SecretValue) -> BucketKeys:
    """Raises SecretNotFoundError, in which nothing of the secret stands."""
    try:
        found = json.loads(secret.reveal())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _unfit("The secret is no JSON object.")
    values = {field: _value(found, names) for field, names in _NAMES.items()}
    missing = [name for name in ("access_key_id", "secret_access_key") if values[name] is None]
    if missing:
        raise _unfit(f"The secret has no {' and no '.join(missing)}.")
    return BucketKeys(**{name: SecretValue(value) for name, value in values.items() if value is not None})


def _value(found: dict[str, Any], names: tuple[str, ...]) -> str | None:
    value = next((found[name] for name in names if found.get(name) is not None), None)
    if value is None:
        return None
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise _unfit(f"What the secret has as {names[0]} is no such key.")
    return value


def _unfit(detail: str) -> SecretNotFoundError:
    return SecretNotFoundError(
        detail,
        hint='A connector to a bucket needs {"access_key_id": "…", "secret_access_key": "…"}, and session_token if it has one.',
    )
