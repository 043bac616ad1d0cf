"""Everything the gateway defines, whatever other tests have imported before."""

import importlib
import inspect
import pkgutil
from functools import cache
from types import ModuleType
from typing import Any

ROOTS = ("app", "tenancy", "infra")


@cache
def modules() -> tuple[ModuleType, ...]:
    names = [
        found.name
        for root in ROOTS
        for found in pkgutil.walk_packages(importlib.import_module(root).__path__, f"{root}.")
        if not found.name.startswith("app.migrations")
    ]
    return tuple(importlib.import_module(name) for name in names)


@cache
def classes() -> tuple[type[Any], ...]:
    return tuple(
        found
        for module in modules()
        for _, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__
    )
