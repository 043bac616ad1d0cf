"""A Databricks secret scope, read through `dbutils`, which the platform gives to notebooks and jobs."""

from __future__ import annotations

from typing import Any, Optional, Tuple

from hops.featurestore.api_key import ApiKey
from hops.featurestore.credentials.errors import (
    DatabricksNotFoundError,
    SecretAccessDeniedError,
    SecretContentError,
    SecretNotFoundError,
    SecretStoreUnavailableError,
)
from hops.featurestore.credentials.found import FoundKey, KeyRequest
from hops.featurestore.databricks import dbutils
from hops.featurestore.errors import ApiKeyError
from hops.featurestore.spark import default_session

STORE = "Databricks secret scope"
SCOPE = "hopsworks"


def find_key(request: KeyRequest) -> FoundKey:
    """Scope `hopsworks`, key `<project>`, unless others are named."""
    scope, name = request.scope or SCOPE, request.name or request.project
    utilities = dbutils(default_session())
    if utilities is None:
        raise DatabricksNotFoundError(
            "There is no dbutils here, so no secret scope of Databricks can be read.",
            hint="Run this in a notebook or a job on Databricks; elsewhere use another secrets_store.",
        )
    key, failure = _read(utilities, scope, name)
    if failure is not None:
        raise failure
    assert key is not None
    return FoundKey(key, STORE, f"{scope}/{name}")


def _read(utilities: Any, scope: str, name: str) -> Tuple[Optional[ApiKey], Optional[ApiKeyError]]:
    """The error is raised by the caller: no frame that held the secret hangs on it."""
    try:
        key = ApiKey(str(utilities.secrets.get(scope, name) or "").strip())
    except Exception as error:  # noqa: BLE001 py4j's, gRPC's or the platform's own, by runtime
        return None, _refusal(type(error).__name__ + " " + str(error), scope, name)
    if not key.reveal():
        return None, SecretContentError(f"The secret {scope}/{name} is empty.")
    return key, None


def _refusal(text: str, scope: str, name: str) -> ApiKeyError:
    """By what it says: its class differs between runtimes."""
    said = text.lower()
    if "permission" in said or "forbidden" in said or "unauthorized" in said:
        return SecretAccessDeniedError(
            f"Databricks does not let this user read the secret scope {scope!r}.",
            hint=f"Somebody who manages the scope runs:  databricks secrets put-acl {scope} <user or group> READ",
        )
    if "not exist" in said or "not found" in said or "notfound" in said:
        return SecretNotFoundError(
            f"Databricks has no secret {name!r} in a scope {scope!r}.",
            hint=f"databricks secrets create-scope {scope}, then databricks secrets put-secret {scope} {name}; "
            "or name others with secret_scope= and secret_key=.",
        )
    return SecretStoreUnavailableError(f"The secret scope {scope!r} cannot be read: {text.splitlines()[0][:300]}")
