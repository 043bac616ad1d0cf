"""A uniform sample of rows: all columns of the same rows, the same rows in every pass."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.featurestore.statistics.maths.hashing import mix
from app.featurestore.statistics.maths.kinds import Bits, Flags, Positions, Values

SAMPLE_ROWS: Final = 262_144
"""Up to so many rows the sample is all of them, and what is computed from it is exact."""
SEED: Final = 1
_SURE: Final = 0.99


class RowSample:
    """The rows whose hashed numbers are smallest, in their order.

    Hashing the number of a row draws without knowing how many there are, and depends on neither values nor batches.
    """

    def __init__(self, columns: Iterable[str]) -> None:
        self.rows = 0
        self._kept: dict[str, list[Values]] = {name: [] for name in columns}
        self._keys: list[Bits] = []
        self._size = 0
        self._beyond: np.uint64 | None = None

    def choose(self, rows: int) -> Positions:
        """Which of the next rows to `keep`."""
        keys = row_keys(self.rows, rows)
        chosen = np.arange(rows) if self._beyond is None else np.flatnonzero(keys < self._beyond)
        self.rows += rows
        self._keys.append(keys[chosen])
        self._size += len(chosen)
        return chosen

    def keep(self, column: str, values: Values) -> None:
        self._kept[column].append(values)

    def shrink(self) -> None:
        """Between blocks: let go of what is no longer among the smallest."""
        if self._size > 2 * SAMPLE_ROWS:
            self._reduce()

    def drawn(self) -> "Sample":
        self._reduce()
        nothing = Values(np.empty(0), None)
        columns = {name: kept[0] if kept else nothing for name, kept in self._kept.items()}
        return Sample(self.rows, self._keys[0] if self._keys else np.empty(0, np.uint64), columns)

    def _reduce(self) -> None:
        if not self._keys:
            return
        keys = np.concatenate(self._keys)
        chosen = smallest(keys, SAMPLE_ROWS)
        if len(chosen) < len(keys):
            self._beyond = keys[chosen].max()
        self._keys, self._size = [keys[chosen]], len(chosen)
        for name, kept in self._kept.items():
            self._kept[name] = [_joined(kept).take(chosen)]


@dataclass(frozen=True)
class Sample:
    """`rows` were drawn from."""

    rows: int
    keys: Bits
    columns: dict[str, Values]

    @property
    def is_exact(self) -> bool:
        return self.rows <= SAMPLE_ROWS

    def fewer(self, rows: int) -> Positions:
        """A smaller uniform sample: the same rows in every sample of the same data."""
        return smallest(self.keys, rows)


def rank_error(drawn: int) -> float:
    """How far, as a share of all rows, a quantile of a sample of this size may be off in rank, in 99 of 100 samples.

    Dvoretzky, Kiefer and Wolfowitz, with the constant of Massart, "The tight constant in the DKW inequality", 1990.
    """
    return min(1.0, math.sqrt(math.log(2 / (1 - _SURE)) / (2 * drawn))) if drawn else 1.0


def row_keys(first: int, rows: int) -> Bits:
    numbers = np.arange(first, first + rows, dtype=np.uint64)
    return mix(mix(numbers + np.uint64(1)) + np.uint64(SEED))


def smallest(keys: Bits, count: int) -> Positions:
    if len(keys) <= count:
        return np.arange(len(keys))
    return np.flatnonzero(keys <= np.partition(keys, count - 1)[count - 1])


def _joined(parts: list[Values]) -> Values:
    valid: list[Flags] = [np.ones(len(part.values), np.bool_) if part.valid is None else part.valid for part in parts]
    everywhere = all(part.valid is None for part in parts)
    return Values(np.concatenate([part.values for part in parts]), None if everywhere else np.concatenate(valid))
