"""Use cases that compare two states of one feature group."""

from contextlib import AbstractContextManager
from dataclasses import replace

import pyarrow as pa

from app.featurestore.changes.lowering import NEW, OLD, change_column, to_sql
from app.featurestore.feature_groups.infos import group_schema
from app.featurestore.feature_groups.registration import require_stored
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.query.expression import AsOf
from infra.database.unit_of_work import Database
from infra.ports.engine import Abandoned, BatchStream, EngineQuery, QueryEngine
from infra.ports.tables import TableStore
from tenancy.access import Authorizer
from tenancy.actions import Action
from tenancy.principals import RequestContext


class ChangeService:
    def __init__(self, *, database: Database, authorizer: Authorizer, tables: TableStore, engine: QueryEngine) -> None:
        self._database = database
        self._authorizer = authorizer
        self._tables = tables
        self._engine = engine

    def compare(
        self,
        context: RequestContext,
        project: str,
        name: str,
        version: int,
        old: AsOf,
        new: AsOf | None,
        compression: str = "none",
    ) -> EngineQuery:
        """What it takes to tell the rows of two states apart: only files that are in one of them and not in the other.

        `new` None: the newest state. A feature that a state did not have yet is null in its rows.
        """
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.FEATURE_GROUP_READ_ROWS, project)
            group = require_stored(FeatureGroupRepository(session).get(access.project_id, name, version))
            schema, location, row_key = group_schema(group.features), group.location, group.row_key
        states = self._tables.difference(location, self._version(location, old), self._version(location, new))
        tables = {side: replace(state, schema=schema) for side, state in zip((OLD, NEW), states, strict=True)}
        answer = pa.schema([pa.field(change_column(schema.names), pa.string()), *schema])
        asker = str(context.principal.project_id)
        return EngineQuery(to_sql(schema.names, row_key), tables, answer, compression=compression, asker=asker)

    def run(
        self, comparison: EngineQuery, *, abandoned: Abandoned | None = None
    ) -> AbstractContextManager[BatchStream]:
        """Start it. Closing the stream early stops the query."""
        return self._engine.execute(comparison, abandoned=abandoned)

    def _version(self, location: str, state: AsOf | None) -> int:
        if state is None:
            return self._tables.version(location)
        return state if isinstance(state, int) else self._tables.version_at(location, state)
