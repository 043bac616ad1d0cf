"""Use cases that read rows: whole groups, and features by name across every feature store the caller may read."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pyarrow as pa

from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.types import to_arrow
from app.featurestore.query.catalog import PlannedGroups, catalog_group, plan_over
from app.featurestore.query.explain import Explanation, explain
from app.featurestore.query.expression import AsOf, FeatureExpression
from app.featurestore.query.label_rows import LabelRows, with_columns_of
from app.featurestore.query.lowering import to_program
from app.featurestore.query.pinned import PinnedLabels, PinnedTable
from app.featurestore.query.pinning import OnDemandTables, Pinning
from app.featurestore.query.planner import plan_group
from app.featurestore.query.plans import LogicalPlan
from app.featurestore.query.transfer import Transfer
from app.featurestore.query.trees import LABELS_TABLE, table_name
from infra.database.unit_of_work import Database
from infra.errors import InvalidInputError
from infra.ports.engine import Abandoned, BatchStream, EngineQuery, QueryEngine, Table
from infra.ports.tables import Snapshot, TableStore
from tenancy.access import Authorizer
from tenancy.actions import Action
from tenancy.principals import RequestContext
from tenancy.projects.service import feature_store_name


@dataclass(frozen=True)
class FeatureStoreInfo:
    name: str
    project: str
    shared: bool


@dataclass(frozen=True)
class Retrieval:
    """A plan pinned to the table states it will read: what was explained or recorded is what is run."""

    plan: LogicalPlan
    pinned: tuple[PinnedTable, ...]
    asker: str
    labels: PinnedLabels | None = None

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field(column.name, to_arrow(column.type)) for column in self.plan.columns])

    @property
    def table_versions(self) -> list[int | None]:
        """The version of each source's table; None of one that is not ours."""
        return [pinned.version for pinned in self.pinned]

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """The states of the sources that are tables of ours."""
        return tuple(pinned.table for pinned in self.pinned if isinstance(pinned.table, Snapshot))

    @property
    def tables(self) -> dict[str, Table]:
        sources = zip(self.plan.sources, self.pinned, strict=True)
        tables = {table_name(source): pinned.table for source, pinned in sources}
        return tables if self.labels is None else {**tables, LABELS_TABLE: self.labels.table}


class QueryService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        tables: TableStore,
        engine: QueryEngine,
        on_demand: OnDemandTables | None = None,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._tables = tables
        self._engine = engine
        self._on_demand = on_demand

    def list_feature_stores(self, context: RequestContext, project: str) -> list[FeatureStoreInfo]:
        """The project's own first, then those shared with it."""
        with self._database.read() as session:
            self._authorizer.require(session, context.principal, Action.FEATURE_STORE_LIST, project)
            accesses = self._authorizer.accesses(session, context.principal, Action.FEATURE_GROUP_READ)
        return [
            FeatureStoreInfo(feature_store_name(access.project), access.project, access.project != project)
            for access in accesses
        ]

    def retrieve(
        self, context: RequestContext, project: str, expression: FeatureExpression, frame: Frame | None = None
    ) -> Retrieval:
        """Plan `expression` over all that the caller may read, for reading now; `frame` holds the labels, if it has any."""
        planned = self._plan(context, project, expression, frame, Action.QUERY_RUN, Action.FEATURE_GROUP_READ_ROWS)
        labels = planned.plan.labels
        rows = LabelRows(frame, labels) if frame is not None and labels is not None else None
        return self._pinned(context, planned, rows)

    def announce(
        self, context: RequestContext, project: str, expression: FeatureExpression, frame: Frame | None = None
    ) -> Retrieval:
        """As `retrieve`, for rows that somebody else will read: of the labels only the columns are looked at."""
        planned = self._plan(context, project, expression, frame, Action.QUERY_RUN, Action.FEATURE_GROUP_READ_ROWS)
        return self._pinned(context, planned, None)

    def retrieve_group(
        self,
        context: RequestContext,
        project: str,
        name: str,
        version: int,
        columns: Sequence[str],
        as_of: AsOf | None = None,
    ) -> Retrieval:
        with self._database.read() as session:
            principal = context.principal
            access = self._authorizer.require(session, principal, Action.FEATURE_GROUP_READ_ROWS, project)
            group = FeatureGroupRepository(session).get(access.project_id, name, version)
            chosen = catalog_group(group, access, principal.project_id)
        return self._pinned(context, PlannedGroups(plan_group(chosen, columns, as_of), {group.id: group}), None)

    def explain(
        self,
        context: RequestContext,
        project: str,
        expression: FeatureExpression,
        frame: Frame | None = None,
        transfer: Callable[[Retrieval], Transfer] | None = None,
    ) -> Explanation:
        """Reads no rows. A frame may come without any: it tells the columns of the labels.

        `transfer` knows how the rows would travel.
        """
        planned = self._plan(context, project, expression, frame, Action.QUERY_EXPLAIN, Action.FEATURE_GROUP_READ)
        labels = planned.plan.labels
        rows = LabelRows(frame, labels) if frame is not None and labels is not None and frame.has_rows else None
        retrieval = self._pinned(context, planned, rows)
        way = None if transfer is None else transfer(retrieval)
        return explain(retrieval.plan, retrieval.pinned, retrieval.labels, way)

    def run(
        self,
        retrieval: Retrieval,
        *,
        compression: str = "none",
        abandoned: Abandoned | None = None,
        ordered: bool = False,
    ) -> AbstractContextManager[BatchStream]:
        """Start it. Closing the stream early stops the query.

        `ordered` costs a sort of what is joined or partitioned, and gives the same rows in the same order each time; sources
        that are not tables of ours have no order to keep.
        """
        is_ours = len(retrieval.snapshots) == len(retrieval.pinned)
        # Values of partitions are joined to the rows of their files, after which these come as threads find them.
        is_joined = len(retrieval.pinned) > 1 or any(table.partition_by for table in retrieval.snapshots)
        program = to_program(retrieval.plan, ordered=ordered and is_ours and is_joined)
        query = EngineQuery(
            program.sql,
            retrieval.tables,
            retrieval.schema,
            steps=program.steps,
            compression=compression,
            exact_rows=retrieval.labels.count if retrieval.labels is not None else None,
            asker=retrieval.asker,
        )
        return self._engine.execute(query, abandoned=abandoned)

    def _plan(
        self,
        context: RequestContext,
        project: str,
        expression: FeatureExpression,
        frame: Frame | None,
        asking: Action,
        reading: Action,
    ) -> PlannedGroups:
        if frame is not None:
            expression = with_columns_of(frame, expression)
        elif expression.labels is not None and expression.labels.feature_group is None:
            raise InvalidInputError(
                "The query has labels, but neither did a frame come with it nor does it name a group."
            )
        with self._database.read() as session:
            self._authorizer.require(session, context.principal, asking, project)
            accesses = self._authorizer.accesses(session, context.principal, reading)
            return plan_over(session, expression, accesses, context.principal.project_id)

    def _pinned(self, context: RequestContext, planned: PlannedGroups, rows: LabelRows | None) -> Retrieval:
        pinning = Pinning(self._tables, self._on_demand, planned.groups)
        labels = pinning.labels(planned.plan, rows)
        sources = tuple(pinning.source(source, planned.plan, labels) for source in planned.plan.sources)
        return Retrieval(planned.plan, sources, str(context.principal.project_id), labels)
