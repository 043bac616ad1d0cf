"""How long a small request takes while large answers stream from the same gateway to readers in other processes."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

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
    Column("p99 ms, own wait in"),
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
    ratio = _percentile([each.answered for each in loaded], 99) / _percentile([each.answered for each in alone], 99)
    notes = (
        "Own wait: while the client that measures was ready to run and readers and queries had its processors.",
        "Refused: told to come again because all slots were busy. Given up: refused until the SDK raised the error.",
    )
    return [Findings("concurrency", size, _COLUMNS, rows, (Target("p99 over p99 alone", ratio, 3),), notes)]


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


class _Latency(NamedTuple):
    """Seconds, without and with the time for which the one who measures was ready and had no processor."""

    answered: float
    seen: float


def _latencies(gateway: Gateway, requests: int) -> list[_Latency]:
    connection, latencies = gateway.connect(), []
    for _ in range(requests):
        started, waited = time.perf_counter(), _waited()
        connection.get_featuregroup_metadata(_GROUP)
        seen = time.perf_counter() - started
        latencies.append(_Latency(seen - (_waited() - waited), seen))
    return latencies


def _waited() -> float:
    """Seconds for which this thread stood in the kernel's line: elsewhere it would have a machine of its own."""
    statistics = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    return int(statistics.read_text().split()[1]) / 1e9 if statistics.exists() else 0.0


def _percentile(seconds: Sequence[float], percent: int) -> float:
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


def _row(name: str, latencies: Sequence[_Latency], load: _Load | None) -> dict[str, Figure]:
    answered, seen = [each.answered for each in latencies], [each.seen for each in latencies]
    seconds = (_percentile(answered, 50), _percentile(answered, 99), max(answered), _percentile(seen, 99))
    in_ms = [each * 1e3 for each in seconds]
    counted = [None] * 4 if load is None else [load.rows_per_second, *map(load.count, ("reads", "refused", "given up"))]
    return dict(zip([column.name for column in _COLUMNS], (name, *in_ms, *counted), strict=True))
