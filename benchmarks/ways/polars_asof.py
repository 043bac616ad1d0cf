"""Polars by hand: one `join_asof` for each group over scanned files, with the streaming engine."""

from datetime import timedelta

import polars as pl

from benchmarks.histories import EVENT_TIME, KEY, LABEL_TIME, ROW
from benchmarks.ways import Answered, Task, Way


def prepare(task: Task) -> Way:
    labels = pl.read_parquet(task["labels"])
    lookback = None if task["lookback"] is None else timedelta(microseconds=task["lookback"])

    def run() -> Answered:
        joined = labels.lazy().sort(LABEL_TIME)
        for files in task["groups"].values():
            history = pl.scan_parquet(files).rename({EVENT_TIME: LABEL_TIME}).sort(LABEL_TIME)
            joined = joined.join_asof(history, on=LABEL_TIME, by=KEY, tolerance=lookback, check_sortedness=False)
        table = joined.sort(ROW).collect(engine="streaming").to_arrow()
        return Answered(table.num_rows, table)

    return run
