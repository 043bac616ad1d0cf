"""The findings as tables for people."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import psutil  # type: ignore[import-untyped]  # psutil ships no types
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.findings import Column, Figure, Findings, Target

_WIDTH = 120


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB RAM, Python {platform.python_version()}"


def as_json(all_findings: Sequence[Findings]) -> dict[str, Any]:
    found = [
        {**asdict(findings), "targets": [{**asdict(each), "met": each.is_met} for each in findings.targets]}
        for findings in all_findings
    ]
    return {"machine": machine(), "findings": found}


def print_tables(all_findings: Sequence[Findings], *, seconds: float) -> None:
    console = Console(width=_WIDTH, highlight=False)
    for findings in all_findings:
        console.print(f"[bold]{findings.subject}[/bold]: {findings.size}")
        console.print(_table(findings))
        for target in findings.targets:
            console.print(_sentence(target))
        for note in findings.notes:
            console.print(note)
        console.print()
    console.print(f"{machine()}; {seconds:.0f} s in all.")


def _table(findings: Findings) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    texts = {column.name for column in findings.columns if isinstance(findings.rows[0][column.name], str)}
    for column in findings.columns:
        table.add_column(column.name, justify="left" if column.name in texts else "right")
    for row in findings.rows:
        table.add_row(*_cells(findings.columns, row))
    return table


def _cells(columns: Sequence[Column], row: Mapping[str, Figure]) -> list[str]:
    cells = []
    for column in columns:
        figure = row[column.name]
        cells.append(f"{figure:,.{column.digits}f}" if isinstance(figure, (int, float)) else figure or "")
    return cells


def _sentence(target: Target) -> str:
    bound = f"{'at least' if target.at_least else 'at most'} {target.limit:g}"
    return f"{'met   ' if target.is_met else 'MISSED'} {target.what}: {target.measured:.3g}, {bound}"
