"""Writers in processes of their own: nothing lost, nothing doubled, and a clean exit."""

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from infra.ports.tables import Commit
from infra.storage.location import Warehouse
from infra.tables.delta import DeltaTableStore
from tests.conformance.stores import SCHEMA, append, contents, rows_of

AT = "project/table"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(warehouse: Warehouse) -> DeltaTableStore:
    store = DeltaTableStore(warehouse)
    store.create(AT, SCHEMA, partition_by=[], rows=None)
    return store


def start(warehouse: Warehouse, tmp_path: Path, ids: list[int], *, die: bool = False) -> subprocess.Popen[str]:
    order = {"url": warehouse.url, "s3": asdict(warehouse.s3) if warehouse.s3 else None, "location": AT}
    file = tmp_path / f"order-{ids[0]}.json"
    file.write_text(json.dumps({**order, "ids": ids, "die": die}))
    command = [sys.executable, "-m", "tests.conformance.writer", str(file)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_four_processes_lose_nothing_and_double_nothing(
    warehouse: Warehouse, table: DeltaTableStore, tmp_path: Path
) -> None:
    writers = [start(warehouse, tmp_path, list(range(first, 20, 4))) for first in range(4)]
    answers = [json.loads(line) for writer in writers for line in writer.communicate(timeout=60)[0].splitlines()]
    # An abort while the interpreter shuts down would show here too.
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    assert [row["id"] for row in contents(warehouse, AT)] == list(range(20))
    assert sorted(number for number, _ in answers) == list(range(20))
    assert sorted(version for _, version in answers) == list(range(1, 21))


def test_a_writer_killed_after_its_commit_is_answered_on_the_next_try(
    warehouse: Warehouse, table: DeltaTableStore, tmp_path: Path
) -> None:
    writer = start(warehouse, tmp_path, [7], die=True)
    assert writer.communicate(timeout=60)[0] == ""
    assert writer.returncode == -signal.SIGKILL
    assert table.write(AT, append(rows_of((7, "process", 1.0)), "request-7")) == Commit(1, 1, 0)
    assert len(contents(warehouse, AT)) == 1


_EVERYTHING = """
from pathlib import Path
import pyarrow as pa
from infra.engines.process_engine import ProcessEngine
from infra.ports.engine import EngineQuery
from infra.storage.location import parse_warehouse
from infra.tables.delta import DeltaTableStore
from tests.conformance.stores import SCHEMA, append, rows_of, upsert
warehouse = parse_warehouse({url!r})
store = DeltaTableStore(warehouse)
rows = rows_of(*((n, "team", 1.0) for n in range(1000)))
store.create("p/t", SCHEMA, partition_by=["team"], rows=rows)
store.write("p/t", upsert(rows, "two"))
engine = ProcessEngine(warehouse, temp_directory=Path({url!r}) / "spill")
with engine.execute(EngineQuery("SELECT * FROM t", {{"t": store.snapshot("p/t")}}, SCHEMA)) as stream:
    assert sum(batch.num_rows for batch in stream) == 1000
stream = engine.execute(EngineQuery("SELECT range AS n FROM range(100000000000)", {{}}, pa.schema([("n", pa.int64())])))
next(iter(stream.__enter__()))  # left open: the exit meets a running query
{ending}
"""


@pytest.mark.parametrize("ending", ["engine.close()", "stream.__exit__(None, None, None)"])
def test_a_process_that_used_everything_exits_cleanly(local_warehouse: Warehouse, ending: str) -> None:
    code = _EVERYTHING.format(url=local_warehouse.url, ending=ending)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
