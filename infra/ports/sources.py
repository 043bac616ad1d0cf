"""Databases that others run, read with SQL. Implementations: one module each in `infra/sources/`."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from infra.crypto import SecretValue
from infra.errors import InvalidInputError, UnavailableError


class SourceUnreachableError(UnavailableError):
    """No connection, for whatever reason: told apart, closed ports and refused addresses would map the operator's network."""

    code = "source-unreachable"
    title = "The source cannot be reached"


class SourceAddressRefusedError(InvalidInputError):
    """An address that the gateway does not connect to, whoever asks."""

    code = "source-address-refused"
    title = "The address is not allowed"


class SourceLoginRefusedError(InvalidInputError):
    """The database does not take this user, password or database name, or the encryption is not as asked."""

    code = "source-login-refused"
    title = "The source database refused the login"


class SourcePasswordRefusedError(SourceLoginRefusedError):
    """Of these the password, or the user with it: another version of the secret may be right."""


class SourceQueryRefusedError(InvalidInputError):
    """The database did not run the query; its own text is in the gateway's log, not in the answer."""

    code = "source-query-refused"
    title = "The source database refused the query"


class SourceValueError(InvalidInputError):
    """A value of the source is none of its feature's type."""

    code = "source-value-unfit"
    title = "A value of the source does not fit"


class ColumnNotSupportedError(InvalidInputError):
    """A column of the source is of a type that no feature has."""

    code = "type-not-supported"
    title = "The type is not supported"


class TlsMode(StrEnum):
    DISABLE = "disable"
    REQUIRE = "require"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True)
class SqlTarget:
    """Where to read, and as whom. `database` of SQLite is a file, relative to the operator's directory."""

    engine: str
    database: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: SecretValue | None = None
    tls_mode: TlsMode = TlsMode.VERIFY_FULL


@dataclass(frozen=True)
class SourceLimits:
    """What one run may take; beyond it EngineLimitError. Bytes are those of the rows as Arrow."""

    max_rows: int
    max_bytes: int
    deadline_seconds: float


class SqlSource(Protocol):
    """One engine. Every call is a connection of its own, in which nothing can be written.

    Raises SourceUnreachableError, SourceLoginRefusedError, SourceQueryRefusedError, EngineLimitError; a driver's own words
    go to the log and never into an error.
    """

    def test(self, target: SqlTarget, limits: SourceLimits) -> None:
        """Connect and read one value."""

    def describe(self, target: SqlTarget, sql: str, limits: SourceLimits) -> pa.Schema:
        """The columns that `sql`, one query, would give, with the source's types; no row is read where that can be known.

        Raises ColumnNotSupportedError, naming the column and its type.
        """

    def rows(
        self, target: SqlTarget, sql: str, schema: pa.Schema, limits: SourceLimits, *, first: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The columns of `schema`, by name, of at most the `first` rows that `sql` gives.

        Batches of a few megabytes, all of one schema with the types that the source has now; a source that has none of its
        own (SQLite) takes those of `schema`. Closing the iterator ends the query. Raises SourceValueError.
        """
