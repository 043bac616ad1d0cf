"""How columns go together: Pearson's r of all rows, Spearman's of a sample.

Pairwise complete, as pandas.DataFrame.corr: of two columns the rows count in which both have a finite value.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from app.featurestore.statistics.maths.kinds import Flags, Floats, Numbers, Positions, Values
from app.featurestore.statistics.maths.moments import FloatMoments, IntegerMoments, above_low
from app.featurestore.statistics.maths.scan import BLOCK_ROWS

_ALONE: Final = 262_144
"""Multiplications of a product of matrices that OpenBLAS does without threads."""
_NOTHING: Final = 1e-12
"""Of a sum of squares: a variance below is what rounding has left of equal values."""


class CoMoments:
    """Sums of products of the columns' distances from their means, in deviations.

    The means are known from an earlier pass, so that sums of small numbers are added up and not large ones subtracted.
    Products of matrices do all pairs of columns at once, of few rows each: more would make BLAS start threads of its own,
    which wait for ours and take three times as long. Columns that do not vary stay zero.
    """

    def __init__(self, moments: Mapping[str, FloatMoments | IntegerMoments]) -> None:
        size = len(moments)
        self._moments = moments
        self._row = {name: row for row, name in enumerate(moments)}
        # A power of two, as the rows of a block are.
        self._slice = min(BLOCK_ROWS, 1 << max(_ALONE // max(size, 1) ** 2, 1).bit_length() - 1)
        shape = (BLOCK_ROWS // self._slice, size, self._slice)
        self._scaled, self._known = np.zeros(shape), np.ones(shape)
        self._incomplete: set[int] = set()
        self._pairs, self._sums, self._squares, self._products = (np.zeros((size, size)) for _ in range(4))

    def put(self, name: str, values: Values) -> None:
        """One column of the block that `add` will add. Columns may be put at the same time."""
        moments, row, rows = self._moments[name], self._row[name], len(values.values)
        if not _varies(moments):
            return
        known = values.known
        # The rest of the last slice has no rows: it is zero, and not known.
        scaled = np.zeros(self._used(rows) * self._slice)
        with np.errstate(over="ignore", invalid="ignore"):
            _scale(values.values, moments, scaled[:rows])
        if known is not None:
            scaled[:rows][~known] = 0.0
        self._scaled[: self._used(rows), row] = scaled.reshape(-1, self._slice)
        if known is not None or rows < len(scaled):
            there = np.zeros(len(scaled))
            there[:rows] = True if known is None else known
            self._known[: self._used(rows), row] = there.reshape(-1, self._slice)
            self._incomplete.add(row)

    def add(self, rows: int) -> None:
        scaled = self._scaled[: self._used(rows)]
        products = _product(scaled, scaled)
        self._products += products
        if self._incomplete:
            known = self._known[: self._used(rows)]
            self._pairs += _product(known, known)
            self._sums += _product(scaled, known)
            self._squares += _product(scaled * scaled, known)
            self._known[:, list(self._incomplete)] = 1.0
            self._incomplete.clear()
        else:
            self._pairs += rows
            self._sums += scaled.sum(axis=(0, 2))[:, None]
            self._squares += np.diagonal(products)[:, None]

    def _used(self, rows: int) -> int:
        return -(-rows // self._slice)

    def matrix(self) -> Floats:
        """NaN where a column does not vary."""
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = self._squares - self._sums**2 / self._pairs
            rest[rest <= _NOTHING * self._squares] = np.nan
            together = self._products - self._sums * self._sums.T / self._pairs
            found = together / (np.sqrt(rest) * np.sqrt(rest.T))
        return _tidy(found)


def spearman(columns: Sequence[Values]) -> Floats:
    """Pearson's r of ranks, equal values sharing theirs."""
    codes = [_codes(values) for values in columns]
    found = np.full((len(codes), len(codes)), np.nan)
    own = [_ranks(code, np.flatnonzero(code >= 0)) for code in codes]
    complete = [bool((code >= 0).all()) for code in codes]
    for i, one in enumerate(codes):
        for j in range(i + 1):
            if complete[i] and complete[j]:
                found[i, j] = _pearson(own[i], own[j])
                continue
            both = np.flatnonzero((one >= 0) & (codes[j] >= 0))
            ranks = (_ranks(code, both) if len(both) < len(mine) else mine for code, mine in _pair(codes, own, i, j))
            found[i, j] = _pearson(*ranks)
    found = np.where(np.isnan(found), found.T, found)
    return _tidy(found)


def described_matrix(names: Sequence[str], matrix: Floats, method: str, rows: int, *, exact: bool) -> dict[str, Any]:
    """`rows`: of which it was computed."""
    values = [[None if math.isnan(each) else each for each in row] for row in matrix.tolist()]
    return {"method": method, "columns": list(names), "values": values, "rows": rows, "exact": exact}


def _product(one: Floats, other: Floats) -> Floats:
    """Slice by slice, and their sum."""
    found: Floats = np.matmul(one, other.transpose(0, 2, 1)).sum(axis=0)
    return found


def _pair(codes: Sequence[Positions], own: Sequence[Floats], *which: int) -> list[tuple[Positions, Floats]]:
    return [(codes[each], own[each]) for each in which]


def _varies(moments: FloatMoments | IntegerMoments) -> bool:
    return math.isfinite(moments.deviation) and moments.deviation > 0


def _scale(values: Numbers, moments: FloatMoments | IntegerMoments, out: Floats) -> None:
    if isinstance(moments, IntegerMoments):
        np.subtract(above_low(values, moments.minimum).astype(np.float64), moments.mean_above_low, out=out)
    else:
        np.subtract(values, moments.mean, out=out)
    out /= moments.deviation


def _codes(values: Values) -> Positions:
    """Numbers in the order of the values, equal ones for equal values; -1 for what is not known."""
    known = values.known
    rows = np.arange(len(values.values)) if known is None else np.flatnonzero(known)
    found = values.values[rows]
    order = np.argsort(found, kind="stable")
    ordered = found[order]
    codes = np.full(len(values.values), -1, np.int64)
    codes[rows[order]] = np.cumsum(np.concatenate(([False], ordered[1:] != ordered[:-1])))[: len(rows)]
    return codes


def _ranks(codes: Positions, rows: Positions) -> Floats:
    """Among these rows, as distances from the middle one."""
    chosen = codes[rows]
    counts = np.bincount(chosen)
    # Equal values share the mean of the ranks that they take up.
    shared = np.cumsum(counts) - (counts - 1) / 2
    ranks: Floats = shared[chosen] - (len(rows) + 1) / 2
    return ranks


def _pearson(one: Floats, other: Floats) -> float:
    spread = math.sqrt(float(one @ one)) * math.sqrt(float(other @ other))
    return float(one @ other) / spread if spread else math.nan


def _tidy(matrix: Floats) -> Floats:
    """Symmetric, within -1 and 1, and exactly 1 for a column with itself."""
    symmetric = np.clip(np.triu(matrix) + np.triu(matrix, 1).T, -1.0, 1.0)
    np.fill_diagonal(symmetric, np.where(np.isnan(np.diagonal(symmetric)), np.nan, 1.0))
    found: Flags = np.isnan(matrix)
    symmetric[found] = np.nan
    return symmetric
