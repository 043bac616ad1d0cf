"""How many different values there are, in bounded memory."""

import math
from typing import Final

import numpy as np

from app.featurestore.statistics.maths.hashing import PIECE, bits_of, mix
from app.featurestore.statistics.maths.kinds import Bits, Numbers

CAPACITY: Final = 65_536
_FULL: Final = 2.0**64


class DistinctSketch:
    """The smallest hashes that were seen: up to `CAPACITY` all of them, and the count is exact.

    Beyond, how close together the smallest lie tells how many there are, with a relative standard error of
    1/sqrt(CAPACITY - 2), 0.4 %: Beyer et al., "On synopses for distinct-value estimation", SIGMOD 2007. It depends on the
    set of values only: not on their order, not on how often they come.
    """

    def __init__(self) -> None:
        self._smallest: Bits = np.empty(0, np.uint64)
        self._pending: list[Bits] = []
        self._pending_size = 0
        self._beyond: np.uint64 | None = None  # the largest hash that is kept, once not all are

    def add_numbers(self, values: Numbers) -> None:
        found = []
        for start in range(0, len(values), PIECE):
            hashes = mix(bits_of(values[start : start + PIECE]))
            found.append(hashes if self._beyond is None else hashes[hashes < self._beyond])
        if found:
            self.add(np.concatenate(found))

    def add(self, hashes: Bits) -> None:
        if self._beyond is not None:
            hashes = hashes[hashes < self._beyond]
        if len(hashes) == 0:
            return
        hashes = _different(hashes)
        self._pending.append(hashes)
        self._pending_size += len(hashes)
        if self._pending_size > CAPACITY:
            self._merge()

    @property
    def is_exact(self) -> bool:
        self._merge()
        return self._beyond is None

    @property
    def count(self) -> int:
        if self.is_exact:
            return len(self._smallest)
        return round((CAPACITY - 1) / (float(self._smallest[-1]) / _FULL))

    @property
    def error(self) -> float:
        """Relative standard error of `count`."""
        return 0.0 if self.is_exact else 1 / math.sqrt(CAPACITY - 2)

    @property
    def hashes(self) -> Bits:
        """Of all values if it is exact, in their own order."""
        self._merge()
        return self._smallest

    def _merge(self) -> None:
        if not self._pending:
            return
        merged = _different(np.concatenate([self._smallest, *self._pending]))
        if len(merged) > CAPACITY:
            merged = merged[:CAPACITY].copy()
            self._beyond = merged[-1]
        self._smallest, self._pending, self._pending_size = merged, [], 0


def _different(hashes: Bits) -> Bits:
    # numpy's own `unique` takes fifty times as long as its `sort`.
    ordered = np.sort(hashes)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]
