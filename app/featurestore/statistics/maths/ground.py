"""The numbers of two histograms on one line, on which their differences are what they are.

As floats alone they would not be: whole numbers near 2**60 are 256 apart, widths may be too small to be divided by, and ends
further apart than the largest float.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from app.featurestore.statistics.maths.kinds import Floats
from app.featurestore.statistics.maths.times import nanoseconds_of

Histogram: TypeAlias = Mapping[str, Any]
_ORDINARY: Final = 500
"""Powers of two between whose ends numbers are left as they are."""
_NANOSECOND: Final = 1e-9


@dataclass(frozen=True)
class Ground:
    """`zero` lies at 0, and one step is two to `power`: of the column's own unit, or of nanoseconds."""

    zero: int = 0
    power: int = 0
    is_time: bool = False

    def place(self, histogram: Histogram, name: str) -> Floats:
        """Its edges, values or quantiles."""
        numbers = [each - self.zero if self.zero else each for each in _exact(histogram, name)]
        placed: Floats = np.ldexp(np.array([float(each) for each in numbers]), -self.power)
        return placed

    def length(self, placed: float) -> float | None:
        """In the column's own unit, of times in seconds; None where a float does not hold it."""
        try:
            found = math.ldexp(placed, self.power) * (_NANOSECOND if self.is_time else 1.0)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None


PLAIN: Final = Ground()
"""Numbers as they are."""


def common_ground(*histograms: Histogram) -> Ground:
    """Of histograms of columns of the same kind, whose units may differ."""
    numbers = [each for histogram in histograms for each in _exact(histogram, _places(histogram))]
    zero = 0 if any(isinstance(each, float) for each in numbers) else int(min(numbers))
    _, power = math.frexp(max(abs(float(each - zero)) for each in numbers))
    is_time = any("unit" in histogram for histogram in histograms)
    return Ground(zero, power if abs(power) > _ORDINARY else 0, is_time)


def _places(histogram: Histogram) -> str:
    return "edges" if histogram["kind"] == "bins" else "values"


def _exact(histogram: Histogram, name: str) -> Sequence[float]:
    """Whole numbers as such, times in nanoseconds."""
    if "unit" not in histogram:
        return list(histogram[name])
    factor = nanoseconds_of(histogram["unit"])
    return [each * factor for each in histogram[name]]
