"""All four kinds of statistics of the files in `task["groups"]`, by the gateway's own mathematics."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.featurestore.statistics.maths.compute import compute_statistics
from app.featurestore.statistics.maths.options import StatisticsOptions
from benchmarks.ways import Answered, Task, Way

_BATCH = 65_536


class _Files:
    """Parquet files as rows that can be read again."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self.schema: pa.Schema = pq.read_schema(files[0])
        self.rows: int | None = sum(pq.read_metadata(file).num_rows for file in files)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for file in self._files:
            with pq.ParquetFile(file) as opened:
                yield from opened.iter_batches(_BATCH, columns=list(columns))


def prepare(task: Task) -> Way:
    (files,) = task["groups"].values()

    def run() -> Answered:
        found = compute_statistics(_Files(files), StatisticsOptions())
        return Answered(found["rows"], checksum=_extremes(found["columns"]))

    return run


def _extremes(columns: Sequence[dict[str, Any]]) -> str:
    figures = [(each["name"], each["count"], each["descriptive"]) for each in columns]
    return " ".join(f"{name}:{count}:{of['min']!r}:{of['max']!r}" for name, count, of in figures)
