"""Where the API key comes from: one module per secret store, each with `find_key(KeyRequest) -> FoundKey`; `iam` needs none."""

from __future__ import annotations

import importlib
from typing import Callable, Dict, List, Tuple, cast

from hops.featurestore.credentials.errors import (
    ApiKeyNotFoundError,
    AwsCredentialsMissingError,
    AwsRoleNotFoundError,
    DatabricksNotFoundError,
    SecretAccessDeniedError,
    SecretNotFoundError,
)
from hops.featurestore.credentials.found import FoundKey, KeyRequest
from hops.featurestore.errors import ApiKeyError, FeatureStoreError, MissingExtraError, UnknownSecretStoreError

# By module name: only the store that is asked for is imported.
_STORES: Dict[str, str] = {
    "parameterstore": "hops.featurestore.credentials.parameterstore",
    "secretsmanager": "hops.featurestore.credentials.secretsmanager",
    "databricks": "hops.featurestore.credentials.databricks",
    "local": "hops.featurestore.credentials.local",
    "iam": "hops.featurestore.credentials.iam",
}


def secret_stores() -> Tuple[str, ...]:
    return tuple(_STORES)


def find_key(secrets_store: str, request: KeyRequest) -> FoundKey:
    """Raises an ApiKeyError that says which store and names were tried and what to do."""
    if secrets_store not in _STORES:
        raise UnknownSecretStoreError(f"There is no secret store {secrets_store!r}.", candidates=secret_stores())
    module = importlib.import_module(_STORES[secrets_store])
    return cast("Callable[[KeyRequest], FoundKey]", module.find_key)(request)


_SEARCHED = ("secretsmanager", "parameterstore", "databricks")
_NO_AWS = (AwsCredentialsMissingError, AwsRoleNotFoundError, MissingExtraError)
# Who was never granted anything in a store is refused whether or not there is a secret.
_LEADS_ON = (*_NO_AWS, SecretNotFoundError, SecretAccessDeniedError, DatabricksNotFoundError)


def search_key(request: KeyRequest) -> FoundKey:
    """The first key of Secrets Manager, Parameter Store, Databricks. An outage or a broken secret ends the search."""
    answers: List[Tuple[str, FeatureStoreError]] = []
    for store in _SEARCHED:
        if store == "parameterstore" and isinstance(answers[-1][1], _NO_AWS):
            continue  # it would look for the same role, which takes seconds where there is none
        try:
            return find_key(store, request)
        except _LEADS_ON as error:
            answers.append((store, error))
    raise _nowhere(answers)


def _nowhere(answers: List[Tuple[str, FeatureStoreError]]) -> ApiKeyError:
    refused = [error for _, error in answers if isinstance(error, SecretAccessDeniedError)]
    lines = "\n".join(f"  - {store}: {error.detail}" for store, error in answers)
    return ApiKeyNotFoundError(
        "No API key is to be found: none was given, and neither OAST_API_KEY, OAST_API_KEY_FILE nor a profile names one.\n"
        + lines,
        hint=(refused[0].hint if refused else None)
        or "Set OAST_API_KEY_FILE to a file whose first line is the key, say.",
    )
