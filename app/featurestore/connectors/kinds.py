"""What a kind of connector must be able to do. A new kind is a new module with such a class, and an entry point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from infra.crypto import SecretValue
from infra.ports.files import FileSource
from infra.ports.sources import SourceLimits, SqlSource, SqlTarget
from infra.ports.storage import ObjectStore
from infra.registry import Registry

Options: TypeAlias = dict[str, Any]


class ConnectorKind(Protocol):
    """Kinds are registered by their lower-case name."""

    def accept(self, given: Mapping[str, Any]) -> Options:
        """The options as they are stored: known fields only, checked; raises InvalidInputError naming every wrong one."""

    def test(self, project: str, options: Options, secret: SecretValue | None) -> None:
        """Reach the store; raises where that fails."""


@dataclass(frozen=True)
class SqlAccess:
    """A database that can be asked at once."""

    source: SqlSource
    target: SqlTarget
    limits: SourceLimits


@runtime_checkable
class SqlKind(Protocol):
    """A kind that moreover runs SQL, and therefore can be below an on-demand feature group."""

    def access(self, project: str, options: Options, secret: SecretValue | None) -> SqlAccess: ...


@runtime_checkable
class FileKind(Protocol):
    """A kind that moreover holds files. Both are for one use: what they were opened with may be void an hour later."""

    def files(self, project: str, options: Options, secret: SecretValue | None) -> ObjectStore:
        """For writing below the connector's place, by strict names."""

    def source(self, project: str, options: Options, secret: SecretValue | None) -> FileSource:
        """For reading below it, by whatever names there are."""

    def uri(self, project: str, options: Options, path: str) -> str:
        """What `path` below it is called by people; nothing is connected for it."""


@runtime_checkable
class CredentialKind(Protocol):
    """A kind with an opinion about its credentials; others take a secret or none."""

    def require_credentials(self, options: Options, *, has_secret: bool) -> None:
        """Raises InvalidInputError unless these are the credentials that such options need."""

    def external_id(self, project: str, options: Options) -> str | None:
        """What the gateway says when it assumes a role for the project; None where it assumes none."""


Kinds: TypeAlias = Registry[ConnectorKind]
