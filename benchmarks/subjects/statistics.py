"""All four kinds of statistics, against reading the files and against what DuckDB's `SUMMARIZE` takes for one of them."""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.findings import Column, Figure, Findings, Target
from benchmarks.measuring import Options
from benchmarks.rounds import Entry, Turns, require_equal, take_turns

ROWS, REPETITIONS = 10_000_000, 3
_WIDTH, _FILES = 20, 5
_MOST_MB = 1_500
_SCANS = 13
_COLUMNS = (
    Column("way"),
    Column("seconds"),
    Column("CPU"),
    Column("seconds over scan"),
    Column("seconds over SUMMARIZE"),
    Column("MB", 0),
)


def measure(options: Options) -> list[Findings]:
    with TemporaryDirectory(prefix="oast-bench-") as directory:
        task = {"groups": {"numbers": _make_files(Path(directory), options.rows)}}
        entries = [
            Entry("pyarrow, scan alone", "scan"),
            Entry("DuckDB SUMMARIZE", "summarize"),
            Entry("statistics, all four kinds", "statistics"),
        ]
        scan, duckdb, ours = take_turns(entries, task, options.repetitions)
    require_equal([duckdb, ours])
    rows = tuple(_row(turns, scan, duckdb) for turns in (scan, duckdb, ours))
    targets = (
        Target("seconds over a plain scan", _times(ours, scan), _SCANS),
        Target("seconds over DuckDB SUMMARIZE", _times(ours, duckdb), 1),
        Target("MB", ours.peak.all, _MOST_MB),
    )
    size = f"{options.rows:,} rows of {_WIDTH} doubles in {_FILES} files; medians of {options.repetitions} turns"
    return [Findings("statistics", size, _COLUMNS, rows, targets)]


def _make_files(directory: Path, rows: int) -> list[str]:
    """Doubles that cannot be compressed: the same in every run."""
    paths = [directory / f"{number}.parquet" for number in range(_FILES)]
    for number, path in enumerate(paths):
        random = np.random.default_rng(number)
        table = pa.table({f"c{column}": random.standard_normal(rows // _FILES) for column in range(_WIDTH)})
        pq.write_table(table, path, compression="zstd", use_dictionary=False)
    return [str(path) for path in paths]


def _times(turns: Turns, other: Turns) -> float:
    return median(ours / theirs for ours, theirs in zip(turns.seconds, other.seconds, strict=True))


def _row(turns: Turns, scan: Turns, duckdb: Turns) -> dict[str, Figure]:
    figures = (
        turns.entry.name,
        median(turns.seconds),
        median(turns.cpu),
        _times(turns, scan),
        _times(turns, duckdb),
        turns.peak.all,
    )
    return dict(zip([column.name for column in _COLUMNS], figures, strict=True))
