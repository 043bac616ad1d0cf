"""A plan for programs, with its text for people. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.featurestore.query.explain_text import explained_text, transfer_text
from app.featurestore.query.lowering import to_sql
from app.featurestore.query.pinned import PinnedLabels, PinnedTable
from app.featurestore.query.plans import Labels, LogicalPlan, Source
from app.featurestore.query.pruning import TimeBounds
from app.featurestore.query.times import time_text
from app.featurestore.query.transfer import Transfer, TransferMode


@dataclass(frozen=True)
class ExplainedKey:
    left: str
    right: str


@dataclass(frozen=True)
class ExplainedGroup:
    """`files_read` of `files` hold rows that may matter; `estimated_bytes` are theirs, of the columns that are read."""

    project: str
    featurestore: str
    name: str
    version: int
    table_version: int | None
    columns: list[str]
    on: list[ExplainedKey]
    join_type: str | None
    event_time: str | None
    lookback: int | None
    files: int
    files_read: int
    estimated_bytes: int | None
    why: str
    grant: str


@dataclass(frozen=True)
class ExplainedLabels:
    """`columns` are those that the query cannot do without. None of rows or times: nobody has looked at them yet."""

    columns: list[str]
    event_time: str | None
    first_time: str | None
    last_time: str | None
    feature_group: str | None
    table_version: int | None
    rows: int | None
    as_known: bool
    grant: str | None


@dataclass(frozen=True)
class Explanation:
    sql: str
    join_key: list[str]
    join_type: str
    columns: list[str]
    labels: ExplainedLabels | None
    groups: list[ExplainedGroup]
    transfer: Transfer | None
    text: str


def explain(
    plan: LogicalPlan,
    pinned: Sequence[PinnedTable],
    labels: PinnedLabels | None = None,
    transfer: Transfer | None = None,
) -> Explanation:
    sql = to_sql(plan, pretty=True)
    # A stream is what everybody expects.
    way = [transfer_text(transfer)] if transfer is not None and transfer.mode is not TransferMode.STREAM else []
    return Explanation(
        sql=sql,
        join_key=list(plan.join_key),
        join_type=plan.join_type,
        columns=[column.name for column in plan.columns],
        labels=_explained_labels(plan, plan.labels, labels) if plan.labels is not None else None,
        groups=[_explained(plan, source, table) for source, table in zip(plan.sources, pinned, strict=True)],
        transfer=transfer,
        text="\n".join([*explained_text(plan, pinned, labels), *way, "", sql]),
    )


def _explained(plan: LogicalPlan, source: Source, pinned: PinnedTable) -> ExplainedGroup:
    return ExplainedGroup(
        project=source.group.project,
        featurestore=source.group.featurestore,
        name=source.group.name,
        version=source.group.version,
        table_version=pinned.version,
        columns=list(source.columns),
        on=[ExplainedKey(pair.left, pair.right) for pair in source.on],
        join_type=plan.join_type_of(source),
        event_time=source.group.event_time if plan.labels is not None else None,
        lookback=source.lookback,
        files=pinned.files,
        files_read=pinned.files_read,
        estimated_bytes=pinned.bytes_of(len(source.columns)),
        why=source.why,
        grant=source.group.grant,
    )


def _explained_labels(plan: LogicalPlan, labels: Labels, pinned: PinnedLabels | None) -> ExplainedLabels:
    first, last = _span(labels, pinned.bounds if pinned is not None else None)
    return ExplainedLabels(
        columns=plan.needed_of_labels(labels),
        event_time=labels.event_time,
        first_time=first,
        last_time=last,
        feature_group=labels.group.label if labels.group is not None else None,
        table_version=pinned.version if pinned is not None else None,
        rows=pinned.count if pinned is not None else None,
        as_known=labels.as_known,
        grant=labels.group.grant if labels.group is not None else None,
    )


def _span(labels: Labels, bounds: TimeBounds | None) -> tuple[str | None, str | None]:
    if labels.event_time is None or bounds is None or bounds.are_none:
        return None, None
    kind = labels.columns[labels.event_time]
    return time_text(bounds.first, kind), time_text(bounds.last, kind)
