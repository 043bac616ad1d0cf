"""A query's tables as its process may reach them."""

import threading
import time
from collections.abc import Iterable, Iterator
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
from infra.storage.routed import RoutedObjectStore
from infra.storage.warehouses import Warehouses

# An address is looked at each time a file is opened, and the deadline ends that.
_MARGIN_SECONDS: Final = 60
_ROWS_PER_GROUP: Final = 64 * 1024


class QuerySources:
    """Trusted SQL gets credentials for the warehouses of its tables; SQL of users none: signed addresses, each for one file."""

    def __init__(self, warehouse: Warehouse | Warehouses) -> None:
        self._warehouses = Warehouses.of(warehouse)
        self._guard = threading.Lock()
        self._store: ObjectStore | None = None

    @property
    def is_remote(self) -> bool:
        return self._warehouses.own.is_s3

    def access(self, tables: Iterable[Snapshot | StoredRows], *, trusted: bool) -> tuple[Access, ...]:
        """One for each warehouse in which files of the query lie."""
        if not self.is_remote or not trusted:
            return ()
        from infra.storage.credentials import with_credentials  # noqa: PLC0415 brings boto3, which is heavy

        # All files of a table lie below one address.
        first = [table.files[0].uri for table in tables if isinstance(table, Snapshot) and table.files]
        reached = {self._warehouses.reach(self._warehouses.holding(uri)) for uri in first}
        return tuple(Access(f"{one.url}/", with_credentials(one.s3)) for one in reached if one.s3 is not None)

    def table(self, table: Table, *, trusted: bool, spill: Path, deadline: float) -> Snapshot | StoredRows:
        if isinstance(table, Rows):
            return _stored(table, spill / f"{len(list(spill.iterdir()))}.parquet", deadline)
        seconds = int(deadline - time.monotonic()) + _MARGIN_SECONDS
        return replace(table, files=tuple(self._reachable(file, seconds, trusted=trusted) for file in table.files))

    def _reachable(self, file: DataFile, seconds: int, *, trusted: bool) -> DataFile:
        uri = file.uri
        if self.is_remote and not trusted:
            uri = self._signer().presigned(uri, seconds) or uri
        elif self.is_remote:
            self._warehouses.holding(uri)  # or it is refused: a log may name what it likes
        return replace(file, uri=uri, bounds={})

    def _signer(self) -> ObjectStore:
        with self._guard:
            if self._store is None:
                self._store = RoutedObjectStore(self._warehouses)
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
