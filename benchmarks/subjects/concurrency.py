"""How long a small request takes while large answers stream from the same gateway to readers in other processes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from benchmarks.contest import Contestant, Spent, contestant
from benchmarks.findings import Column, Figure, Findings, Target
from benchmarks.gateway import Gateway, running_gateway
from benchmarks.histories import GROUPS
from benchmarks.loading import load_group, reached
from benchmarks.measuring import Options

ROWS, REPETITIONS = 10_000_000, 1
_GROUP = GROUPS[0]
_READERS = 8
_REQUESTS = 1_000
_BEFORE = 3.0  # seconds until all readers are at it
_COLUMNS = (
    Column("GET of a feature group"),
    Column("p50 ms"),
    Column("p99 ms"),
    Column("most ms"),
    Column("rows/s read", 0),
    Column("reads", 0),
    Column("refused", 0),
    Column("given up", 0),
)


def measure(options: Options) -> list[Findings]:
    requests = _REQUESTS * options.repetitions
    with running_gateway() as gateway:
        load_group(gateway, _GROUP, options.rows)
        gateway.restart()
        alone = _latencies(gateway, requests)
        with _reading(gateway) as load:
            loaded = _latencies(gateway, requests)
    size = f"{requests:,} requests one after the other; {_READERS} readers, each of {options.rows:,} rows of 10 columns"
    rows = (_row("alone", alone, None), _row("while others read", loaded, load))
    ratio = _percentile(loaded, 99) / _percentile(alone, 99)
    note = "Refused: told to come again because all slots were busy. Given up: refused until the SDK raised the error."
    return [Findings("concurrency", size, _COLUMNS, rows, (Target("p99 over p99 alone", ratio, 3),), (note,))]


@dataclass
class _Load:
    """What the readers did while they were measured with."""

    spent: list[Spent] = field(default_factory=list)

    def count(self, what: str) -> int:
        return sum(spent.counts[what] for spent in self.spent)

    @property
    def rows_per_second(self) -> float:
        return sum(spent.rows / spent.seconds for spent in self.spent)


@contextmanager
def _reading(gateway: Gateway) -> Iterator[_Load]:
    load, stop = _Load(), gateway.scratch / "stop"
    with ExitStack() as stack:
        readers = _readers(stack, gateway, stop)
        for reader in readers:
            reader.begin()
        time.sleep(_BEFORE)
        try:
            yield load
        finally:
            stop.touch()
        load.spent = [reader.end() for reader in readers]


def _readers(stack: ExitStack, gateway: Gateway, stop: Path) -> list[Contestant]:
    task = {"group": _GROUP, "stop": str(stop), **reached(gateway)}
    return [stack.enter_context(contestant("read_on", task)) for _ in range(_READERS)]


def _latencies(gateway: Gateway, requests: int) -> list[float]:
    """Seconds."""
    connection, latencies = gateway.connect(), []
    for _ in range(requests):
        started = time.perf_counter()
        connection.get_featuregroup_metadata(_GROUP)
        latencies.append(time.perf_counter() - started)
    return latencies


def _percentile(latencies: Sequence[float], percent: int) -> float:
    return quantiles(latencies, n=100, method="inclusive")[percent - 1]


def _row(name: str, latencies: Sequence[float], load: _Load | None) -> dict[str, Figure]:
    in_ms = (_percentile(latencies, 50) * 1e3, _percentile(latencies, 99) * 1e3, max(latencies) * 1e3)
    counted = [None] * 4 if load is None else [load.rows_per_second, *map(load.count, ("reads", "refused", "given up"))]
    return dict(zip([column.name for column in _COLUMNS], (name, *in_ms, *counted), strict=True))
