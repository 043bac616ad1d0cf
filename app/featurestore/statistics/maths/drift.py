"""How far one stored statistics is from an earlier one, from their histograms alone.

    {
      "columns": [
        {"name": "age", "verdict": "moderate", "reasons": ["The stability index is 0.13, from 0.1 on is moderate."],
         "psi": 0.13, "psi_by_chance": 0.0002, "psi_by_tenths": 0.12, "ks": 0.11, "jensen_shannon": 0.12, "wasserstein": 3.2,
         "old": {"count": …, "completeness": …}, "new": {…},
         "changes": {"completeness": -0.01, "mean": 3.1, "stddev": 0.2, …}}],
      "only_in_old": ["height"],
      "only_in_new": [],
      "verdict": "moderate"
    }

A column is `drifted` from a PSI of 0.2 on, `moderate` from 0.1 on, below `stable`: the rule of thumb of credit scoring (Siddiqi,
"Credit Risk Scorecards", 2006, and Yurdakul and Naranjo, 2020, report it as 0.1 and 0.25; many tools take 0.2, the stricter).
The larger of two counts: over the bins of the histograms, and over tenths of the old side (`psi_by_tenths`), which one value
far out does not blind. A PSI that chance alone brings about with so few rows is no reason, see `distributions.chance_index`.
`ks` is the larger one, too. The same goes for the share of values that are missing, null or NaN: a difference of 0.05 is
moderate, 0.2 is drifted. `incomparable` are columns that are of another kind now, or of which one side has no histogram. The
last verdict is the worst of all columns that can be compared.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from app.featurestore.statistics.maths.distributions import (
    Shares,
    chance_index,
    differences,
    jensen_shannon,
    kolmogorov_smirnov,
    shares_of,
    stability_index,
    tenths_of,
    wasserstein,
)
from app.featurestore.statistics.maths.kinds import NUMERIC

STABLE, MODERATE, DRIFTED, INCOMPARABLE = "stable", "moderate", "drifted", "incomparable"
PSI_LIMITS: Final = ((0.2, DRIFTED), (0.1, MODERATE))
MISSING_LIMITS: Final = ((0.2, DRIFTED), (0.05, MODERATE))
_WORST_FIRST: Final = (DRIFTED, MODERATE, STABLE)
_CERTAIN: Final = 4.0
"""Standard errors that a share may be off by chance."""
_FIGURES: Final = ("min", "max", "mean", "stddev", "nan")
Column: TypeAlias = Mapping[str, Any]


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Both as `compute_statistics` gave them, also after a journey through JSON."""
    before = {column["name"]: column for column in old["columns"]}
    after = {column["name"]: column for column in new["columns"]}
    columns = [_compared(before[name], column) for name, column in after.items() if name in before]
    verdicts = {column["verdict"] for column in columns}
    return {
        "columns": columns,
        "only_in_old": [name for name in before if name not in after],
        "only_in_new": [name for name in after if name not in before],
        "verdict": next((verdict for verdict in _WORST_FIRST if verdict in verdicts), STABLE),
    }


def _compared(old: Column, new: Column) -> dict[str, Any]:
    shares, tenths = _shares(old, new, shares_of), _shares(old, new, tenths_of)
    psi = stability_index(shares) if shares else None
    by_chance = chance_index(shares) if shares else None
    verdict, reasons = _verdict(old, new, shares, tenths)
    return {
        "name": new["name"],
        "verdict": verdict,
        "reasons": reasons,
        "psi": psi,
        "psi_by_chance": by_chance,
        "psi_by_tenths": stability_index(tenths) if tenths else None,
        "ks": _largest([kolmogorov_smirnov(each) for each in (shares, tenths) if each]),
        "jensen_shannon": jensen_shannon(shares) if shares else None,
        "wasserstein": wasserstein(shares) if shares else None,
        "old": {"count": old["count"], "completeness": old["completeness"]},
        "new": {"count": new["count"], "completeness": new["completeness"]},
        "changes": {
            **differences(old, new, ("completeness",)),
            **differences(old["descriptive"] or {}, new["descriptive"] or {}, _FIGURES),
        },
    }


def _shares(old: Column, new: Column, of: Callable[[Column, Column], Shares | None]) -> Shares | None:
    if not _same_kind(old, new) or not old["histogram"] or not new["histogram"]:
        return None
    return of(old["histogram"], new["histogram"])


def _largest(found: Sequence[float | None]) -> float | None:
    return max((each for each in found if each is not None), default=None)


def _verdict(old: Column, new: Column, shares: Shares | None, tenths: Shares | None) -> tuple[str, list[str]]:
    found: list[tuple[str, str]] = []
    if not _same_kind(old, new):
        return INCOMPARABLE, [f"It was {old['type']} and is {new['type']}."]
    named = ((shares, "The stability index"), (tenths, "The stability index of tenths"))
    certain = [(stability_index(each), what) for each, what in named if each and _is_certain(each)]
    if certain:
        psi, what = max(certain)
        found += _beyond(what, psi, PSI_LIMITS)
    missing = abs(_missing(new) - _missing(old))
    if missing > _CERTAIN * _share_error(old, new):
        found += _beyond("The difference in the share of missing values", missing, MISSING_LIMITS)
    if not found and shares is None and not _both_empty(old, new):
        return INCOMPARABLE, ["One of the two has no histogram, or it counts nothing."]
    verdicts = [verdict for verdict, _ in found]
    return next((each for each in _WORST_FIRST if each in verdicts), STABLE), [reason for _, reason in found]


def _is_certain(shares: Shares) -> bool:
    return stability_index(shares) > chance_index(shares)


def _beyond(what: str, measured: float, limits: Sequence[tuple[float, str]]) -> list[tuple[str, str]]:
    """The first limit that is reached."""
    reached = [
        (verdict, f"{what} is {measured:.3g}, from {limit:g} on is {verdict}.")
        for limit, verdict in limits
        if measured >= limit
    ]
    return reached[:1]


def _same_kind(old: Column, new: Column) -> bool:
    numeric = {kind.value for kind in NUMERIC}
    return bool(old["kind"] == new["kind"] or {old["kind"], new["kind"]} <= numeric)


def _rows(column: Column) -> int:
    return int(column["count"] + column["nulls"])


def _missing(column: Column) -> float:
    rows = _rows(column)
    nan = (column["descriptive"] or {}).get("nan") or 0
    return float((column["nulls"] + nan) / rows) if rows else 0.0


def _share_error(old: Column, new: Column) -> float:
    """Standard error of the difference of two shares, if both are the same."""
    rows = _rows(old), _rows(new)
    if not all(rows):
        return math.inf
    share = sum(_missing(each) * count for each, count in zip((old, new), rows, strict=True)) / sum(rows)
    return math.sqrt(share * (1 - share) * (1 / rows[0] + 1 / rows[1]))


def _both_empty(old: Column, new: Column) -> bool:
    return bool(old["count"] == 0 and new["count"] == 0)
