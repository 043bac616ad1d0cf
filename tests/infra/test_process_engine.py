"""Limits, isolation and life cycle of the query engine."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from infra.engines import nursery
from infra.engines.duckdb_types import sql_type
from infra.engines.process_engine import ProcessEngine
from infra.engines.process_run import END_OF_STREAM
from infra.engines.sandbox import address_space, memory_bytes
from infra.errors import EngineLimitError, GatewayError, InvalidInputError, UnavailableError
from infra.ports.engine import EngineQuery, QueryLimits
from infra.storage.location import Warehouse

ONE = pa.schema([("n", pa.int64())])
ENDLESS = EngineQuery("SELECT range AS n FROM range(100000000000)", {}, ONE)
SILENT = EngineQuery("SELECT count(DISTINCT hash(i) % 10) AS n FROM range(100000000000) t(i)", {}, ONE)


@pytest.fixture
def engines(local_warehouse: Warehouse, tmp_path: Path) -> Iterator[Any]:
    """Makes engines with the limits a test asks for, and closes them."""
    with ExitStack() as stack:

        def make(**limits: Any) -> ProcessEngine:
            engine = ProcessEngine(local_warehouse, temp_directory=tmp_path / "spill", **limits)
            stack.callback(engine.close)
            return engine

        yield make


def query(sql: str, schema: pa.Schema = ONE) -> EngineQuery:
    return EngineQuery(sql, {}, schema)


def run(engine: ProcessEngine, sql: str, schema: pa.Schema = ONE) -> list[Any]:
    with engine.execute(query(sql, schema)) as stream:
        assert stream.schema == schema
        return [row for batch in stream for row in batch.to_pylist()]


def run_query(engine: ProcessEngine, query: EngineQuery) -> list[Any]:
    with engine.execute(query) as stream:
        return [row for batch in stream for row in batch.to_pylist()]


def zygote() -> int:
    return nursery._zygotes["local"]._process.pid


def queries() -> list[int]:
    """The processes of queries that run now."""
    return [int(pid) for pid in Path(f"/proc/{zygote()}/task/{zygote()}/children").read_text().split()]


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
        assert stream.wait(5)
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
    engine = engines(slots=1, wait_seconds=0.2)
    with engine.execute(ENDLESS):
        started = time.monotonic()
        with pytest.raises(UnavailableError) as caught, engine.execute(query("SELECT 1 AS n")):
            pass
        assert caught.value.retry_after
        assert 0.2 <= time.monotonic() - started < 1.0


def test_one_asker_never_has_all_slots_nor_all_places(engines: Any) -> None:
    engine = engines(slots=3, wait_seconds=0.3)
    greedy = replace(ENDLESS, asker="greedy")
    with engine.execute(greedy), engine.execute(greedy):
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(run_as, engine, "greedy") for _ in range(4)]
            assert run_as(engine, "modest") == [{"n": 1}]
        refused = [future.exception() for future in waiting]
        assert [type(error) for error in refused] == [UnavailableError] * 4
    assert run_as(engine, "greedy") == [{"n": 1}]


def run_as(engine: ProcessEngine, asker: str) -> list[dict[str, Any]]:
    with engine.execute(replace(query("SELECT 1 AS n"), asker=asker)) as stream:
        return [row for batch in stream for row in batch.to_pylist()]


def test_queries_wait_in_line_for_a_slot(engines: Any) -> None:
    engine = engines(slots=1)
    answers: list[int] = []

    def ask(number: int) -> None:
        with engine.execute(query(f"SELECT {number} AS n")) as stream:
            answers.extend(batch["n"][0].as_py() for batch in stream)

    with ThreadPoolExecutor(2) as pool, engine.execute(ENDLESS):
        waiting = []
        for number in (1, 2):
            waiting.append(pool.submit(ask, number))
            time.sleep(0.1)
        started = time.monotonic()
        with pytest.raises(UnavailableError), engine.execute(query("SELECT 3 AS n")):
            pass
        assert time.monotonic() - started < 0.1, "the line is full"
        assert not answers
    for ended in waiting:
        ended.result()
    assert answers == [1, 2]


def test_who_hangs_up_leaves_the_line(engines: Any) -> None:
    engine = engines(slots=1)
    with engine.execute(ENDLESS):
        started = time.monotonic()
        with (
            pytest.raises(UnavailableError, match="Nobody"),
            engine.execute(query("SELECT 1 AS n"), abandoned=lambda: True),
        ):
            pass
        assert time.monotonic() - started < 1.0
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


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
        assert stream.is_over


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
    engine = ProcessEngine(local_warehouse, temp_directory=tmp_path / "file" / "spill")
    with pytest.raises(UnavailableError):
        run(engine, "SELECT 1 AS n")
    engine.close()


def test_types_nobody_stores_are_refused() -> None:
    assert sql_type(pa.list_(pa.struct([("a b", pa.timestamp("us"))]))) == 'STRUCT("a b" TIMESTAMP)[]'
    with pytest.raises(InvalidInputError):
        sql_type(pa.duration("us"))


def test_a_shorter_limit_of_the_query_counts(engines: Any) -> None:
    engine = engines(slots=1)
    started = time.monotonic()
    with pytest.raises(EngineLimitError, match="in time"):
        run_query(engine, replace(SILENT, limits=QueryLimits(deadline_seconds=0.3)))
    assert time.monotonic() - started < 0.8
    with pytest.raises(EngineLimitError, match="in time"):
        run_query(engine, replace(SILENT, limits=QueryLimits(deadline_seconds=0)))
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


def test_a_query_nobody_waits_for_is_stopped(engines: Any) -> None:
    engine = engines(slots=1)
    asked: list[float] = []

    def abandoned() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 2

    with pytest.raises(UnavailableError), engine.execute(SILENT, abandoned=abandoned):
        pass
    assert len(asked) == 3
    assert asked[2] - asked[0] < 1.0
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (signal.SIGKILL, EngineLimitError, "out of memory"),
        (signal.SIGSEGV, GatewayError, "broke down"),
        (signal.SIGXCPU, EngineLimitError, "in time"),
    ],
)
def test_a_process_that_dies_is_told_and_not_mourned(
    engines: Any, number: signal.Signals, error: type[GatewayError], message: str
) -> None:
    engine = engines(slots=1)
    received: list[bytes] = []
    with engine.execute(ENDLESS) as stream:
        chunks = stream.chunks()
        received.append(next(chunks))
        (pid,) = queries()
        os.kill(pid, number)
        with pytest.raises(error, match=message) as caught:
            received.extend(chunks)
    assert type(caught.value) is error
    assert not received[-1].endswith(END_OF_STREAM)
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]


def test_a_dead_zygote_is_replaced(engines: Any) -> None:
    engine = engines(slots=1)
    with engine.execute(ENDLESS) as stream:
        (query,) = queries()
        os.kill(zygote(), signal.SIGKILL)
        with pytest.raises(UnavailableError, match="start again"):
            list(stream)
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]
    assert not psutil.pid_exists(query) or psutil.Process(query).status() == psutil.STATUS_ZOMBIE


def test_an_engine_that_cannot_start_is_unavailable(engines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for started in list(nursery._zygotes.values()):
        started.end()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(UnavailableError):
        run(engines(), "SELECT 1 AS n")
    monkeypatch.undo()
    assert run(engines(), "SELECT 1 AS n") == [{"n": 1}]


_DIES = """
import os, signal
from pathlib import Path
import pyarrow as pa
from infra.engines import nursery
from infra.engines.process_engine import ProcessEngine
from infra.engines.process_run import END_OF_STREAM
from infra.engines.sandbox import address_space, memory_bytes
from infra.ports.engine import EngineQuery, QueryLimits
from infra.storage.location import parse_warehouse
engine = ProcessEngine(parse_warehouse({folder!r}), temp_directory=Path({folder!r}) / "spill")
stream = engine.execute(EngineQuery("SELECT range FROM range(100000000000)", {{}}, None))
stream.__enter__()
zygote = nursery._zygotes["local"]._process.pid
print(zygote, *Path(f"/proc/{{zygote}}/task/{{zygote}}/children").read_text().split(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_gateway_that_dies_takes_its_processes_along(engines: Any, tmp_path: Path) -> None:
    code = _DIES.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    pids = [int(pid) for pid in done.stdout.split()]
    assert (done.returncode, len(pids)) == (-signal.SIGKILL, 2), done.stderr
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=5)
    assert alive == []
    assert len(list((tmp_path / "spill").iterdir())) == 1
    engine = engines()
    with engine.execute(ENDLESS):
        assert len(list((tmp_path / "spill").iterdir())) == 1, "the dead one's is gone, ours is there"
        second = engines()
        assert run(second, "SELECT 1 AS n") == [{"n": 1}]
        assert len(list((tmp_path / "spill").iterdir())) == 1, "a living one's is not swept up"


_FORKS = """
import os, sys
from pathlib import Path
import pyarrow as pa
from infra.engines import nursery
from infra.engines.process_engine import ProcessEngine
from infra.engines.process_run import END_OF_STREAM
from infra.engines.sandbox import address_space, memory_bytes
from infra.ports.engine import EngineQuery, QueryLimits
from infra.storage.location import parse_warehouse
engine = ProcessEngine(parse_warehouse({folder!r}), temp_directory=Path({folder!r}) / "spill")
def one():
    with engine.execute(EngineQuery("SELECT 1 AS n", {{}}, None)) as stream:
        assert [row for batch in stream for row in batch.to_pylist()] == [{{"n": 1}}]
    return nursery._zygotes["local"]._process.pid
parent = one()
child = os.fork()
if child == 0:
    assert one() != parent
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert one() == parent
assert "duckdb" not in sys.modules, "the gateway has no engine in it"
"""


def test_a_fork_of_the_gateway_has_a_zygote_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", _FORKS.format(folder=str(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_queries_leave_no_descriptors_and_no_processes(engines: Any) -> None:
    engine = engines()
    assert run(engine, "SELECT 1 AS n") == [{"n": 1}]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        run(engine, "SELECT 1 AS n")
        with pytest.raises(GatewayError):
            run(engine, "SELECT nothing")
        with engine.execute(ENDLESS) as stream:
            next(stream.chunks())
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert queries() == []


def test_a_large_answer_passes_through_in_constant_memory(engines: Any) -> None:
    query = EngineQuery("SELECT range AS n, hash(range)::VARCHAR AS s FROM range(8000000)", {}, None)
    before, largest, count = psutil.Process().memory_info().rss, 0, 0
    with engines().execute(query) as stream:
        for number, chunk in enumerate(stream.chunks()):
            count += len(chunk)
            if number % 16 == 0:
                largest = max(largest, psutil.Process().memory_info().rss)
    assert count > 200_000_000
    assert largest - before < 20_000_000


def test_each_query_has_random_numbers_of_its_own(engines: Any) -> None:
    engine, text = engines(), pa.schema([("n", pa.string())])
    seen = {run(engine, "SELECT uuid()::VARCHAR AS n", text)[0]["n"] for _ in range(5)}
    assert len(seen) == 5


def test_a_process_has_little_of_the_machine(engines: Any) -> None:
    with engines(memory_limit="100MB", threads=2, deadline_seconds=30).execute(ENDLESS):
        (query,) = queries()
        status, limits = (Path(f"/proc/{query}/{name}").read_text() for name in ("status", "limits"))
        network = Path(f"/proc/{query}/ns/net").readlink()
        opened = {str(path.readlink()).partition(":")[0] for path in Path(f"/proc/{query}/fd").iterdir()}
        group, session, niceness = os.getpgid(query), os.getsid(query), psutil.Process(query).nice()
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE)
    assert re.search(rf"^Max address space +{address_space('100MB', 2)} ", limits, re.MULTILINE)
    assert re.search(r"^Max cpu time +6[12] ", limits, re.MULTILINE)
    assert re.search(r"^Max file size +3200000000 ", limits, re.MULTILINE)
    assert re.search(r"^Max core file size +0 ", limits, re.MULTILINE)
    assert network != Path("/proc/self/ns/net").readlink()
    assert opened >= {"/dev/null", "pipe", "socket"}
    assert group == query
    # In a session of its own it would take as much of the processors as the whole gateway, however nice.
    assert session == os.getsid(0)
    assert niceness == 10


@pytest.mark.parametrize(
    ("text", "size"),
    [("1GB", 10**9), ("512MiB", 512 << 20), ("1.5 KB", 1500), ("100", 100), ("2tb", 2 * 10**12), ("7 B", 7)],
)
def test_amounts_of_memory(text: str, size: int) -> None:
    assert memory_bytes(text) == size


def test_shares_of_memory() -> None:
    assert abs(memory_bytes("50%") - psutil.virtual_memory().total / 2) < 1e6
    with pytest.raises(ValueError, match="no amount"):
        memory_bytes("much")
