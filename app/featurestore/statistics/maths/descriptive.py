"""What one column's values come to, summed up block after block."""

import math
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.featurestore.statistics.maths.distinct import DistinctSketch
from app.featurestore.statistics.maths.frequencies import TopTexts
from app.featurestore.statistics.maths.hashing import hash_texts
from app.featurestore.statistics.maths.kinds import EXACT_DIGITS, ORDERED, Kind, Numbers, Values
from app.featurestore.statistics.maths.moments import FloatMoments, IntegerMoments
from app.featurestore.statistics.maths.sampling import rank_error
from app.featurestore.statistics.maths.times import iso_texts, seconds_of, unit_of

QUANTILES: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
Described: TypeAlias = dict[str, Any]


class Summary(Protocol):
    """Of one column. `describe` is the column's `descriptive` block."""

    rows: int
    nulls: int

    def add(self, column: pa.Array) -> None: ...

    def describe(self) -> Described: ...


class NumberSummary:
    """Of the kinds that are numbers on a line. Moments, extremes and quantiles are of the finite values."""

    def __init__(self, column: pa.DataType, kind: Kind) -> None:
        self.rows = self.nulls = self.nan = self.positive_infinity = self.negative_infinity = 0
        self.moments: FloatMoments | IntegerMoments = (
            FloatMoments() if kind in {Kind.FLOAT, Kind.DECIMAL} else IntegerMoments()
        )
        self.distinct = DistinctSketch()
        self._column = column
        self._kind = kind

    def add(self, values: Values) -> None:
        self.rows += len(values.values)
        if values.valid is not None:
            self.nulls += len(values.values) - int(np.count_nonzero(values.valid))
        known = values.known
        numbers = values.values if known is None else values.values[known]
        self.moments.add(numbers)
        if known is not None and values.values.dtype == np.float64:
            self._add_strange(values.present)
        self.distinct.add_numbers(numbers)

    def _add_strange(self, present: Numbers) -> None:
        self.nan += int(np.count_nonzero(np.isnan(present)))
        infinite = present[np.isinf(present)]
        self.positive_infinity += int(np.count_nonzero(infinite > 0))
        self.negative_infinity += int(np.count_nonzero(infinite < 0))
        self.distinct.add_numbers(infinite)

    def describe_with(self, sample: Values, *, complete: bool) -> Described:
        """`sample` is of this column; complete: it is all of it."""
        known = sample.known
        ordered = np.sort(sample.values if known is None else sample.values[known])
        quantiles = dict(zip(map(str, QUANTILES), self._quantiles(ordered), strict=True))
        return {
            "nan": self.nan,
            "positive_infinity": self.positive_infinity,
            "negative_infinity": self.negative_infinity,
            "distinct": self._distinct(),
            **self._moments(),
            "quantiles": {
                "exact": complete,
                "rank_error": 0.0 if complete else rank_error(len(ordered)),
                "values": {at: self._shown(value) for at, value in quantiles.items()},
            },
        }

    def _distinct(self) -> Described:
        found = described_distinct(self.distinct)
        if pa.types.is_decimal(self._column) and self._column.precision > EXACT_DIGITS:
            found["exact"] = False
        return found

    def _moments(self) -> Described:
        of, some = self.moments, self.moments.count > 0
        found = {"min": self._shown(of.minimum if some else None), "max": self._shown(of.maximum if some else None)}
        if self._kind is Kind.TIME:
            seconds = of.deviation * seconds_of(unit_of(self._column))
            # Of whole numbers, which a float would round to a quarter of a microsecond.
            mean = int(2 * of.total + of.count) // (2 * of.count) if some else None
            return {**found, "mean": self._shown(mean), "stddev": finite(seconds), "sum": None}
        total = of.total if some else 0
        return {**found, "mean": finite(of.mean), "stddev": finite(of.deviation), "sum": finite(total)}

    def _shown(self, value: float | None) -> float | str | None:
        if value is None or self._kind is not Kind.TIME:
            return finite(value)
        return iso_texts([int(value)], self._column)[0]

    def _quantiles(self, ordered: Numbers) -> list[float | None]:
        if len(ordered) == 0:
            return [None] * len(QUANTILES)
        return [quantile(ordered, share, whole=self._kind is Kind.TIME) for share in QUANTILES]


class BooleanSummary:
    """False and true, counted."""

    def __init__(self) -> None:
        self.rows = self.nulls = self.true = 0

    def add(self, column: pa.Array) -> None:
        self.rows += len(column)
        self.nulls += column.null_count
        self.true += column.true_count

    @property
    def false(self) -> int:
        return self.rows - self.nulls - self.true

    def describe(self) -> Described:
        present = self.rows - self.nulls
        return {
            "distinct": {"count": (self.true > 0) + (self.false > 0), "exact": True, "error": 0.0},
            "true": self.true,
            "false": self.false,
            "mean": self.true / present if present else None,
        }


class TextSummary:
    """Lengths are in characters, of binary values in bytes; the most frequent values are kept of texts only."""

    def __init__(self, kind: Kind) -> None:
        self.rows = self.nulls = 0
        self.distinct = DistinctSketch()
        self.frequent = TopTexts() if kind is Kind.TEXT else None
        self._lengths = IntegerMoments()

    def add(self, column: pa.Array) -> None:
        self.rows += len(column)
        self.nulls += column.null_count
        encoded = pc.drop_null(column).dictionary_encode()
        different, which = encoded.dictionary, encoded.indices.to_numpy()
        if len(which) == 0:
            return
        lengths = pc.binary_length(different) if self.frequent is None else pc.utf8_length(different)
        self._lengths.add(lengths.to_numpy().astype(np.int64)[which])
        hashes = hash_texts(different)
        self.distinct.add(hashes)
        if self.frequent is not None:
            self.frequent.add(different, hashes, np.bincount(which, minlength=len(different)))

    def describe(self) -> Described:
        return {"distinct": described_distinct(self.distinct), "lengths": described_lengths(self._lengths)}


class ListSummary:
    """How long the lists are."""

    def __init__(self) -> None:
        self.rows = self.nulls = 0
        self._lengths = IntegerMoments()

    def add(self, column: pa.Array) -> None:
        self.rows += len(column)
        self.nulls += column.null_count
        self._lengths.add(pc.drop_null(column).to_numpy())

    def describe(self) -> Described:
        return {"lengths": described_lengths(self._lengths)}


class PresenceSummary:
    """Of what has no order and no text: there or not."""

    def __init__(self) -> None:
        self.rows = self.nulls = 0

    def add(self, column: pa.Array) -> None:
        self.rows += len(column)
        self.nulls += column.null_count

    def describe(self) -> Described:
        return {}


def new_summary(column: pa.DataType, kind: Kind) -> NumberSummary | Summary:
    if kind in ORDERED:
        return NumberSummary(column, kind)
    match kind:
        case Kind.BOOLEAN:
            return BooleanSummary()
        case Kind.TEXT | Kind.BINARY:
            return TextSummary(kind)
        case Kind.LIST:
            return ListSummary()
        case _:
            return PresenceSummary()


def quantile(ordered: Numbers, share: float, *, whole: bool = False) -> float:
    """As numpy.quantile does it by default, on a line between neighbours, which it does not round to floats.

    `whole`: to the nearest whole number.
    """
    position = share * (len(ordered) - 1)
    below, along = int(position), position % 1
    low, high = ordered[below].item(), ordered[min(below + 1, len(ordered) - 1)].item()
    apart = high - low
    if whole:
        return low + round(apart * along)  # type: ignore[no-any-return]
    found: float = low + apart * along if math.isfinite(apart) else low * (1 - along) + high * along
    return found


def described_distinct(sketch: DistinctSketch) -> Described:
    return {"count": sketch.count, "exact": sketch.is_exact, "error": sketch.error}


def described_lengths(lengths: IntegerMoments) -> Described:
    some = lengths.count > 0
    return {
        "min": lengths.minimum if some else None,
        "max": lengths.maximum if some else None,
        "mean": finite(lengths.mean),
    }


def finite(value: float | None) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return value if value is not None and math.isfinite(value) else None
