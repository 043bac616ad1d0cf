"""Secrets that are kept here after all. Implementation: `infra/secrets/sealing.py`."""

from dataclasses import dataclass, field
from typing import Protocol

from infra.crypto import SecretValue
from infra.errors import InvalidInputError


class StoredSecretsOffError(InvalidInputError):
    """The operator lets nobody keep secrets in the gateway."""

    code = "stored-secrets-off"
    title = "The gateway keeps no secrets"

    def __init__(self) -> None:
        super().__init__(
            "This gateway keeps no secrets of connectors; it reads them where they are.",
            hint="Put it into your secret store and give its reference as `secret`, or ask the operator about "
            "OAST_SECRETS__STORED. Change the secret if it was just sent.",
        )


class StoredSecretUnusableError(InvalidInputError):
    """A stored secret that was made for another connector or another place, or whose key is gone."""

    code = "stored-secret-unusable"
    title = "The stored secret cannot be used"


@dataclass(frozen=True)
class Binding:
    """What a sealed secret is for; sealed for one, it opens for no other. `place` is where it will be sent."""

    project: str
    connector: str
    place: str
    field: str = "secret"


@dataclass(frozen=True)
class Sealed:
    """An encrypted secret with the wrapped key that it is encrypted with; `key_id` says which key wraps that one."""

    key_id: str
    wrapped_key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    text: bytes = field(repr=False)


class SecretSealer(Protocol):
    """Every call may ask a key service: never within a transaction. Raises SecretStoreUnavailableError."""

    def seal(self, value: SecretValue, binding: Binding) -> Sealed: ...

    def open(self, sealed: Sealed, binding: Binding) -> SecretValue:
        """Raises StoredSecretUnusableError."""

    def rewrapped(self, sealed: Sealed, binding: Binding) -> Sealed | None:
        """The same secret under the key in use; None where it is. Raises StoredSecretUnusableError."""
