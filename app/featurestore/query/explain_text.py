"""What `explain` says to people. Pure."""

from collections.abc import Iterator, Sequence

from app.featurestore.query.pinned import PinnedLabels, PinnedTable
from app.featurestore.query.plans import LABELS, KeyPair, Labels, LogicalPlan, Source
from app.featurestore.query.times import span_text, time_text
from app.featurestore.query.transfer import Transfer

Fact = tuple[str, str]
_WIDTH = 8
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def explained_text(plan: LogicalPlan, pinned: Sequence[PinnedTable], labels: PinnedLabels | None) -> Iterator[str]:
    """A heading, then the labels and the groups as branches of it, line by line."""
    yield _heading(plan)
    branches: list[tuple[str, list[Fact]]] = []
    if plan.labels is not None:
        branches.append((_labels_title(plan.labels, labels), list(_labels_facts(plan, plan.labels, labels))))
    for source, table in zip(plan.sources, pinned, strict=True):
        branches.append((_group_title(source, table), list(_group_facts(plan, source, table))))
    for title, facts in branches[:-1]:
        yield from _branch("├─", "│ ", title, facts)
    yield from _branch("└─", "  ", *branches[-1])


def transfer_text(transfer: Transfer) -> str:
    return f"rows travel: {transfer.mode.value} ({transfer.why})"


def _branch(corner: str, side: str, title: str, facts: Sequence[Fact]) -> Iterator[str]:
    yield f"{corner} {title}"
    for word, text in facts:
        yield f"{side}   {word:<{_WIDTH}} {text}"


def _heading(plan: LogicalPlan) -> str:
    groups = _counted(len(plan.sources), "feature group")
    if plan.labels is None:
        joined = f", {plan.join_type} join" if len(plan.sources) > 1 else ""
        key = f" on {', '.join(plan.join_key)}" if plan.join_key else ""
        return f"{_counted(len(plan.columns), 'column')} from {groups}{joined}{key}"
    own = sum(column.source == LABELS for column in plan.columns)
    found = len(plan.columns) - own
    return f"{_counted(own, 'column')} of the labels, {_counted(found, 'feature')} from {groups}"


def _labels_title(labels: Labels, pinned: PinnedLabels | None) -> str:
    if labels.group is None:
        return "labels, as sent"
    version = pinned.version if pinned is not None else None
    return f"labels {labels.group.label}" + (f" (table version {version})" if version is not None else "")


def _labels_facts(plan: LogicalPlan, labels: Labels, pinned: PinnedLabels | None) -> Iterator[Fact]:
    count = pinned.count if pinned is not None else None
    rows = f"{count:,}" if count is not None else "not counted yet"
    yield "rows", f"{rows}; each is one row of the answer, in the same order"
    yield "needed", ", ".join(plan.needed_of_labels(labels)) or "no column"
    if labels.event_time is not None:
        yield "time", labels.event_time + _between(labels, labels.event_time, pinned)
    if labels.group is not None:
        yield "allowed", labels.group.grant


def _between(labels: Labels, event_time: str, pinned: PinnedLabels | None) -> str:
    if pinned is None or pinned.bounds is None or pinned.bounds.are_none:
        return ""
    kind = labels.columns[event_time]
    return f", from {time_text(pinned.bounds.first, kind)} to {time_text(pinned.bounds.last, kind)}"


def _group_title(source: Source, pinned: PinnedTable) -> str:
    version = pinned.version
    return f"{source.group.label} ({'read at its source' if version is None else f'table version {version}'})"


def _group_facts(plan: LogicalPlan, source: Source, pinned: PinnedTable) -> Iterator[Fact]:
    yield "columns", ", ".join(source.columns)
    if source.on:
        yield "joined", f"{plan.join_type_of(source)} on {_equations(source.on)}"
    if plan.labels is not None:
        yield from _time_facts(plan.labels, source)
    size = pinned.bytes_of(len(source.columns))
    if size is not None:
        yield "reads", f"{pinned.files_read:,} of {_counted(pinned.files, 'file')}, about {_bytes(size)}"
    yield "why", source.why
    yield "allowed", source.group.grant


def _equations(pairs: Sequence[KeyPair]) -> str:
    if all(pair.left == pair.right for pair in pairs):
        return ", ".join(pair.left for pair in pairs)
    return ", ".join(f"{pair.left} = {pair.right}" for pair in pairs)


def _time_facts(labels: Labels, source: Source) -> Iterator[Fact]:
    """Which of the rows with the right key a label gets."""
    event_time = source.group.event_time
    if event_time is None:
        yield "takes", "the row written last"
    else:
        yield "takes", f"the latest row with {event_time} <= {labels.event_time}; of equal times the one written last"
    if event_time is not None and source.lookback is not None:
        yield "", f"not older than {span_text(source.lookback, source.group.features[event_time])}"
    if labels.as_known:
        yield "", f"as known at {labels.event_time}: not what was written later"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _bytes(size: int) -> str:
    for least, unit in _SIZES:
        if size >= least:
            return f"{size / least:,.1f} {unit}"
    return _counted(size, "byte")
