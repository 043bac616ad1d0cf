"""Entries that take turns in doing one task, each time in a fresh process, and what each of them took."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]  # psutil ships no types

from benchmarks.contest import Contestant, contestant
from benchmarks.frames import WrongRowsError
from benchmarks.gateway import Gateway
from benchmarks.memory import PeakMemory, watched

OWN = "own"
"""The party of the process that wants the answer: a notebook, or all there is."""


@dataclass(frozen=True)
class Entry:
    """A way under a name. `task` is what sets it apart from the others' tasks; `once`: it takes too long for turns."""

    name: str
    way: str
    task: Mapping[str, Any] = field(default_factory=dict)
    gateway: Gateway | None = None
    python: str = sys.executable
    once: bool = False


@dataclass
class Turns:
    """Of one entry, in the order in which they were taken."""

    entry: Entry
    seconds: list[float] = field(default_factory=list)
    own_cpu: list[float] = field(default_factory=list)
    gateway_cpu: list[float] = field(default_factory=list)
    peak: PeakMemory = field(default_factory=PeakMemory)
    checksum: str | None = None

    @property
    def cpu(self) -> list[float]:
        return [own + theirs for own, theirs in zip(self.own_cpu, self.gateway_cpu, strict=True)]

    def over(self, other: "Turns") -> float:
        """Processor time as a multiple of the other's, turn by turn where there are as many."""
        if len(self.cpu) == len(other.cpu):
            return median(ours / theirs for ours, theirs in zip(self.cpu, other.cpu, strict=True))
        return median(self.cpu) / median(other.cpu)

    def take(self, task: Mapping[str, Any], *, timed: bool, looked_at: bool) -> None:
        entry = self.entry
        with contestant(entry.way, {**task, **entry.task}, entry.python) as process:
            before = entry.gateway.cpu_seconds() if entry.gateway else 0.0
            with watched(_parties(process, entry.gateway)) if looked_at else nullcontext(PeakMemory()) as peak:
                spent = process.run()
            if timed:
                self.seconds.append(spent.seconds)
                self.own_cpu.append(spent.cpu)
                self.gateway_cpu.append(entry.gateway.cpu_seconds() - before if entry.gateway else 0.0)
            if looked_at:
                self.peak = peak
            self._check(process.checksum())

    def _check(self, checksum: str | None) -> None:
        if self.checksum not in {None, checksum}:
            raise WrongRowsError(f"{self.entry.name} answered {checksum} after {self.checksum}.")
        self.checksum = checksum


def take_turns(entries: Sequence[Entry], task: Mapping[str, Any], repetitions: int) -> list[Turns]:
    """`repetitions` timed turns, then one in which memory is looked at, because looking takes time."""
    all_turns = [Turns(entry) for entry in entries]
    for _ in range(repetitions):
        for turns in all_turns:
            if not turns.entry.once:
                turns.take(task, timed=True, looked_at=False)
    for turns in all_turns:
        turns.take(task, timed=turns.entry.once, looked_at=True)
    return all_turns


def require_equal(all_turns: Sequence[Turns]) -> None:
    """Raise WrongRowsError unless all that answered with values answered with the same."""
    found = {turns.entry.name: turns.checksum for turns in all_turns if turns.checksum is not None}
    if len(set(found.values())) > 1:
        raise WrongRowsError(f"The answers differ: {found}")


def _parties(process: Contestant, gateway: Gateway | None) -> Any:
    own = psutil.Process(process.pid)

    def parties() -> dict[str, list[psutil.Process]]:
        theirs = gateway.processes() if gateway else {}
        return {OWN: [own, *own.children(recursive=True)], **theirs}

    return parties
