"""Where the rows of a training dataset come from: features by name, SQL, or a frame."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import pyarrow as pa

from app.featurestore.feature_groups.conform import conform, conformed
from app.featurestore.feature_groups.frames import Frame
from app.featurestore.feature_groups.infos import group_schema
from app.featurestore.feature_groups.rules import GroupSpec, resolve_features
from app.featurestore.query.expression import CatalogGroup, FeatureExpression
from app.featurestore.query.service import QueryService, Retrieval
from app.featurestore.sql.service import PinnedSql, SqlQuery, SqlService
from infra.ports.tables import Snapshot
from tenancy.principals import RequestContext


@dataclass(frozen=True)
class Rows:
    """`origin` is what a manifest tells of them: `query` or `sql`, and the groups in the states that were read."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    origin: dict[str, Any] = field(default_factory=dict)


Require: TypeAlias = Callable[[pa.Schema], None]
"""Raises for rows that cannot be kept; called as soon as their schema is known, before any of them is made or read."""


class RowSources:
    def __init__(self, queries: QueryService, sql: SqlService) -> None:
        self._queries = queries
        self._sql = sql

    @contextmanager
    def of_features(
        self, context: RequestContext, project: str, query: FeatureExpression, labels: Frame | None, require: Require
    ) -> Iterator[Rows]:
        retrieval = self._queries.retrieve(context, project, query, labels)
        require(retrieval.schema)
        with self._queries.run(retrieval) as stream:
            origin = {"query": _recorded(query), "groups": _groups_of_plan(retrieval)}
            yield Rows(retrieval.schema, iter(stream), origin)

    @contextmanager
    def of_sql(self, context: RequestContext, project: str, query: SqlQuery, require: Require) -> Iterator[Rows]:
        """Types are those of the answer, as they would be of a frame; nobody knows them before it begins."""
        pinned = self._sql.pin(context, project, query)
        with self._sql.run(pinned) as stream:
            schema = group_schema(resolve_features(GroupSpec("sql"), stream.schema))
            require(schema)
            yield Rows(schema, conformed(iter(stream), schema), {"sql": query.query, "groups": _groups_of_sql(pinned)})

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
    return {"project": group.project, "name": group.name, "version": group.version, "table_version": table_version}


def _groups_of_sql(pinned: PinnedSql) -> list[dict[str, Any]]:
    return [
        {
            "project": found.access.project,
            "name": found.group.name,
            "version": found.group.version,
            "table_version": table.version if isinstance(table, Snapshot) else None,
        }
        for found, table in zip(pinned.found, pinned.tables, strict=True)
    ]
