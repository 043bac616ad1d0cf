"""Which state of which table each part of a plan reads."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol
from uuid import UUID

import pyarrow as pa

from app.featurestore.feature_groups.models import ON_DEMAND, FeatureGroup
from app.featurestore.feature_groups.types import to_arrow
from app.featurestore.query.expression import AsOf, CatalogGroup
from app.featurestore.query.label_rows import LabelRows, numbered
from app.featurestore.query.pinned import PinnedLabels, PinnedTable
from app.featurestore.query.plans import LogicalPlan, Source
from app.featurestore.query.pruning import NO_TIMES, TimeBounds, reachable
from app.featurestore.query.times import as_number
from infra.errors import InvalidInputError
from infra.ports.engine import Rows
from infra.ports.tables import Snapshot, TableStore


class OnDemandTables(Protocol):
    """Rows of groups that live in a foreign database."""

    def table(self, group: FeatureGroup, columns: list[str]) -> Rows:
        """The columns, read from the source each time the rows are opened."""


class Pinning:
    """`groups` are those of the plan, by id."""

    def __init__(
        self, tables: TableStore, on_demand: OnDemandTables | None, groups: Mapping[UUID, FeatureGroup]
    ) -> None:
        self._tables = tables
        self._on_demand = on_demand
        self._groups = groups

    def labels(self, plan: LogicalPlan, rows: LabelRows | None) -> PinnedLabels | None:
        if plan.labels is None:
            return None
        if plan.labels.group is None:
            return PinnedLabels(rows.rows, rows.count, rows.bounds) if rows is not None else _ANNOUNCED
        if self._is_foreign(plan.labels.group):
            foreign = self._foreign(plan.labels.group, plan.labels.columns, is_present=plan.labels.as_of is None)
            return PinnedLabels(_with_order(foreign), None, None)
        snapshot = self._snapshot(plan.labels.group, plan.labels.as_of)
        counts = [file.rows for file in snapshot.files]
        count = None if None in counts else sum(count or 0 for count in counts)
        return PinnedLabels(snapshot, count, _bounds_of(snapshot, plan.labels.event_time))

    def source(self, source: Source, plan: LogicalPlan, labels: PinnedLabels | None) -> PinnedTable:
        as_known = plan.labels is not None and plan.labels.as_known
        if self._is_foreign(source.group):
            rows = self._foreign(source.group, source.columns, is_present=source.as_of is None and not as_known)
            return PinnedTable(_with_order(rows) if plan.labels is not None else rows, 0)
        snapshot = self._history(source) if as_known else self._snapshot(source.group, source.as_of)
        files = len(snapshot.files)
        if labels is not None and source.group.event_time is not None and labels.bounds is not None:
            kept = reachable(snapshot.files, source.group.event_time, labels.bounds, source.lookback)
            snapshot = replace(snapshot, files=kept)
        return PinnedTable(snapshot, files)

    def _is_foreign(self, group: CatalogGroup) -> bool:
        return self._groups[group.id].kind == ON_DEMAND

    def _foreign(self, group: CatalogGroup, columns: Iterable[str], *, is_present: bool) -> Rows:
        if not is_present:
            raise InvalidInputError(
                f"{group.label} is read from its source as that is now; it has no earlier states.",
                hint="Leave out as_of and as_known, or keep its rows in a feature group.",
            )
        assert self._on_demand is not None
        return self._on_demand.table(self._groups[group.id], list(columns))

    def _snapshot(self, group: CatalogGroup, as_of: AsOf | None) -> Snapshot:
        location = self._groups[group.id].location
        return _as_registered(self._tables.snapshot(location, self._version(location, as_of)), group)

    def _history(self, source: Source) -> Snapshot:
        location = self._groups[source.group.id].location
        version = self._version(location, source.as_of)
        history = self._tables.history(location, self._tables.version(location) if version is None else version)
        return _as_registered(history, source.group)

    def _version(self, location: str, as_of: AsOf | None) -> int | None:
        return as_of if as_of is None or isinstance(as_of, int) else self._tables.version_at(location, as_of)


_ANNOUNCED = PinnedLabels(Rows(pa.schema([]), lambda: pa.RecordBatchReader.from_batches(pa.schema([]), [])), None, None)
"""Labels of which only the columns are known, for explaining."""


def _with_order(rows: Rows) -> Rows:
    return Rows(numbered(pa.RecordBatchReader.from_batches(rows.schema, [])).schema, lambda: numbered(rows.batches()))


def _as_registered(snapshot: Snapshot, group: CatalogGroup) -> Snapshot:
    """With the features that the group has today: a state from before one was appended has nulls for it."""
    return replace(
        snapshot, schema=pa.schema([pa.field(name, to_arrow(kind)) for name, kind in group.features.items()])
    )


def _bounds_of(labels: Snapshot, event_time: str | None) -> TimeBounds | None:
    if event_time is None or any(event_time not in file.bounds for file in labels.files):
        return None
    numbers = [[as_number(bound) for bound in file.bounds[event_time]] for file in labels.files]
    if not numbers:
        return NO_TIMES
    return TimeBounds(min(least for least, _ in numbers), max(greatest for _, greatest in numbers))
