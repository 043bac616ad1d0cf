"""Secrets that the operator names in files of their own."""

from infra.crypto import SecretValue
from infra.ports.secrets import SecretRef, SecretStore
from infra.registry import Registry
from infra.secrets.stores import find_store


class StoredOperatorSecrets:
    """Implements `infra.ports.executors.OperatorSecrets`: whoever writes the operator's files may name any secret."""

    def __init__(self, stores: Registry[SecretStore]) -> None:
        self._stores = stores

    def require_reference(self, text: str) -> None:
        ref = SecretRef.parse(text)
        find_store(self._stores, ref).path(ref)

    def resolve(self, text: str) -> SecretValue:
        ref = SecretRef.parse(text)
        return find_store(self._stores, ref).resolve(ref)
