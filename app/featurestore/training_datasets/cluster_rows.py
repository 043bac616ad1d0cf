"""Features joined by a cluster: it leaves rows in the warehouse, and the gateway reads them as if it had joined them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from app.featurestore.locations.service import Locations
from app.featurestore.query.lowering import numbers, to_numbered_sql
from app.featurestore.query.service import Retrieval
from app.featurestore.training_datasets.staged import StagedRows
from infra.errors import InvalidInputError, StorageUnavailableError
from infra.ports.cluster import Cluster, ClusterProgram, ClusterTable, StagedTable
from infra.ports.engine import Table
from infra.ports.storage import ObjectStore
from infra.ports.tables import Snapshot

DUCKDB: Final = "duckdb"
SPARK: Final = "spark"
ENGINES: Final = (DUCKDB, SPARK)
# No split is called so: a cluster that may write there, and nowhere else, reaches no training dataset and no table.
_FOLDER: Final = "cluster-rows"


class ClusterRows:
    """`cluster` None: the operator has none."""

    def __init__(self, cluster: Cluster | None, *, locations: Locations, store: ObjectStore) -> None:
        self._cluster = cluster
        self._locations = locations
        self._store = store

    def require(self) -> Cluster:
        if self._cluster is None:
            raise InvalidInputError(
                "This gateway has no Spark to join features with.",
                hint='Leave out engine="spark", or ask the operator to set OAST_SPARK__REMOTE.',
            )
        return self._cluster

    @contextmanager
    def run(self, retrieval: Retrieval, project_id: UUID) -> Iterator[Iterator[pa.RecordBatch]]:
        """The rows in the order that the built-in engine gives them; what the cluster wrote is gone after the block."""
        cluster = self.require()
        _require_in_warehouse(retrieval)
        self._require_in_own(retrieval)
        place = self._locations.claim(project_id, in_own=True)
        try:
            tables = {name: self._table(table, place) for name, table in retrieval.tables.items()}
            program = ClusterProgram(to_numbered_sql(retrieval.plan), tables)
            cluster.materialise(program, self._store.uri(f"{place}/{_FOLDER}"))
            staged = StagedRows(self._store, f"{place}/{_FOLDER}", retrieval.schema, numbers(retrieval.plan))
            staged.require_count(retrieval.labels.count if retrieval.labels is not None else None)
            yield staged.batches()
        finally:
            self._locations.abandon(place)

    def _require_in_own(self, retrieval: Retrieval) -> None:
        """The cluster's credentials are for the gateway's warehouse, and not for those of projects."""
        own = self._store.uri("x").removesuffix("x")
        snapshots = [table for table in retrieval.tables.values() if isinstance(table, Snapshot)]
        if not all(file.uri.startswith(own) for snapshot in snapshots for file in snapshot.files):
            raise InvalidInputError(
                "Spark cannot read groups that lie in a project's own warehouse.", hint='Leave out engine="spark".'
            )

    def _table(self, table: Table, place: str) -> ClusterTable:
        """Labels that came as a frame go where the cluster can read them."""
        if isinstance(table, Snapshot):
            return table
        path = f"{place}/labels.parquet"
        try:
            with self._store.open_output(path) as sink:
                rows = _write(table.batches(), sink)
        except OSError as error:
            raise StorageUnavailableError("The warehouse takes no more bytes just now.", retry_after=30) from error
        return StagedTable(self._store.uri(path), table.schema, rows)


def require_engine(name: str | None, *, has_query: bool) -> str:
    """The engine that is meant. SQL is the built-in engine's own, and a frame has its rows already."""
    engine = DUCKDB if name is None else name
    if engine not in ENGINES:
        raise InvalidInputError(f"There is no engine {engine[:80]!r}.", candidates=ENGINES)
    if engine == SPARK and not has_query:
        raise InvalidInputError(
            "Spark joins features: rows of SQL and of frames do not come by it.", hint='Leave out engine="spark".'
        )
    return engine


def _write(batches: pa.RecordBatchReader, sink: BinaryIO) -> int:
    rows = 0
    with pq.ParquetWriter(sink, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _require_in_warehouse(retrieval: Retrieval) -> None:
    """The cluster reaches the warehouse, and no database that connectors lead to."""
    sources = zip(retrieval.plan.sources, retrieval.pinned, strict=True)
    foreign = [source.group.label for source, pinned in sources if not isinstance(pinned.table, Snapshot)]
    labels = retrieval.plan.labels
    if labels is not None and labels.group is not None and retrieval.labels is not None:
        foreign += [] if isinstance(retrieval.labels.table, Snapshot) else [labels.group.label]
    if foreign:
        raise InvalidInputError(
            f"Spark cannot read groups on demand, whose rows are not in the warehouse: {', '.join(foreign)}.",
            hint='Leave out engine="spark", or keep their rows in feature groups.',
        )
