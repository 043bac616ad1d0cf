"""Versioned tables. Implementation: `infra/tables/delta.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

import pyarrow as pa

BatchFactory: TypeAlias = Callable[[], pa.RecordBatchReader]
"""Opens the same rows from the start each time it is called: a commit that lost a race reads them again."""


class WriteMode(StrEnum):
    APPEND = "append"
    OVERWRITE = "overwrite"
    UPSERT = "upsert"


@dataclass(frozen=True)
class Commit:
    """What one commit did; the counts come from the table engine, not from the request."""

    version: int
    rows_inserted: int
    rows_updated: int


@dataclass(frozen=True)
class Write:
    """One write to one table.

    `request_id` makes it happen once: a write whose id is in the log after `since_version` is answered from the log.
    `keys` are the columns to match on for an upsert.
    """

    mode: WriteMode
    rows: BatchFactory
    request_id: str
    since_version: int
    keys: Sequence[str] = ()


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a snapshot; `uri` is absolute, `partition` maps partition columns to text or None."""

    uri: str
    bytes: int
    rows: int | None
    partition: dict[str, str | None]


@dataclass(frozen=True)
class Snapshot:
    """A table as of one version. `schema` is the Arrow schema including partition columns."""

    version: int
    schema: pa.Schema
    partition_by: tuple[str, ...]
    files: tuple[DataFile, ...]


class TableStore(Protocol):
    """Tables below the warehouse root, addressed by a relative location such as `<project-uuid>/<table-uuid>`."""

    def create(
        self, location: str, schema: pa.Schema, *, partition_by: Sequence[str], rows: BatchFactory | None
    ) -> Commit:
        """Make version 0, with rows or empty. Raises ConflictError if a table is already there."""

    def write(self, location: str, write: Write) -> Commit:
        """Commit once. Raises StorageUnavailableError when neither success nor failure could be established in time."""

    def version(self, location: str) -> int: ...

    def snapshot(self, location: str, version: int | None = None) -> Snapshot: ...
