"""From requested names to a plan: which groups, joined how, giving which columns. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.featurestore.query.expression import AsOf, CatalogGroup, CatalogSnapshot, FeatureExpression, JoinSpec
from app.featurestore.query.joins import join_pairs, specs_by_group
from app.featurestore.query.labels import completed, label_pairs, resolve_labels
from app.featurestore.query.plans import LABELS, Column, KeyPair, Labels, LogicalPlan, Source
from app.featurestore.query.resolution import KEY_OF_READ_GROUP, Choice, resolve
from app.featurestore.query.time_travel import states_by_group
from infra.errors import InvalidInputError

MAX_FEATURES = 2_000


@dataclass(frozen=True)
class _Part:
    """One group that is read: what joins it, and what is asked of it."""

    group: CatalogGroup
    spec: JoinSpec
    on: tuple[KeyPair, ...]
    choices: tuple[Choice, ...]


def plan(expression: FeatureExpression, catalog: CatalogSnapshot) -> LogicalPlan:
    """Raises FeatureNotFoundError, FeatureAmbiguousError or JoinKeyNotFoundError, with candidates from `catalog` only."""
    if not 0 < len(expression.features) <= MAX_FEATURES:
        raise InvalidInputError(f"Ask for 1 to {MAX_FEATURES} features, not {len(expression.features)}.")
    labels = resolve_labels(expression, catalog)
    if labels is None:
        _refuse_without_labels(expression)
    chosen = _chosen(expression, catalog, labels)
    parts = _parts(expression, list(chosen.values()), labels)
    if labels is not None:
        labels = completed(labels, [(part.group, part.on) for part in parts])
    columns = _columns(expression.features, chosen, parts, labels)
    _require_distinct(columns, parts)
    states = states_by_group(expression.as_of, _groups_read(parts, labels))
    sources = tuple(_source(index, parts, states, timed=labels is not None) for index in range(len(parts)))
    if labels is not None and labels.group is not None:
        labels = replace(labels, as_of=states.get(labels.group.label))
    return LogicalPlan(sources, columns, labels)


def plan_group(group: CatalogGroup, columns: Sequence[str], as_of: AsOf | None = None) -> LogicalPlan:
    """Read `columns` of one group; all of them where none is named."""
    names = tuple(dict.fromkeys(columns)) or tuple(group.features)
    unknown = [name for name in names if name not in group.features]
    if unknown:
        raise InvalidInputError(
            f"Feature group {group.name!r} has no feature {unknown[0][:80]!r}.", candidates=list(group.features)[:20]
        )
    output = tuple(Column(name, 0, group.features[name], name) for name in names)
    return LogicalPlan((Source(group, names, "named in the request", as_of=as_of),), output)


def _refuse_without_labels(expression: FeatureExpression) -> None:
    lookbacks = [expression.lookback, *(spec.lookback for spec in expression.joins.values())]
    if expression.as_known or any(lookback is not None for lookback in lookbacks):
        raise InvalidInputError("as_known and lookback are about labels, and there are none.", hint="Give a spine.")


def _chosen(expression: FeatureExpression, catalog: CatalogSnapshot, labels: Labels | None) -> dict[str, Choice]:
    """By requested name, which group answers it; the labels' own names are left out."""
    own = labels.asked if labels is not None else ()
    names = [name for name in dict.fromkeys(expression.features) if name not in own]
    return dict(zip(names, resolve(replace(expression, features=tuple(names)), catalog), strict=True))


def _parts(expression: FeatureExpression, choices: Sequence[Choice], labels: Labels | None) -> list[_Part]:
    """The groups in the order of their first feature."""
    groups = list({choice.group.id: choice.group for choice in choices}.values())
    specs = specs_by_group(expression, groups)
    if labels is not None:
        pairs = [label_pairs(group, labels, expression.join_key, specs[group.label]) for group in groups]
    else:
        pairs = join_pairs(groups, expression.join_key, specs)
    return [
        _Part(group, specs[group.label], on, tuple(choice for choice in choices if choice.group.id == group.id))
        for group, on in zip(groups, pairs, strict=True)
    ]


def _columns(
    names: Sequence[str], chosen: Mapping[str, Choice], parts: Sequence[_Part], labels: Labels | None
) -> tuple[Column, ...]:
    """The labels' own first, then the features in the order asked."""
    given = labels.given_back if labels is not None else ()
    types = labels.columns if labels is not None else {}
    position = {part.group.id: index for index, part in enumerate(parts)}
    columns = [Column(name, LABELS, types[name], name) for name in given]
    for name in names:
        if name in chosen:
            feature, index = chosen[name].feature, position[chosen[name].group.id]
            part = parts[index]
            columns.append(Column(part.spec.prefix + feature, index, part.group.features[feature], feature))
        else:
            columns.append(Column(name, LABELS, types[name], name))
    # The same thing asked for twice, under one name or two, is answered once.
    return tuple(dict.fromkeys(columns))


def _require_distinct(columns: Sequence[Column], parts: Sequence[_Part]) -> None:
    first: dict[str, Column] = {}
    for column in columns:
        other = first.setdefault(column.name, column)
        if other is not column:
            owners = [
                "the labels" if each.source == LABELS else parts[each.source].group.label for each in (other, column)
            ]
            group = parts[max(other.source, column.source)].group.name
            raise InvalidInputError(
                f"There would be two columns {column.name!r}: of {owners[0]} and of {owners[1]}.",
                hint=f'Give one of them a prefix: joins={{"{group}": {{"prefix": "{group}_"}}}}.',
            )


def _groups_read(parts: Sequence[_Part], labels: Labels | None) -> list[CatalogGroup]:
    own = [labels.group] if labels is not None and labels.group is not None else []
    return [*(part.group for part in parts), *own]


def _source(index: int, parts: Sequence[_Part], states: Mapping[str, AsOf], *, timed: bool) -> Source:
    """`timed`: the group's event time is compared with that of labels."""
    part = parts[index]
    event_time = part.group.event_time if timed else None
    needed = [pair.left for other in parts for pair in other.on if pair.left_source == index]
    needed += [pair.right for pair in part.on]
    needed += [event_time] if event_time is not None else []
    needed += [choice.feature for choice in part.choices]
    return Source(
        part.group,
        tuple(dict.fromkeys(needed)),
        "; ".join(dict.fromkeys(choice.why for choice in part.choices if choice.why != KEY_OF_READ_GROUP)),
        part.on,
        part.spec.how or "inner",
        part.spec.lookback if event_time is not None else None,
        states.get(part.group.label),
    )
