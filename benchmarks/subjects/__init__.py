"""What is measured: one module each, with `measure(options)` and its full size. A new module is found by being here."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.findings import Findings
from benchmarks.measuring import Options


@dataclass(frozen=True)
class Subject:
    """`rows` and `repetitions` are what it takes where nothing else is asked."""

    measure: Callable[[Options], list[Findings]]
    rows: int
    repetitions: int


def find_subjects() -> dict[str, Subject]:
    """By module name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    return {name: Subject(module.measure, module.ROWS, module.REPETITIONS) for name, module in modules.items()}
