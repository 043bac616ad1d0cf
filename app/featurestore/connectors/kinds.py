"""What a kind of connector must be able to do. A new kind is a new module with such a class, and an entry point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from infra.crypto import SecretValue
from infra.ports.sources import SourceLimits, SqlSource, SqlTarget
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


Kinds: TypeAlias = Registry[ConnectorKind]
