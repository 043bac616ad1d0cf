"""What is measured: one module each, with `measure(options)`. A new module is found by being here."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import TypeAlias

from benchmarks.measuring import Options, Outcome

Measure: TypeAlias = Callable[[Options], list[Outcome]]


def find_subjects() -> dict[str, Measure]:
    """By module name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}").measure for name in names}
