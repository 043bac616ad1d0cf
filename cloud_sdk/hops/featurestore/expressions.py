"""The features that are asked for, as the gateway wants them said."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Dict, List, Optional, Union

from hops.featurestore.arguments import is_whole, kind_of, plain, shown
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.frames import is_column, is_frame

Names = Union[str, Sequence[str], None]
Lookback = Union[timedelta, int, None]
State = Union[int, str, datetime, None]

_KINDS = ("inner", "left")
# A version, or something that begins with a year; the rest of it is the gateway's to read.
_VERSION_OR_TIME = re.compile(r"\d+|\d{4}\D.*|\d{8}T.*", re.DOTALL)
_EXACT_UNITS = frozenset({"W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"})


class Microseconds(int):
    """What a timedelta became; the gateway sees a number, which would mean other units of a whole-number event time."""

    __slots__ = ()


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

    def __post_init__(self) -> None:
        _require_kind("how", self.how)


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
    _require_kind("join_type", join_type)
    by_group = lookback if isinstance(lookback, Mapping) else {}
    expression: Dict[str, Any] = {"features": _names(features)}
    optional = {
        "featurestore": _store(featurestore),
        "feature_group": featuregroup,
        "version": version,
        "feature_group_versions": _versions(featuregroups_version_dict or {}),
        "join_key": _columns(join_key),
        "join_type": join_type,
        "joins": _joins({} if joins is None else joins, by_group),
        "as_known": _is_known(as_known),
    }
    expression.update({name: value for name, value in optional.items() if value})
    # Zero is an answer here: a lookback of none at all, and the first version of a table.
    exact = {"lookback": None if isinstance(lookback, Mapping) else _ticks(lookback), "as_of": _states(as_of)}
    expression.update({name: value for name, value in exact.items() if value is not None})
    return expression


def label_options(**said: Any) -> Dict[str, Any]:
    """What an expression says of its labels."""
    return {name: value for name, value in said.items() if value is not None}


def require_spine(spine: Any, **arguments: Any) -> None:
    for name, value in arguments.items():
        if spine is None and value is not None:
            raise InvalidInputError(f"{name}= is about labels.", hint=f"Give them as spine=, or leave out {name}=.")


def require_no_inner(expression: Mapping[str, Any]) -> None:
    """Labels are never dropped, so with them an inner join could only be ignored."""
    said = [expression.get("join_type"), *(join.get("how") for join in expression.get("joins", {}).values())]
    if "inner" in said:
        raise InvalidInputError(
            "A join with labels is never inner: each label has one row of the answer, with nulls where nothing matches.",
            hint='Leave "inner" out, and drop rows afterwards: df.dropna(subset=[…]).',
        )


def says_a_duration(expression: Mapping[str, Any]) -> bool:
    """Whether some lookback of it was a timedelta."""
    said = [expression.get("lookback"), *(join.get("lookback") for join in expression.get("joins", {}).values())]
    return any(isinstance(lookback, Microseconds) for lookback in said)


def state_of(as_of: State, argument: str = "as_of") -> Union[int, str, None]:
    """A version or a time as the gateway reads it; raises InvalidInputError for a time without zone."""
    state = plain(as_of)
    if isinstance(state, datetime):
        if state.tzinfo is None:
            raise InvalidInputError(
                f"{argument}={state!r} has no time zone, so that it names no moment.",
                hint="Use datetime(…, tzinfo=timezone.utc).",
            )
        return state.isoformat()
    if state is None or is_whole(state) or (isinstance(state, str) and _VERSION_OR_TIME.fullmatch(state)):
        known: Union[int, str, None] = state
        return known
    raise InvalidInputError(f"{argument}={shown(state)} is neither a version nor a time.", hint=_state_hint(state))


def _state_hint(state: Any) -> str:
    if isinstance(state, date):
        return f"Which moment of that day? datetime({state.year}, {state.month}, {state.day}, tzinfo=timezone.utc) is its first."
    if _is_numpy(state, "datetime64"):
        return 'It has no time zone. Use pandas.Timestamp(…, tz="UTC").'
    return "Give a version of get_commits, such as 3, or a time with its zone, such as 2026-03-01T12:00:00Z."


def _states(as_of: Union[State, Mapping[str, State]]) -> Any:
    if isinstance(as_of, Mapping):
        return {name: state_of(state) for name, state in as_of.items()}
    return state_of(as_of)


def _is_known(as_known: Any) -> bool:
    known = plain(as_known)
    if isinstance(known, bool):
        return known
    raise InvalidInputError(
        f"as_known={shown(known)} is neither True nor False: it leaves out for each label what was written after its time.",
        hint="One earlier state for all labels is as_of=.",
    )


def _require_kind(argument: str, kind: Any) -> None:
    if kind is not None and kind not in _KINDS:
        raise InvalidInputError(f"{argument}={shown(kind)} is no kind of join.", candidates=_KINDS)


def _store(featurestore: Any) -> Optional[str]:
    if featurestore is None or isinstance(featurestore, str):
        return featurestore
    raise InvalidInputError(
        f"featurestore= is {kind_of(featurestore)} and not the name of one.",
        hint="Labels are given as spine=, versions as featuregroups_version_dict=.",
    )


def _versions(versions: Any) -> Dict[str, int]:
    if isinstance(versions, Mapping):
        return {name: plain(version) for name, version in versions.items()}
    raise InvalidInputError(
        f"featuregroups_version_dict= is {kind_of(versions)} and not a dict.", hint='Such as {"teams_features": 1}.'
    )


def _joins(joins: Any, lookbacks: Mapping[str, Lookback]) -> Dict[str, Any]:
    if not isinstance(joins, Mapping):
        raise InvalidInputError(
            f"joins= is {kind_of(joins)} and does not say which feature group it is about.",
            hint='Give a dict by name: joins={"teams_features": Join(…)}.',
        )
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
    age = _of_numpy(lookback) if _is_numpy(lookback, "timedelta64") else plain(lookback)
    if isinstance(age, timedelta):
        return Microseconds((age.days * 86_400 + age.seconds) * 1_000_000 + age.microseconds)
    if age is None or is_whole(age):
        ticks: Optional[int] = age
        return ticks
    raise InvalidInputError(f"lookback={shown(lookback)} is neither a timedelta nor a whole number.")


def _of_numpy(age: Any) -> Any:
    """A timedelta, unless it is months, years, a number without unit, or no time at all."""
    unit, _ = sys.modules["numpy"].datetime_data(age.dtype)
    return age.astype("timedelta64[us]").item() if unit in _EXACT_UNITS and age == age else age  # noqa: PLR0124 NaT is unlike itself


def _is_numpy(value: Any, kind: str) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, getattr(numpy, kind))


def _columns(names: Names) -> Union[str, List[str], None]:
    return names if names is None or isinstance(names, str) else list(names)


def _names(features: Any) -> List[str]:
    if is_frame(features) and not is_column(features):
        raise InvalidInputError(
            f"features must be the names of one or more features, and not {kind_of(features)}.",
            hint="Names come first, and labels are given as spine=:  get_features([…], spine=labels).",
        )
    names = [features] if isinstance(features, str) else list(features) if isinstance(features, Iterable) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidInputError(
            "features must be the names of one or more features.", hint='Such as ["teams_features.team_budget"].'
        )
    return names
