"""Smallest, largest, sum, mean and variance, block after block.

Blocks are merged as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
1979: a mean of 1e9 with a deviation of 1e-3 keeps all the digits that the values have.
"""

import math
from typing import Final

import numpy as np

from app.featurestore.statistics.maths.kinds import Bits, Floats, Numbers

_LOW: Final = np.uint64(2**32 - 1)
_HALF: Final = np.uint64(32)


class FloatMoments:
    """Of finite values. All is summed up around the mean of the first block: a mean far from zero has no digits to spare."""

    def __init__(self) -> None:
        self.count = 0
        self.minimum = math.inf
        self.maximum = -math.inf
        self._sums: list[float] = []
        self._around = 0.0
        self._mean = 0.0  # above `_around`
        self._squares = 0.0

    def add(self, values: Floats) -> None:
        if len(values) == 0:
            return
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        with np.errstate(over="ignore", invalid="ignore"):
            total, count = float(values.sum()), len(values)
            if self.count == 0 and math.isfinite(total):
                self._around = total / count
            deviations = values - self._around
            mean = float(deviations.sum()) / count
            deviations -= mean
            rest = float(deviations.sum())
            self._merge(count, mean + rest / count, _squared(deviations) - rest * rest / count)
        self._sums.append(total)

    def _merge(self, count: int, mean: float, squares: float) -> None:
        together = self.count + count
        apart = mean - self._mean
        self._squares += squares + apart * apart * (self.count * count / together)
        self._mean += apart * (count / together)
        self.count = together

    @property
    def total(self) -> float:
        return _sum(self._sums)

    @property
    def mean(self) -> float:
        """Not finite where there are no values, or the sum is beyond what a float holds."""
        if self.count == 0:
            return math.nan
        return self.minimum if self.minimum == self.maximum else self._around + self._mean

    @property
    def deviation(self) -> float:
        """The sample's, over one less than the count."""
        if self.count < 2:
            return math.nan
        # What rounding leaves of equal values is no deviation.
        return 0.0 if self.minimum == self.maximum else math.sqrt(max(self._squares, 0.0) / (self.count - 1))


class IntegerMoments:
    """Of int64 or uint64. The sum is exact, and so are distances from the smallest value, however large the values are."""

    def __init__(self) -> None:
        self.count = 0
        self.minimum = 0
        self.maximum = 0
        self.total = 0
        self._squares = 0.0

    def add(self, values: Numbers) -> None:
        if len(values) == 0:
            return
        low, high, count = int(values.min()), int(values.max()), len(values)
        above = above_low(values, low)
        rest = _exact_sum(above)
        deviations = above.astype(np.float64)
        deviations -= rest / count
        left = float(deviations.sum())
        squares = _squared(deviations) - left * left / count
        self._merge(count, low * count + rest, squares)
        self.minimum = min(self.minimum, low) if self.count > count else low
        self.maximum = max(self.maximum, high) if self.count > count else high

    def _merge(self, count: int, total: int, squares: float) -> None:
        if self.count:
            # The difference of the means, from whole numbers until the last division.
            apart = (total * self.count - self.total * count) / (self.count * count)
            squares += self._squares + apart * apart * (self.count * count / (self.count + count))
        self._squares = squares
        self.count += count
        self.total += total

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else math.nan

    @property
    def mean_above_low(self) -> float:
        return (self.total - self.minimum * self.count) / self.count if self.count else math.nan

    @property
    def deviation(self) -> float:
        return math.sqrt(max(self._squares, 0.0) / (self.count - 1)) if self.count > 1 else math.nan


def above_low(values: Numbers, low: int) -> Bits:
    """How far each is above `low`, which none is below. Exact, because overflow of one step undoes that of the other."""
    above: Bits = values.view(np.uint64) - np.uint64(low % 2**64)
    return above


def _squared(numbers: Floats) -> float:
    """The sum of squares; in place. BLAS would start threads of its own, which wait for ours."""
    numbers *= numbers
    return float(numbers.sum())


def _exact_sum(numbers: Bits) -> int:
    """In two halves: a block's sum of either fits 64 bits."""
    return (int((numbers >> _HALF).sum()) << int(_HALF)) + int((numbers & _LOW).sum())


def _sum(parts: list[float]) -> float:
    try:
        return math.fsum(parts)
    except (OverflowError, ValueError):  # infinite, or both infinities
        return math.nan
