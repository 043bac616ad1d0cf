"""Secrets that the operator names in files of their own."""

from infra.crypto import SecretValue
from infra.ports.secrets import SecretRef, SecretRefInvalidError, SecretStore
from infra.registry import Registry


class StoredOperatorSecrets:
    """Implements `infra.ports.executors.OperatorSecrets`: whoever writes the operator's files may name any secret."""

    def __init__(self, stores: Registry[SecretStore]) -> None:
        self._stores = stores

    def require_reference(self, text: str) -> None:
        ref = SecretRef.parse(text)
        self._store(ref).path(ref)

    def resolve(self, text: str) -> SecretValue:
        ref = SecretRef.parse(text)
        return self._store(ref).resolve(ref)

    def _store(self, ref: SecretRef) -> SecretStore:
        if ref.scheme not in self._stores:
            raise SecretRefInvalidError(
                "No secret store has that name.", candidates=tuple(f"{name}:…" for name in self._stores)
            )
        return self._stores.load(ref.scheme)
