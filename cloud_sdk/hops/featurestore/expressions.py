"""The features that are asked for, as the gateway wants them said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Dict, List, Optional, Union

from hops.featurestore.errors import InvalidInputError

Names = Union[str, Sequence[str], None]
Lookback = Union[timedelta, int, None]
State = Union[int, str, datetime, None]


@dataclass(frozen=True)
class Join:
    """How one feature group is joined in `get_features`; what is left out is found out.

    `left_on` are columns of the labels or of a group joined before, `right_on` the group's own; `how` is "inner" or "left";
    `prefix` goes before the names of its features. `lookback` is how old a match may be: a timedelta, or a number of units
    where the group's event time is a BIGINT.
    """

    left_on: Names = None
    right_on: Names = None
    how: Optional[str] = None
    prefix: str = ""
    lookback: Lookback = None


def feature_expression(
    features: Sequence[str],
    *,
    featurestore: Optional[str] = None,
    featuregroups_version_dict: Optional[Mapping[str, int]] = None,
    join_key: Names = None,
    featuregroup: Optional[str] = None,
    version: Optional[int] = None,
    join_type: Optional[str] = None,
    joins: Optional[Mapping[str, Any]] = None,
    lookback: Union[Lookback, Mapping[str, Lookback]] = None,
    as_known: bool = False,
    as_of: Union[State, Mapping[str, State]] = None,
) -> Dict[str, Any]:
    """What is None or empty is left for the gateway to find out."""
    by_group = lookback if isinstance(lookback, Mapping) else {}
    expression: Dict[str, Any] = {"features": _names(features)}
    optional = {
        "featurestore": featurestore,
        "feature_group": featuregroup,
        "version": version,
        "feature_group_versions": dict(featuregroups_version_dict or {}),
        "join_key": _columns(join_key),
        "join_type": join_type,
        "joins": _joins(joins or {}, by_group),
        "as_known": bool(as_known),
    }
    expression.update({name: value for name, value in optional.items() if value})
    # Zero is an answer here: a lookback of none at all, and the first version of a table.
    exact = {"lookback": None if isinstance(lookback, Mapping) else _ticks(lookback), "as_of": _states(as_of)}
    expression.update({name: value for name, value in exact.items() if value is not None})
    return expression


def label_options(**said: Any) -> Dict[str, Any]:
    """What an expression says of its labels."""
    return {name: value for name, value in said.items() if value is not None}


def state_of(as_of: State) -> Union[int, str, None]:
    """A version or a time as the gateway reads it; raises InvalidInputError for a time without zone."""
    if isinstance(as_of, datetime):
        if as_of.tzinfo is None:
            raise InvalidInputError(
                f"as_of={as_of!r} has no time zone, so that it names no moment.",
                hint="Use datetime(…, tzinfo=timezone.utc).",
            )
        return as_of.isoformat()
    if as_of is None or isinstance(as_of, str) or _is_whole(as_of):
        return as_of
    raise InvalidInputError(f"as_of={as_of!r} is neither a version nor a time.")


def _states(as_of: Union[State, Mapping[str, State]]) -> Any:
    if isinstance(as_of, Mapping):
        return {name: state_of(state) for name, state in as_of.items()}
    return state_of(as_of)


def _joins(joins: Mapping[str, Any], lookbacks: Mapping[str, Lookback]) -> Dict[str, Any]:
    asked = {name: _join(join) for name, join in joins.items()}
    for name, lookback in lookbacks.items():
        asked.setdefault(name, {})["lookback"] = _ticks(lookback)
    return asked


def _join(join: Any) -> Dict[str, Any]:
    if isinstance(join, Mapping):
        unknown = sorted(set(join) - set(Join.__dataclass_fields__))
        if unknown:
            raise InvalidInputError(f"A join has no {unknown[0]!r}.", candidates=list(Join.__dataclass_fields__))
        join = Join(**join)
    if not isinstance(join, Join):
        raise InvalidInputError(f"{join!r} says nothing about a join.", hint='Use Join(left_on="…") or a dict.')
    parts = {
        "left_on": _columns(join.left_on),
        "right_on": _columns(join.right_on),
        "how": join.how,
        "prefix": join.prefix,
    }
    said = {name: value for name, value in parts.items() if value}
    return said if join.lookback is None else {**said, "lookback": _ticks(join.lookback)}


def _ticks(lookback: Lookback) -> Optional[int]:
    """Microseconds of a timedelta, exactly; a number as it is."""
    if isinstance(lookback, timedelta):
        return (lookback.days * 86_400 + lookback.seconds) * 1_000_000 + lookback.microseconds
    if lookback is None or _is_whole(lookback):
        return lookback
    raise InvalidInputError(f"lookback={lookback!r} is neither a timedelta nor a whole number.")


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _columns(names: Names) -> Union[str, List[str], None]:
    return names if names is None or isinstance(names, str) else list(names)


def _names(features: Sequence[str]) -> List[str]:
    names = [features] if isinstance(features, str) else list(features)
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidInputError("features must be the names of one or more features.")
    return names
