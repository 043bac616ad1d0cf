"""What every source promises, whichever database is behind it."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from infra.crypto import SecretValue
from infra.errors import EngineLimitError, InvalidInputError
from infra.ports.sources import (
    SourceLimits,
    SourceQueryRefusedError,
    SourceUnreachableError,
    SqlSource,
    SqlTarget,
    TlsMode,
)
from infra.sources.mysql import MySqlSource
from infra.sources.postgresql import PostgresSource
from infra.sources.sqlite import SqliteSource
from tests.infra.sources import LOOPBACK, NO_AUTHORITIES, PLENTY, read
from tests.lab import mysql, source

ROWS = 3000
SCHEMA = pa.schema({"id": pa.int64(), "name": pa.string()})
QUERY = "SELECT id, name FROM numbers ORDER BY id"


@dataclass(frozen=True)
class Case:
    source: SqlSource
    target: SqlTarget
    nowhere: SqlTarget


@pytest.fixture(params=["postgresql", "mysql", "sqlite"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    yield from {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}[request.param](request, tmp_path)


def _postgresql(request: pytest.FixtureRequest, _: Path) -> Iterator[Case]:
    database: source.SourceDatabase = request.getfixturevalue("source")
    database.execute(
        f"CREATE TABLE numbers AS SELECT i::bigint AS id, 'é' || i AS name FROM generate_series(1, {ROWS}) i"
    )
    secret = SecretValue(source.PASSWORD)

    def target(port: int) -> SqlTarget:
        return SqlTarget("postgresql", database.database, "127.0.0.1", port, source.READER, secret, TlsMode.DISABLE)

    yield Case(PostgresSource(guard=LOOPBACK, ca_file=NO_AUTHORITIES), target(database.port), target(1))


def _mysql(_request: pytest.FixtureRequest, _: Path) -> Iterator[Case]:
    secret = SecretValue(mysql.PASSWORD)

    def target(port: int) -> SqlTarget:
        return SqlTarget("mysql", "lab", "127.0.0.1", port, mysql.READER, secret, TlsMode.DISABLE)

    with mysql.running_mimic() as server:
        server.tables.execute(
            f"CREATE TABLE numbers AS SELECT i AS id, 'é' || i AS name FROM range(1, {ROWS + 1}) t(i)"
        )
        yield Case(MySqlSource(guard=LOOPBACK, ca_file=NO_AUTHORITIES), target(server.port), target(1))


def _sqlite(_request: pytest.FixtureRequest, directory: Path) -> Iterator[Case]:
    connection = sqlite3.connect(directory / "numbers.db")
    connection.execute("CREATE TABLE numbers (id BIGINT, name TEXT)")
    connection.executemany("INSERT INTO numbers VALUES (?, ?)", [(i, f"é{i}") for i in range(1, ROWS + 1)])
    connection.commit()
    connection.close()
    yield Case(SqliteSource(directory), SqlTarget("sqlite", "numbers.db"), SqlTarget("sqlite", "absent.db"))


def test_it_connects_or_says_why_not(case: Case) -> None:
    case.source.test(case.target, PLENTY)
    with pytest.raises(SourceUnreachableError):
        case.source.test(case.nowhere, PLENTY)


def test_columns_and_rows(case: Case) -> None:
    assert case.source.describe(case.target, QUERY, PLENTY) == SCHEMA
    batches = list(case.source.rows(case.target, f" {QUERY} ; ", SCHEMA, PLENTY))
    assert {batch.schema for batch in batches} == {SCHEMA}
    assert pa.Table.from_batches(batches).to_pydict() == {
        "id": list(range(1, ROWS + 1)),
        "name": [f"é{i}" for i in range(1, ROWS + 1)],
    }


def test_a_part_of_the_columns_and_rows(case: Case) -> None:
    found = read(case.source, case.target, f"{QUERY} -- a comment", pa.schema({"name": pa.string()}), first=2)
    assert found.to_pydict() == {"name": ["é1", "é2"]}
    assert list(case.source.rows(case.target, QUERY, SCHEMA, PLENTY, first=0)) == []


@pytest.mark.parametrize("query", ["DELETE FROM numbers", "SELECT 1; SELECT 2", "DROP TABLE numbers", "", "numbers"])
def test_one_query_and_nothing_else(case: Case, query: str) -> None:
    with pytest.raises(InvalidInputError):
        case.source.describe(case.target, query, PLENTY)


def test_caps(case: Case) -> None:
    for limits in (SourceLimits(ROWS - 1, 1 << 30, 30), SourceLimits(ROWS, 1000, 30)):
        with pytest.raises(EngineLimitError):
            read(case.source, case.target, QUERY, SCHEMA, limits)
    assert len(read(case.source, case.target, QUERY, SCHEMA, SourceLimits(ROWS, 1 << 30, 30))) == ROWS


def test_closing_early(case: Case) -> None:
    batches = case.source.rows(case.target, QUERY, SCHEMA, PLENTY)
    assert next(batches).column("id")[0].as_py() == 1
    batches.close()  # type: ignore[attr-defined]  # they are generators
    assert list(batches) == []


def test_nothing_runs_before_the_first_batch_is_asked_for(case: Case) -> None:
    case.source.rows(case.nowhere, QUERY, SCHEMA, PLENTY)


def test_columns_that_are_not_there(case: Case) -> None:
    if isinstance(case.source, MySqlSource):
        pytest.skip("the mimic knows no codes for this; tests/infra/test_mysql_source.py asks MariaDB")
    with pytest.raises(SourceQueryRefusedError):
        read(case.source, case.target, QUERY, pa.schema({"nope": pa.int64()}))
