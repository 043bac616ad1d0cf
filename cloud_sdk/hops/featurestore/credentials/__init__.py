"""Where the API key comes from: one module per secret store, each with `find_key(KeyRequest) -> FoundKey`; `iam` needs none."""

from __future__ import annotations

import importlib
from typing import Callable, Dict, Tuple, cast

from hops.featurestore.credentials.found import FoundKey, KeyRequest
from hops.featurestore.errors import UnknownSecretStoreError

# By module name: only the store that is asked for is imported.
_STORES: Dict[str, str] = {
    "parameterstore": "hops.featurestore.credentials.parameterstore",
    "secretsmanager": "hops.featurestore.credentials.secretsmanager",
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
