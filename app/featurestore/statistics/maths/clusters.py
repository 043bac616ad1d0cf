"""Groups of similar rows, and a picture of them in two dimensions.

As the original did it: k-means over the numeric columns as they are, null, NaN and infinity as 0, and 50 rows in the plane
of the first two principal components. Columns are not standardised, so that one with large numbers outweighs the others;
standardise features where that is not wanted. Ours differs in that the components are those of all clustered rows, not of
the 50, and in that k-means starts several times and stops later.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from app.featurestore.statistics.maths.hashing import bits_of, mix
from app.featurestore.statistics.maths.kinds import Flags, Floats, Positions, Values
from app.featurestore.statistics.maths.sampling import SEED, Sample

_ROWS: Final = 100_000
_VALUES: Final = 25_000_000
"""Of the matrix: 200 MB, of which k-means needs no second copy."""
_POINTS: Final = 50
_STARTS, _STARTS_OF_MANY = 10, 3
_MANY: Final = 10_000
_STEPS: Final = 100
_FEWEST_COLUMNS: Final = 2
_LARGEST: Final = 1e150
"""Whose square a float still holds."""


class ClusterRows:
    """A uniform sample of rows as a matrix, filled column by column."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._matrix: Floats = np.zeros((0, len(columns)))
        self._rows = self._chosen = 0
        self._others: Flags = np.zeros(0, np.bool_)

    def take(self, sample: Sample) -> None:
        """Those of the columns that it has; it is of the same rows each time."""
        mine = [name for name in self._columns if name in sample.columns]
        if not mine:
            return
        chosen = sample.fewer(min(_ROWS, _VALUES // len(self._columns)))
        if self._rows == 0:
            self._rows, self._chosen = sample.rows, len(chosen)
            self._matrix = np.zeros((len(chosen), len(self._columns)))
        for name in mine:
            self._matrix[:, self._columns.index(name)] = _zero_filled(sample.columns[name].take(chosen))

    def clusters(self, count: int) -> dict[str, Any]:
        if len(self._columns) < _FEWEST_COLUMNS:
            return {"skipped": f"Clusters need two numeric columns, and there are {len(self._columns)}."}
        if self._chosen == 0:
            return {"skipped": "There are no rows."}
        if np.abs(self._matrix).max() > _LARGEST:
            return {"skipped": f"Numbers beyond {_LARGEST:g} are too far apart to measure."}
        found = _clustered(self._matrix, count)
        return {"columns": list(self._columns), "rows": self._chosen, "exact": self._chosen == self._rows, **found}


def _clustered(matrix: Floats, count: int) -> dict[str, Any]:
    """`matrix` is moved to its middle on the way: what is far from zero loses digits when squared."""
    middle = matrix.mean(axis=0)
    matrix -= middle
    centers, labels, inertia = _k_means(matrix, min(count, _different_rows(matrix)))
    shown = _points(len(matrix))
    plane, explained = _plane(matrix)
    return {
        "asked": count,
        "count": len(centers),
        "inertia": inertia,
        "sizes": np.bincount(labels, minlength=len(centers)).tolist(),
        "centers": (centers + middle).tolist(),
        "centers_in_plane": (centers @ plane).tolist(),
        "explained": explained,
        "points": [
            {"x": x, "y": y, "cluster": cluster}
            for (x, y), cluster in zip((matrix[shown] @ plane).tolist(), labels[shown].tolist(), strict=True)
        ],
    }


def _k_means(matrix: Floats, count: int) -> tuple[Floats, Positions, float]:
    """The centres, of each row the cluster, and the sum of squared distances. No cluster is empty."""
    from sklearn.cluster import KMeans  # noqa: PLC0415 half a second
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    starts = _STARTS if len(matrix) <= _MANY else _STARTS_OF_MANY
    with warnings.catch_warnings():
        # Rows that are next to each other, seen from others far away, can leave a cluster without any.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = KMeans(count, random_state=SEED, n_init=starts, max_iter=_STEPS, copy_x=False).fit(matrix)
    used = np.flatnonzero(np.bincount(fit.labels_, minlength=count))
    return fit.cluster_centers_[used], np.searchsorted(used, fit.labels_), float(fit.inertia_)


def _plane(matrix: Floats) -> tuple[Floats, list[float]]:
    """The first two principal components as columns, and what share of all variance lies along each."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 half a second

    plane = np.zeros((matrix.shape[1], 2))
    explained = [0.0, 0.0]
    if len(matrix) > 1 and matrix.any():
        fit = PCA(2, svd_solver="covariance_eigh").fit(matrix)
        plane[:, : len(fit.components_)] = fit.components_.T
        explained = [each if math.isfinite(each) else 0.0 for each in fit.explained_variance_ratio_.tolist()]
    return plane, explained


def _points(rows: int) -> Positions:
    chosen = np.random.Generator(np.random.PCG64(SEED)).choice(rows, min(rows, _POINTS), replace=False)
    return np.sort(chosen)


def _different_rows(matrix: Floats) -> int:
    hashes = np.zeros(len(matrix), np.uint64)
    for column in matrix.T:
        hashes = mix(hashes * np.uint64(3) + bits_of(np.ascontiguousarray(column)))
    ordered = np.sort(hashes)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def _zero_filled(values: Values) -> Floats:
    known = values.known
    numbers = values.values.astype(np.float64)
    return numbers if known is None else np.where(known, numbers, 0.0)
