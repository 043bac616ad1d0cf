"""Versioned tables. Implementation: `infra/tables/delta.py`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
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
class Author:
    """Who commits: a member and the public id of the API key, as the commit list shows them later."""

    member: str
    key_id: str


@dataclass(frozen=True)
class Write:
    """One write to one table.

    `request_id` makes it happen once: a write whose id is in the log after `since_version` is answered from the log.
    `keys` are the columns to match on for an upsert. `only_after` is the one version that it may follow: where the table has
    moved on, ConflictError. `purpose` is what the commit list shows in place of the mode.
    """

    mode: WriteMode
    rows: BatchFactory
    request_id: str
    since_version: int
    keys: Sequence[str] = ()
    author: Author | None = None
    only_after: int | None = None
    purpose: str | None = None


@dataclass(frozen=True)
class LoggedCommit:
    """One line of a table's history. Counts are None where the log does not tell them; `author` where it was not ours."""

    version: int
    committed_at: datetime
    operation: str
    rows_inserted: int | None
    rows_updated: int | None
    rows_deleted: int | None
    author: Author | None


Bound: TypeAlias = datetime | date | int


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a snapshot; `uri` is absolute, `partition` maps partition columns to text or None.

    `bounds` maps timestamp, date and integer columns to their least and greatest value, where the log holds both: no row
    lies outside. `added_at` and `removed_at` are the times of the commits that brought the file in and took it out;
    only `TableStore.history` fills them.
    """

    uri: str
    bytes: int
    rows: int | None
    partition: dict[str, str | None]
    bounds: Mapping[str, tuple[Bound, Bound]] = field(default_factory=dict)
    added_at: datetime | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """A table as of one version. `schema` is the Arrow schema including partition columns.

    `files` are in the order in which they were written, the earliest first.
    """

    version: int
    schema: pa.Schema
    partition_by: tuple[str, ...]
    files: tuple[DataFile, ...]


class TableStore(Protocol):
    """Tables below the warehouse root, addressed by a relative location such as `<project-uuid>/<table-uuid>`."""

    def create(
        self,
        location: str,
        schema: pa.Schema,
        *,
        partition_by: Sequence[str],
        rows: BatchFactory | None,
        author: Author | None = None,
    ) -> Commit:
        """Make version 0, with rows or empty. Raises ConflictError if a table is already there."""

    def write(self, location: str, write: Write) -> Commit:
        """Commit once. Raises StorageUnavailableError when neither success nor failure could be established in time."""

    def find_commit(self, location: str, request_id: str, since_version: int) -> Commit | None:
        """What a write of this id has committed after `since_version`."""

    def version(self, location: str) -> int: ...

    def snapshot(self, location: str, version: int | None = None) -> Snapshot: ...

    def commits(self, location: str) -> list[LoggedCommit]:
        """The newest first. Commits whose log entry has expired are left out."""

    def version_at(self, location: str, moment: datetime) -> int:
        """The newest version committed at `moment` or before; NotFoundError, naming the first, if there is none."""

    def history(self, location: str, version: int) -> Snapshot:
        """Every file that was ever part of the table up to `version`, with `added_at` and `removed_at`.

        What a reader saw at a moment t are the rows of the files with added_at <= t and not removed_at <= t. Raises
        NotFoundError where the log no longer reaches back to the first commit.
        """

    def difference(self, location: str, old: int, new: int) -> tuple[Snapshot, Snapshot]:
        """The files of `old` that are not in `new`, and those of `new` that are not in `old`."""

    def add_columns(self, location: str, columns: pa.Schema, author: Author | None = None) -> int:
        """Append nullable columns and return the version that has them; columns there already, of the same type, are left."""
