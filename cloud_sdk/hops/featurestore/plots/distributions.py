"""How the values of each feature spread: a panel for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

from hops.featurestore.errors import InvalidInputError
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
from hops.featurestore.plots.figures import (
    shortened as short,
)
from hops.featurestore.statistics_results import Statistics

_MOST = 100
"""Panels: more is nothing that anybody looks at, and takes minutes to draw."""
_WIDTHS = ((1, 1), (4, 2), (9, 3), (16, 4))  # up to so many panels, so many columns
_SPARSE = 60
"""Where neighbouring values lie closer than this part of the whole span, their bars would be hairlines."""
ALIGNMENTS = ("center", "edge")


@dataclass(frozen=True)
class _Look:
    color: str
    log: bool
    align: str
    characters: int
    bars: int


def draw_distributions(statistics: Statistics, figsize: Size, color: str, log: bool, align: str) -> Any:
    if align not in ALIGNMENTS:
        raise InvalidInputError(f"align={align!r} is no way to place bars.", candidates=ALIGNMENTS)
    if not require("matplotlib.colors").is_color_like(color):
        raise InvalidInputError(f"color={color!r} is no colour.", hint='Such as "lightblue" or "#0072b2".')
    histograms = statistics.require_block("histograms")
    shown = [column for column in statistics.columns if column["name"] in histograms][:_MOST]
    across = next((columns for panels, columns in _WIDTHS if len(shown) <= panels), 5)
    down = math.ceil(len(shown) / across)
    size = checked_size(figsize, (7.0, 4.6) if len(shown) == 1 else (3.5 * across + 0.4, 2.7 * down + 0.8))
    figure = new_figure(size, f"{statistics.name}: distributions of {statistics.rows:,} rows")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08, wspace=0.03, hspace=0.03)
    per_panel = size[0] / across
    look = _Look(color, log, align, max(12, int(per_panel * 10)), 12 if per_panel > 4 else 7)
    for number, column in enumerate(shown, start=1):
        _panel(figure.add_subplot(down, across, number), column, look)
    note(figure, _left_out(statistics.columns, shown))
    return figure


def _panel(axes: Any, column: Mapping[str, Any], look: _Look) -> None:
    histogram = column["histogram"]
    plain_axes(axes)
    axes.set_title(short(column["name"], look.characters), loc="left", fontsize=10, pad=16)
    if histogram["kind"] == "top":
        rest = _texts(axes, histogram, look)
    else:
        rest = ""
        _numbers(axes, histogram, look)
    _count_axis(axes.xaxis if histogram["kind"] == "top" else axes.yaxis, log=look.log)
    told = [f"{compact(column['count'])} values", *_missing(column), *([rest] if rest else [])]
    axes.annotate(
        " · ".join(told),
        (0, 1),
        (0, 5),
        "axes fraction",
        "offset points",
        fontsize=7.5,
        color=GREY,
        annotation_clip=False,
    )


def _missing(column: Mapping[str, Any]) -> List[str]:
    rows = column["count"] + column["nulls"]
    nan = (column["descriptive"] or {}).get("nan") or 0
    counted = (("null", column["nulls"]), ("NaN", nan))
    return [f"{percent(count / rows)} {what}" for what, count in counted if count]


def _texts(axes: Any, histogram: Mapping[str, Any], look: _Look) -> str:
    """Horizontal, the most frequent at the top. Returns what is not shown, in words."""
    values, counts = histogram["values"][: look.bars], histogram["counts"][: look.bars]
    labels = [short(value, max(8, look.characters // 2)) or "(empty)" for value in values]
    axes.barh(range(len(values)), counts, height=0.78, color=look.color, edgecolor=GREY, linewidth=0.4, log=look.log)
    axes.set_yticks(range(len(values)), labels, fontsize=7.5)
    axes.set_ylim(max(len(values), 3) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    others = sum(histogram["counts"][look.bars :]) + histogram["other"]
    return f"{compact(others)} others" if others else ""


def _numbers(axes: Any, histogram: Mapping[str, Any], look: _Look) -> None:
    style: Dict[str, Any] = {"color": look.color, "edgecolor": GREY, "linewidth": 0.4, "log": look.log}
    if histogram["kind"] == "bins":
        places, widths = _bins(histogram)
        axes.bar(places[:-1], histogram["counts"], widths, align="edge", **style)
        if "labels" in histogram:
            _date_ticks(axes, places, histogram["labels"])
        else:
            _value_ticks(axes)
        return
    values = histogram["values"]
    if "labels" in histogram or not _evenly_seen(values):
        axes.bar(range(len(values)), histogram["counts"], 0.8, align=look.align, **style)
        axes.set_xlim(-0.9, max(len(values), 3) - 0.1)
        _name_ticks(axes, histogram.get("labels") or [_text(value) for value in values], look)
        return
    gap = min((after - before for before, after in zip(values, values[1:])), default=1.0)
    axes.bar(values, histogram["counts"], 0.8 * gap, align=look.align, **style)
    if len(values) == 1:
        axes.set_xlim(values[0] - 2, values[0] + 2)
    _value_ticks(axes)


def _bins(histogram: Mapping[str, Any]) -> Tuple[List[float], List[float]]:
    """Times from their first on: as floats they would lose what is after the point."""
    edges = histogram["edges"]
    start = edges[0] if "labels" in histogram else 0
    places = [float(edge - start) for edge in edges]
    return places, [after - before for before, after in zip(places, places[1:])]


def _evenly_seen(values: Sequence[Any]) -> bool:
    if any(isinstance(value, bool) for value in values):
        return False
    gaps = [after - before for before, after in zip(values, values[1:])]
    return not gaps or (min(gaps) * _SPARSE > values[-1] - values[0] and abs(values[0]) < 1e15 > abs(values[-1]))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) and abs(value) < 1e9 else f"{value:.6g}"


def _value_ticks(axes: Any) -> None:
    axes.xaxis.set_major_locator(require("matplotlib.ticker").MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.get_offset_text().set(fontsize=7, color=GREY)


def _date_ticks(axes: Any, places: Sequence[float], labels: Sequence[str]) -> None:
    """The first, one in the middle and the last, which leaves room for each of them."""
    last = len(places) - 1
    chosen = [0, last // 2, last] if last > 1 else [0, last]
    axes.set_xticks([places[at] for at in chosen], _times([labels[at] for at in chosen]), fontsize=7)
    for at, side in ((0, "left"), (-1, "right")):
        axes.get_xticklabels()[at].set_ha(side)


def _name_ticks(axes: Any, labels: Sequence[str], look: _Look) -> None:
    """As many as fit side by side, at even distances; the last of them only where it is one of those."""
    named = _times(labels) if labels and "-" in labels[0][1:] else list(labels)
    length = max((len(name) for name in named), default=1)
    room = max(1, look.characters // (length + 2))
    step = max(1, math.ceil(len(named) / room))
    places = list(range(0, len(named), step))
    axes.set_xticks(places, [short(named[at], look.characters // 2) for at in places], fontsize=7.5)


def _times(labels: Sequence[str]) -> List[str]:
    """As short as they stay different: without seconds, or without the time of day."""
    for length in (10, 16, 19):
        cut = [label[:length] for label in labels]
        if len(set(cut)) == len(set(labels)):
            return [text.replace("T", "\n") if text[:1].isdigit() else text for text in cut]
    return list(labels)


def _count_axis(axis: Any, *, log: bool) -> None:
    ticker = require("matplotlib.ticker")
    if log:
        # From below one on, so that one row shows, and what is about equal looks about equal.
        (axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim)(0.7, None)
        axis.set_major_locator(ticker.LogLocator(numticks=5))
        axis.set_minor_locator(ticker.NullLocator())
    else:
        axis.set_major_locator(ticker.MaxNLocator(4, integer=True))
    axis.set_major_formatter(ticker.FuncFormatter(compact))
    axis.grid(visible=True, color=LIGHT, linewidth=0.5)
    axis.axes.set_axisbelow(True)


def _left_out(columns: Sequence[Mapping[str, Any]], shown: Sequence[Mapping[str, Any]]) -> str:
    names = {column["name"] for column in shown}
    missing = [column["name"] for column in columns if not column["histogram"]]
    more = [column["name"] for column in columns if column["histogram"] and column["name"] not in names]
    told = [f"Not shown, having no values to count: {listed(missing)}."] if missing else []
    told += [f"Not shown: {listed(more)}; compute statistics of fewer features with stat_columns."] if more else []
    return "\n".join(told)
