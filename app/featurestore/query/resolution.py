"""Which group a feature name means. Pure: a function of the expression and the catalog."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from app.featurestore.query.errors import FeatureAmbiguousError, FeatureNotFoundError, FeatureStoreNotFoundError
from app.featurestore.query.expression import CatalogGroup, CatalogSnapshot, FeatureExpression

_MOST_CANDIDATES = 8
KEY_OF_READ_GROUP = "key of a group that is read anyway"


@dataclass(frozen=True)
class Choice:
    """The group that answers one requested name, and why that one."""

    feature: str
    group: CatalogGroup
    why: str


def resolve(expression: FeatureExpression, catalog: CatalogSnapshot) -> list[Choice]:
    """One choice for each distinct requested name, in the order asked."""
    groups = searched_groups(expression, catalog)
    names = list(dict.fromkeys(expression.features))
    found = {name: _find(name, groups) for name in names}
    # Keys last: a key is the same in every joined group, so it is taken from one that is read anyway. Choosing a group
    # for the key's sake would add a join, and an inner join drops rows.
    keys = [name for name in names if any(name in group.primary_key for group in found[name])]
    choices = {name: _choose(name, found[name], groups, expression) for name in names if name not in keys}
    read = [choice.group for choice in choices.values()]
    for name in keys:
        holders = [group for group in read if group in found[name] and name in group.primary_key]
        if holders:
            choices[name] = Choice(name, holders[0], KEY_OF_READ_GROUP)
        else:
            choices[name] = _choose(name, found[name], groups, expression)
            read.append(choices[name].group)
    return [choices[name] for name in names]


def searched_groups(expression: FeatureExpression, catalog: CatalogSnapshot) -> list[CatalogGroup]:
    """The groups left by the feature store, the group and the versions that the expression names."""
    store, pinned = expression.featurestore, expression.feature_group_versions
    if store is not None and store not in catalog.feature_stores:
        raise FeatureStoreNotFoundError(
            f"There is no feature store {store[:80]!r} that this key can read.", candidates=list(catalog.feature_stores)
        )
    return [
        group
        for group in catalog.groups
        if store in (None, group.featurestore)
        and expression.feature_group in (None, group.name)
        and expression.version in (None, group.version)
        and (not pinned or pinned.get(group.name) == group.version)
    ]


def _find(name: str, groups: Sequence[CatalogGroup]) -> list[CatalogGroup]:
    """Every group that has the feature; at least one, or it raises."""
    owner, _, feature = name.rpartition(".")
    found = [group for group in groups if feature in group.features and (not owner or group.is_called(owner))]
    if not found:
        raise _not_found(name, feature, groups)
    return found


def _choose(
    name: str, found: Sequence[CatalogGroup], groups: Sequence[CatalogGroup], expression: FeatureExpression
) -> Choice:
    """The own project is preferred, then the latest version; what is left must be one group."""
    owner, _, feature = name.rpartition(".")
    preferred = [group for group in found if group.is_own] or found
    latest: dict[tuple[str, str], CatalogGroup] = {}
    for group in preferred:
        key = (group.featurestore, group.name)
        if key not in latest or group.version > latest[key].version:
            latest[key] = group
    if len(latest) > 1:
        raise _ambiguous(name, feature, list(latest.values()), groups)
    chosen = next(iter(latest.values()))
    return Choice(feature, chosen, _why(chosen, found, preferred, owner, expression))


def _ambiguous(
    name: str, feature: str, candidates: Sequence[CatalogGroup], groups: Sequence[CatalogGroup]
) -> FeatureAmbiguousError:
    names = [f"{_shortest_name(group, groups)}.{feature}" for group in candidates]
    return FeatureAmbiguousError(
        f"{len(candidates)} feature groups have a feature {name!r}.",
        candidates=names[:_MOST_CANDIDATES],
        hint=f"Ask for {names[0]!r}, or name the feature group, its version or the feature store.",
    )


def _shortest_name(group: CatalogGroup, groups: Sequence[CatalogGroup]) -> str:
    short = f"{group.name}_{group.version}"
    is_unique = sum(other.is_called(short) for other in groups) == 1
    return short if is_unique else group.label


def _why(
    group: CatalogGroup,
    found: Sequence[CatalogGroup],
    preferred: Sequence[CatalogGroup],
    owner: str,
    expression: FeatureExpression,
) -> str:
    reasons = []
    if owner:
        reasons.append(f"named {owner}")
    elif expression.feature_group or expression.feature_group_versions or expression.version:
        reasons.append("named in the request")
    if len(found) == 1:
        reasons.append("only group with the feature")
    elif len(preferred) < len(found):
        reasons.append("own project preferred")
    older = [other for other in preferred if other.name == group.name and other.version < group.version]
    if older:
        reasons.append(f"latest of {len(older) + 1} versions")
    return ", ".join(reasons) or "has the feature"


def _not_found(name: str, feature: str, groups: Sequence[CatalogGroup]) -> FeatureNotFoundError:
    known = sorted({known for group in groups for known in group.features})
    if feature in known:
        owners = sorted({f"{group.name}_{group.version}.{feature}" for group in groups if feature in group.features})
        return FeatureNotFoundError(f"There is no feature {name[:120]!r}.", candidates=owners[:_MOST_CANDIDATES])
    return FeatureNotFoundError(
        f"There is no feature {name[:120]!r} in the feature groups that this key can read.",
        candidates=get_close_matches(feature, known, n=5, cutoff=0.6),
    )
