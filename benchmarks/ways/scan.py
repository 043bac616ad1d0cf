"""Reading the files with pyarrow: what whoever reads all of them cannot go below."""

import pyarrow.parquet as pq

from benchmarks.ways import Answered, Task, Way


def prepare(task: Task) -> Way:
    def run() -> Answered:
        return Answered(sum(pq.read_table(files).num_rows for files in task["groups"].values()))

    return run
