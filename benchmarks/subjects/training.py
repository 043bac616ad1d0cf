"""A training dataset as Parquet, csv and TFRecords, against the libraries that write nothing but files.

Each reads the files of the same feature group and writes all rows. What was written is compared afterwards: rows, and sums.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.findings import Column, Figure, Findings, Target
from benchmarks.frames import WrongRowsError
from benchmarks.gateway import GATEWAY, QUERY, Gateway, running_gateway
from benchmarks.histories import GROUPS, schema_of
from benchmarks.loading import load_group, reached
from benchmarks.measuring import Options
from benchmarks.rounds import OWN, Entry, Turns, take_turns
from benchmarks.ways.written import LIBRARIES
from infra.formats.tfrecords.parsing import read_examples

ROWS, REPETITIONS = 10_000_000, 2
_COMPARED = 20_000
_COLUMNS = (
    Column("format"),
    Column("way"),
    Column("seconds"),
    Column("CPU"),
    Column("seconds over the fastest library"),
    Column("own MB", 0),
    Column("gateway MB", 0),
    Column("query MB", 0),
)


def measure(options: Options) -> list[Findings]:
    group = GROUPS[0]
    with running_gateway(OAST_JOBS__EMBEDDED="false") as gateway:
        files = load_group(gateway, group, options.rows)
        task = {"groups": {group: files}, "features": [f"{group}.{name}" for name in schema_of(group)]}
        task.update(reached(gateway))
        rows: list[dict[str, Figure]] = []
        targets: list[Target] = []
        for data_format in LIBRARIES:
            gateway.restart()
            found, ratio = _measured(gateway, task, data_format, options)
            rows += found
            targets.append(Target(f"{data_format}: seconds over the fastest library", ratio, _most(data_format)))
    size = f"{options.rows:,} rows of 10 columns; medians of {options.repetitions} turns"
    return [Findings("training", size, _COLUMNS, tuple(rows), tuple(targets))]


def _most(data_format: str) -> float:
    """TFRecords are to be written faster than by the one library that can; the others are bounded by a join engine's output."""
    return 1.0 if data_format == "tfrecords" else 2.5


def _measured(
    gateway: Gateway, task: dict[str, object], data_format: str, options: Options
) -> tuple[list[dict[str, Figure]], float]:
    def entry(name: str, way: str, library: str = "", *, ours: bool = False) -> Entry:
        target = gateway.scratch / f"{name}.{data_format}"
        own = {"format": data_format, "library": library, "target": str(target)}
        return Entry(name, way, own, gateway if ours else None, once=library == "protobuf")

    entries = [entry(library, "written", library) for library in LIBRARIES[data_format]]
    entries.append(entry("gateway", "training", ours=True))
    all_turns = take_turns(entries, task, options.repetitions)
    sums = {turns.entry.name: _sums(turns, data_format) for turns in all_turns}
    if len(set(sums.values())) > 1:
        raise WrongRowsError(f"What was written as {data_format} differs: {sums}")
    fastest = min(median(turns.seconds) for turns in all_turns[:-1])
    ratio = median(all_turns[-1].seconds) / fastest
    return [_row(data_format, turns, fastest) for turns in all_turns], ratio


def _sums(turns: Turns, data_format: str) -> str:
    """Of the first column of numbers, of the first rows where reading all of them takes minutes."""
    target = Path(turns.entry.task["target"])
    is_dataset = turns.entry.gateway is not None
    parts = sorted(Path(target.read_text()).glob("part-*")) if is_dataset else [target]
    column = f"{GROUPS[0]}_reading_0"
    if data_format == "tfrecords":
        return _sum_of_examples(parts[0], column)
    reader = f"read_{data_format}({[str(part) for part in parts]!r})"
    rows, total = duckdb.sql(f"SELECT count(*), sum({column}) FROM {reader}").fetchall()[0]  # noqa: S608 ours
    return f"{rows}:{total:.3f}"


def _sum_of_examples(part: Path, column: str) -> str:
    total = 0.0
    with part.open("rb") as source:
        for _, example in zip(range(_COMPARED), read_examples(source), strict=False):
            total += sum(example.get(column, ()))
    return f"{total:.2f}"


def _row(data_format: str, turns: Turns, fastest: float) -> dict[str, Figure]:
    parties: Sequence[str] = (OWN, GATEWAY, QUERY)
    figures = (
        data_format,
        turns.entry.name,
        median(turns.seconds),
        median(turns.cpu),
        median(turns.seconds) / fastest,
        *(turns.peak.of.get(party) for party in parties),
    )
    return dict(zip([column.name for column in _COLUMNS], figures, strict=True))
