"""The outcomes as a table for people."""

import platform
from collections.abc import Sequence

import psutil  # type: ignore[import-untyped]  # psutil ships no types
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import Figures, Options, Outcome

_COLUMNS = ("", "by", "seconds", "ratio", "own CPU", "gateway CPU", "gateway MB")


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB RAM, Python {platform.python_version()}"


def print_table(options: Options, outcomes: Sequence[Outcome], *, seconds: float) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in {"", "by"} else "right")
    for outcome in outcomes:
        table.add_row(outcome.title, *_cells(outcome.baseline, 1.0))
        table.add_row("", *_cells(outcome.contender, outcome.ratio), end_section=True)
    console = Console(width=100)
    console.print(table)
    console.print("CPU is seconds; MB is what the gateway's processes grew by over idle at their peak.")
    console.print(f"{options.rows:,} rows of 10 columns; medians of {options.repetitions} turns after a warm-up.")
    console.print(f"{machine()}; {seconds:.0f} s in all.", highlight=False)


def _cells(figures: Figures, ratio: float) -> list[str]:
    gateway = [
        "" if value is None else f"{value:.{digits}f}"
        for value, digits in ((figures.gateway_cpu, 2), (figures.gateway_peak_mb, 0))
    ]
    return [figures.name, f"{figures.seconds:.3f}", f"{ratio:.2f}", f"{figures.own_cpu:.2f}", *gateway]
