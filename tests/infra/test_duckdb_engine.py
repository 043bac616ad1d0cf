"""Limits, isolation and life cycle of the query engine."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from infra.engines.duckdb_engine import DuckDbEngine
from infra.engines.duckdb_types import sql_type
from infra.errors import EngineLimitError, GatewayError, InvalidInputError, UnavailableError
from infra.ports.engine import EngineQuery
from infra.storage.location import Warehouse

ONE = pa.schema([("n", pa.int64())])
ENDLESS = EngineQuery("SELECT range AS n FROM range(100000000000)", {}, ONE)
SILENT = EngineQuery("SELECT count(DISTINCT hash(i) % 10) AS n FROM range(100000000000) t(i)", {}, ONE)


@pytest.fixture
def engines(local_warehouse: Warehouse, tmp_path: Path) -> Iterator[Any]:
    """Makes engines with the limits a test asks for, and closes them."""
    with ExitStack() as stack:

        def make(**limits: Any) -> DuckDbEngine:
            engine = DuckDbEngine(local_warehouse, temp_directory=tmp_path / "spill", **limits)
            stack.callback(engine.close)
            return engine

        yield make


def query(sql: str, schema: pa.Schema = ONE) -> EngineQuery:
    return EngineQuery(sql, {}, schema)


def run(engine: DuckDbEngine, sql: str, schema: pa.Schema = ONE) -> list[Any]:
    with engine.execute(query(sql, schema)) as stream:
        assert stream.schema == schema
        return [row for batch in stream for row in batch.to_pylist()]


def test_nothing_starts_before_the_first_query(engines: Any, tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    engine = engines()
    assert set(threading.enumerate()) == threads
    assert not (tmp_path / "spill").exists()
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


@pytest.mark.parametrize("statement", [SILENT, ENDLESS], ids=["no batch", "many batches"])
def test_the_deadline_ends_a_query(engines: Any, statement: EngineQuery) -> None:
    engine = engines(deadline_seconds=0.5, slots=1)
    started = time.monotonic()
    with pytest.raises(EngineLimitError, match="in time"), engine.execute(statement) as stream:
        for _ in stream:
            pass
    assert time.monotonic() - started < 1.0
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


def test_the_deadline_ends_a_query_whose_reader_is_slow(engines: Any) -> None:
    engine = engines(deadline_seconds=0.5, slots=1)
    with engine.execute(ENDLESS) as stream:
        assert stream.finished.wait(5)
        with pytest.raises(EngineLimitError):
            list(stream)
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


def test_a_query_over_its_memory_is_refused(engines: Any) -> None:
    with pytest.raises(EngineLimitError, match="memory"):
        run(engines(memory_limit="50MB"), "SELECT len(list(i)) AS n FROM range(100000000) t(i)")


def test_a_query_larger_than_memory_spills_and_leaves_no_file(engines: Any, tmp_path: Path) -> None:
    sql = "SELECT count(*) AS n FROM (SELECT i, row_number() OVER (ORDER BY hash(i)) AS r FROM range(3000000) t(i)) WHERE r > 0"
    assert run(engines(memory_limit="100MB"), sql) == [{"n": 3_000_000}]
    assert list((tmp_path / "spill").iterdir()) == []


def test_an_early_close_frees_the_slot(engines: Any) -> None:
    engine = engines(slots=1)
    with engine.execute(ENDLESS) as stream:
        assert next(iter(stream)).num_rows
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


def test_an_error_of_the_reader_passes_and_frees_the_slot(engines: Any) -> None:
    engine = engines(slots=1)
    with pytest.raises(LookupError), engine.execute(ENDLESS):
        raise LookupError
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


def test_a_busy_engine_says_when_to_come_back(engines: Any) -> None:
    engine = engines(slots=1)
    with engine.execute(ENDLESS):
        with pytest.raises(UnavailableError) as caught, engine.execute(query("SELECT 1 AS n")):
            pass
        assert caught.value.retry_after


def test_many_queries_leave_no_threads_behind(engines: Any) -> None:
    engine = engines(slots=2)
    before = threading.active_count()
    for number in range(10):
        assert run(engine, f"SELECT {number} AS n") == [{"n": number}]
    assert threading.active_count() <= before + 4
    engine.close()
    assert threading.active_count() == before
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


def test_closing_the_engine_stops_what_runs(engines: Any) -> None:
    engine = engines()
    with engine.execute(ENDLESS) as stream:
        engine.close()
        assert stream.finished.is_set()


def test_answers_are_cast_to_the_asked_schema(engines: Any) -> None:
    narrow = pa.schema([("n", pa.int8()), ("s", pa.large_string())])
    assert run(engines(), "SELECT 1::BIGINT AS n, 'x' AS s", narrow) == [{"n": 1, "s": "x"}]


def test_a_value_that_does_not_fit_is_refused_not_wrapped(engines: Any) -> None:
    with pytest.raises(InvalidInputError, match="does not fit"):
        run(engines(), "SELECT 300 AS n", pa.schema([("n", pa.int8())]))
    with pytest.raises(InvalidInputError, match="does not fit"):
        run(engines(), "SELECT 'x'::INT AS n")


def test_an_answer_of_another_shape_is_our_own_mistake(engines: Any) -> None:
    with pytest.raises(GatewayError):
        run(engines(), "SELECT 1 AS other, 2 AS n")


@pytest.mark.parametrize("sql", ["SELEC", "SELECT n FROM nowhere", "SELECT nothing AS n"])
def test_wrong_sql_tells_nothing_of_the_inside(engines: Any, sql: str) -> None:
    with pytest.raises(GatewayError) as caught:
        run(engines(), sql)
    assert (caught.value.code, caught.value.detail) == ("internal-error", "The query engine refused the query.")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS n FROM read_csv('/etc/passwd')",
        "SELECT length(content) AS n FROM read_text('/etc/passwd')",
        "SELECT 1 AS n FROM 's3://bucket/file.parquet'",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "ATTACH '/tmp/other.db'",
        "COPY (SELECT 1) TO '/tmp/oasthouse-escaped.csv'",
        "SELECT n FROM engines",
    ],
)
def test_the_session_reaches_nothing_outside(engines: Any, sql: str) -> None:
    with pytest.raises(GatewayError):
        run(engines(), sql)
    assert not Path("/tmp/oasthouse-escaped.csv").exists()


def test_time_is_utc(engines: Any) -> None:
    at = pa.schema([("at", pa.timestamp("us", "UTC"))])
    (row,) = run(engines(), "SELECT '2024-01-01 00:00:00'::TIMESTAMPTZ AS at", at)
    assert row["at"].isoformat() == "2024-01-01T00:00:00+00:00"


def test_a_spill_directory_that_cannot_be_made_is_unavailable(local_warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    engine = DuckDbEngine(local_warehouse, temp_directory=tmp_path / "file" / "spill")
    with pytest.raises(UnavailableError):
        run(engine, "SELECT 1 AS n")
    engine.close()


def test_types_nobody_stores_are_refused() -> None:
    assert sql_type(pa.list_(pa.struct([("a b", pa.timestamp("us"))]))) == 'STRUCT("a b" TIMESTAMP)[]'
    with pytest.raises(InvalidInputError):
        sql_type(pa.duration("us"))
