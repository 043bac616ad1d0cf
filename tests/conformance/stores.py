"""Rows, tables and stores in the few forms that the conformance cases need."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from infra.ports.tables import BatchFactory, Snapshot, Write, WriteMode
from infra.storage.location import Warehouse
from infra.tables.delta import DeltaTableStore

SCHEMA = pa.schema([("id", pa.int64()), ("team", pa.string()), ("score", pa.float64())])


def rows_of(*rows: Sequence[Any], schema: pa.Schema = SCHEMA, rows_per_batch: int = 1000) -> BatchFactory:
    """A factory of a reader over `rows`, each a tuple in the schema's order."""
    table = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
    return lambda: pa.RecordBatchReader.from_batches(schema, table.to_batches(max_chunksize=rows_per_batch))


def append(rows: BatchFactory, request_id: str = "request", since_version: int = 0) -> Write:
    return Write(WriteMode.APPEND, rows, request_id, since_version)


def upsert(rows: BatchFactory, request_id: str = "request", keys: Sequence[str] = ("id",)) -> Write:
    return Write(WriteMode.UPSERT, rows, request_id, 0, keys)


def overwrite(rows: BatchFactory, request_id: str = "request") -> Write:
    return Write(WriteMode.OVERWRITE, rows, request_id, 0)


def contents(warehouse: Warehouse, location: str) -> list[dict[str, Any]]:
    """Every row, read by delta-rs itself and not by the code under test, ordered by `id`."""
    from deltalake import DeltaTable, QueryBuilder

    from infra.tables.options import storage_options

    table = DeltaTable(warehouse.uri(location), storage_options=storage_options(warehouse))
    found = pa.table(QueryBuilder().register("t", table).execute('SELECT * FROM t ORDER BY "id"').read_all())
    return found.to_pylist()


def snapshot_of(warehouse: Warehouse, location: str) -> Snapshot:
    return DeltaTableStore(warehouse).snapshot(location)
