"""From requested names to a plan: which groups, joined how, giving which columns. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.featurestore.query.errors import JoinKeyNotFoundError
from app.featurestore.query.expression import CatalogGroup, CatalogSnapshot, FeatureExpression
from app.featurestore.query.resolution import KEY_OF_READ_GROUP, Choice, resolve
from infra.errors import InvalidInputError

MAX_FEATURES = 2_000


@dataclass(frozen=True)
class Column:
    """An output column: `feature` of the group with index `source`."""

    name: str
    source: int
    type: str


@dataclass(frozen=True)
class Source:
    """A group that is read; `columns` are all that is needed of it, join key included."""

    group: CatalogGroup
    columns: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class LogicalPlan:
    """Sources joined on `join_key` (empty for a single source), then projected to `columns` in order."""

    sources: tuple[Source, ...]
    join_key: tuple[str, ...]
    columns: tuple[Column, ...]
    join_type: str = "inner"


def plan(expression: FeatureExpression, catalog: CatalogSnapshot) -> LogicalPlan:
    """Raises FeatureNotFoundError, FeatureAmbiguousError or JoinKeyNotFoundError, with candidates from `catalog` only."""
    if not 0 < len(expression.features) <= MAX_FEATURES:
        raise InvalidInputError(f"Ask for 1 to {MAX_FEATURES} features, not {len(expression.features)}.")
    choices = resolve(expression, catalog)
    _require_distinct(choices)
    groups = list({choice.group.id: choice.group for choice in choices}.values())
    join_key = find_join_key(groups, expression.join_key)
    sources = tuple(_source(group, choices, join_key) for group in groups)
    position = {group.id: index for index, group in enumerate(groups)}
    columns = tuple(
        Column(choice.feature, position[choice.group.id], choice.group.features[choice.feature]) for choice in choices
    )
    return LogicalPlan(sources, join_key, columns)


def plan_group(group: CatalogGroup, columns: Sequence[str]) -> LogicalPlan:
    """Read `columns` of one group; all of them where none is named."""
    names = tuple(dict.fromkeys(columns)) or tuple(group.features)
    unknown = [name for name in names if name not in group.features]
    if unknown:
        raise InvalidInputError(
            f"Feature group {group.name!r} has no feature {unknown[0][:80]!r}.", candidates=list(group.features)[:20]
        )
    output = tuple(Column(name, 0, group.features[name]) for name in names)
    return LogicalPlan((Source(group, names, "named in the request"),), (), output)


def find_join_key(groups: Sequence[CatalogGroup], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The columns to join on: as asked, else the primary key in common, else a common column that is key of some group."""
    if asked:
        _require_columns(groups, asked)
    if len(groups) == 1:
        return ()
    if asked:
        return asked
    shared_key = [name for name in groups[0].primary_key if all(name in group.primary_key for group in groups)]
    if shared_key:
        return tuple(shared_key)
    shared = [name for name in groups[0].features if all(name in group.features for group in groups)]
    keyed = [name for name in shared if any(name in group.primary_key for group in groups)]
    if not keyed:
        keys = "; ".join(f"{group.label} has ({', '.join(group.primary_key)})" for group in groups)
        raise JoinKeyNotFoundError(
            f"No key is common to all {len(groups)} feature groups: {keys}.",
            candidates=shared,
            hint="Name a common column as join_key, or ask for these features in separate queries.",
        )
    # One column, the one that is a key most often: joining on more than one guess would drop rows unasked.
    return (max(keyed, key=lambda name: sum(name in group.primary_key for group in groups)),)


def _require_columns(groups: Sequence[CatalogGroup], asked: Sequence[str]) -> None:
    for group in groups:
        missing = [name for name in asked if name not in group.features]
        if missing:
            raise JoinKeyNotFoundError(
                f"{group.label} has no column {missing[0][:80]!r} to join on.", candidates=group.primary_key
            )


def _require_distinct(choices: Sequence[Choice]) -> None:
    names = [choice.feature for choice in choices]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InvalidInputError(
            f"Two of the requested features are called {twice[0]!r}.", hint="Ask for them in separate queries."
        )


def _source(group: CatalogGroup, choices: Sequence[Choice], join_key: tuple[str, ...]) -> Source:
    mine = [choice for choice in choices if choice.group.id == group.id]
    needed = dict.fromkeys([*join_key, *(choice.feature for choice in mine)])
    whys = dict.fromkeys(choice.why for choice in mine if choice.why != KEY_OF_READ_GROUP)
    return Source(group, tuple(needed), "; ".join(whys))
