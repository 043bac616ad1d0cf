"""Secrets by reference. Implementations: one module each in `infra/secrets/`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from infra.crypto import SecretValue
from infra.errors import InvalidInputError, UnavailableError

T = TypeVar("T")
_REFERENCE = re.compile(r"(?P<scheme>[a-z][a-z0-9-]{0,31}):(?P<name>[^#\s]{1,512})(?:#(?P<key>[^#\s]{1,128}))?")


class SecretRefInvalidError(InvalidInputError):
    """Not of the form `scheme:name#key`, or of a form that its store does not know."""

    code = "secret-reference-invalid"
    title = "That is no secret reference"


class SecretNotFoundError(InvalidInputError):
    """The store has no secret of that name, or the secret has no such key."""

    code = "secret-not-found"
    title = "The secret does not exist"


class SecretAccessDeniedError(InvalidInputError):
    """Nobody granted this secret to the project, or to the gateway."""

    code = "secret-access-denied"
    title = "The secret may not be used"


class SecretStoreUnavailableError(UnavailableError):
    """The secret store does not answer. Never said of a secret that is absent or refused."""

    code = "secret-store-unavailable"
    title = "The secret store does not answer"


@dataclass(frozen=True)
class SecretRef:
    """`scheme:name#key` says where a secret is; it prints in full, because it is none itself."""

    scheme: str
    name: str
    key: str | None = None

    @classmethod
    def parse(cls, text: str) -> "SecretRef":
        """Raises SecretRefInvalidError without the text: what was written there may be a password."""
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise SecretRefInvalidError(
                "A secret is given as a reference, scheme:name or scheme:name#key.",
                hint="For example aws-sm:oasthouse/football/warehouse#password. A password itself is never taken.",
            )
        return cls(match["scheme"], match["name"], match["key"])

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}" + (f"#{self.key}" if self.key else "")


class SecretStage(StrEnum):
    """Which version of a secret, in the words of AWS. One that is still being made (AWSPENDING) is never used."""

    CURRENT = "AWSCURRENT"
    PREVIOUS = "AWSPREVIOUS"


class SecretStore(Protocol):
    @property
    def is_local(self) -> bool:
        """The operator's own secrets, on the gateway's machine: no name gives a project a right to them."""

    def path(self, ref: SecretRef) -> str:
        """What the reference names, in the form by whose prefix projects own secrets; raises SecretRefInvalidError."""

    def resolve(self, ref: SecretRef, stage: SecretStage = SecretStage.CURRENT) -> SecretValue:
        """The value as it is now; a store that keeps no versions has no previous one.

        Raises SecretNotFoundError, SecretAccessDeniedError or SecretStoreUnavailableError; who may use a secret was asked before.
        """


class SecretUser(Protocol):
    """Hands secrets to those who log in with them. `owner` is the project, or empty for the gateway itself."""

    def use(
        self, owner: str, ref: SecretRef, attempt: Callable[[SecretValue], T], is_refusal: Callable[[Exception], bool]
    ) -> T:
        """What `attempt` gives with the secret's value; at most two further attempts, each with another value.

        `is_refusal` tells a target that does not take the value from everything else that may go wrong.
        """

    def require_known(self, ref: SecretRef) -> SecretStore:
        """The store of such references; raises SecretRefInvalidError where there is none."""
