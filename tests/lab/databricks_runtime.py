"""A stand-in for what the Databricks runtime gives to notebooks, which cannot be had outside of Databricks.

It has the names and the words of errors that Databricks documents. What a real runtime does beyond them is not shown by it.
"""

import types
from typing import Any


class Secrets:
    """`values` has scope → key → value; scopes in `closed` are not this user's to read."""

    def __init__(self, values: dict[str, dict[str, str]], closed: frozenset[str] = frozenset()) -> None:
        self._values = values
        self._closed = closed

    def get(self, scope: str, key: str) -> str:
        if scope in self._closed:
            raise RuntimeError(f"PERMISSION_DENIED: User ada does not have READ permission on scope {scope}.")
        if scope not in self._values:
            raise RuntimeError(
                f"java.lang.IllegalArgumentException: Secret does not exist with scope: {scope} and key: {key}"
            )
        if key not in self._values[scope]:
            raise RuntimeError(
                f"java.lang.IllegalArgumentException: Secret does not exist with scope: {scope} and key: {key}"
            )
        return self._values[scope][key]


def dbutils_of(values: dict[str, dict[str, str]], closed: frozenset[str] = frozenset()) -> Any:
    return types.SimpleNamespace(secrets=Secrets(values, closed))


def pyspark_dbutils(utilities: Any) -> types.ModuleType:
    """`pyspark.dbutils`, whose DBUtils takes the session."""
    module = types.ModuleType("pyspark.dbutils")
    module.DBUtils = lambda _session: utilities  # type: ignore[attr-defined]
    return module


def sdk_runtime(utilities: Any) -> types.ModuleType:
    """`databricks.sdk.runtime`, as serverless compute has it."""
    module = types.ModuleType("databricks.sdk.runtime")
    module.dbutils = utilities  # type: ignore[attr-defined]
    return module


def ipython_with(**names: Any) -> types.ModuleType:
    """IPython in a notebook whose cells have these names."""
    module = types.ModuleType("IPython")
    shell = types.SimpleNamespace(user_ns=names)
    module.get_ipython = lambda: shell  # type: ignore[attr-defined]
    return module
