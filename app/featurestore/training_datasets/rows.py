"""Where the rows of a training dataset come from: features by name, SQL, or a frame."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import pyarrow as pa

from app.featurestore.feature_groups.conform import conform, conformed
from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.infos import group_schema
from app.featurestore.feature_groups.rules import GroupSpec, resolve_features
from app.featurestore.query.expression import CatalogGroup, FeatureExpression
from app.featurestore.query.plans import LABELS, LogicalPlan
from app.featurestore.query.service import QueryService, Retrieval
from app.featurestore.sql.service import PinnedSql, SqlQuery, SqlService
from app.featurestore.training_datasets.cluster_rows import DUCKDB, SPARK, ClusterRows, require_engine
from app.featurestore.training_datasets.states import RecordedStates
from infra.ports.tables import Snapshot
from tenancy.principals import RequestContext


@dataclass(frozen=True)
class Rows:
    """`origin` is what a manifest tells of them: `query` or `sql`, the engine, and the groups in the states that were read.

    `labels` are columns that were in the labels and are neither key nor event time: what is to be predicted.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    origin: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


Require: TypeAlias = Callable[[pa.Schema], None]
"""Raises for rows that cannot be kept; called as soon as their schema is known, before any of them is made or read."""


class RowSources:
    def __init__(self, queries: QueryService, sql: SqlService, states: RecordedStates, cluster: ClusterRows) -> None:
        self._queries = queries
        self._sql = sql
        self.states = states
        self._cluster = cluster

    def require_engine(self, name: str | None, *, has_query: bool) -> str:
        """The engine that is meant; raises InvalidInputError where it cannot give such rows, or there is none here."""
        engine = require_engine(name, has_query=has_query)
        if engine == SPARK:
            self._cluster.require()
        return engine

    @contextmanager
    def of_features(
        self,
        context: RequestContext,
        project: str,
        query: FeatureExpression,
        labels: Frame | None,
        require: Require,
        engine: str = DUCKDB,
    ) -> Iterator[Rows]:
        retrieval = self._queries.retrieve(context, project, query, labels)
        require(retrieval.schema)
        with self._joined(context, retrieval, engine) as stream:
            origin = {"query": _recorded(query), "engine": engine, "groups": _groups_of_plan(retrieval)}
            yield Rows(retrieval.schema, iter(stream), origin, _predicted(retrieval.plan))

    def _joined(
        self, context: RequestContext, retrieval: Retrieval, engine: str
    ) -> AbstractContextManager[Iterable[pa.RecordBatch]]:
        if engine == SPARK:
            assert context.principal.project_id is not None, "who reads rows has a project"
            return self._cluster.run(retrieval, context.principal.project_id)
        return self._queries.run(retrieval, ordered=True)

    @contextmanager
    def of_sql(
        self,
        context: RequestContext,
        project: str,
        query: SqlQuery,
        require: Require,
        states: Mapping[UUID, Snapshot] | None = None,
    ) -> Iterator[Rows]:
        """Types are those of the answer, as they would be of a frame; nobody knows them before it begins.

        `states` are read of the groups with these ids, in place of the present ones.
        """
        pinned = _in_states(self._sql.pin(context, project, query), states or {})
        options = {"featurestore": query.featurestore, "dialect": query.dialect}
        with self._sql.run(pinned) as stream:
            schema = group_schema(resolve_features(GroupSpec("sql"), stream.schema))
            require(schema)
            origin = {
                "sql": query.query,
                "sql_options": options,
                "engine": DUCKDB,
                "groups": _groups_of_sql(pinned),
            }
            yield Rows(schema, conformed(iter(stream), schema), origin)

    @contextmanager
    def of_frame(self, frame: Frame, require: Require) -> Iterator[Rows]:
        """Read from end to end before the first row is given, so that a frame that breaks off writes nothing."""
        schema = group_schema(resolve_features(GroupSpec("frame"), frame.schema))
        require(schema)
        yield Rows(schema, iter(conform(frame, schema).reader()))


def _recorded(query: FeatureExpression) -> dict[str, Any]:
    """The expression as JSON; times as text."""
    recorded: dict[str, Any] = json.loads(json.dumps(asdict(query), default=datetime.isoformat))
    return recorded


def _groups_of_plan(retrieval: Retrieval) -> list[dict[str, Any]]:
    """What was read, the labels' group last."""
    read = [
        _group(source.group, version)
        for source, version in zip(retrieval.plan.sources, retrieval.table_versions, strict=True)
    ]
    labels = retrieval.plan.labels
    if labels is not None and labels.group is not None and retrieval.labels is not None:
        read.append(_group(labels.group, retrieval.labels.version))
    return read


def _group(group: CatalogGroup, table_version: int | None) -> dict[str, Any]:
    """`table_version` is None of a group on demand."""
    return {
        "id": str(group.id),
        "project": group.project,
        "name": group.name,
        "version": group.version,
        "table_version": table_version,
    }


def _groups_of_sql(pinned: PinnedSql) -> list[dict[str, Any]]:
    return [
        {
            "id": str(found.group.id),
            "project": found.access.project,
            "name": found.group.name,
            "version": found.group.version,
            "table_version": table.version if isinstance(table, Snapshot) else None,
        }
        for found, table in zip(pinned.found, pinned.tables, strict=True)
    ]


def _in_states(pinned: PinnedSql, states: Mapping[UUID, Snapshot]) -> PinnedSql:
    """Columns stay those that the groups have today: the statement was read against them."""
    tables = [
        replace(states[found.group.id], schema=table.schema)
        if isinstance(table, Snapshot) and found.group.id in states
        else table
        for found, table in zip(pinned.found, pinned.tables, strict=True)
    ]
    return replace(pinned, tables=tuple(tables))


def _predicted(plan: LogicalPlan) -> tuple[str, ...]:
    if plan.labels is None:
        return ()
    keys = {pair.left for source in plan.sources for pair in source.on if pair.left_source == LABELS}
    known = keys | {plan.labels.event_time}
    return tuple(each.name for each in plan.columns if each.source == LABELS and each.feature not in known)
