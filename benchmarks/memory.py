"""What processes keep in memory, looked at while they work."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import psutil  # type: ignore[import-untyped]  # psutil ships no types

MB = 1_000_000
_LOOK_EVERY = 0.05  # seconds

Parties: TypeAlias = Callable[[], Mapping[str, Collection[psutil.Process]]]
"""The processes of each party as they are now: some live shorter than a query."""


@dataclass
class PeakMemory:
    """Megabytes of what processes have to themselves. The parties peak at different times, `all` at the worst moment."""

    all: float = 0.0
    of: dict[str, float] = field(default_factory=dict)

    def note(self, megabytes: Mapping[str, float]) -> None:
        self.all = max(self.all, sum(megabytes.values()))
        for party, found in megabytes.items():
            self.of[party] = max(self.of.get(party, 0.0), found)


@contextmanager
def watched(parties: Parties, idle: Mapping[str, float] | None = None) -> Iterator[PeakMemory]:
    """`idle`: megabytes of a party that are not counted."""
    peak, over = PeakMemory(), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY):
            found = {party: private_megabytes(processes) for party, processes in parties().items()}
            peak.note({party: size - (idle or {}).get(party, 0.0) for party, size in found.items()})

    watcher = threading.Thread(target=look, name="memory")
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def private_megabytes(processes: Collection[psutil.Process]) -> float:
    return sum(map(_private_bytes, processes)) / MB


def _private_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().uss)
    except psutil.Error:  # it has ended
        return 0
