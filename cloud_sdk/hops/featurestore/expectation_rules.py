"""What callers say rows must be like, as the gateway's rules: our own dicts, a pandera schema, a Great Expectations suite.

Neither library is needed: their objects are read by their attributes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Dict, List

from hops.featurestore.arguments import kind_of, shown
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.expectation_suites import rules_of_suite
from hops.featurestore.pandera_schemas import is_pandera, rules_of_pandera

Rule = Dict[str, Any]


def rules_of(given: Any) -> List[Rule]:
    """Raises InvalidInputError naming what has no counterpart; nothing is left out."""
    if is_pandera(given):
        return _written(rules_of_pandera(given))
    found = _plain_json(given)
    if isinstance(found, Mapping) and "expectations" in found:
        return _written(rules_of_suite(found))
    if isinstance(found, Mapping) and "rules" in found:
        found = found["rules"]
    if isinstance(found, Sequence) and not isinstance(found, str) and all(isinstance(rule, Mapping) for rule in found):
        return _written(found)
    raise InvalidInputError(
        f"rules= is {kind_of(given)}, which says nothing about rows.",
        hint='Give a list such as [{"rule": "not_null", "columns": ["id"]}], a pandera schema, or an ExpectationSuite.',
    )


def expectations_of(given: Any) -> Dict[str, Any]:
    """What `rules_of` takes, with the policy where it says one; {} where no rules are in it. Raises as that does."""
    rules = rules_of(given)
    said = {} if is_pandera(given) else _plain_json(given)
    policy = said.get("policy") if isinstance(said, Mapping) else None
    if not rules:
        return {}
    return {"policy": policy or "strict", "rules": rules}


def _plain_json(given: Any) -> Any:
    """Great Expectations' suites and what `get_expectations` answers can say themselves as plain values; text is JSON."""
    to_json = getattr(given, "to_json_dict", None)
    if callable(to_json):
        return to_json()
    if isinstance(given, str):
        try:
            return json.loads(given)
        except ValueError as error:
            raise InvalidInputError(f"rules= is a text that is no JSON: {shown(given)}.") from error
    return given


def _written(rules: Sequence[Mapping[str, Any]]) -> List[Rule]:
    return [{name: _value(value) for name, value in rule.items()} for rule in rules]


def _value(value: Any) -> Any:
    """Dates, times and decimals are texts in rules; a pandas Timestamp is a datetime, too."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_value(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, re.Pattern):
        raise InvalidInputError(f"A pattern is given as text: {value.pattern!r} and not a compiled one.")
    to_list = getattr(value, "tolist", None)  # what numpy and pandas have, and single numbers of numpy's as well
    return _value(to_list()) if callable(to_list) else value
