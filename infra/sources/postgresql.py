"""PostgreSQL, and Redshift, which speaks its protocol.

psycopg over ADBC's driver, which is four times as fast: here the extended protocol refuses a second statement, the checked
address is a parameter of its own, and a running query can be cancelled from another thread.
"""

import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
import pyarrow as pa
import structlog
from psycopg import ServerCursor, sql
from psycopg.types.string import TextLoader

from infra.errors import GatewayError
from infra.ports.sources import (
    ColumnNotSupportedError,
    SourceLimits,
    SourceLoginRefusedError,
    SourcePasswordRefusedError,
    SourceQueryRefusedError,
    SourceUnreachableError,
    SqlTarget,
    TlsMode,
)
from infra.sources.addresses import AddressGuard, unreachable
from infra.sources.batches import batches, unfit
from infra.sources.postgresql_types import arrow_type, convert, type_name
from infra.sources.statements import POSTGRESQL, REDSHIFT, Dialect
from infra.sources.watch import Watch
from infra.sources.words import words_of

CONNECT_SECONDS: Final = 2
_CANCEL_SECONDS: Final = 1.0
_CURSOR: Final = "oast_rows"
_STATE = re.compile(r"[0-9A-Z]{5}")
_RETRY_AFTER: Final = 5
_FULL: Final = "53300"
# libpq gives no state of a login that failed, only words; in a server of another language a full one looks like a refusal.
_FULL_SIGNS: Final = ("too many clients", "too many connections", "remaining connection slots")
_log = structlog.get_logger(__name__)
# An encrypted connection to a proven server may carry the password itself; any other only proofs of knowing it.
_PROOFS: Final = "scram-sha-256,md5,none"


@dataclass(frozen=True)
class Flavour:
    """What tells servers of one protocol apart. `settings` take milliseconds where they hold `{ms}`."""

    dialect: Dialect
    settings: tuple[tuple[str, str], ...]


POSTGRESQL_FLAVOUR = Flavour(
    POSTGRESQL,
    (
        ("default_transaction_read_only", "on"),
        ("statement_timeout", "{ms}"),
        ("lock_timeout", "{ms}"),
        ("idle_in_transaction_session_timeout", "{ms}"),
        ("timezone", "UTC"),
        ("datestyle", "ISO"),
        ("bytea_output", "hex"),
        ("standard_conforming_strings", "on"),
        # Every row will be fetched: plans that are quick to give the first one only are slower in all.
        ("cursor_tuple_fraction", "1"),
    ),
)
REDSHIFT_FLAVOUR = Flavour(REDSHIFT, (("statement_timeout", "{ms}"), ("timezone", "UTC"), ("datestyle", "ISO")))


class PostgresSource:
    """Implements `infra.ports.sources.SqlSource`."""

    def __init__(self, *, guard: AddressGuard, ca_file: Path, flavour: Flavour = POSTGRESQL_FLAVOUR) -> None:
        self._guard = guard
        self._ca_file = ca_file
        self._flavour = flavour

    def test(self, target: SqlTarget, limits: SourceLimits) -> None:
        with self._session(target, limits) as (connection, _):
            connection.execute("SELECT 1").fetchone()

    def describe(self, target: SqlTarget, sql: str, limits: SourceLimits) -> pa.Schema:
        self._flavour.dialect.require_query(sql)
        statement = self._flavour.dialect.select(sql, first=0)
        with self._session(target, limits) as (connection, _), _cursor(connection, statement) as cursor:
            return _schema(connection, cursor)

    def rows(
        self, target: SqlTarget, sql: str, schema: pa.Schema, limits: SourceLimits, *, first: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        statement = self._flavour.dialect.select(sql, schema.names, first)
        with self._session(target, limits) as (connection, watch), _cursor(connection, statement) as cursor:
            found = _schema(connection, cursor)
            for batch in batches(partial(_fetch, cursor, found), found, limits, convert):
                watch.lap()
                yield batch

    @contextmanager
    def _session(self, target: SqlTarget, limits: SourceLimits) -> Iterator[tuple[psycopg.Connection[Any], Watch]]:
        """One connection, one transaction, read only; nothing that a query sets outlives it."""
        with Watch(limits) as watch, _translated(target, watch):
            connection = self._connect(target)
            try:
                watch.over(
                    socket.socket(fileno=os.dup(connection.fileno())),
                    partial(connection.cancel_safe, timeout=_CANCEL_SECONDS),
                )
                self._set_up(connection, limits)
                yield connection, watch
            finally:
                watch.stop()
                connection.close()

    def _connect(self, target: SqlTarget) -> psycopg.Connection[Any]:
        failure: psycopg.Error | None = None
        for address in self._guard.addresses(target.host, target.port):
            try:
                return psycopg.connect("", **self._parameters(target, address), autocommit=True)
            except psycopg.OperationalError as error:
                if error.sqlstate is not None:  # the server has spoken
                    raise
                failure = error
        assert failure is not None, "the guard gives an address or raises"
        raise failure

    def _parameters(self, target: SqlTarget, address: str) -> dict[str, Any]:
        """All of them are ours, by name: what libpq would take from its environment or from files is ruled out."""
        is_proven = target.tls_mode is TlsMode.VERIFY_FULL
        return {
            "host": target.host,
            "hostaddr": address,
            "port": target.port,
            "dbname": target.database,
            "user": target.user,
            "password": target.password.reveal() if target.password else "",
            "passfile": os.devnull,
            "sslmode": target.tls_mode.value,
            "sslrootcert": str(self._ca_file) if is_proven else "",
            "sslcertmode": "disable",
            "gssencmode": "disable",
            "require_auth": f"{_PROOFS},password" if is_proven else _PROOFS,
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "oasthouse",
            "client_encoding": "utf8",
            "keepalives": 1,
            "target_session_attrs": "any",
        }

    def _set_up(self, connection: psycopg.Connection[Any], limits: SourceLimits) -> None:
        milliseconds = str(max(1, int(limits.deadline_seconds * 1000)))
        statements = [
            sql.SQL("SET {} TO {}").format(sql.Identifier(name), sql.Literal(value.format(ms=milliseconds)))
            for name, value in self._flavour.settings
        ]
        connection.execute(sql.SQL("; ").join(statements))
        for name in ("json", "jsonb", "uuid"):
            connection.adapters.register_loader(name, TextLoader)
        connection.execute("BEGIN READ ONLY")


@contextmanager
def _cursor(connection: psycopg.Connection[Any], statement: str) -> Iterator[ServerCursor[Any]]:
    # A server-side cursor is declared through the extended protocol, in which the server takes one statement only.
    cursor = ServerCursor(connection, _CURSOR, scrollable=None)
    try:
        cursor.execute(statement.encode())
        yield cursor
    finally:
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            cursor.close()
        else:
            # A broken transaction has taken the cursor with it; asking the server would only fail again.
            connection.close()
            cursor.close()


def _fetch(cursor: ServerCursor[Any], schema: pa.Schema, rows: int) -> Sequence[Sequence[Any]]:
    try:
        return cursor.fetchmany(rows)
    except psycopg.DataError as error:
        if error.sqlstate is not None:
            raise
        # The driver met a date or a time that Python has not, such as infinity; it does not say where.
        times = [field for field in schema if pa.types.is_temporal(field.type)]
        raise unfit(times[0] if len(times) == 1 else pa.field("…", pa.timestamp("us"))) from None


def _schema(connection: psycopg.Connection[Any], cursor: ServerCursor[Any]) -> pa.Schema:
    columns = list(cursor.description or ())
    added = _added_types(connection, [column for column in columns if not type_name(column.type_code)])
    return pa.schema([pa.field(column.name, _known(column, added)) for column in columns])


def _added_types(connection: psycopg.Connection[Any], columns: list[psycopg.Column]) -> dict[int, tuple[str, bool]]:
    """Name of each type that the database added, and whether it is an enumeration, whose values are text."""
    if not columns:
        return {}
    found = connection.execute(
        "SELECT oid, typname, typtype = 'e' FROM pg_catalog.pg_type WHERE oid = ANY(%s)",
        ([column.type_code for column in columns],),
    )
    return {oid: (name, is_enumeration) for oid, name, is_enumeration in found}


def _known(column: psycopg.Column, added: dict[int, tuple[str, bool]]) -> pa.DataType:
    name, is_enumeration = added.get(column.type_code, (column.type_display, False))
    known = pa.string() if is_enumeration else arrow_type(column)
    if known is None:
        raise ColumnNotSupportedError(
            f"Column {column.name!r} of the source has the type {name}, which no feature has.",
            hint=f"Cast it in the query, for example {column.name}::text.",
        )
    return known


@contextmanager
def _translated(target: SqlTarget, watch: Watch) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        limit = watch.limit_error()
        if limit is not None:
            raise limit from None
        text = words_of(error, target)
        _log.warning("source failed", engine=target.engine, host=target.host, sqlstate=error.sqlstate, error=text)
        raise _refusal(error, target) from None


def _refusal(error: psycopg.Error, target: SqlTarget) -> GatewayError:
    if error.sqlstate is None:
        return _without_state(error, target)
    # What calls itself a state may be any text: the other side is whoever the connector's author says.
    state = error.sqlstate if _STATE.fullmatch(error.sqlstate) else "XX000"
    name = type(error).__name__
    if state[:2] in ("28", "3D") or (state == "42501" and "connection" in str(error).lower()):
        refusal = SourcePasswordRefusedError if state[:2] == "28" else SourceLoginRefusedError
        return refusal(
            f"The source does not take the login: SQLSTATE {state}.", hint="The gateway's log has its words."
        )
    if state == _FULL:
        return _full()
    if state[:2] in ("08", "53", "57") and state != "57014":
        return unreachable(target.host, target.port)
    return SourceQueryRefusedError(
        f"The source refuses the query: SQLSTATE {state} ({name}).",
        hint="Run the query with the same user at the source, which says more; the gateway's log has its words.",
    )


def _full() -> SourceUnreachableError:
    return SourceUnreachableError(
        "The source has no connection left to give.",
        hint="Try again later. Its administrator raises the limit of the server, database or user, or ends idle sessions.",
        retry_after=_RETRY_AFTER,
    )


def _without_state(error: psycopg.Error, target: SqlTarget) -> GatewayError:
    """What libpq itself says: about the network, or about a server that does not encrypt or prove itself as asked."""
    text = str(error)
    if any(sign in text for sign in _FULL_SIGNS):
        return _full()
    if any(sign in text for sign in ("FATAL", "SSL", "certificate", "password", "authentication method")):
        # The server's words, which may be in another language: then a rotated secret is not noticed before it is read again.
        is_password = "authentication failed" in text
        refusal = SourcePasswordRefusedError if is_password else SourceLoginRefusedError
        return refusal(
            "The source does not take the login.",
            hint="Check user, database, and the secret that holds the password. "
            f"tls_mode is {target.tls_mode.value!r}; a password in plain text is sent under 'verify-full' only.",
        )
    return unreachable(target.host, target.port)
