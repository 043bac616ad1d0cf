"""MySQL and MariaDB."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import pyarrow as pa
import pymysql
import structlog
from pymysql.connections import MySQLResult
from pymysql.constants import COMMAND, CR, ER

from infra.errors import EngineLimitError, GatewayError
from infra.ports.sources import (
    ColumnNotSupportedError,
    SourceLimits,
    SourceLoginRefusedError,
    SourcePasswordRefusedError,
    SourceQueryRefusedError,
    SqlTarget,
    TlsMode,
)
from infra.sources.addresses import AddressGuard, unreachable
from infra.sources.batches import batches
from infra.sources.mysql_types import MySqlColumn, arrow_type, convert
from infra.sources.statements import MYSQL
from infra.sources.watch import Watch
from infra.sources.words import words_of

CONNECT_SECONDS: Final = 2
_log = structlog.get_logger(__name__)
_LOGIN_REFUSED: Final = frozenset(
    {
        ER.ACCESS_DENIED_ERROR,
        ER.DBACCESS_DENIED_ERROR,
        ER.BAD_DB_ERROR,
        ER.NOT_SUPPORTED_AUTH_MODE,
        3162,  # the user does not exist
        CR.CR_SSL_CONNECTION_ERROR,
        CR.CR_AUTH_PLUGIN_CANNOT_LOAD,
        CR.CR_AUTH_PLUGIN_ERR,
    }
)
_OF_THE_CLIENT: Final = 2  # thousands: errors 2000 to 2999 are the driver's own, about the connection
_TIMED_OUT: Final = frozenset({1969, 3024})  # MariaDB's and MySQL's word for their own time limit


class _Refused:
    """A way of logging in that hands the server the password as it is."""

    def __init__(self, connection: pymysql.Connection) -> None:
        del connection

    def authenticate(self, packet: object) -> NoReturn:
        del packet
        raise pymysql.err.OperationalError(
            CR.CR_AUTH_PLUGIN_CANNOT_LOAD, "the server asks for the password in plain text"
        )


class MySqlSource:
    """Implements `infra.ports.sources.SqlSource`."""

    def __init__(self, *, guard: AddressGuard, ca_file: Path) -> None:
        self._guard = guard
        self._ca_file = ca_file

    def test(self, target: SqlTarget, limits: SourceLimits) -> None:
        with self._session(target, limits) as (connection, _):
            _run(connection, "SELECT 1").fetch(1)

    def describe(self, target: SqlTarget, sql: str, limits: SourceLimits) -> pa.Schema:
        MYSQL.require_query(sql)
        statement = MYSQL.select(sql, first=0)
        with self._session(target, limits) as (connection, _):
            return _run(connection, statement).schema

    def rows(
        self, target: SqlTarget, sql: str, schema: pa.Schema, limits: SourceLimits, *, first: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        statement = MYSQL.select(sql, schema.names, first)
        with self._session(target, limits) as (connection, watch):
            answer = _run(connection, statement)
            for batch in batches(answer.fetch, answer.schema, limits, convert):
                watch.lap()
                yield batch

    @contextmanager
    def _session(self, target: SqlTarget, limits: SourceLimits) -> Iterator[tuple[pymysql.Connection, Watch]]:
        """One connection, one transaction, read only; nothing that a query sets outlives it."""
        with Watch(limits) as watch, _translated(target, watch):
            connection = self._connect(target, watch)
            try:
                _set_up(connection, limits)
                yield connection, watch
            finally:
                # Not a polite goodbye: the driver would read all the rows that are still on their way first.
                connection._force_close()  # noqa: SLF001 the driver has no public way

    def _connect(self, target: SqlTarget, watch: Watch) -> pymysql.Connection:
        failure: OSError | None = None
        for address in self._guard.addresses(target.host, target.port):
            try:
                plain = socket.create_connection((address, target.port), CONNECT_SECONDS)
            except OSError as error:
                failure = error
                continue
            watch.over(plain.dup())
            connection: pymysql.Connection = pymysql.Connection(**self._parameters(target, watch))
            connection.connect(plain)
            return connection
        raise unreachable(target.host, target.port) from failure

    def _parameters(self, target: SqlTarget, watch: Watch) -> dict[str, Any]:
        is_proven = target.tls_mode is TlsMode.VERIFY_FULL
        refused = (
            ["mysql_old_password", "dialog"] if is_proven else ["mysql_old_password", "dialog", "mysql_clear_password"]
        )
        return {
            # The name, for the certificate; the connection to the checked address is there already.
            "host": target.host,
            "port": target.port,
            "user": target.user,
            "password": target.password.reveal().encode() if target.password else "",
            "database": target.database,
            "charset": "utf8mb4",
            "local_infile": False,
            "autocommit": None,
            "defer_connect": True,
            "read_timeout": watch.seconds_left,
            "write_timeout": watch.seconds_left,
            "conv": {},
            "auth_plugin_map": dict.fromkeys(refused, _Refused),
            "program_name": "oasthouse",
            **self._tls(target.tls_mode),
        }

    def _tls(self, mode: TlsMode) -> dict[str, Any]:
        if mode is TlsMode.DISABLE:
            return {"ssl_disabled": True}
        if mode is TlsMode.VERIFY_FULL:
            return {"ssl": ssl.create_default_context(cafile=str(self._ca_file))}
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return {"ssl": context}


def _set_up(connection: pymysql.Connection, limits: SourceLimits) -> None:
    seconds = max(1.0, limits.deadline_seconds)
    is_mariadb = "mariadb" in connection.get_server_info().lower()
    limit = f"max_statement_time = {seconds:.3f}" if is_mariadb else f"max_execution_time = {seconds * 1000:.0f}"
    waits = f"lock_wait_timeout = {seconds:.0f}, innodb_lock_wait_timeout = {seconds:.0f}"
    for statement in (
        f"SET SESSION {limit}, {waits}, time_zone = '+00:00'",
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION READ ONLY",
    ):
        connection.query(statement)


def _run(connection: pymysql.Connection, statement: str) -> "_Answer":
    connection._execute_command(COMMAND.COM_QUERY, statement)  # noqa: SLF001 a cursor would read what is left at its end
    answer = _Answer(connection)
    answer.init_unbuffered_query()
    return answer


class _Answer(MySQLResult):  # type: ignore[misc]  # PyMySQL ships no types
    """Rows as they come. What is not read is dropped with the connection; the driver's own would first read it all."""

    def __del__(self) -> None:
        """Nothing to finish."""

    def fetch(self, rows: int) -> Sequence[Sequence[Any]]:
        fetched: list[Sequence[Any]] = []
        while len(fetched) < rows and (row := self._read_rowdata_packet_unbuffered()) is not None:
            fetched.append(row)
        return fetched

    @property
    def schema(self) -> pa.Schema:
        columns = [
            MySqlColumn(field.name, field.type_code, field.length, field.scale, field.flags, field.charsetnr)
            for field in self.fields
        ]
        return pa.schema([pa.field(column.name, _known(column)) for column in columns])


def _known(column: MySqlColumn) -> pa.DataType:
    known = arrow_type(column)
    if known is None:
        raise ColumnNotSupportedError(
            f"Column {column.name!r} of the source has the type {column.display}, which no feature has.",
            hint=f"Cast it in the query, for example CAST({column.name} AS CHAR).",
        )
    return known


@contextmanager
def _translated(target: SqlTarget, watch: Watch) -> Iterator[None]:
    try:
        yield
    except GatewayError:
        raise
    except Exception as error:  # noqa: BLE001 what a foreign server sends makes the driver raise anything at all
        limit = watch.limit_error()
        if limit is not None:
            raise limit from None
        _log.warning("source failed", engine=target.engine, host=target.host, error=words_of(error, target))
        raise _refusal(error, target) from None


def _refusal(error: Exception, target: SqlTarget) -> GatewayError:
    number = error.args[0] if isinstance(error, pymysql.err.MySQLError) and error.args else None
    if number in _TIMED_OUT:
        return EngineLimitError("The source stopped the query at its time limit.", hint="Narrow the query.")
    first = getattr(error, "original_exception", error)
    if isinstance(first, ssl.SSLError) or number in _LOGIN_REFUSED:
        refusal = SourcePasswordRefusedError if number == ER.ACCESS_DENIED_ERROR else SourceLoginRefusedError
        return refusal(
            f"The source does not take the login{_numbered(number)}.",
            hint="Check user, database and the secret that holds the password. "
            f"tls_mode is {target.tls_mode.value!r}; a password in plain text is sent under 'verify-full' only.",
        )
    if isinstance(number, int) and number // 1000 != _OF_THE_CLIENT:
        return SourceQueryRefusedError(
            f"The source refuses the query{_numbered(number)}.",
            hint="Run the query with the same user at the source, which says more; the gateway's log has its words.",
        )
    return unreachable(target.host, target.port)


def _numbered(number: object) -> str:
    return f": MySQL error {number}" if isinstance(number, int) else ""
