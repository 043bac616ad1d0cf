"""Repetitions in turn, and their medians."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]  # psutil ships no types

from benchmarks.findings import Column, Figure
from benchmarks.gateway import GATEWAY, QUERY, Gateway
from benchmarks.memory import PeakMemory

COLUMNS = (
    Column(""),
    Column("by"),
    Column("seconds", 3),
    Column("ratio"),
    Column("own CPU"),
    Column("gateway CPU"),
    Column("gateway MB", 0),
    Column("query MB", 0),
)
"""Of `Outcome.rows`. The gateway's processor time includes its queries'; megabytes are over idle, at their peak."""


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    rows: int
    repetitions: int
    with_feast: bool = False


@dataclass(frozen=True)
class Contender:
    """One way to do it. `run` is timed; `prepare` before it and `check` of what it returned are not."""

    name: str
    run: Callable[[], Any]
    check: Callable[[Any], None]
    prepare: Callable[[], None] = lambda: None
    gateway: Gateway | None = None


@dataclass(frozen=True)
class Comparison:
    """What the gateway does against what users would call without it."""

    title: str
    baseline: Contender
    contender: Contender


@dataclass(frozen=True)
class Figures:
    """Of one contender. Medians; `peak` is what the gateway's processes grew by over idle."""

    name: str
    seconds: float
    own_cpu: float
    gateway_cpu: float | None
    peak: PeakMemory | None

    def row(self, title: str, ratio: float) -> dict[str, Figure]:
        of = {} if self.peak is None else self.peak.of
        figures = (self.seconds, ratio, self.own_cpu, self.gateway_cpu, of.get(GATEWAY), of.get(QUERY))
        names = [column.name for column in COLUMNS]
        return dict(zip(names, (title, self.name, *figures), strict=True))


@dataclass(frozen=True)
class Outcome:
    """`ratio` is the median of the ratios of each turn: load from elsewhere hits both sides of a turn."""

    title: str
    baseline: Figures
    contender: Figures
    ratio: float

    @property
    def rows(self) -> list[dict[str, Figure]]:
        return [self.baseline.row(self.title, 1.0), self.contender.row("", self.ratio)]


@dataclass
class _Turns:
    """What was timed of one contender."""

    contender: Contender
    seconds: list[float] = field(default_factory=list)
    own_cpu: list[float] = field(default_factory=list)
    gateway_cpu: list[float] = field(default_factory=list)

    def take(self) -> None:
        gateway = self.contender.gateway
        self.contender.prepare()
        own, theirs, started = _own_cpu(), gateway.cpu_seconds() if gateway else 0.0, time.perf_counter()
        result = self.contender.run()
        self.seconds.append(time.perf_counter() - started)
        self.own_cpu.append(_own_cpu() - own)
        self.gateway_cpu.append(gateway.cpu_seconds() - theirs if gateway else 0.0)
        self.contender.check(result)

    def figures(self) -> Figures:
        served = self.contender.gateway is not None
        return Figures(
            self.contender.name,
            median(self.seconds),
            median(self.own_cpu),
            median(self.gateway_cpu) if served else None,
            self._peak(),
        )

    def _peak(self) -> PeakMemory | None:
        """From one more run: looking at memory costs time, which the timed ones must not pay."""
        gateway = self.contender.gateway
        if gateway is None:
            return None
        self.contender.prepare()
        with gateway.watched_memory() as peak:
            result = self.contender.run()
        self.contender.check(result)
        return peak


def compare(comparisons: Sequence[Comparison], repetitions: int) -> list[Outcome]:
    """Warm everybody up, then let all take turns."""
    pairs = [(each, _Turns(each.baseline), _Turns(each.contender)) for each in comparisons]
    for each in comparisons:
        _Turns(each.baseline).take()
        _Turns(each.contender).take()
    for _ in range(repetitions):
        for _, baseline, contender in pairs:
            baseline.take()
            contender.take()
    return [_outcome(each, baseline, contender) for each, baseline, contender in pairs]


def _outcome(comparison: Comparison, baseline: _Turns, contender: _Turns) -> Outcome:
    ratio = median(ours / theirs for ours, theirs in zip(contender.seconds, baseline.seconds, strict=True))
    return Outcome(comparison.title, baseline.figures(), contender.figures(), ratio)


def _own_cpu() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)
