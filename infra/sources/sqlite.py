"""SQLite: a file in the operator's directory, opened so that nothing can be written and no other file be reached."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pyarrow as pa
import structlog

from infra.errors import GatewayError
from infra.ports.sources import (
    ColumnNotSupportedError,
    SourceLimits,
    SourceQueryRefusedError,
    SourceUnreachableError,
    SourceValueError,
    SqlTarget,
)
from infra.sources.batches import batches
from infra.sources.sqlite_types import convert, declared_type, stored_type
from infra.sources.statements import SQLITE
from infra.sources.watch import Watch

_log = structlog.get_logger(__name__)
# SQLite runs here, in the gateway, where nothing but these limits what a row takes.
_MOST_VALUE_BYTES: Final = 1024 * 1024
_MOST_COLUMNS: Final = 500
_STEPS: Final = 10_000  # between two looks at the clock
_SAMPLE_ROWS: Final = 1_000
_VIEW: Final = "oast_description"
_READING: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_REFUSED_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})


class SqliteSource:
    """Implements `infra.ports.sources.SqlSource`. `own` are files that are never opened, such as the gateway's database."""

    def __init__(self, directory: Path | None, own: tuple[Path, ...] = ()) -> None:
        self._directory = directory
        self._own = own

    def test(self, target: SqlTarget, limits: SourceLimits) -> None:
        with self._session(target, limits) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def describe(self, target: SqlTarget, sql: str, limits: SourceLimits) -> pa.Schema:
        SQLITE.require_query(sql)
        with self._session(target, limits, describing=True) as connection:
            declared = _declared(connection, SQLITE.select(sql))
        if not all(declared.values()):
            # A session of its own: what may describe may make a view, what runs the query may do nothing but read.
            with self._session(target, limits) as connection:
                declared = _sampled(connection, SQLITE.select(sql, list(declared), _SAMPLE_ROWS), declared)
        return pa.schema([pa.field(name, _known(name, found)) for name, found in declared.items()])

    def rows(
        self, target: SqlTarget, sql: str, schema: pa.Schema, limits: SourceLimits, *, first: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        statement = SQLITE.select(sql, schema.names, first)
        with self._session(target, limits) as connection:
            cursor = connection.execute(statement)
            yield from batches(cursor.fetchmany, schema, limits, convert)

    @contextmanager
    def _session(
        self, target: SqlTarget, limits: SourceLimits, *, describing: bool = False
    ) -> Iterator[sqlite3.Connection]:
        watch = Watch(limits)
        with _translated(target, watch):
            connection = sqlite3.connect(
                f"file:{quote(str(self._file(target.database)))}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,  # batches may be fetched by another thread than the first
            )
            try:
                _shut_in(connection, watch, _describing if describing else _reading)
                yield connection
            finally:
                connection.close()

    def _file(self, name: str) -> Path:
        if self._directory is None:
            raise _absent(name)
        directory = self._directory.resolve()
        found = (directory / name).resolve()
        is_inside = ".." not in Path(name).parts and found.is_relative_to(directory) and found.is_file()
        if not is_inside or any(_is_same(found, one) for one in self._own):
            raise _absent(name)
        return found


def _shut_in(connection: sqlite3.Connection, watch: Watch, authorize: Callable[..., int]) -> None:
    if authorize is _reading:
        connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, _MOST_COLUMNS)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)
    connection.set_progress_handler(lambda: watch.is_over, _STEPS)
    # Last, because it forbids what was just done.
    connection.set_authorizer(authorize)


def _reading(action: int, first: str | None, second: str | None, _database: str | None, _inner: str | None) -> int:
    del first
    if action in _READING or (action == sqlite3.SQLITE_FUNCTION and second not in _REFUSED_FUNCTIONS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _describing(action: int, first: str | None, second: str | None, database: str | None, inner: str | None) -> int:
    """Moreover the one temporary view that tells the columns' declarations."""
    is_view = action == sqlite3.SQLITE_CREATE_TEMP_VIEW and first == _VIEW
    is_entry = action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE) and first == "sqlite_temp_master"
    is_question = action == sqlite3.SQLITE_PRAGMA and (first, second) == ("table_info", _VIEW)
    if is_view or is_entry or is_question:
        return sqlite3.SQLITE_OK
    return _reading(action, first, second, database, inner)


def _declared(connection: sqlite3.Connection, statement: str) -> dict[str, pa.DataType | None]:
    connection.execute(f"CREATE TEMP VIEW {_VIEW} AS {statement}")
    found = connection.execute(f"PRAGMA table_info({_VIEW})").fetchall()
    return {name: declared_type(declaration) for _, name, declaration, *_ in found}


def _sampled(
    connection: sqlite3.Connection, statement: str, declared: dict[str, pa.DataType | None]
) -> dict[str, pa.DataType | None]:
    """The types of the first rows' values, for columns without a declaration."""
    rows = connection.execute(statement).fetchall()
    columns = zip(*rows, strict=True) if rows else ((),) * len(declared)
    return {name: known or stored_type(values) for (name, known), values in zip(declared.items(), columns, strict=True)}


def _known(name: str, found: pa.DataType | None) -> pa.DataType:
    if found is None:
        raise ColumnNotSupportedError(
            f"Column {name!r} of the source has no type, and its first {_SAMPLE_ROWS:,} values have none in common.",
            hint=f"Name one in the query, for example CAST({name} AS TEXT).",
        )
    return found


@contextmanager
def _translated(target: SqlTarget, watch: Watch) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        limit = watch.limit_error()
        if limit is not None:
            raise limit from None
        _log.warning("source failed", engine=target.engine, database=target.database, error=str(error)[:1000])
        raise _refusal(error) from None
    except (UnicodeDecodeError, OverflowError) as error:
        raise SourceValueError("A value of the source cannot be read.", hint="Cast it in the query.") from error


def _refusal(error: sqlite3.Error) -> GatewayError:
    code = getattr(error, "sqlite_errorname", type(error).__name__)
    if code in ("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_BUSY", "SQLITE_CORRUPT"):
        return SourceUnreachableError(f"The database file cannot be read: {code}.")
    return SourceQueryRefusedError(
        f"The source refuses the query: {code}.",
        hint="It must be one SELECT over the file's own tables; the gateway's log has SQLite's words.",
    )


def _absent(name: str) -> SourceUnreachableError:
    return SourceUnreachableError(
        f"There is no database file {name!r} for this project.",
        hint="Files are taken from the folder that the operator names in OAST_CONNECTORS__SQLITE_DIRECTORY.",
    )


def _is_same(found: Path, other: Path) -> bool:
    return other.exists() and found.samefile(other)
