"""What the gateway has computed about rows, as pandas frames and plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from hops.featurestore.errors import StatisticsMissingError

if TYPE_CHECKING:
    import pandas as pd

# In this order; the shares of quantiles come between min and max, as in pandas' own `describe`.
_BEFORE = ("type", "kind", "count", "nulls", "completeness", "distinct", "mean", "stddev", "min")
_AFTER = ("max", "sum", "nan", "positive_infinity", "negative_infinity", "true", "false")
_LENGTHS = ("shortest", "longest", "mean_length")
_WHOLE = ("distinct", "nan", "positive_infinity", "negative_infinity", "true", "false", "shortest", "longest")
_WORST_FIRST = ("drifted", "moderate", "incomparable", "stable")
_COMPARED = ("verdict", "psi", "psi_by_chance", "psi_by_tenths", "ks", "jensen_shannon", "wasserstein")


@dataclass(frozen=True)
class StatisticsState:
    """A state of a feature group or training dataset that there are statistics of."""

    state: int
    rows: int
    computed_at: str


class Statistics:
    """Of one state of a feature group (a version of its table) or of a training dataset (a revision).

    Each block is None where it was not asked for. `require_block` raises in place of that, or of one that was skipped.
    The names that the original clients had for the blocks work as well.
    """

    def __init__(self, name: str, update: str, answer: Mapping[str, Any]) -> None:
        """`update` is the call that computes them."""
        self.name = name
        self._update = update
        self._answer = dict(answer)
        self._content: Mapping[str, Any] = answer["content"]

    @property
    def state(self) -> int:
        return int(self._answer["state"])

    @property
    def rows(self) -> int:
        return int(self._answer["rows"])

    @property
    def computed_at(self) -> str:
        return str(self._answer["computed_at"])

    @property
    def options(self) -> Dict[str, Any]:
        """What was asked for, in the gateway's words: docs/statistics.md."""
        return dict(self._answer["options"])

    @property
    def columns(self) -> List[Dict[str, Any]]:
        """Everything about each feature, as the gateway tells it."""
        return list(self._content["columns"])

    @property
    def descriptive(self) -> Optional[pd.DataFrame]:
        """One row for each feature; what its kind does not have is missing. Lengths are those of texts and lists."""
        if all(column["descriptive"] is None for column in self.columns):
            return None
        return _descriptive_frame(self.columns)

    @property
    def histograms(self) -> Optional[Dict[str, Dict[str, Any]]]:
        """By feature: `kind` "bins" with `edges` and `counts`, "values" or "top" with `values` and `counts`."""
        found = {column["name"]: column["histogram"] for column in self.columns if column["histogram"]}
        return found or None

    @property
    def correlations(self) -> Optional[pd.DataFrame]:
        """Square, NaN for a feature that does not vary. None where it was skipped: `skipped` says why."""
        matrix = self._content["correlations"]
        if matrix is None or "skipped" in matrix:
            return None
        import pandas as pd

        return pd.DataFrame(matrix["values"], matrix["columns"], matrix["columns"]).astype(float)

    @property
    def clusters(self) -> Optional[Dict[str, Any]]:
        """`columns`, `sizes`, `centers`, and `points` of a sample with `x`, `y` and `cluster`.

        `x` and `y` are in the plane of the first two principal components, whose shares of the variance are `explained`.
        """
        found = self._content["clusters"]
        return None if found is None or "skipped" in found else dict(found)

    @property
    def skipped(self) -> Dict[str, str]:
        """By block, why it was asked for and is not there."""
        blocks = {name: self._content[name] for name in ("correlations", "clusters")}
        return {name: block["skipped"] for name, block in blocks.items() if block and "skipped" in block}

    @property
    def descriptive_stats(self) -> Optional[pd.DataFrame]:
        return self.descriptive

    @property
    def correlation_matrix(self) -> Optional[pd.DataFrame]:
        return self.correlations

    feature_correlations = correlation_matrix

    @property
    def feature_histograms(self) -> Optional[Dict[str, Dict[str, Any]]]:
        return self.histograms

    features_histogram = feature_histograms

    @property
    def cluster_analysis(self) -> Optional[Dict[str, Any]]:
        return self.clusters

    def require_block(self, block: str) -> Any:
        """`descriptive`, `histograms`, `correlations` or `clusters`. Raises StatisticsMissingError."""
        found = getattr(self, block)
        if found is not None:
            return found
        if block in self.skipped:
            raise StatisticsMissingError(
                f"There are no {block} of {self.name}: {self.skipped[block]}",
                hint=f"Ask for other features: {self._update[:-1]}, stat_columns=[…])",
            )
        hint = f"{self._update} computes them, and what else there is."
        if block == "histograms" and self._asked_for(block):
            hint = "Numbers, times, truth values and texts have them, once there are rows with values."
        raise StatisticsMissingError(f"There are no {block} of {self.name} in state {self.state}.", hint=hint)

    def to_dict(self) -> Dict[str, Any]:
        """As the gateway answered."""
        return dict(self._answer)

    def _asked_for(self, block: str) -> bool:
        return bool(self._answer["options"].get(block, True))

    def __repr__(self) -> str:
        return (
            f"Statistics of {self.name} in state {self.state}: {self.rows:,} rows, {len(self.columns)} features, "
            f"computed at {self.computed_at[:19]}"
        )

    def _repr_html_(self) -> str:
        frame = self.descriptive
        return f"<p><strong>{self!r}</strong></p>" + ("" if frame is None else frame.to_html())


class Drift:
    """How far a later state is from an earlier one. `verdict` is that of the worst feature.

    "stable", "moderate" or "drifted"; docs/statistics.md has the limits. `columns` has one row for each feature that both
    have, those that differ most first, with the `reasons` of its verdict, which may also be "incomparable".
    """

    def __init__(self, title: str, answer: Mapping[str, Any]) -> None:
        self.title = title
        self._answer = dict(answer)

    @property
    def verdict(self) -> str:
        return str(self._answer["verdict"])

    @property
    def columns(self) -> pd.DataFrame:
        return _drift_frame(self._answer["columns"])

    @property
    def drifted(self) -> List[str]:
        """Features whose verdict is "drifted"."""
        return [column["name"] for column in self._answer["columns"] if column["verdict"] == "drifted"]

    @property
    def only_in_old(self) -> Sequence[str]:
        return tuple(self._answer["only_in_old"])

    @property
    def only_in_new(self) -> Sequence[str]:
        return tuple(self._answer["only_in_new"])

    def to_dict(self) -> Dict[str, Any]:
        return dict(self._answer)

    def __repr__(self) -> str:
        verdicts = [column["verdict"] for column in self._answer["columns"]]
        counted = [f"{verdicts.count(each)} {each}" for each in _WORST_FIRST if each in verdicts]
        told = ", ".join(counted) or "no feature in common"
        return f"{self.title}: {self.verdict} ({told})"

    def _repr_html_(self) -> str:
        return f"<p><strong>{self!r}</strong></p>{self.columns.to_html()}"


def _descriptive_frame(columns: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    rows = [_described(column) for column in columns]
    quantiles = list(dict.fromkeys(name for row in rows for name in row if name.endswith("%")))
    names = [name for name in (*_BEFORE, *quantiles, *_AFTER, *_LENGTHS) if any(name in row for row in rows)]
    frame = pd.DataFrame(rows, pd.Index([column["name"] for column in columns], name="feature"), names)
    # Not every feature has each of them, and counts are whole numbers all the same.
    return frame.astype({name: "Int64" for name in _WHOLE if name in frame})


def _described(column: Mapping[str, Any]) -> Dict[str, Any]:
    told: Mapping[str, Any] = column["descriptive"] or {}
    row: Dict[str, Any] = {name: column[name] for name in ("type", "kind", "count", "nulls", "completeness")}
    if "distinct" in told:
        row["distinct"] = told["distinct"]["count"]
    shares = told.get("quantiles", {}).get("values", {})
    row.update({f"{float(share) * 100:g}%": value for share, value in shares.items()})
    lengths = told.get("lengths", {})
    row.update({ours: lengths[theirs] for ours, theirs in zip(_LENGTHS, ("min", "max", "mean")) if theirs in lengths})
    return {**row, **{name: told[name] for name in (*_BEFORE, *_AFTER) if name in told and name not in row}}


def _drift_frame(columns: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    worst_first = sorted(columns, key=lambda column: (_WORST_FIRST.index(column["verdict"]), -(column["psi"] or 0)))
    for column in worst_first:
        row = {name: column[name] for name in _COMPARED}
        row["reasons"] = " ".join(column["reasons"])
        row.update({f"{side}_count": column[side]["count"] for side in ("old", "new")})
        row.update({f"{name}_change": change for name, change in column["changes"].items()})
        rows.append(row)
    return pd.DataFrame(rows, pd.Index([column["name"] for column in worst_first], name="feature"))
