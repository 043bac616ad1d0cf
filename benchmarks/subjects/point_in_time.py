"""Attaching the features of three groups to labels as of the labels' times, against doing it by hand on the same files.

All must come to the same values. The gateway moreover decides between rows of equal time, answers every label in its
place and keeps to the memory limit of its engine.
"""

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.feast import feast_python
from benchmarks.findings import Column, Figure, Findings, Target
from benchmarks.gateway import GATEWAY, QUERY, Gateway, running_gateway
from benchmarks.histories import LOOKBACK, all_features
from benchmarks.loading import make_task
from benchmarks.measuring import Options
from benchmarks.rounds import OWN, Entry, Turns, require_equal, take_turns

ROWS, REPETITIONS = 10_000_000, 3
_ROWS_PER_LABEL = 10
_COLUMNS = (
    Column("way"),
    Column("lookback"),
    Column("seconds"),
    Column("CPU"),
    Column("of it gateway"),
    Column("over DuckDB"),
    Column("MB", 0),
    Column("own MB", 0),
    Column("gateway MB", 0),
    Column("query MB", 0),
)
_LOOKBACK = {"lookback": LOOKBACK // LOOKBACK.resolution}
_SCAN, _DUCKDB, _POLARS, _FEAST, _GATEWAY = "pyarrow, scan alone", "DuckDB, staged", "Polars", "Feast", "gateway"


def measure(options: Options) -> list[Findings]:
    with running_gateway() as gateway:
        task = make_task(gateway, options.rows, options.rows // _ROWS_PER_LABEL)
        gateway.restart()
        all_turns = take_turns(_entries(gateway, with_feast=options.with_feast), task, options.repetitions)
    without = [turns for turns in all_turns if not turns.entry.task]
    within = [turns for turns in all_turns if turns.entry.task]
    require_equal(without)
    require_equal(within)
    rows = tuple(_row(turns, _found(all_turns, _DUCKDB)) for turns in all_turns)
    notes = [
        f"Answers, as labels:nulls:digest: {without[-1].checksum} without lookback, {within[-1].checksum} with one.",
        "MB are what processes have to themselves, all at their common peak, then each party at its own.",
    ]
    if not options.with_feast:
        notes.append("Feast was skipped; --with-feast installs it and takes it in.")
    return [Findings("point_in_time", _size(options), _COLUMNS, rows, _targets(all_turns), tuple(notes))]


def _entries(gateway: Gateway, *, with_feast: bool) -> list[Entry]:
    entries = [
        Entry(_SCAN, "scan"),
        Entry(_DUCKDB, "staged_duckdb"),
        Entry(_DUCKDB, "staged_duckdb", _LOOKBACK),
        Entry(_POLARS, "polars_asof"),
        Entry(_GATEWAY, "sdk", gateway=gateway),
        Entry(_GATEWAY, "sdk", _LOOKBACK, gateway=gateway),
    ]
    if with_feast:
        python = feast_python()
        entries += [Entry(_FEAST, "feast_history", task, python=python, once=True) for task in ({}, _LOOKBACK)]
    return entries


def _found(all_turns: Sequence[Turns], name: str, task: Mapping[str, int] | None = None) -> Turns:
    return next(turns for turns in all_turns if turns.entry.name == name and turns.entry.task == (task or {}))


def _row(turns: Turns, duckdb: Turns) -> dict[str, Figure]:
    figures = (
        turns.entry.name,
        f"{LOOKBACK.days} days" if turns.entry.task else "",
        median(turns.seconds),
        median(turns.cpu),
        median(turns.gateway_cpu) if turns.entry.gateway else None,
        turns.over(duckdb),
        turns.peak.all,
        turns.peak.of.get(OWN),
        turns.peak.of.get(GATEWAY),
        turns.peak.of.get(QUERY),
    )
    return dict(zip([column.name for column in _COLUMNS], figures, strict=True))


def _targets(all_turns: Sequence[Turns]) -> tuple[Target, ...]:
    ours, by_hand = _found(all_turns, _GATEWAY, _LOOKBACK), _found(all_turns, _DUCKDB)
    targets = [
        Target("CPU with lookback, over DuckDB staged by hand without one", ours.over(by_hand), 1.25),
        Target("MB of all processes together", ours.peak.all, 2_500),
    ]
    if any(turns.entry.name == _FEAST for turns in all_turns):
        for of_what, task in (("any age", {}), ("the lookback", _LOOKBACK)):
            times = _found(all_turns, _FEAST, task).over(_found(all_turns, _GATEWAY, task))
            targets.append(Target(f"Feast's CPU over the gateway's, rows of {of_what}", times, 8, at_least=True))
    return tuple(targets)


def _size(options: Options) -> str:
    return (
        f"{options.rows // _ROWS_PER_LABEL:,} labels, 3 groups of {options.rows:,} rows of 10 columns, "
        f"{len(all_features())} features; medians of {options.repetitions} turns, Feast of one"
    )
