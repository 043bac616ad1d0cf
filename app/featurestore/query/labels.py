"""How groups are attached to labels: by which columns, at which time. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from app.featurestore.feature_groups.errors import FeatureGroupNotFoundError
from app.featurestore.query.errors import JoinKeyNotFoundError, LabelsInvalidError
from app.featurestore.query.expression import (
    CatalogGroup,
    CatalogSnapshot,
    FeatureExpression,
    JoinSpec,
)
from app.featurestore.query.joins import WHOLE_NUMBERS, are_comparable, own_columns, require_columns
from app.featurestore.query.plans import LABELS, KeyPair, Labels
from app.featurestore.query.times import is_moment

VOID = "void"


def resolve_labels(expression: FeatureExpression, catalog: CatalogSnapshot) -> Labels | None:
    """The labels with their columns known, and their event time of a type that can be one."""
    spec = expression.labels
    if spec is None:
        return None
    group = _group_of_labels(spec.feature_group, catalog) if spec.feature_group is not None else None
    columns = spec.columns if group is None else group.features
    event_time = spec.event_time if group is None else spec.event_time or group.event_time
    given_back = tuple(columns) if spec.given_back is None else spec.given_back
    _require_known((*given_back, *((event_time,) if event_time else ())), columns)
    if event_time is not None:
        _require_time(event_time, columns[event_time])
    if expression.as_known:
        columns = _knowable(columns, event_time)
    asked = _keys_of_labels(expression, catalog, columns)
    return Labels(columns, event_time, given_back, asked, group, as_known=expression.as_known)


def label_pairs(group: CatalogGroup, labels: Labels, join_key: tuple[str, ...], spec: JoinSpec) -> tuple[KeyPair, ...]:
    """What of the labels must equal what of the group: as asked, else the group's primary key under its own names."""
    if spec.left_on:
        left, right = spec.left_on, own_columns(spec, group)
    else:
        left = right = join_key or tuple(name for name in group.primary_key if name != group.event_time)
        require_columns([group], right)
    _require_key(group, left, right, labels)
    pairs = tuple(KeyPair(LABELS, mine, own) for mine, own in zip(left, right, strict=True))
    for pair in pairs:
        _require_comparable(group, pair, labels.columns)
    _require_times_agree(group, labels)
    return pairs


def completed(labels: Labels, pairs: Sequence[tuple[CatalogGroup, tuple[KeyPair, ...]]]) -> Labels:
    """Only the columns that are read. One of nulls only takes the type of what it is compared with, or any."""
    read = {*labels.given_back, *labels.asked, *(pair.left for _, on in pairs for pair in on)}
    if labels.event_time is not None:
        read.add(labels.event_time)
    types = {name: "tinyint" if kind == VOID else kind for name, kind in labels.columns.items() if name in read}
    for group, on in pairs:
        types.update({pair.left: group.features[pair.right] for pair in on if labels.columns[pair.left] == VOID})
    if labels.event_time is not None and labels.columns[labels.event_time] == VOID:
        timed = [group.features[group.event_time] for group, _ in pairs if group.event_time is not None]
        types[labels.event_time] = timed[0] if timed else "timestamp"
    return replace(labels, columns=types)


def _group_of_labels(name: str, catalog: CatalogSnapshot) -> CatalogGroup:
    """The latest version where none is named; the own project's where several have it."""
    meant = [group for group in catalog.groups if group.is_called(name)]
    if not meant:
        short = name.rpartition(".")[2]
        near = get_close_matches(short, sorted({group.name for group in catalog.groups}), n=5, cutoff=0.5)
        raise FeatureGroupNotFoundError(
            f"There is no feature group {name[:120]!r} that this key can read.",
            candidates=[group.label for group in catalog.groups if group.name in near][:8],
        )
    return max(meant, key=lambda group: (group.is_own, group.version))


def _require_known(names: Sequence[str], columns: Mapping[str, str]) -> None:
    for name in names:
        if name not in columns:
            raise LabelsInvalidError(f"The labels have no column {name[:80]!r}.", candidates=list(columns)[:20])


def _require_time(name: str, hive_type: str) -> None:
    if not is_moment(hive_type) and hive_type not in WHOLE_NUMBERS | {VOID}:
        raise LabelsInvalidError(
            f"The labels' event time {name!r} is a {hive_type}; it must be a TIMESTAMP, a DATE or a whole number.",
            hint=f'With pandas:  labels["{name}"] = pd.to_datetime(labels["{name}"], utc=True)',
        )


def _knowable(columns: Mapping[str, str], event_time: str | None) -> Mapping[str, str]:
    """The columns where the event time, compared with when rows were written, is a moment; nulls are made one."""
    if event_time is None or not (is_moment(columns[event_time]) or columns[event_time] == VOID):
        raise LabelsInvalidError(
            "as_known compares when rows were written with the labels' times, so these must be TIMESTAMP or DATE.",
            hint="Name the labels' event_time, or leave out as_known.",
        )
    return {**columns, event_time: "timestamp"} if columns[event_time] == VOID else columns


def _keys_of_labels(
    expression: FeatureExpression, catalog: CatalogSnapshot, columns: Mapping[str, str]
) -> tuple[str, ...]:
    """Requested names that the labels have themselves, being keys: no group is read for their sake."""
    keys = {name for group in catalog.groups for name in group.primary_key}
    return tuple(name for name in dict.fromkeys(expression.features) if name in columns and name in keys)


def _require_key(group: CatalogGroup, left: Sequence[str], right: Sequence[str], labels: Labels) -> None:
    example = f'joins={{"{group.name}": {{"left_on": …, "right_on": …}}}}'
    if not left:
        raise JoinKeyNotFoundError(
            f"{group.label} has no key besides its event time, so nothing says which of its rows are of which label.",
            candidates=list(group.features)[:20],
            hint=f"Say what must be equal: {example}.",
        )
    missing = [name for name in left if name not in labels.columns]
    if missing:
        raise JoinKeyNotFoundError(
            f"{group.label} is attached by ({', '.join(right)}), and the labels have no column {missing[0][:80]!r}.",
            candidates=list(labels.columns)[:20],
            hint=f"Rename the column, or say which it is: {example}.",
        )


def _require_comparable(group: CatalogGroup, pair: KeyPair, columns: Mapping[str, str]) -> None:
    mine, theirs = columns[pair.left], group.features[pair.right]
    if VOID in (mine, theirs) or are_comparable(mine, theirs):
        return
    raise JoinKeyNotFoundError(
        f"The labels' {pair.left!r} is a {mine}, {group.label}'s {pair.right!r} a {theirs}: they would never be equal.",
        hint=f"Make {pair.left!r} a {theirs} first.",
    )


def _require_times_agree(group: CatalogGroup, labels: Labels) -> None:
    if group.event_time is None:
        return
    if labels.event_time is None:
        raise LabelsInvalidError(
            f"{group.label} has the event time {group.event_time!r}, and the labels name none to compare it with.",
            hint='Name it: event_time="…". For the newest values give every label the present time.',
        )
    mine, theirs = labels.columns[labels.event_time], group.features[group.event_time]
    if mine != VOID and is_moment(mine) != is_moment(theirs):
        raise LabelsInvalidError(
            f"The labels' event time {labels.event_time!r} is a {mine}, that of {group.label} a {theirs}: "
            "which number is which moment is not for us to guess.",
            hint="Bring the labels' times into the unit of the group.",
        )
