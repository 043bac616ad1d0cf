"""What is odd about rows, noticed while they pass: in one pass, in memory that does not grow with them. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats: TypeAlias = npt.NDArray[np.float64]

NULLS, ALL_NULL, CONSTANT = "nulls", "all-null", "constant"
NAN, INFINITE = "nan", "infinite"
LEAKAGE, TIME_RANGE = "label-correlation", "time-range"

_SUSPICIOUS: Final = 0.99
# Of a few rows, any two columns may well lie on a line.
_FEWEST: Final = 10
# Each label costs as much as all the rest together.
_MOST_LABELS: Final = 4


@dataclass(frozen=True)
class Anomaly:
    """`detail` is for people. It holds no value of the rows but times: who may look round may know from when to when."""

    column: str
    kind: str
    detail: str


class AnomalyWatch:
    """`labels` are the columns that are to be predicted; those that are no numbers are left aside, and all after four."""

    def __init__(self, schema: pa.Schema, labels: Sequence[str] = ()) -> None:
        self._columns = [_Column(field) for field in schema]
        numeric = [name for name in labels if name in schema.names and _is_number(schema.field(name).type)]
        self._labels = numeric[:_MOST_LABELS]

    def see(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            labels = {name: _Centred.of(_floats(batch.column(name))) for name in self._labels}
            for column in self._columns:
                column.see(batch.column(column.name), labels)

    def found(self) -> list[Anomaly]:
        """By column in their order."""
        return [anomaly for column in self._columns for anomaly in column.found()]


@dataclass
class _Centred:
    """Numbers of one batch with their mean. `is_whole`: none of them is missing or infinite.

    A sum is finite only where every number is, and costs a fraction of looking at each.
    """

    values: Floats
    is_whole: bool
    mean: float

    @classmethod
    def of(cls, values: Floats) -> "_Centred":
        with np.errstate(all="ignore"):
            mean = float(values.sum()) / max(1, len(values))
        return cls(values, bool(np.isfinite(mean)), mean)

    @cached_property
    def off(self) -> Floats:
        with np.errstate(all="ignore"):
            return self.values - self.mean

    @cached_property
    def squares(self) -> float:
        with np.errstate(all="ignore"):
            return _dot(self.off, self.off)


@dataclass
class _Pair:
    """Means and centred sums of the rows in which both are finite numbers, merged batch by batch.

    Sums of squares less the square of sums would lose every digit where values are large beside their spread. Merging:
    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """

    rows: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    def add(self, x: _Centred, y: _Centred) -> None:
        if not (x.is_whole and y.is_whole):
            both = np.isfinite(x.values) & np.isfinite(y.values)
            x, y = _Centred.of(x.values[both]), _Centred.of(y.values[both])
        here = len(x.values)
        if not here:
            return
        with np.errstate(all="ignore"):
            total = self.rows + here
            dx, dy = x.mean - self.mean_x, y.mean - self.mean_y
            weight = self.rows * here / total
            self.xx += x.squares + dx * dx * weight
            self.yy += y.squares + dy * dy * weight
            self.xy += _dot(x.off, y.off) + dx * dy * weight
        self.mean_x += dx * here / total
        self.mean_y += dy * here / total
        self.rows = total

    @property
    def correlation(self) -> float | None:
        """None of too few rows, of a constant, and of numbers too large to be multiplied."""
        with np.errstate(all="ignore"):
            spread = np.sqrt(self.xx) * np.sqrt(self.yy)
            if self.rows < _FEWEST or not np.isfinite(spread) or spread == 0 or not np.isfinite(self.xy):
                return None
            return float(np.clip(self.xy / spread, -1.0, 1.0))


@dataclass
class _Column:
    of: pa.Field
    rows: int = 0
    nulls: int = 0
    nans: int = 0
    infinite: int = 0
    value: pa.Scalar | None = None
    varies: bool = False
    first: int | None = None
    last: int | None = None
    pairs: dict[str, _Pair] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name: str = self.of.name
        self._is_number = _is_number(self.of.type)
        self._is_float = pa.types.is_floating(self.of.type)
        self._is_time = pa.types.is_temporal(self.of.type)
        # Nested values are not compared; nobody trains on a map.
        self.varies = pa.types.is_nested(self.of.type)

    def see(self, column: pa.Array, labels: dict[str, _Centred]) -> None:
        self.rows += len(column)
        self.nulls += column.null_count
        if column.null_count == len(column):
            return
        if not self.varies:
            self._compare(column)
        if self._is_time:
            self._widen(column)
        others = {name: label for name, label in labels.items() if name != self.name}
        if self._is_float or (self._is_number and others):
            self._measure(column, others)

    def _compare(self, column: pa.Array) -> None:
        present = column.drop_null() if column.null_count else column
        self.value = present[0] if self.value is None else self.value
        self.varies = not pc.all(pc.equal(present, self.value)).as_py()

    def _widen(self, column: pa.Array) -> None:
        # As counts: Python has no time outside the years 1 to 9999, and a TIMESTAMP may be one.
        ends = pc.min_max(column.cast(_counts(self.of.type)))
        least, greatest = ends["min"].as_py(), ends["max"].as_py()
        self.first = least if self.first is None else min(self.first, least)
        self.last = greatest if self.last is None else max(self.last, greatest)

    def _measure(self, column: pa.Array, labels: dict[str, _Centred]) -> None:
        numbers = _floats(column)
        centred = _Centred.of(numbers)
        if self._is_float and not centred.is_whole:
            self.nans += int(np.isnan(numbers).sum()) - column.null_count
            self.infinite += int(np.isinf(numbers).sum())
        for name, label in labels.items():
            self.pairs.setdefault(name, _Pair()).add(centred, label)

    def found(self) -> Iterator[Anomaly]:
        if self.nulls:
            kind = ALL_NULL if self.nulls == self.rows else NULLS
            yield self._anomaly(kind, f"{self.nulls:,} of {self.rows:,} rows are null")
        if self.value is not None and not self.varies and self.rows - self.nulls > 1:
            yield self._anomaly(CONSTANT, f"all {self.rows - self.nulls:,} values are the same")
        for kind, count in ((NAN, self.nans), (INFINITE, self.infinite)):
            if count:
                yield self._anomaly(kind, f"{count:,} of {self.rows:,} rows")
        for name, pair in self.pairs.items():
            found = pair.correlation
            if found is not None and abs(found) > _SUSPICIOUS:
                yield self._anomaly(LEAKAGE, f"correlates {found:.4f} with the label {name!r}: may hold the answer")
        if self.first is not None and self.last is not None:
            first, last = (_time_text(end, self.of.type) for end in (self.first, self.last))
            yield self._anomaly(TIME_RANGE, f"from {first} to {last}")

    def _anomaly(self, kind: str, detail: str) -> Anomaly:
        return Anomaly(self.name, kind, detail)


def _counts(time: pa.DataType) -> pa.DataType:
    return pa.int32() if pa.types.is_date32(time) else pa.int64()


def _time_text(count: int, time: pa.DataType) -> str:
    try:
        return str(pa.scalar(count, _counts(time)).cast(time).as_py().isoformat())
    except OverflowError:
        return "before the year 1" if count < 0 else "after the year 9999"


def _is_number(column: pa.DataType) -> bool:
    return any(is_kind(column) for is_kind in _NUMBERS)


_NUMBERS: Final[tuple[Callable[[pa.DataType], bool], ...]] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_decimal,
)


def _floats(column: pa.Array) -> Floats:
    """Nulls as NaN, true as 1; whole numbers beyond 2^53 lose digits, which no correlation notices."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    numbers: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _dot(x: Floats, y: Floats) -> float:
    """Not `@`: BLAS wakes a thread for each core, which wait for one another longer than there is to do."""
    return float(np.einsum("i,i->", x, y))
