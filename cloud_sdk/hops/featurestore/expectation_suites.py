"""Suites of Great Expectations, as their JSON says them, in its versions 0.x and 1.x → rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict, List

from hops.featurestore.errors import InvalidInputError

Rule = Dict[str, Any]
_Arguments = Dict[str, Any]
# Arguments that say how a result is told, or the default of something that would change what is asked.
_ABOUT_RESULTS = {"result_format", "catch_exceptions", "include_config", "batch_id", "meta", "notes", "description"}
_DEFAULTS: Mapping[str, Any] = {
    "mostly": 1,
    "strict_min": False,
    "strict_max": False,
    "ignore_row_if": "all_values_are_missing",
    "severity": "critical",
    "auto": False,
}


def rules_of_suite(suite: Mapping[str, Any]) -> List[Rule]:
    return [_rule(expectation) for expectation in suite["expectations"]]


def _rule(expectation: Mapping[str, Any]) -> Rule:
    kind = str(expectation.get("type", expectation.get("expectation_type")))
    translation = _EXPECTATIONS.get(kind)
    if translation is None:
        raise _untranslatable(kind, "")
    # Suites of 1.x say beside the arguments how much a failure matters; one that only warns is no rule.
    said = {**expectation.get("kwargs", {}), "severity": expectation.get("severity")}
    given = {
        name: value
        for name, value in said.items()
        if value is not None and name not in _ABOUT_RESULTS and _DEFAULTS.get(name, _Unlike) != value
    }
    for name, value in given.items():
        if isinstance(value, Mapping):
            raise _untranslatable(kind, f" with {name}={value}, a parameter that has no value yet,")
    try:
        rule = translation(given)
    except KeyError as error:
        raise InvalidInputError(f"{kind} has no {error.args[0]}.") from error
    if given:
        told = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise _untranslatable(kind, f" with {told}")
    return rule


class _Unlike:
    """Equal to no argument."""


def _between(given: _Arguments) -> Rule:
    rule = {"rule": "range", "column": given.pop("column")}
    bounds = {side: given.pop(f"{side}_value") for side in ("min", "max") if f"{side}_value" in given}
    excluded = {f"exclusive_{side}": True for side in ("min", "max") if given.pop(f"strict_{side}", False)}
    return {**rule, **bounds, **excluded}


def _row_count(given: _Arguments) -> Rule:
    bounds = {side: given.pop(f"{side}_value") for side in ("min", "max") if f"{side}_value" in given}
    return {"rule": "row_count", **bounds}


def _compound(given: _Arguments) -> Rule:
    if given.get("ignore_row_if") == "any_value_is_missing":
        del given["ignore_row_if"]
    return {"rule": "unique", "columns": list(given.pop("column_list"))}


_EXPECTATIONS: Dict[str, Callable[[_Arguments], Rule]] = {
    "expect_column_values_to_not_be_null": lambda given: {"rule": "not_null", "columns": [given.pop("column")]},
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": lambda given: {
        "rule": "in_set",
        "column": given.pop("column"),
        "values": list(given.pop("value_set")),
    },
    "expect_column_values_to_be_unique": lambda given: {"rule": "unique", "columns": [given.pop("column")]},
    "expect_column_values_to_match_regex": lambda given: {
        "rule": "regex",
        "column": given.pop("column"),
        "pattern": given.pop("regex"),
    },
    "expect_compound_columns_to_be_unique": _compound,
    "expect_table_row_count_to_be_between": _row_count,
}


def _untranslatable(kind: str, how: str) -> InvalidInputError:
    return InvalidInputError(
        f"The suite has {kind}{how}, for which the gateway has no rule.",
        hint=f"Take it out, and check it before inserting. With a counterpart: {', '.join(_EXPECTATIONS)}.",
    )
