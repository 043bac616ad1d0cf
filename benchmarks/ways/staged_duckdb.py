"""DuckDB by hand: one ASOF join for each group into a temporary table, which are then joined on the number of the label.

The answer is in the order of the labels, because it is to be put beside them.
"""

import os
from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.checksums import Checksum
from benchmarks.histories import EVENT_TIME, KEY, LABEL_TIME, ROW, answer_schema, features_of
from benchmarks.ways import Answered, Task, Way

_BATCH = 65_536


def prepare(task: Task) -> Way:
    """`streamed` in the task: the answer is read once and not kept."""
    connection = duckdb.connect(config={"threads": os.cpu_count() or 1, "temp_directory": task["scratch"]})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    connection.register("labels", pq.read_table(task["labels"]))

    def run() -> Answered:
        answer = _attach(connection, task).to_arrow_reader(_BATCH)
        if task.get("streamed"):
            return _consumed(answer)
        table = answer.read_all()
        return Answered(table.num_rows, table)

    return run


def _attach(connection: duckdb.DuckDBPyConnection, task: Task) -> Any:
    connection.execute("CREATE TEMP TABLE label AS SELECT * FROM labels")
    for group, files in task["groups"].items():
        features = ", ".join(f"f.{name}" for name in features_of(group))
        connection.execute(
            f"CREATE TEMP TABLE {group} AS SELECT l.{ROW}, {features} FROM label l "  # noqa: S608 names of ours
            f"ASOF JOIN read_parquet({files}) f ON l.{KEY} = f.{KEY} AND l.{LABEL_TIME} >= f.{EVENT_TIME} {_recent(task)}"
        )
    joins = " ".join(f"LEFT JOIN {group} USING ({ROW})" for group in task["groups"])
    names = ", ".join(name for group in task["groups"] for name in features_of(group))
    return connection.execute(f"SELECT l.*, {names} FROM label l {joins} ORDER BY l.{ROW}")  # noqa: S608 names of ours


def _recent(task: Task) -> str:
    lookback = task["lookback"]
    return "" if lookback is None else f"WHERE epoch_us(l.{LABEL_TIME}) - epoch_us(f.{EVENT_TIME}) <= {lookback}"


def _consumed(batches: Iterable[pa.RecordBatch]) -> Answered:
    checksum, rows = Checksum(answer_schema(), ROW), 0
    for batch in batches:
        checksum.add(batch)
        rows += batch.num_rows
    return Answered(rows, checksum=checksum.value())
