"""Groups of similar rows, in the plane in which they differ most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Dict, Tuple

from hops.featurestore.extras import require
from hops.featurestore.plots.figures import (
    GREY,
    LIGHT,
    Size,
    checked_size,
    compact,
    listed,
    new_figure,
    note,
    percent,
    plain_axes,
)
from hops.featurestore.statistics_results import Statistics

_DEFAULT = (16.0, 12.0)
# Of Okabe and Ito, who chose them so that everybody can tell them apart; shapes do it once more.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#000000", "#b8a500")
_SHAPES = "osD^vP<>X*hp"
_NAMED = 24
_MANY = 12


def draw_clusters(statistics: Statistics, figsize: Size) -> Any:
    clusters = statistics.require_block("clusters")
    figure = new_figure(checked_size(figsize, _DEFAULT), f"{statistics.name}: {clusters['count']} clusters")
    axes = figure.add_subplot()
    plain_axes(axes)
    axes.tick_params(labelsize=10)
    axes.grid(visible=True, color=LIGHT, linewidth=0.5)
    axes.set_axisbelow(True)
    named = min(_NAMED, int(3 * figure.get_figheight()))
    for number in range(clusters["count"]):
        _draw(axes, clusters, number, named=_rank(clusters, number) < named)
    for axis, share, name in zip((axes.xaxis, axes.yaxis), clusters["explained"], ("First", "Second")):
        axis.set_major_formatter(require("matplotlib.ticker").FuncFormatter(compact))
        axis.set_label_text(f"{name} principal component ({percent(share)} of the variance)", fontsize=11, color=GREY)
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=11, title="Rows by cluster",
        title_fontsize=11, alignment="left", labelspacing=0.7,
    )  # fmt: skip
    note(figure, _note(statistics, clusters, named))
    return figure


def _draw(axes: Any, clusters: Mapping[str, Any], number: int, *, named: bool) -> None:
    colour, shape = _look(number)
    points = [point for point in clusters["points"] if point["cluster"] == number]
    rows = clusters["sizes"][number]
    label: Dict[str, Any] = {"label": f"{number + 1}: {rows:,}"} if named else {}
    style = {"color": colour, "marker": shape, "s": 70, "alpha": 0.85, "edgecolors": "white", "linewidths": 0.8}
    axes.scatter([point["x"] for point in points], [point["y"] for point in points], **style, **label)
    x, y = clusters["centers_in_plane"][number]
    area, type_size = (330, 10) if clusters["count"] <= _MANY else (170, 7)
    axes.scatter([x], [y], marker="o", s=area, facecolors="white", edgecolors=colour, linewidths=2, zorder=3)
    axes.text(x, y, str(number + 1), ha="center", va="center_baseline", fontsize=type_size, color="#202124", zorder=4)


def _look(number: int) -> Tuple[str, str]:
    return _COLOURS[number % len(_COLOURS)], _SHAPES[number % len(_SHAPES)]


def _rank(clusters: Mapping[str, Any], number: int) -> int:
    order = sorted(range(clusters["count"]), key=lambda each: -clusters["sizes"][each])
    return order.index(number)


def _note(statistics: Statistics, clusters: Mapping[str, Any], named: int) -> str:
    told = [f"Circles: the middles of the clusters. {len(clusters['points'])} of {statistics.rows:,} rows are drawn."]
    if not clusters["exact"]:
        told.append(f"Found in a sample of {clusters['rows']:,} rows.")
    if clusters["count"] < clusters["asked"]:
        told.append(f"{clusters['asked']} were asked for, and so many were found.")
    if clusters["count"] > named:
        told.append(f"The {named} largest are counted at the side.")
    return " ".join(told) + f"\nOf {listed(clusters['columns'])}; null counts as 0."
