"""How features go together: a matrix of coloured cells."""

from __future__ import annotations

import math
from typing import Any, Tuple

from hops.featurestore.errors import InvalidInputError
from hops.featurestore.extras import require
from hops.featurestore.plots.figures import GREY, LIGHT, Size, checked_size, new_figure, note, shortened
from hops.featurestore.statistics_results import Statistics

_DEFAULT = (16.0, 12.0)
_MANY = 25  # features, whose names stand upright
_SMALLEST = 4.0  # points; numbers in smaller type are left out
_LABEL, _LABEL_OF_MANY = 28, 20  # characters
_NONE = "\N{EN DASH}"


def draw_correlations(
    statistics: Statistics, figsize: Size, cmap: str, annot: bool, fmt: str, linewidths: float
) -> Any:
    matrix = statistics.require_block("correlations")
    colours = _colours(cmap)
    texts = _texts(matrix.values, fmt) if annot else []
    size = checked_size(figsize, _DEFAULT)
    method = statistics.to_dict()["content"]["correlations"]
    figure = new_figure(size, f"{statistics.name}: {method['method'].capitalize()} correlations")
    axes = figure.add_subplot()
    mesh = axes.pcolormesh(matrix.values, cmap=colours, vmin=-1, vmax=1, edgecolors="white", linewidth=linewidths)
    # Seen where there is no number, which zero's own grey must not be mistaken for.
    axes.patch.set(facecolor="white", hatch="////", edgecolor=LIGHT)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    length = _LABEL if len(matrix) <= _MANY else _LABEL_OF_MANY
    _label(axes, [shortened(str(name), length) for name in matrix.columns], size)
    bar = figure.colorbar(mesh, ax=axes, shrink=0.7, aspect=30, pad=0.02, ticks=(-1, -0.5, 0, 0.5, 1))
    bar.set_label(f"{method['method'].capitalize()}'s r", color=GREY, fontsize=_type_size(size))
    bar.ax.tick_params(labelsize=_type_size(size), labelcolor=GREY)
    bar.outline.set_visible(False)
    # Where everything else leaves the matrix its place is known, and so how large its numbers may be.
    figure.draw_without_rendering()
    written = _write(axes, mesh, matrix.values, texts) if texts else True
    note(figure, _note(statistics, matrix, written))
    return figure


def _colours(cmap: Any) -> Any:
    """A name, or a colour map itself."""
    matplotlib = require("matplotlib")
    if isinstance(cmap, str) and cmap not in matplotlib.colormaps:
        raise InvalidInputError(
            f"cmap={cmap!r} is no colour map of matplotlib.", hint='Such as "coolwarm", "RdBu_r" or "PiYG".'
        )
    return matplotlib.colormaps[cmap] if isinstance(cmap, str) else cmap


def _texts(values: Any, fmt: str) -> Any:
    try:
        return [[_text(value, fmt) for value in row] for row in values.tolist()]
    except ValueError:
        raise InvalidInputError(
            f"fmt={fmt!r} formats no number.", hint='".2f" has two digits after the point.'
        ) from None


def _text(value: float, fmt: str) -> str:
    if math.isnan(value):
        return _NONE
    text = format(value, fmt)
    # Nobody needs to know on which side of zero it was rounded away.
    return text[1:] if text.startswith("-") and not text.strip("-0.%") else text


def _type_size(size: Tuple[float, float]) -> float:
    return max(8.0, min(12.0, *size))


def _label(axes: Any, names: Any, size: Any) -> None:
    points = max(6.0, min(_type_size(size), 0.55 * 72 * min(size) / max(len(names), 1)))
    at = [number + 0.5 for number in range(len(names))]
    slanted = {"rotation": 90} if len(names) > _MANY else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(at, names, fontsize=points, **slanted)
    axes.set_yticks(at, names, fontsize=points)
    axes.tick_params(length=0, labelcolor=GREY)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write(axes: Any, mesh: Any, values: Any, texts: Any) -> bool:
    """The numbers into the cells, as large as fits; False if that were too small to read."""
    longest = max(len(text) for row in texts for text in row)
    cell = axes.get_window_extent().width / axes.figure.dpi * 72 / len(values)
    points = min(14.0, 0.85 * cell / (0.62 * longest))
    if points < _SMALLEST:
        return False
    colours = mesh.to_rgba(values)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            red, green, blue = colours[row, column, :3]
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 and text != _NONE
            place = {"ha": "center", "va": "center", "fontsize": points, "color": "white" if dark else "#202124"}
            axes.text(column + 0.5, row + 0.5, text, **place)
    return True


def _note(statistics: Statistics, matrix: Any, written: bool) -> str:
    block = statistics.to_dict()["content"]["correlations"]
    told = []
    if not block["exact"]:
        told.append(f"Of a sample of {block['rows']:,} of {statistics.rows:,} rows.")
    if matrix.isna().values.any():
        told.append("Hatched: a feature that does not vary, or two that are never there together.")
    if not written:
        told.append("Numbers are left out, as they would be too small to read: give a larger figsize.")
    return " ".join(told)
