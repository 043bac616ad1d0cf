"""On what groups are joined with each other. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.featurestore.query.errors import JoinKeyNotFoundError
from app.featurestore.query.expression import CatalogGroup, FeatureExpression, JoinSpec
from app.featurestore.query.plans import KeyPair
from infra.errors import InvalidInputError

_KINDS = ("inner", "left")
WHOLE_NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint"})


def specs_by_group(expression: FeatureExpression, groups: Sequence[CatalogGroup]) -> dict[str, JoinSpec]:
    """By label, how each of `groups` is to be joined: as `joins` says, and where it is silent as the expression does."""
    asked = [expression.join_type, *(spec.how for spec in expression.joins.values())]
    if expression.labels is not None and "inner" in asked:
        raise InvalidInputError(
            "A join with labels is never inner: each label has one row of the answer, with nulls where nothing matches.",
            hint="Leave the kind of join out, and drop the rows with nulls from the answer.",
        )
    _require_kind(expression.join_type or "inner")
    rest = JoinSpec(how=expression.join_type or "inner", lookback=expression.lookback)
    specs: dict[str, JoinSpec] = {}
    for name, spec in expression.joins.items():
        group = _meant(name, groups)
        if group.label in specs:
            raise InvalidInputError(f"joins names {group.label} twice.", hint="Call it by one name.")
        _require_sound(spec, group)
        if expression.labels is None and group is groups[0]:
            _require_nothing_before(spec, group)
        lookback = rest.lookback if spec.lookback is None else spec.lookback
        specs[group.label] = replace(spec, how=spec.how or rest.how, lookback=lookback)
    return {group.label: rest for group in groups} | specs


def join_pairs(
    groups: Sequence[CatalogGroup], join_key: tuple[str, ...], specs: Mapping[str, JoinSpec]
) -> list[tuple[KeyPair, ...]]:
    """For each of the groups, of which there is one at least, what joins it to those before it; nothing for the first.

    Groups without a key of their own in `specs` share one: `join_key`, or one that is found.
    """
    alike = [index for index, group in enumerate(groups) if index == 0 or not specs[group.label].left_on]
    shared = find_join_key([groups[index] for index in alike], join_key)
    are_keys = not join_key and all(name in groups[index].primary_key for index in alike for name in shared)
    pairs: list[tuple[KeyPair, ...]] = [()]
    for index, group in enumerate(groups[1:], start=1):
        if specs[group.label].left_on:
            on = _asked_pairs(specs[group.label], group, groups[:index])
        elif are_keys:
            on = _key_pairs(shared, group, [(before, groups[before]) for before in alike if before < index])
        else:
            on = tuple(KeyPair(0, name, name) for name in shared)
        for pair in on:
            _require_comparable(pair, groups[pair.left_source], group)
        pairs.append(on)
    return pairs


def are_comparable(left: str, right: str) -> bool:
    """Whether values of two Hive types can be equal without one being made into the other."""
    return left == right or {left, right} <= WHOLE_NUMBERS


def find_join_key(groups: Sequence[CatalogGroup], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The columns to join on: as asked, else the primary key in common, else a common column that is key of some group."""
    if asked:
        require_columns(groups, asked)
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
            hint="Name a common column as join_key, or say in joins which column of one is which of the other.",
        )
    # One column, the one that is a key most often: joining on more than one guess would drop rows unasked.
    return (max(keyed, key=lambda name: sum(name in group.primary_key for group in groups)),)


def _key_pairs(
    shared: Sequence[str], group: CatalogGroup, before: Sequence[tuple[int, CatalogGroup]]
) -> tuple[KeyPair, ...]:
    """What all share, and every other column of the primary key that is in that of a group before.

    On less, two groups with a longer key in common would be multiplied with each other for the sake of a third.
    """
    holders = {name: index for index, other in reversed(before) for name in other.primary_key}
    names = [*shared, *(name for name in group.primary_key if name not in shared)]
    return tuple(KeyPair(holders[name], name, name) for name in names if name in holders)


def _require_comparable(pair: KeyPair, left: CatalogGroup, right: CatalogGroup) -> None:
    mine, theirs = left.features[pair.left], right.features[pair.right]
    are_decimals = mine.startswith("decimal(") and theirs.startswith("decimal(")  # of any digits, compared exactly
    if not are_comparable(mine, theirs) and not are_decimals:
        raise JoinKeyNotFoundError(
            f"{left.label}'s {pair.left!r} is a {mine}, {right.label}'s {pair.right!r} a {theirs}: they would never be equal.",
            hint="Make a new version of one of the groups with the type of the other, or join them on other columns.",
        )


def own_columns(spec: JoinSpec, group: CatalogGroup) -> tuple[str, ...]:
    """The columns of `group` that are compared with `left_on`, which exist."""
    right = spec.right_on or spec.left_on
    require_columns([group], right)
    return right


def require_columns(groups: Sequence[CatalogGroup], asked: Sequence[str]) -> None:
    for group in groups:
        missing = [name for name in asked if name not in group.features]
        if missing:
            raise JoinKeyNotFoundError(
                f"{group.label} has no column {missing[0][:80]!r} to join on.", candidates=group.primary_key
            )


def _meant(name: str, groups: Sequence[CatalogGroup]) -> CatalogGroup:
    meant = [group for group in groups if group.is_called(name)]
    if len(meant) != 1:
        raise InvalidInputError(
            f"joins names {name[:120]!r}, which is {'more than one' if meant else 'none'} of the groups read.",
            candidates=[group.label for group in meant or groups],
        )
    return meant[0]


def _require_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise InvalidInputError(f"{kind[:40]!r} is no join.", candidates=_KINDS)


def _require_sound(spec: JoinSpec, group: CatalogGroup) -> None:
    if spec.how is not None:
        _require_kind(spec.how)
    if spec.right_on and len(spec.right_on) != len(spec.left_on):
        raise InvalidInputError(
            f"joins of {group.label} has {len(spec.left_on)} columns in left_on and {len(spec.right_on)} in right_on."
        )


def _require_nothing_before(spec: JoinSpec, group: CatalogGroup) -> None:
    if spec.left_on or spec.how is not None:
        raise InvalidInputError(
            f"joins says how {group.label} is joined, and it is the first: nothing is before it to be joined to.",
            hint="Groups are joined in the order of their first feature: ask for one of another group first.",
        )


def _asked_pairs(spec: JoinSpec, group: CatalogGroup, before: Sequence[CatalogGroup]) -> tuple[KeyPair, ...]:
    right = own_columns(spec, group)
    return tuple(
        KeyPair(_holder(name, group, before), name, own) for name, own in zip(spec.left_on, right, strict=True)
    )


def _holder(name: str, group: CatalogGroup, before: Sequence[CatalogGroup]) -> int:
    """The first of the groups before that has the column."""
    for index, other in enumerate(before):
        if name in other.features:
            return index
    raise JoinKeyNotFoundError(
        f"No group before {group.label} has a column {name[:80]!r} to join on.",
        candidates=list(before[0].features)[:20],
        hint="Groups are joined in the order of their first feature.",
    )
