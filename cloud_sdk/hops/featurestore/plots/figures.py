"""What all pictures have in common: how they are made, shown, and labelled."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any, Optional, Tuple

from hops.featurestore.errors import InvalidInputError
from hops.featurestore.extras import require
from hops.featurestore.progress import notebook

GREY, LIGHT = "#5f6368", "#d5d8dc"
_RESOLUTION = 110  # dots per inch of what a notebook shows

Size = Optional[Tuple[float, float]]


def new_figure(size: Tuple[float, float], title: str) -> Any:
    """Of no window and no pyplot, so that nobody has to close it. Raises MissingExtraError."""
    figure = require("matplotlib.figure").Figure(figsize=size, layout="constrained", facecolor="white")
    points = max(11.0, min(16.0, size[0]))
    figure.suptitle(title[:1].upper() + title[1:], x=0.01, ha="left", fontsize=points, fontweight="bold")
    return figure


def checked_size(size: Any, default: Tuple[float, float]) -> Tuple[float, float]:
    if size is None:
        return default
    try:
        width, height = (float(side) for side in size)
    except (TypeError, ValueError):
        width = height = 0.0
    if width <= 0 or height <= 0:
        raise InvalidInputError(f"figsize={size!r} is no size: width and height in inches, such as (16, 12).")
    return width, height


def note(figure: Any, text: str) -> None:
    """A line below the picture."""
    if text:
        points = max(8.0, min(11.0, 0.7 * figure.get_figwidth()))
        figure.supxlabel(text, x=0.01, ha="left", fontsize=points, color=GREY)


def shown(figure: Any, plot: bool) -> Any:
    """With `plot` it is displayed in a notebook; elsewhere there is nothing to display it on. Given back either way."""
    display = notebook() if plot else None
    if display is not None:
        shower = _Shower(figure)
        shower.show(display)
        figure._ipython_display_ = shower
    return figure


class _Shower:
    """Keeps a notebook from displaying the picture a second time, as the value of the same cell."""

    def __init__(self, figure: Any) -> None:
        self._figure = figure
        self._cell = _cell_number()

    def show(self, display: Any) -> None:
        image = io.BytesIO()
        self._figure.savefig(image, format="png", dpi=_RESOLUTION)
        display({"image/png": image.getvalue(), "text/plain": repr(self._figure)}, raw=True)

    def __call__(self) -> None:
        display = notebook()
        if display is not None and _cell_number() != self._cell:
            self.show(display)


def _cell_number() -> Optional[int]:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "execution_count", None)


def plain_axes(axes: Any) -> None:
    """No box, and small type."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LIGHT)
    axes.tick_params(labelsize=8, color=LIGHT, labelcolor=GREY)


def shortened(name: str, length: int) -> str:
    """Its beginning and its end, which is where similar names differ. A `$` would begin a formula."""
    text = " ".join(name.split())
    if len(text) > length:
        end = (length - 1) // 3
        text = f"{text[: length - 1 - end]}…{text[-end:]}" if end else text[: length - 1] + "…"
    return text.replace("$", r"\$")


def compact(count: float, _position: object = None) -> str:
    """1200 → 1.2k."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:g}"


def percent(share: float) -> str:
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{share * 100:.1f} %" if 0 < share < 0.1 else f"{share * 100:.0f} %"


def listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(shortened(name, 40) for name in names[:most]) + more
