"""How the values of a column spread: counts in bins, or of each value where there are few.

    {"kind": "bins", "edges": [0, 5, 10], "counts": [7, 2], "quantiles": [0, 0, 1, …, 9]}
    {"kind": "values", "values": [1.5, 2.5], "counts": [7, 2]}
    {"kind": "top", "values": ["a", "b"], "counts": [7, 2], "other": 30, "error": 0}

A bin holds its lower edge, and the last bin of floats its upper one too. `quantiles` are 51 values of the column itself, the
smallest first, with a fiftieth of all values from each to the next: bins say little where one value lies far out. Times have
`unit` (of the whole numbers in `edges`, `values` and `quantiles`, since 1970) and `labels`, the same as ISO text. `other` is what
is not among the most frequent texts, each of which may have been there up to `error` times more than counted.
"""

from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from app.featurestore.statistics.maths.descriptive import BooleanSummary, NumberSummary, TextSummary
from app.featurestore.statistics.maths.hashing import unmix
from app.featurestore.statistics.maths.kinds import Floats, Numbers, Values
from app.featurestore.statistics.maths.moments import IntegerMoments, above_low
from app.featurestore.statistics.maths.times import iso_texts, unit_of

_FEW: Final = 20
"""Fewer different values than this, or than bins, are counted one by one."""
EVENLY: Final = tuple(step / 50 for step in range(51))
"""The shares of values that lie up to the quantiles of a histogram."""
Histogram: TypeAlias = dict[str, Any]


class Counter(Protocol):
    """Counts finite values of one column, in a second pass."""

    def add(self, values: Numbers) -> None: ...

    def histogram(self) -> Histogram: ...


class ValueCounter:
    """Of each of these values, which are all there are."""

    def __init__(self, values: Numbers) -> None:
        self._values = values
        self._counts = np.zeros(len(values), np.int64)

    def add(self, values: Numbers) -> None:
        # Signed and unsigned numbers would be compared as floats, which are 1024 apart near 2**63.
        found = np.minimum(np.searchsorted(self._values, values.view(self._values.dtype)), len(self._values) - 1)
        self._counts += np.bincount(found, minlength=len(self._values))

    def histogram(self) -> Histogram:
        return {"kind": "values", "values": self._values.tolist(), "counts": self._counts.tolist()}


class WholeCounter:
    """Bins between whole numbers, all of them equally wide.

    So no bin is empty only because no whole number falls into it. There may be fewer bins than were asked for, and the last
    one may reach beyond the largest value.
    """

    def __init__(self, low: int, high: int, bins: int) -> None:
        self._low = low
        self._width = -(-(high - low + 1) // bins)
        self._counts = np.zeros(-(-(high - low + 1) // self._width), np.int64)

    def add(self, values: Numbers) -> None:
        found = (above_low(values, self._low) // np.uint64(self._width)).astype(np.int64)
        self._counts += np.bincount(found, minlength=len(self._counts))

    def histogram(self) -> Histogram:
        edges = [self._low + self._width * number for number in range(len(self._counts) + 1)]
        return {"kind": "bins", "edges": edges, "counts": self._counts.tolist()}


class FloatCounter:
    """Equally wide bins from the smallest to the largest value, as numpy.histogram has them."""

    def __init__(self, low: float, high: float, bins: int) -> None:
        self._edges = np.linspace(low, high, bins + 1) if np.isfinite(high - low) else _far_apart(low, high, bins)
        self._is_even = bool(np.isfinite(high - low) and (np.diff(self._edges) > 0).all())
        if not self._is_even:
            # Neighbouring floats have nothing between them.
            self._edges = np.unique(self._edges)
        self._counts = np.zeros(len(self._edges) - 1, np.int64)

    def add(self, values: Numbers) -> None:
        edges = self._edges
        if self._is_even:  # several times as fast as with edges
            counts, _ = np.histogram(values, len(self._counts), (edges[0], edges[-1]))
        else:
            counts, _ = np.histogram(values, edges)
        self._counts += counts

    def histogram(self) -> Histogram:
        return {"kind": "bins", "edges": self._edges.tolist(), "counts": self._counts.tolist()}


def new_counter(summary: NumberSummary, bins: int) -> Counter | None:
    """None if there are no finite values."""
    moments = summary.moments
    if moments.count == 0:
        return None
    if summary.distinct.is_exact and summary.distinct.count < max(_FEW, bins):
        return ValueCounter(_values_of(summary))
    if isinstance(moments, IntegerMoments):
        return WholeCounter(moments.minimum, moments.maximum, bins)
    return FloatCounter(moments.minimum, moments.maximum, bins)


def with_quantiles(histogram: Histogram, sample: Values) -> Histogram:
    """Where there are bins. `sample` is of the same column."""
    if histogram["kind"] != "bins":
        return histogram
    known = sample.known
    ordered = np.sort(sample.values if known is None else sample.values[known])
    return {**histogram, "quantiles": ordered[places_of(len(ordered))].tolist()} if len(ordered) else histogram


def places_of(rows: int) -> list[int]:
    """Of the quantiles, among so many values in order."""
    return [round(share * (rows - 1)) for share in EVENLY]


def with_labels(histogram: Histogram, column: pa.DataType) -> Histogram:
    """Of times."""
    numbers = histogram["edges" if histogram["kind"] == "bins" else "values"]
    return {**histogram, "unit": unit_of(column), "labels": iso_texts(numbers, column)}


def boolean_histogram(summary: BooleanSummary) -> Histogram:
    return {"kind": "values", "values": [False, True], "counts": [summary.false, summary.true]}


def text_histogram(summary: TextSummary, bins: int) -> Histogram | None:
    """None for binary values."""
    if summary.frequent is None:
        return None
    top = summary.frequent.top(max(_FEW, bins))
    counts = [each.count for each in top]
    return {
        "kind": "top",
        "values": [each.text for each in top],
        "counts": counts,
        "other": summary.rows - summary.nulls - sum(counts),
        "error": summary.frequent.error,
    }


def _values_of(summary: NumberSummary) -> Numbers:
    """The different values themselves, which their hashes tell."""
    bits = unmix(summary.distinct.hashes)
    if isinstance(summary.moments, IntegerMoments):
        return np.sort(bits if summary.moments.minimum >= 0 else bits.view(np.int64))
    values = bits.view(np.float64)
    return np.sort(values[np.isfinite(values)])


def _far_apart(low: float, high: float, bins: int) -> Floats:
    """Of ends whose distance is beyond what a float holds."""
    along = np.linspace(0.0, 1.0, bins + 1)
    edges: Floats = low * (1 - along) + high * along
    return edges
