"""How far a download or a run is: on a terminal or in a notebook, never where output is redirected."""

from __future__ import annotations

import html
import importlib
import os
import shutil
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional

VARIABLE = "OAST_PROGRESS"
_SILENT = 1.0  # seconds before anything is shown
_BETWEEN = 0.2  # seconds between two changes of what is shown
_UNITS = ("B", "kB", "MB", "GB", "TB")

Display = Callable[[str, bool], None]
"""Shows a line in place of its last one; True with the last of all."""


class Progress:
    """Safe to use from several threads. Without a display it only counts."""

    def __init__(self, display: Optional[Display] = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._display = display
        self._clock = clock
        self._lock = threading.Lock()
        self._started = clock()
        self._next = self._started + _SILENT
        self._is_shown = False
        self._due: Dict[str, int] = {}
        self.rows = 0
        self.bytes = 0

    def expect(self, *, rows: int, bytes_: int) -> None:
        self._due = {"rows": rows, "bytes": bytes_}

    def add(self, *, rows: int = 0, bytes_: int = 0) -> None:
        with self._lock:
            self.rows += rows
            self.bytes += bytes_
            now = self._clock()
            if self._display is None or now < self._next:
                return
            self._next = now + _BETWEEN
            self._is_shown = True
            self._show(self._display, self._line(now), is_last=False)

    def close(self) -> None:
        """Leave the last state, if there ever was one to see."""
        with self._lock:
            display, self._display = self._display, None
            if display is not None and self._is_shown:
                self._show(display, self._line(self._clock()), is_last=True)

    def _show(self, display: Display, line: str, *, is_last: bool) -> None:
        try:
            display(line, is_last)
        except Exception:  # noqa: BLE001 a closed terminal or a page that went away is no reason to lose the rows
            self._display = None

    def _line(self, now: float) -> str:
        seconds = max(now - self._started, 1e-3)
        rows = f"{self.rows:,}" + (f" of {self._due['rows']:,}" if self._due else "")
        size = _size(self.bytes) + (f" of {_size(self._due['bytes'])}" if self._due else "")
        return f"{rows} rows, {size}, {_size(self.bytes / seconds)}/s"


class RunProgress:
    """How far a run in the background is. Its line is shown in place of the last one, from a second on."""

    def __init__(self, display: Optional[Display] = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._display = display
        self._clock = clock
        self._started = clock()
        self._last = ""

    def show(self, state: str, stage: str, rows: int, bytes_: int) -> None:
        said = [stage or state]
        said += [f"{rows:,} rows"] if rows else []
        said += [_size(bytes_)] if bytes_ else []
        line = ", ".join(said)
        if self._clock() - self._started >= _SILENT and line != self._last:
            self._last = line
            self._put(f"{line} ({self._clock() - self._started:,.0f} s)", is_last=False)

    def close(self, state: str) -> None:
        """Leave how it ended, if there was anything to see before."""
        if self._last:
            self._put(f"{state} after {self._clock() - self._started:,.0f} s", is_last=True)
        self._display = None

    def _put(self, line: str, *, is_last: bool) -> None:
        if self._display is None:
            return
        try:
            self._display(line, is_last)
        except Exception:  # noqa: BLE001 a closed terminal or a page that went away is no reason to stop waiting
            self._display = None


def begin_progress(wanted: bool) -> Progress:
    """One that is seen, if it is wanted and somebody looks."""
    return Progress(find_display(wanted))


def find_display(wanted: bool) -> Optional[Display]:
    return _find_display() if wanted and os.environ.get(VARIABLE) != "0" else None


def _find_display() -> Optional[Display]:
    shell = notebook()
    if shell is not None:
        return notebook_display(shell)
    return terminal_display(sys.stderr) if sys.stderr is not None and sys.stderr.isatty() else None


def terminal_display(stream: Any) -> Display:
    """Writes over its own line, cut to the terminal's width: a line that wraps cannot be written over."""

    def show(line: str, is_last: bool) -> None:
        width = shutil.get_terminal_size().columns - 1
        stream.write("\r" + line[:width].ljust(width) + ("\n" if is_last else ""))
        stream.flush()

    return show


def notebook_display(display: Callable[..., Any]) -> Display:
    """`display` is IPython's; what it gave out first is updated from then on, without any widget."""
    handles: List[Any] = []

    def show(line: str, is_last: bool) -> None:  # noqa: ARG001 the last stays as it is
        bundle = {"text/plain": line, "text/html": f"<code>{html.escape(line)}</code>"}
        if handles:
            handles[0].update(bundle, raw=True)
        else:
            handles.append(display(bundle, raw=True, display_id=True))

    return show


def notebook() -> Optional[Callable[..., Any]]:
    """IPython's `display` where a notebook's kernel runs; a terminal's IPython is a terminal. Imports nothing new."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display: Callable[..., Any] = importlib.import_module("IPython.display").display
    return display


def _size(count: float) -> str:
    """Decimal units, three digits."""
    for unit in _UNITS:
        if abs(count) < 999.5 or unit == _UNITS[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"
