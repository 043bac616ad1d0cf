"""pandera's schemas → rules.

Types are not translated: the gateway compares those of every frame with the feature group anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Dict, List

from hops.featurestore.errors import InvalidInputError

Rule = Dict[str, Any]
# What would change values or rows, or is about more than one column; rules only look.
_OF_A_SCHEMA = {
    "checks": "checks of the whole frame",
    "parsers": "parsers",
    "index": "an index",
    "drop_invalid_rows": "drop_invalid_rows",
    "add_missing_columns": "add_missing_columns",
}
_OF_A_COLUMN = {"parsers": "parsers", "regex": "names given as patterns", "default": "a default"}


def is_pandera(given: Any) -> bool:
    """A DataFrameSchema, or a DataFrameModel, which is a class that can give one."""
    return callable(getattr(given, "to_schema", None)) or (
        isinstance(getattr(given, "columns", None), Mapping) and hasattr(given, "checks") and hasattr(given, "unique")
    )


def rules_of_pandera(given: Any) -> List[Rule]:
    schema = given.to_schema() if callable(getattr(given, "to_schema", None)) else given
    return [*_of_schema(schema), *(rule for column in schema.columns.values() for rule in _of_column(column))]


def _of_schema(schema: Any) -> Iterator[Rule]:
    for attribute, what in _OF_A_SCHEMA.items():
        if _is_set(schema, attribute):
            raise _untranslatable(what)
    unique = schema.unique
    if unique:
        yield {"rule": "unique", "columns": [unique] if isinstance(unique, str) else list(unique)}


def _is_set(owner: Any, attribute: str) -> bool:
    found = getattr(owner, attribute, None)
    # Not compared with `==`: pandera's own objects fail where the other is none of them.
    return not (found is None or found is False or (isinstance(found, list) and not found))


def _of_column(column: Any) -> Iterator[Rule]:
    for attribute, what in _OF_A_COLUMN.items():
        if _is_set(column, attribute):
            raise _untranslatable(f"{what} of column {column.name!r}")
    if not column.nullable:
        yield {"rule": "not_null", "columns": [column.name]}
    if column.unique:
        yield {"rule": "unique", "columns": [column.name]}
    for check in column.checks:
        yield {"column": column.name, **_of_check(check, column)}


def _of_check(check: Any, column: Any) -> Rule:
    function = getattr(check, "_check_fn", None)
    kind = getattr(function, "__name__", None)
    # A function of the caller's own may have the name of one of pandera's, and means something else.
    is_own = not str(getattr(function, "__module__", "")).startswith("pandera")
    translate = None if is_own else _CHECKS.get(str(kind))
    if translate is None:
        raise _untranslatable(f"the check {check.name or kind!r} of column {column.name!r}")
    if getattr(check, "raise_warning", False) or getattr(check, "groupby", None) is not None:
        raise _untranslatable(f"the check {check.name!r} of column {column.name!r}, which only warns or is by group,")
    if not getattr(check, "ignore_na", True) and column.nullable:
        raise _untranslatable(f"the check {check.name!r} of column {column.name!r} with ignore_na=False")
    statistics: Mapping[str, Any] = check.statistics
    rule = translate(statistics)
    return rule if check.name in (None, kind) else {**rule, "name": str(check.name)}


def _in_range(said: Mapping[str, Any]) -> Rule:
    rule = {"rule": "range", "min": said["min_value"], "max": said["max_value"]}
    excluded = {f"exclusive_{side}": True for side in ("min", "max") if not said.get(f"include_{side}", True)}
    return {**rule, **excluded}


def _pattern(said: Mapping[str, Any]) -> Rule:
    """Looked for at the beginning of the text, whereas a rule looks anywhere."""
    pattern, flags = said["pattern"], ""
    if isinstance(pattern, re.Pattern):
        flags = "".join(letter for letter, flag in _FLAGS.items() if pattern.flags & flag)
        if pattern.flags & ~(sum(_FLAGS.values()) | re.UNICODE):
            raise _untranslatable(f"the flags of the pattern {pattern.pattern!r}")
        pattern = pattern.pattern
    return {"rule": "regex", "pattern": f"\\A{f'(?{flags})' if flags else ''}(?:{pattern})"}


_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_CHECKS: Dict[str, Callable[[Mapping[str, Any]], Rule]] = {
    "in_range": _in_range,
    "greater_than_or_equal_to": lambda said: {"rule": "range", "min": said["min_value"]},
    "greater_than": lambda said: {"rule": "range", "min": said["min_value"], "exclusive_min": True},
    "less_than_or_equal_to": lambda said: {"rule": "range", "max": said["max_value"]},
    "less_than": lambda said: {"rule": "range", "max": said["max_value"], "exclusive_max": True},
    "isin": lambda said: {"rule": "in_set", "values": list(said["allowed_values"])},
    "str_matches": _pattern,
}


def _untranslatable(what: str) -> InvalidInputError:
    return InvalidInputError(
        f"The schema has {what}, for which the gateway has no rule.",
        hint=f"Take it out, and check it before inserting. Checks with a counterpart: {', '.join(_CHECKS)}.",
    )
