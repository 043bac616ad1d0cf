"""The SDK and a gateway: one call."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.checksums import Checksum
from benchmarks.histories import LABEL_TIME, ROW, answer_schema, features_of
from benchmarks.ways import Answered, Task, Way
from hops import featurestore as fs


def prepare(task: Task) -> Way:
    """`streamed` in the task: labels of a file that is not held in memory, and the answer read once and not kept."""
    connection = connect(task)
    lookback = None if task["lookback"] is None else timedelta(microseconds=task["lookback"])
    names = [name for group in task["groups"] for name in features_of(group)]

    def attach(spine: Any, container: str) -> Any:
        return connection.get_features(names, spine=spine, event_time=LABEL_TIME, lookback=lookback, as_=container)

    if task.get("streamed"):
        return lambda: _consumed(attach(Path(task["labels"]), "reader"))
    labels = pq.read_table(task["labels"])
    # A notebook has asked something before.
    attach(labels.slice(0, 1), "pyarrow")

    def run() -> Answered:
        table = attach(labels, "pyarrow")
        return Answered(table.num_rows, table)

    return run


def connect(task: Task) -> fs.Connection:
    # The first row of an answer that is sorted on disk comes late.
    return fs.connect(
        task["address"],
        task["project"],
        secrets_store="local",
        api_key_file=task["key_file"],
        quiet=True,
        timeout=task.get("patience", 300.0),
    )


def _consumed(batches: Any) -> Answered:
    checksum, rows = Checksum(answer_schema(), ROW), 0
    for batch in batches:
        checksum.add(batch)
        rows += batch.num_rows
    return Answered(rows, checksum=checksum.value())
