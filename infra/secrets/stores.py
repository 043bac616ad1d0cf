"""What all secret stores share."""

from infra.ports.secrets import SecretNotFoundError, SecretRef, SecretRefInvalidError, SecretStage, SecretStore
from infra.registry import Registry


def find_store(stores: Registry[SecretStore], ref: SecretRef) -> SecretStore:
    """Raises SecretRefInvalidError naming those that there are."""
    if ref.scheme not in stores:
        raise SecretRefInvalidError("No secret store has that name.", candidates=tuple(f"{name}:…" for name in stores))
    return stores.load(ref.scheme)


def require_current(stage: SecretStage) -> None:
    """For stores without versions."""
    if stage is not SecretStage.CURRENT:
        raise SecretNotFoundError("This secret store keeps no previous version.")
