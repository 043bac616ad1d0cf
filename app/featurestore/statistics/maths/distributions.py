"""Two stored histograms of the same column, brought onto common ground, and how far apart they are.

Within a bin values are taken to be spread evenly, as far as the quantiles allow: the distribution function is a line between
edges, and between one quantile and the next. Where the edges differ it can make a difference at each edge of up to the share of
one bin of the finer histogram, or of a fiftieth of the rows where that is less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.featurestore.statistics.maths.descriptive import finite
from app.featurestore.statistics.maths.ground import PLAIN, Ground, Histogram, common_ground
from app.featurestore.statistics.maths.histograms import EVENLY, places_of
from app.featurestore.statistics.maths.kinds import Floats
from app.featurestore.statistics.maths.sampling import SAMPLE_ROWS

_HALF_A_ROW: Final = 0.5
_TENTHS: Final = slice(5, -5, 5)
"""Of the evenly spaced quantiles."""
_SURE: Final = 0.999


@dataclass(frozen=True)
class Shares:
    """What of each side falls where, in rows. `at`: the edges of the bins, or the values, as they lie on `ground`.

    None where they have no order.
    """

    old: Floats
    new: Floats
    at: Floats | None = None
    is_binned: bool = False
    ground: Ground = PLAIN


def shares_of(old: Histogram, new: Histogram) -> Shares | None:
    """Of columns of the same kind. None where one of the two counts nothing."""
    kinds = {old["kind"], new["kind"]}
    if _total(old) == 0 or _total(new) == 0:
        return None
    if kinds == {"top"}:
        return _of_texts(old, new)
    if kinds == {"values"}:
        return _of_values(old, new)
    return _of_bins(old, new)


def tenths_of(old: Histogram, new: Histogram) -> Shares | None:
    """Bins that hold a tenth of the old side each, if both have evenly spaced quantiles.

    One value far out makes equally wide bins so wide that most rows are in the first, whatever they are; these it leaves as
    they are. What is below an edge is known to a fiftieth of all rows.
    """
    if "quantiles" not in old or "quantiles" not in new:
        return None
    ground = common_ground(old, new)
    sides = [(ground.place(side, "quantiles"), min(_total(side), SAMPLE_ROWS)) for side in (old, new)]
    edges = np.unique(sides[0][0][_TENTHS])
    counts = [np.diff(_below(quantiles, edges), prepend=0.0, append=1.0) * rows for quantiles, rows in sides]
    return Shares(counts[0], counts[1], np.append(edges, sides[0][0][-1]), ground=ground)


def stability_index(shares: Shares) -> float:
    """PSI: the sum of (new - old) ln(new / old) over bins. Each bin has half a row more than counted, so that none is empty."""
    old, new = (_smooth(side) for side in (shares.old, shares.new))
    return float(((new - old) * np.log(new / old)).sum())


def chance_index(shares: Shares) -> float:
    """What PSI stays below 999 times in 1000 where nothing has changed: with few rows, much more than 0.1.

    (1/n + 1/m) times the quantile of chi-square with one degree less than bins: Yurdakul and Naranjo, "Statistical properties
    of the population stability index", Journal of Risk Model Validation 14 (4), 2020.
    """
    from scipy.stats import chi2  # noqa: PLC0415 half a second

    used = int(np.count_nonzero(shares.old + shares.new))
    rows = 1 / shares.old.sum() + 1 / shares.new.sum()
    return float(rows * chi2.ppf(_SURE, max(used - 1, 1)))


def kolmogorov_smirnov(shares: Shares) -> float | None:
    """The largest distance between the distribution functions, which is at an edge; None without an order."""
    if shares.at is None:
        return None
    return min(1.0, float(np.abs(_apart(shares)).max()))


def jensen_shannon(shares: Shares) -> float:
    """The distance, to the base of 2: from 0 to 1."""
    from scipy.spatial.distance import jensenshannon  # noqa: PLC0415 a tenth of a second

    return float(jensenshannon(_unit(shares.old), _unit(shares.new), base=2))


def wasserstein(shares: Shares) -> float | None:
    """By how much values have moved on average, in the column's own unit, of times in seconds; None without an order."""
    if shares.at is None:
        return None
    if not shares.is_binned:
        from scipy.stats import wasserstein_distance  # noqa: PLC0415 half a second

        return shares.ground.length(float(wasserstein_distance(shares.at, shares.at, shares.old, shares.new)))
    ends = np.concatenate(([0.0], _apart(shares)))
    left, right, wide = np.abs(ends[:-1]), np.abs(ends[1:]), np.diff(shares.at)
    crossing = ends[:-1] * ends[1:] < 0
    both = left + right
    # Between edges the difference is a line: two triangles where it crosses zero, else a trapezium.
    heights = np.where(crossing, (left**2 + right**2) / np.where(crossing, 2 * both, 1.0), both / 2)
    return shares.ground.length(float((heights * wide).sum()))


def _of_texts(old: Histogram, new: Histogram) -> Shares:
    """Each listed text is a bin, and what is not listed is one.

    A text that only one side lists may have been there as often as the other's least frequent one. It is taken to have been
    there as often as makes the least difference: a list that ends early is no sign of a change.
    """
    listed = [_listed(side) for side in (old, new)]
    names = sorted(listed[0].keys() | listed[1].keys())
    totals = [_total(old), _total(new)]
    counts = [
        np.array([mine.get(name, 0.0) for name in names] + [total - sum(mine.values())])
        for mine, total in zip(listed, totals, strict=True)
    ]
    for side, other in ((0, 1), (1, 0)):
        least = min(listed[side].values(), default=0.0)
        for place, name in enumerate(names):
            if name not in listed[side]:
                wanted = counts[other][place] / totals[other] * totals[side]
                counts[side][place] = min(wanted, least, counts[side][-1])
                counts[side][-1] -= counts[side][place]
    return Shares(counts[0], counts[1])


def _listed(histogram: Histogram) -> dict[str, float]:
    found: dict[str, float] = {}
    for text, count in zip(histogram["values"], histogram["counts"], strict=True):
        found[text] = found.get(text, 0.0) + count
    return found


def _of_values(old: Histogram, new: Histogram) -> Shares:
    ground = common_ground(old, new)
    points = [ground.place(side, "values") for side in (old, new)]
    at = np.union1d(*points)
    sides = [np.zeros(len(at)), np.zeros(len(at))]
    for side, where, histogram in zip(sides, points, (old, new), strict=True):
        np.add.at(side, np.searchsorted(at, where), histogram["counts"])
    return Shares(sides[0], sides[1], at, ground=ground)


def _of_bins(old: Histogram, new: Histogram) -> Shares:
    """Into the wider bins of the two, and into those of the other where these do not reach.

    The finer side knows well how much lies below an edge of the coarser one. The other way round it would be a guess: one
    value far out makes all bins so wide that most rows are in the first, anywhere.
    """
    ground = common_ground(old, new)
    coarse, fine = sorted((old, new), key=lambda side: _width(side, ground), reverse=True)
    edges, others = _ends(coarse, ground), _ends(fine, ground)
    at = np.concatenate((others[others < edges[0]], edges, others[others > edges[-1]]))
    return Shares(_binned(old, at, ground), _binned(new, at, ground), at, is_binned=True, ground=ground)


def _width(histogram: Histogram, ground: Ground) -> float:
    return float(np.diff(ground.place(histogram, "edges")).max()) if histogram["kind"] == "bins" else 0.0


def _ends(histogram: Histogram, ground: Ground) -> Floats:
    """Between which its values lie, ascending."""
    return np.unique(ground.place(histogram, "edges" if histogram["kind"] == "bins" else "values"))


def _binned(histogram: Histogram, edges: Floats, ground: Ground) -> Floats:
    counts = np.array(histogram["counts"], np.float64)
    if histogram["kind"] == "values":
        found, _ = np.histogram(ground.place(histogram, "values"), edges, weights=counts)
        return found.astype(np.float64)
    own = ground.place(histogram, "edges")
    below = np.interp(edges, own, np.concatenate(([0.0], np.cumsum(counts))))
    if "quantiles" in histogram:
        least, most = _bounds(ground.place(histogram, "quantiles"), edges, counts.sum())
        below = np.where(np.isin(edges, own), below, np.clip(below, least, most))
    # Quantiles of a sample may say a little less than the edge before did.
    return np.diff(np.maximum.accumulate(below))


def _bounds(quantiles: Floats, at: Floats, rows: float) -> tuple[Floats, Floats]:
    """Between which the number of rows below each of `at` is."""
    drawn = min(rows, SAMPLE_ROWS)
    places = np.array(places_of(int(drawn))) * (rows / drawn)
    first = np.searchsorted(quantiles, at, "left")
    return np.append(0.0, places + rows / drawn)[first], np.append(places, rows)[first]


def _below(quantiles: Floats, at: Floats) -> Floats:
    """The share of rows up to each of `at`: a line between one quantile and the next, a step where several are equal."""
    shares = np.array(EVENLY)
    next_one = np.searchsorted(quantiles, at, "right")
    last = np.clip(next_one - 1, 0, len(shares) - 1)
    following = np.minimum(next_one, len(shares) - 1)
    wide = quantiles[following] - quantiles[last]
    along = np.where(wide > 0, (at - quantiles[last]) / np.where(wide > 0, wide, 1.0), 0.0)
    found: Floats = shares[last] + along * (shares[following] - shares[last])
    found[next_one == 0] = 0.0
    return found


def _total(histogram: Histogram) -> int:
    return sum(histogram["counts"]) + int(histogram.get("other", 0))


def _apart(shares: Shares) -> Floats:
    return np.cumsum(_unit(shares.new) - _unit(shares.old))


def _unit(counts: Floats) -> Floats:
    found: Floats = counts / counts.sum()
    return found


def _smooth(counts: Floats) -> Floats:
    return _unit(counts + _HALF_A_ROW)


def differences(old: Mapping[str, Any], new: Mapping[str, Any], names: Sequence[str]) -> dict[str, float | None]:
    """Of those that are numbers on both sides; None where a float does not hold the difference."""
    both = [name for name in names if _is_number(old.get(name)) and _is_number(new.get(name))]
    return {name: finite(new[name] - old[name]) for name in both}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
