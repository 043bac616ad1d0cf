"""Makes the answer of a query fit every Arrow reader: distinct column names, and no type that is DuckDB's alone."""

from collections.abc import Callable, Sequence
from typing import Final, cast

import duckdb
from duckdb.sqltypes import DuckDBPyType

from infra.engines.duckdb_types import identifier

_PLAIN: Final = frozenset(
    {
        "boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint",
        "float", "double", "decimal", "varchar", "blob", "date", "time", "time_ns",
        "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone",
    }
)  # fmt: skip
# Sums of whole numbers are of the first. As decimals, which is how DuckDB hands them out, pandas has them as objects.
_REPLACED: Final = {"hugeint": "BIGINT", "uhugeint": "BIGINT"}


def plain_select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    """`sql`, which is one SELECT, with what it takes around it.

    Numbers beyond 64 bits then end the query with an error: they are neither wrapped nor rounded. Columns are named by
    their place, and nothing is added to the text: what is run is what was looked at.
    """
    relation = connection.sql(sql)
    types, names = list(relation.types), distinct(relation.columns)
    targets = [_plain(kind) for kind in types]
    if targets == [str(kind) for kind in types] and names == relation.columns:
        return relation
    outputs = [
        f"CAST(#{place} AS {target}) AS {identifier(name)}"
        for place, (target, name) in enumerate(zip(targets, names, strict=True), start=1)
    ]
    return relation.project(", ".join(outputs))


def distinct(names: Sequence[str]) -> list[str]:
    """`id, id` become `id, id_1`; a name that is there anyway is not given again."""
    taken, given = set(names), set[str]()
    found: list[str] = []
    for name in names:
        chosen, number = name, 1
        while chosen in given or (chosen != name and chosen in taken):
            chosen, number = f"{name}_{number}", number + 1
        given.add(chosen)
        found.append(chosen)
    return found


def _plain(kind: DuckDBPyType) -> str:
    """DuckDB's name of the type to answer; text stands for what has no counterpart."""
    if kind.id in _NESTED:
        return _NESTED[kind.id](kind)
    return str(kind) if kind.id in _PLAIN else _REPLACED.get(kind.id, "VARCHAR")


def _child(kind: DuckDBPyType, which: str) -> str:
    return _plain(cast("DuckDBPyType", dict(kind.children)[which]))


def _struct(kind: DuckDBPyType) -> str:
    """Fields without a name get one."""
    fields = [
        f"{identifier(name or f'col{index}')} {_plain(cast('DuckDBPyType', child))}"
        for index, (name, child) in enumerate(kind.children, start=1)
    ]
    return f"STRUCT({', '.join(fields)})"


_NESTED: Final[dict[str, Callable[[DuckDBPyType], str]]] = {
    "list": lambda kind: f"{_child(kind, 'child')}[]",
    "array": lambda kind: f"{_child(kind, 'child')}[{dict(kind.children)['size']}]",
    "map": lambda kind: f"MAP({_child(kind, 'key')}, {_child(kind, 'value')})",
    "struct": _struct,
}
