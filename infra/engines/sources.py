"""A query's tables as its process may reach them."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow as pa

from infra.engines.process_run import too_late
from infra.engines.protocol import Access, StoredRows
from infra.ports.engine import Rows, Table
from infra.ports.storage import ObjectStore
from infra.ports.tables import DataFile, Snapshot
from infra.storage.location import Warehouse
from infra.storage.warehouse import open_object_store

# An address is looked at each time a file is opened, and the deadline ends that.
_MARGIN_SECONDS: Final = 60
_ROWS_PER_GROUP: Final = 64 * 1024


class QuerySources:
    """Trusted SQL gets credentials for the warehouse. SQL of users gets none: signed addresses, each for one file."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._guard = threading.Lock()
        self._store: ObjectStore | None = None

    def access(self, *, trusted: bool) -> Access | None:
        if self._warehouse.s3 is None or not trusted:
            return None
        from infra.storage.credentials import with_credentials  # noqa: PLC0415 brings boto3, which is heavy

        return Access(self._warehouse.url, with_credentials(self._warehouse.s3))

    def table(self, table: Table, *, trusted: bool, spill: Path, deadline: float) -> Snapshot | StoredRows:
        if isinstance(table, Rows):
            return _stored(table, spill / f"{len(list(spill.iterdir()))}.parquet", deadline)
        seconds = int(deadline - time.monotonic()) + _MARGIN_SECONDS
        return replace(table, files=tuple(self._reachable(file, seconds, trusted=trusted) for file in table.files))

    def _reachable(self, file: DataFile, seconds: int, *, trusted: bool) -> DataFile:
        uri = file.uri
        if self._warehouse.is_s3 and not trusted:
            uri = self._signer().presigned(uri, seconds) or uri
        return replace(file, uri=uri, bounds={})

    def _signer(self) -> ObjectStore:
        with self._guard:
            if self._store is None:
                self._store = open_object_store(self._warehouse)
            return self._store


def _stored(rows: Rows, path: Path, deadline: float) -> StoredRows:
    """In constant memory and in order. As Parquet the engine reads it as often as it likes and keeps none of it."""
    import pyarrow.parquet as pq  # noqa: PLC0415 heavy

    with pq.ParquetWriter(str(path), rows.schema, compression="lz4", use_dictionary=False) as writer:
        for table in _row_groups(rows):
            if time.monotonic() > deadline:
                raise too_late()
            writer.write_table(table)
    return StoredRows(str(path))


def _row_groups(rows: Rows) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in rows.batches():
        held.append(batch)
        if sum(each.num_rows for each in held) >= _ROWS_PER_GROUP:
            yield pa.Table.from_batches(held)
            held = []
    yield pa.Table.from_batches(held, rows.schema)
