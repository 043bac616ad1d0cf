"""Few large files in place of many small ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from app.featurestore.feature_groups.infos import group_schema
from app.featurestore.feature_groups.registration import require_stored
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.service import author_of
from infra.database.unit_of_work import Database
from infra.ports.engine import WRITE_ORDER, EngineQuery, QueryEngine
from infra.ports.tables import Snapshot, TableStore, Write, WriteMode
from tenancy.access import Authorizer
from tenancy.actions import Action
from tenancy.principals import RequestContext

# Below these sizes rewriting costs more than it saves.
FEW_FILES = 8
_LARGE_ENOUGH = 64 << 20


@dataclass(frozen=True)
class OptimizeInfo:
    """`table_version` is None where there was nothing to gain."""

    files_before: int
    files_after: int
    table_version: int | None


class OptimizeService:
    """Rewrites a table as one commit. What it was before stays readable, since files of old versions are kept (ADR 14)."""

    def __init__(self, *, database: Database, authorizer: Authorizer, tables: TableStore, engine: QueryEngine) -> None:
        self._database = database
        self._authorizer = authorizer
        self._tables = tables
        self._engine = engine

    def optimize(
        self,
        context: RequestContext,
        project: str,
        name: str,
        version: int,
        progress: Callable[[int], None] = lambda _rows: None,
    ) -> OptimizeInfo:
        """Raises ConflictError where somebody writes meanwhile: their rows count for more than tidiness."""
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.FEATURE_GROUP_INSERT, project)
            group = require_stored(FeatureGroupRepository(session).get(access.project_id, name, version))
            location, schema, asker = group.location, group_schema(group.features), str(group.project_id)
        snapshot = replace(self._tables.snapshot(location), schema=schema)
        before = len(snapshot.files)
        if not _is_scattered(snapshot):
            return OptimizeInfo(before, before, None)
        commit = self._tables.write(
            location,
            Write(
                WriteMode.OVERWRITE,
                lambda: self._in_write_order(snapshot, asker, progress),
                str(context.claim_id or context.request_id),
                snapshot.version,
                author=author_of(context),
                only_after=snapshot.version,
                purpose="optimize",
            ),
        )
        after = len(self._tables.snapshot(location, commit.version).files)
        with self._database.write() as uow:
            FeatureGroupRepository(uow.session).note_table_version(group, commit.version)
            uow.commit()
        return OptimizeInfo(before, after, commit.version)

    def _in_write_order(self, snapshot: Snapshot, asker: str, progress: Callable[[int], None]) -> pa.RecordBatchReader:
        """Of rows with equal key and time the one written later counts: their order must not change."""
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in snapshot.schema.names)
        sql = f'SELECT {names} FROM t ORDER BY "{WRITE_ORDER}"'  # noqa: S608 names are quoted
        query = EngineQuery(sql, {"t": snapshot}, snapshot.schema, asker=asker)

        def batches() -> Iterator[pa.RecordBatch]:
            rows = 0
            with self._engine.execute(query) as stream:
                for batch in stream:
                    yield batch
                    rows += batch.num_rows
                    progress(rows)

        return pa.RecordBatchReader.from_batches(snapshot.schema, batches())


def _is_scattered(snapshot: Snapshot) -> bool:
    """Whether there are more small files than partitions to keep apart."""
    partitions = {tuple(file.partition.items()) for file in snapshot.files}
    small = [file for file in snapshot.files if file.bytes < _LARGE_ENOUGH]
    return len(small) > max(FEW_FILES, 2 * len(partitions))
