"""Lets through one SELECT over the tables that a query was given, and nothing else.

The judge is DuckDB's own parser, on the very text that it executes afterwards: another parser would sooner or later read
something differently. What is not known to be harmless is refused, so that new syntax is no new hole.
"""

import difflib
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

import duckdb

from infra.engines.duckdb_types import literal
from infra.engines.functions import FUNCTIONS, TABLE_FUNCTIONS
from infra.errors import QueryInvalidError, QueryRefusedError

_Node: TypeAlias = Mapping[str, Any]
_Names: TypeAlias = frozenset[str]

_EXPRESSIONS: Final = frozenset(
    """
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA LAMBDA_REF OPERATOR
    STAR SUBQUERY WINDOW
    """.split()  # noqa: SIM905 a list of them would take a line each
)
_RELATIONS: Final = frozenset(
    """
    SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE
    BASE_TABLE SUBQUERY JOIN TABLE_FUNCTION EXPRESSION_LIST EMPTY PIVOT
    ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER
    ORDER_DEFAULT ASCENDING DESCENDING
    """.split()  # noqa: SIM905 a list of them would take a line each
)
_CTE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Where DuckDB and its imitation of PostgreSQL and SQLite have views of the inside. The scopes below already keep such a
# name from meaning anything but the WITH clause; this is for the day they differ from DuckDB's.
_INTERNAL: Final = re.compile(r"(duckdb|pg|sqlite|pragma|information_schema)(_.*)?", re.IGNORECASE)
_DEEPEST: Final = 10_000
_ONE_SELECT: Final = "A query is one SELECT over the tables it was given."
_PIVOT: Final = re.compile(r"\bPIVOT", re.IGNORECASE)


def require_harmless(connection: duckdb.DuckDBPyConnection, sql: str, tables: Collection[str]) -> None:
    """QueryRefusedError for what may not run, QueryInvalidError for what is no SQL."""
    if "\0" in sql:
        raise QueryInvalidError("The SQL holds a zero character.")
    statement = _serialized(connection, sql)
    kinds = [found.type for found in connection.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        raise QueryRefusedError(f"These are {len(kinds)} statements.", hint=_ONE_SELECT)
    if statement.get("named_param_map"):
        raise QueryRefusedError("The SQL has parameters, and there are no values for them.", hint=_ONE_SELECT)
    names = {name.lower(): name for name in tables}
    todo = [(statement["node"], frozenset[str]())]
    while todo:  # not by recursion: SQL nests deeper than Python may
        node, scope = todo.pop()
        todo.extend(_checked(node, scope, names))


def _serialized(connection: duckdb.DuckDBPyConnection, sql: str) -> _Node:
    sys.setrecursionlimit(_DEEPEST)  # the JSON of a long chain of operators is as deep as the chain is long
    # A literal: for a parameter, DuckDB's client would import pandas, which takes longer than most queries.
    (text,) = connection.execute(f"SELECT json_serialize_sql({literal(sql)})").fetchone() or ("{}",)
    answer = json.loads(text)
    if answer.get("error_type") == "parser":
        raise QueryInvalidError(f"{answer['error_message']}{_place(sql, answer.get('position'))}")
    if answer["error"]:
        raise QueryRefusedError(f"This is no SELECT.{_advice(sql)}", hint=_ONE_SELECT)
    if len(answer["statements"]) != 1:
        raise QueryRefusedError(f"These are {len(answer['statements'])} statements.", hint=_ONE_SELECT)
    statement: _Node = answer["statements"][0]
    return statement


def _checked(node: Any, scope: _Names, tables: Mapping[str, str]) -> Iterator[tuple[Any, _Names]]:
    """What is below `node`, having found nothing wrong with itself."""
    if isinstance(node, list):
        yield from ((item, scope) for item in node)
    elif isinstance(node, dict) and not _is_constant(node):
        _require_known(node)
        _require_allowed(node, scope, tables)
        yield from _below(node, scope)


def _is_constant(node: _Node) -> bool:
    """A value or a type: the parser takes nothing but constants there."""
    return isinstance(node.get("type"), dict) or "id" in node


def _require_known(node: _Node) -> None:
    kind, known = (node["class"], _EXPRESSIONS) if "class" in node else (node.get("type"), _RELATIONS)
    if kind is not None and kind not in known:
        readable = str(kind).removesuffix("_REF").replace("_", " ").lower()
        raise QueryRefusedError(f"A query may not contain this: {readable}.", hint=_ONE_SELECT)


def _require_allowed(node: _Node, scope: _Names, tables: Mapping[str, str]) -> None:
    match node:
        case {"class": "FUNCTION" | "WINDOW", "function_name": str(name)}:
            _require_function(name, FUNCTIONS)
            if node.get("export_state"):
                raise QueryRefusedError("EXPORT_STATE is not available.", hint=_ONE_SELECT)
        case {"type": "TABLE_FUNCTION"}:
            _require_function(node["function"]["function_name"], TABLE_FUNCTIONS)
        case {"type": "BASE_TABLE"}:
            _require_table(node, scope, tables)
        case {"type": "JOIN", "ref_type": "POSITIONAL"}:
            raise QueryRefusedError("The rows of a table have no positions to join them by.", hint="Join on columns.")
        case {"type": "PIVOT", "pivots": list(pivots)}:
            if any(pivot.get("pivot_enum") for pivot in pivots):
                raise QueryRefusedError("A pivot takes its values from a list.", hint=_advice("PIVOT"))


def _require_table(node: _Node, scope: _Names, tables: Mapping[str, str]) -> None:
    name = str(node["table_name"])
    if node.get("at_clause"):
        raise QueryRefusedError("AT is not available: a table's version is chosen outside the SQL.")
    if node.get("catalog_name") or node.get("schema_name"):
        raise QueryRefusedError("A table is named without schema or database.", candidates=sorted(tables.values()))
    if name.lower() not in scope and name.lower() not in tables:
        near = difflib.get_close_matches(name.lower(), [*tables, *scope], 5, 0.5)
        near = [tables.get(found, found) for found in near]
        raise QueryRefusedError(f"The query has no table {name!r}.", candidates=near or sorted(tables.values())[:20])


def _require_function(name: str, allowed: Collection[str]) -> None:
    if name.lower() not in allowed:
        near = difflib.get_close_matches(name.lower(), allowed, 5)
        raise QueryRefusedError(f"There is no function {name!r} that a query may call.", candidates=near)


def _below(node: _Node, scope: _Names) -> Iterator[tuple[Any, _Names]]:
    for entry in (node.get("cte_map") or {}).get("map", []):
        name = _cte_name(entry["key"])
        yield entry["value"], scope
        scope |= {name}
    for key, value in node.items():
        if key == "cte_map":
            continue
        if key == "function" and node.get("type") == "TABLE_FUNCTION":
            yield from ((child, scope) for child in _arguments(value))
        elif key == "right" and node.get("type") == "RECURSIVE_CTE_NODE":
            # Only this side sees the rows so far; on the other the name would mean something outside.
            yield value, scope | {_cte_name(node["cte_name"])}
        else:
            yield value, scope


def _arguments(function: _Node) -> Iterator[Any]:
    """Of a table function, whose name is on another list than that of other functions."""
    return (value for key, value in function.items() if key not in {"class", "type", "function_name"})


def _cte_name(name: str) -> str:
    if not _CTE_NAME.fullmatch(name) or _INTERNAL.fullmatch(name):
        raise QueryRefusedError(f"WITH may not use the name {name!r}.", hint="Take letters, digits and underscores.")
    return name.lower()


def _place(sql: str, position: str | None) -> str:
    if position is None or not position.isdigit():
        return "."
    before = sql[: int(position)]
    return f" (line {before.count(chr(10)) + 1}, column {int(position) - (before.rfind(chr(10)) + 1) + 1})."


def _advice(sql: str) -> str:
    return " List the values of a pivot: PIVOT … ON column IN ('a', 'b') USING …" if _PIVOT.search(sql) else ""
