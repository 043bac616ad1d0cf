"""Labels and groups of several times an engine's memory: the join finishes, from a file of labels to a stream of rows.

The answer is compared with that of DuckDB by hand, which may use all the memory there is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Event, Thread

from benchmarks.findings import Column, Figure, Findings
from benchmarks.gateway import GATEWAY, QUERY, running_gateway
from benchmarks.loading import make_task
from benchmarks.measuring import Options
from benchmarks.memory import MB
from benchmarks.rounds import OWN, Entry, Turns, require_equal

ROWS, REPETITIONS = 30_000_000, 1
_ROWS_PER_LABEL = 3
_LIMIT = "1GB"
_PATIENCE = 1800  # seconds
_LOOK_EVERY = 0.1  # seconds
_COLUMNS = (
    Column("way"),
    Column("seconds", 1),
    Column("CPU", 1),
    Column("of it gateway", 1),
    Column("MB", 0),
    Column("own MB", 0),
    Column("gateway MB", 0),
    Column("query MB", 0),
    Column("on disk MB", 0),
)


def measure(options: Options) -> list[Findings]:
    labels = options.rows // _ROWS_PER_LABEL
    limits = {"OAST_ENGINE__MEMORY_LIMIT": _LIMIT, "OAST_ENGINE__DEADLINE_SECONDS": str(_PATIENCE)}
    with running_gateway(**limits) as gateway:
        task = {**make_task(gateway, options.rows, labels), "streamed": True, "patience": _PATIENCE}
        gateway.restart()
        by_hand = _taken(Entry("DuckDB, staged, no limit", "staged_duckdb"), task, gateway.scratch, options.repetitions)
        ours = _taken(Entry(f"gateway, {_LIMIT}", "sdk", gateway=gateway), task, gateway.scratch, options.repetitions)
    require_equal([by_hand[0], ours[0]])
    size = f"{labels:,} labels, 3 groups of {options.rows:,} rows of 10 columns; the answer is read as a stream"
    notes = (
        f"Answers, as labels:nulls:digest: {ours[0].checksum}. The digest is computed while the rows arrive: own CPU.",
        "On disk: what was spilled and the labels, at its most.",
    )
    return [Findings("larger_than_memory", size, _COLUMNS, (_row(*by_hand), _row(*ours)), notes=notes)]


def _taken(entry: Entry, task: dict[str, object], scratch: Path, repetitions: int) -> tuple[Turns, float]:
    turns = Turns(entry)
    with _watched_disk(scratch) as megabytes:
        for _ in range(repetitions):
            turns.take(task, timed=True, looked_at=True)
    return turns, max(megabytes)


@contextmanager
def _watched_disk(directory: Path) -> Iterator[list[float]]:
    """How much more lies in `directory` than at first, again and again."""
    over, at_first, found = Event(), _megabytes(directory), [0.0]

    def look() -> None:
        while not over.wait(_LOOK_EVERY):
            found.append(_megabytes(directory) - at_first)

    watcher = Thread(target=look, name="disk")
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


def _megabytes(directory: Path) -> float:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total / MB


def _row(turns: Turns, on_disk: float) -> dict[str, Figure]:
    figures = (
        turns.entry.name,
        median(turns.seconds),
        median(turns.cpu),
        median(turns.gateway_cpu) if turns.entry.gateway else None,
        turns.peak.all,
        *(turns.peak.of.get(party) for party in (OWN, GATEWAY, QUERY)),
        on_disk,
    )
    return dict(zip([column.name for column in _COLUMNS], figures, strict=True))
