"""Use cases around SQL that users write: run it, or say what it would read."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import structlog

from app.featurestore.sql.catalog import FoundTable, find_tables
from app.featurestore.sql.explain import ExplainedTable, SqlExplanation, explain
from app.featurestore.sql.reading import Dialect
from app.featurestore.sql.rendering import render
from app.featurestore.sql.statement import Statement, parse_statement
from app.featurestore.sql.tables import GroupTables
from infra.database.unit_of_work import Database
from infra.errors import QueryInvalidError, QueryRefusedError
from infra.ports.engine import Abandoned, BatchStream, EngineQuery, QueryEngine, QueryLimits, Table
from infra.ports.tables import Snapshot
from tenancy.access import Authorizer
from tenancy.actions import Action
from tenancy.principals import RequestContext
from tenancy.projects.service import feature_store_name

_LONGEST_SHAPE = 2_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SqlQuery:
    """SQL as asked: tables without a feature store are those of `featurestore`, else of the asking project.

    `dialect` None: DuckDB's, or Hive's where only that fits.
    """

    query: str
    featurestore: str | None = None
    dialect: Dialect | None = None


@dataclass(frozen=True, eq=False)
class PinnedSql:
    """A statement with the states of the tables that it will read. `sql` is what the engine gets."""

    sql: str
    dialect: Dialect
    found: tuple[FoundTable, ...]
    tables: tuple[Table, ...]
    asker: str


class SqlService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        tables_of: GroupTables,
        engine: QueryEngine,
        limits: QueryLimits,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._tables_of = tables_of
        self._engine = engine
        self._limits = limits

    def pin(self, context: RequestContext, project: str, query: SqlQuery) -> PinnedSql:
        """Find what `query` reads, for reading it now."""
        pinned, statement = self._pinned(context, project, query, Action.QUERY_RUN, Action.FEATURE_GROUP_READ_ROWS)
        _note(context, project, statement, pinned.found)
        return pinned

    def explain(self, context: RequestContext, project: str, query: SqlQuery) -> SqlExplanation:
        """Reads no rows."""
        pinned, _ = self._pinned(context, project, query, Action.QUERY_EXPLAIN, Action.FEATURE_GROUP_READ)
        explained = [_explained(found, table) for found, table in zip(pinned.found, pinned.tables, strict=True)]
        return explain(pinned.sql, pinned.dialect.value, explained)

    @contextmanager
    def run(
        self, pinned: PinnedSql, *, compression: str = "none", abandoned: Abandoned | None = None
    ) -> Iterator[BatchStream]:
        """Start it. Leaving stops it; so does `abandoned`, asked until the first rows are there."""
        tables = {found.ref.key: table for found, table in zip(pinned.found, pinned.tables, strict=True)}
        query = EngineQuery(
            pinned.sql,
            tables,
            None,
            trusted=False,
            compression=compression,
            limits=self._limits,
            asker=pinned.asker,
        )
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(self._engine.execute(query, abandoned=abandoned))
            except (QueryInvalidError, QueryRefusedError) as error:
                raise _with_dialect(error, pinned.dialect) from error
            yield stream

    def _pinned(
        self, context: RequestContext, project: str, query: SqlQuery, asking: Action, reading: Action
    ) -> tuple[PinnedSql, Statement]:
        with self._database.read() as session:
            self._authorizer.require(session, context.principal, asking, project)
        # Between two transactions: reading 100 kB of SQL may take a second, for which no connection should wait.
        statement = parse_statement(query.query, query.dialect)
        own_store = (query.featurestore or feature_store_name(project)).lower()
        sql = render(statement, own_store)
        with self._database.read() as session:
            accesses = self._authorizer.accesses(session, context.principal, reading)
            found = find_tables(session, statement.tables, own_store, accesses)
        tables = tuple(self._tables_of(each.group) for each in found)
        return PinnedSql(sql, statement.dialect, tuple(found), tables, str(context.principal.project_id)), statement


def _explained(found: FoundTable, table: Table) -> ExplainedTable:
    snapshot = table if isinstance(table, Snapshot) else None
    return ExplainedTable(
        table=found.ref.key,
        project=found.access.project,
        featurestore=found.store,
        name=found.group.name,
        version=found.group.version,
        table_version=snapshot.version if snapshot else None,
        files=len(snapshot.files) if snapshot else None,
        grant=found.access.grant,
    )


def _with_dialect(
    error: QueryInvalidError | QueryRefusedError, dialect: Dialect
) -> QueryInvalidError | QueryRefusedError:
    """What DuckDB says about a statement is easier to understand for who knows as what it was read."""
    hint = f"It was read as {dialect.value}; say dialect duckdb, hive or spark if it is another."
    said = f"{error.hint} {hint}" if error.hint else hint
    return type(error)(error.detail, hint=said, candidates=error.candidates, errors=error.errors)


def _note(context: RequestContext, project: str, statement: Statement, found: Sequence[FoundTable]) -> None:
    """Who reads what, with which SQL. Values are for the debug level: a literal may be somebody's name."""
    text = statement.reading.text
    _log.info(
        "sql",
        project=project,
        member=context.principal.name,
        key_id=context.principal.key_id,
        tables=[f"{each.store}.{each.ref.name}" for each in found],
        dialect=statement.dialect.value,
        digest=hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest(),
        shape=statement.shape[:_LONGEST_SHAPE],
    )
    _log.debug("sql text", text=text)
