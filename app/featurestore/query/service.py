"""Use cases that read rows: whole groups, and features by name across every feature store the caller may read."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.types import to_arrow
from app.featurestore.query.errors import FeatureNotFoundError
from app.featurestore.query.explain import Explanation, explain
from app.featurestore.query.expression import CatalogGroup, CatalogSnapshot, FeatureExpression
from app.featurestore.query.lowering import table_name, to_sql
from app.featurestore.query.planner import LogicalPlan, plan, plan_group
from infra.database.unit_of_work import Database
from infra.ports.engine import BatchStream, EngineQuery, QueryEngine
from infra.ports.tables import Snapshot, TableStore
from tenancy.access import Access, Authorizer
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
    """A plan pinned to the table versions it will read: what was explained or recorded is what is run."""

    plan: LogicalPlan
    snapshots: tuple[Snapshot, ...]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field(column.name, to_arrow(column.type)) for column in self.plan.columns])

    @property
    def table_versions(self) -> list[int]:
        return [snapshot.version for snapshot in self.snapshots]


class QueryService:
    def __init__(self, *, database: Database, authorizer: Authorizer, tables: TableStore, engine: QueryEngine) -> None:
        self._database = database
        self._authorizer = authorizer
        self._tables = tables
        self._engine = engine

    def list_feature_stores(self, context: RequestContext, project: str) -> list[FeatureStoreInfo]:
        """The project's own first, then those shared with it."""
        with self._database.read() as session:
            self._authorizer.require(session, context.principal, Action.FEATURE_STORE_LIST, project)
            accesses = self._authorizer.accesses(session, context.principal, Action.FEATURE_GROUP_READ)
        return [
            FeatureStoreInfo(feature_store_name(access.project), access.project, access.project != project)
            for access in accesses
        ]

    def retrieve(self, context: RequestContext, project: str, expression: FeatureExpression) -> Retrieval:
        """Plan `expression` over all that the caller may read, for reading now."""
        return self._plan(context, project, expression, Action.QUERY_RUN, Action.FEATURE_GROUP_READ_ROWS)

    def retrieve_group(
        self, context: RequestContext, project: str, name: str, version: int, columns: Sequence[str]
    ) -> Retrieval:
        with self._database.read() as session:
            principal = context.principal
            access = self._authorizer.require(session, principal, Action.FEATURE_GROUP_READ_ROWS, project)
            group = FeatureGroupRepository(session).get(access.project_id, name, version)
            chosen, location = _catalog_group(group, access, principal.project_id), group.location
        return Retrieval(plan_group(chosen, columns), (self._tables.snapshot(location),))

    def explain(self, context: RequestContext, project: str, expression: FeatureExpression) -> Explanation:
        retrieval = self._plan(context, project, expression, Action.QUERY_EXPLAIN, Action.FEATURE_GROUP_READ)
        return explain(retrieval.plan, retrieval.table_versions)

    def run(self, retrieval: Retrieval) -> AbstractContextManager[BatchStream]:
        """Start it. Closing the stream early stops the query."""
        names = [table_name(source) for source in retrieval.plan.sources]
        tables = dict(zip(names, retrieval.snapshots, strict=True))
        return self._engine.execute(EngineQuery(to_sql(retrieval.plan), tables, retrieval.schema))

    def _plan(
        self, context: RequestContext, project: str, expression: FeatureExpression, asking: Action, reading: Action
    ) -> Retrieval:
        with self._database.read() as session:
            self._authorizer.require(session, context.principal, asking, project)
            accesses = self._authorizer.accesses(session, context.principal, reading)
            chosen, locations = _plan_over(session, expression, accesses, context.principal.project_id)
        return Retrieval(chosen, tuple(self._tables.snapshot(locations[source.group.id]) for source in chosen.sources))


def _plan_over(
    session: Session, expression: FeatureExpression, accesses: Sequence[Access], own: UUID | None
) -> tuple[LogicalPlan, dict[UUID, str]]:
    """The plan, and where its groups are. Of a large registry only the groups with an asked feature are loaded."""
    repository, projects = FeatureGroupRepository(session), [access.project_id for access in accesses]
    groups = repository.in_projects(projects, {name.rpartition(".")[2] for name in expression.features})
    try:
        chosen = plan(expression, _catalog(accesses, groups, own))
    except FeatureNotFoundError:
        # Near misses have other names: they are looked for among everything, and only when they are needed.
        chosen = plan(expression, _catalog(accesses, repository.in_projects(projects), own))
    return chosen, {group.id: group.location for group in groups}


def _catalog(accesses: Sequence[Access], groups: Sequence[FeatureGroup], own: UUID | None) -> CatalogSnapshot:
    order = {access.project_id: index for index, access in enumerate(accesses)}
    ordered = sorted(groups, key=lambda group: (order[group.project_id], group.name, group.version))
    return CatalogSnapshot(
        [_catalog_group(group, accesses[order[group.project_id]], own) for group in ordered],
        [feature_store_name(access.project) for access in accesses],
    )


def _catalog_group(group: FeatureGroup, access: Access, own: UUID | None) -> CatalogGroup:
    return CatalogGroup(
        id=group.id,
        project=access.project,
        featurestore=feature_store_name(access.project),
        name=group.name,
        version=group.version,
        features={feature.name: feature.type for feature in group.features},
        primary_key=tuple(group.primary_key),
        grant=access.grant,
        is_own=access.project_id == own,
    )
