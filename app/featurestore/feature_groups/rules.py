"""What makes a feature group valid. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from app.featurestore.feature_groups.errors import TypeNotSupportedError
from app.featurestore.feature_groups.types import TYPE_NAMES, to_arrow, to_hive
from infra.errors import InvalidInputError
from tenancy.names import require_name

MAX_FEATURES = 2_000
_UNFIT_FOR_KEYS = (pa.types.is_floating, pa.types.is_nested)
_UNFIT_FOR_PARTITIONS = (
    pa.types.is_floating,
    pa.types.is_nested,
    pa.types.is_binary,
    pa.types.is_decimal,
    pa.types.is_timestamp,
)
_EVENT_TIMES = (pa.types.is_timestamp, pa.types.is_date32, pa.types.is_int64)


@dataclass(frozen=True)
class FeatureSpec:
    """A feature as asked for; `type` may be left out where a frame tells it."""

    name: str
    type: str | None = None
    description: str = ""


@dataclass(frozen=True)
class GroupSpec:
    """A group as asked for. `features` empty: take them from the frame. `primary_key` None: the first feature.

    `statistics` are options of what to compute after each commit; None: everything. `expectations` are a policy and rules for
    every insert, the first one included; None: no rules.
    """

    name: str
    version: int = 1
    description: str = ""
    primary_key: tuple[str, ...] | None = None
    event_time: str | None = None
    partition_by: tuple[str, ...] = ()
    features: tuple[FeatureSpec, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    jobs: tuple[str, ...] = ()
    statistics: dict[str, Any] | None = None
    expectations: dict[str, Any] | None = None


@dataclass(frozen=True)
class ResolvedFeature:
    name: str
    type: str
    description: str
    arrow: pa.DataType


def resolve_features(spec: GroupSpec, frame: pa.Schema | None) -> list[ResolvedFeature]:
    """Every feature with its type: as said, else as the frame has it. Lists all that is wrong at once."""
    said = {feature.name: feature for feature in spec.features}
    _require_distinct([feature.name for feature in spec.features], "features")
    names = frame.names if frame is not None else list(said)
    if not 0 < len(names) <= MAX_FEATURES:
        raise InvalidInputError(f"A feature group has 1 to {MAX_FEATURES} features, not {len(names)}.")
    unknown = [name for name in said if name not in names]
    if unknown:
        raise InvalidInputError(f"The frame has no column {unknown[0]!r}.", candidates=names[:20])
    resolved: list[ResolvedFeature] = []
    errors: list[dict[str, object]] = []
    for name in names:
        try:
            resolved.append(_resolve(said.get(name, FeatureSpec(name)), frame))
        except InvalidInputError as error:
            errors.append({"field": name, "message": error.detail, "candidates": list(error.candidates)})
    if errors:
        raise InvalidInputError(
            f"Some features are not valid: {', '.join(str(error['field']) for error in errors[:5])}.",
            errors=errors,
            hint=f"Rename columns to lower-case names, and name a type for those that have none: {TYPE_NAMES}",
        )
    return resolved


def _resolve(feature: FeatureSpec, frame: pa.Schema | None) -> ResolvedFeature:
    require_name(feature.name, "feature")
    if feature.type is not None:
        arrow = to_arrow(feature.type)
    elif frame is not None:
        received = frame.field(feature.name).type
        arrow = to_arrow(to_hive(received))
    else:
        raise TypeNotSupportedError("has no type")
    return ResolvedFeature(feature.name, to_hive(arrow), feature.description, arrow)


def require_roles(spec: GroupSpec, features: Sequence[ResolvedFeature]) -> tuple[str, ...]:
    """Check key, event time and partitions against the features; returns the primary key."""
    types = {feature.name: feature.arrow for feature in features}
    primary_key = spec.primary_key or (features[0].name,)
    for role, names in (("primary_key", primary_key), ("partition_by", spec.partition_by)):
        _require_distinct(names, role)
        _require_known(names, types, role)
    _require_known((spec.event_time,) if spec.event_time else (), types, "event_time")
    _require_fit(primary_key, types, _UNFIT_FOR_KEYS, "be part of a primary key")
    _require_fit(spec.partition_by, types, _UNFIT_FOR_PARTITIONS, "partition a feature group")
    if spec.event_time and not any(check(types[spec.event_time]) for check in _EVENT_TIMES):
        raise InvalidInputError(
            f"{spec.event_time!r} is a {to_hive(types[spec.event_time])}; an event time is a TIMESTAMP, DATE or BIGINT."
        )
    if spec.partition_by and len(spec.partition_by) >= len(types):
        raise InvalidInputError("At least one feature must not be a partition.")
    return primary_key


def require_version(version: int) -> int:
    if not 1 <= version <= 2_000_000_000:
        raise InvalidInputError(f"Versions are integers from 1, not {version}.")
    return version


def _require_distinct(names: Sequence[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInputError(f"{name[:80]!r} stands twice in {what}.")
        seen.add(name)


def _require_known(names: Sequence[str], types: dict[str, pa.DataType], role: str) -> None:
    for name in names:
        if name not in types:
            raise InvalidInputError(f"{role} names {name!r}, which is no feature.", candidates=list(types)[:20])


def _require_fit(names: Sequence[str], types: dict[str, pa.DataType], unfit: Sequence[object], doing: str) -> None:
    for name in names:
        if any(check(types[name]) for check in unfit if callable(check)):
            raise InvalidInputError(f"{name!r} is a {to_hive(types[name])} and cannot {doing}.")
