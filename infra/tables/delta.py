"""Delta tables through delta-rs."""

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import uuid4
from weakref import WeakValueDictionary

import pyarrow as pa
from deltalake import DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from infra.errors import ConflictError, GatewayError, NotFoundError, StorageUnavailableError
from infra.ports.tables import Author, BatchFactory, Commit, LoggedCommit, Snapshot, Write, WriteMode
from infra.storage.location import Warehouse
from infra.storage.routed import RoutedObjectStore
from infra.storage.warehouses import Warehouses
from infra.tables.backoff import RETRY_AFTER, Backoff, is_transient, refusal
from infra.tables.columns import missing_columns
from infra.tables.files import difference, read_history, read_snapshot
from infra.tables.identifiers import quoted
from infra.tables.kept import Kept
from infra.tables.log import (
    KEEP_LOG,
    KEEP_LOG_OF_TABLE,
    CommitLog,
    LogMemory,
    commit_times,
    logged_commits,
    next_commit,
)
from infra.tables.options import storage_options
from infra.tables.portable import require_portable, require_zones
from infra.tables.source import RowSource, empty_rows

_BEFORE_ALL: Final = -1
_DICTIONARY_BYTES: Final = 256 * 1024
_ROWS_PER_GROUP: Final = 256 * 1024
_KEPT_FILES: Final = 10_000


class DeltaTableStore:
    """Implements `infra.ports.tables.TableStore`.

    Tables stay at reader 1 / writer 2, so that any Delta engine reads them: callers bring timestamps in microseconds UTC.
    `commit_deadline` bounds how long one write may keep losing races, in seconds.
    """

    def __init__(self, warehouse: Warehouse | Warehouses, *, commit_deadline: float = 60.0) -> None:
        self._warehouses = Warehouses.of(warehouse)
        self._files = RoutedObjectStore(self._warehouses)
        self._commit_deadline = commit_deadline
        self._locks = _TableLocks()
        self._memory = LogMemory()
        self._snapshots: Kept[tuple[str, int], Snapshot] = Kept(_KEPT_FILES)

    def create(
        self,
        location: str,
        schema: pa.Schema,
        *,
        partition_by: Sequence[str],
        rows: BatchFactory | None,
        author: Author | None = None,
    ) -> Commit:
        uri = self._warehouses.uri(location)
        require_portable(schema, partition_by)
        source = RowSource(rows or empty_rows(schema), schema, partition_by=partition_by)
        creation = f"create-{uuid4()}"
        failure: Exception | None = None
        try:
            write_deltalake(
                uri,
                source.reader(),
                mode="error",
                partition_by=list(partition_by),
                configuration=KEEP_LOG_OF_TABLE,
                storage_options=self._options(location),
                writer_properties=_writer_properties(),
                commit_properties=next_commit(None, creation, author),
                post_commithook_properties=KEEP_LOG,
            )
        except (DeltaError, OSError) as error:
            if source.error is not None:
                raise source.error from error
            failure = error
        return self._created(location, creation, source, failure)

    def write(self, location: str, write: Write) -> Commit:
        uri = self._warehouses.uri(location)
        if write.mode is WriteMode.UPSERT:
            # Imported late for the sake of forks, like the query engine.
            from infra.tables.uniqueness import require_unique_keys  # noqa: PLC0415

            require_unique_keys(write.rows, write.keys)
        backoff = Backoff(self._commit_deadline)
        with self._locks.held(uri, backoff.remaining):
            return self._write_once(location, write, backoff)

    def find_commit(self, location: str, request_id: str, since_version: int) -> Commit | None:
        log = self._log(location)
        return log.find(request_id, after=since_version, until=log.newest())

    def version(self, location: str) -> int:
        return self._log(location).newest()

    def snapshot(self, location: str, version: int | None = None) -> Snapshot:
        if version is None:
            version = self.version(location)
        known = self._snapshots.find((location, version))
        if known is None:
            # Asked for a version far beyond the newest, delta-rs 1.6.6 looks for all in between, deaf to everything.
            _require_version(version, self.version(location))
            with _translated(location):
                known = read_snapshot(self._open(location, version), self._warehouses.uri(location))
            self._snapshots.keep((location, version), known, 1 + len(known.files))
        return known

    def commits(self, location: str) -> list[LoggedCommit]:
        log = self._log(location)
        return logged_commits(log.entries(log.versions()))[::-1]

    def version_at(self, location: str, moment: datetime) -> int:
        log = self._log(location)
        entries = log.entries(log.versions())
        times = commit_times(entries)
        until = bisect_right(times, moment)
        if until == 0:
            first = f"version {entries[0].version} of {times[0].isoformat(timespec='milliseconds')}"
            raise NotFoundError(f"The table has no version that old; the first that is known is {first}.")
        return entries[until - 1].version

    def history(self, location: str, version: int) -> Snapshot:
        log = self._log(location)
        versions = log.versions()
        _require_version(version, versions[-1])
        entries = log.entries(range(version + 1))
        if len(entries) <= version:
            raise NotFoundError(
                f"The log of the table no longer reaches back to its first commit, only to {versions[0]}."
            )
        return read_history(entries, self._warehouses.uri(location))

    def difference(self, location: str, old: int, new: int) -> tuple[Snapshot, Snapshot]:
        return difference(self.snapshot(location, old), self.snapshot(location, new))

    def add_columns(self, location: str, columns: pa.Schema, author: Author | None = None) -> int:
        require_zones(columns)
        uri, backoff = self._warehouses.uri(location), Backoff(self._commit_deadline)
        with self._locks.held(uri, backoff.remaining):
            while True:
                with backoff.attempt():
                    table = self._open(location)
                    missing = missing_columns(table, columns)
                    if not missing:
                        return table.version()
                    backoff.require_more_time()
                    addition = next_commit(table, f"columns-{uuid4()}", author)
                    table.alter.add_columns(missing, commit_properties=addition, post_commithook_properties=KEEP_LOG)

    def _write_once(self, location: str, write: Write, backoff: Backoff) -> Commit:
        log, searched = self._log(location), write.since_version
        while True:
            with backoff.attempt():
                table = self._open(location)
                if (commit := log.find(write.request_id, after=searched, until=table.version())) is not None:
                    return commit
                searched = table.version()
                if write.only_after not in (None, searched):
                    raise ConflictError(f"The table is at version {searched}, not {write.only_after}.")
                backoff.require_more_time()
                source = self._commit(table, write)
                commit = log.find(write.request_id, after=searched, until=table.version())
                return _accounted(commit, source)

    def _commit(self, table: DeltaTable, write: Write) -> RowSource | None:
        """The source of an append or overwrite, whose rows the log must account for; None for a merge."""
        schema = pa.schema(table.schema().to_arrow())
        source = RowSource(write.rows, schema, partition_by=table.metadata().partition_columns)
        try:
            if write.mode is WriteMode.UPSERT:
                _merge(table, source, write)
                return None
            write_deltalake(
                table,
                source.reader(),
                mode="append" if write.mode is WriteMode.APPEND else "overwrite",
                writer_properties=_writer_properties(),
                commit_properties=next_commit(table, write.request_id, write.author, write.purpose),
                post_commithook_properties=KEEP_LOG,
            )
        except (DeltaError, OSError) as error:
            # A commit is tried only after the last row, so a source that failed has committed nothing.
            if source.error is not None:
                raise source.error from error
            raise
        return source

    def _created(self, location: str, creation: str, source: RowSource, failure: Exception | None) -> Commit:
        """Our own version 0, also where the answer to its commit was lost; otherwise why there is none."""
        log, backoff = self._log(location), Backoff(self._commit_deadline)
        while True:
            with backoff.attempt():
                try:
                    self._open(location, 0)
                except TableNotFoundError:
                    raise refusal(failure or LookupError()) from failure
                commit = log.find(creation, after=_BEFORE_ALL, until=0)
                if commit is None and failure is not None:
                    raise ConflictError("There is a table at this location already.") from failure
                return _accounted(commit, source)

    def _log(self, location: str) -> CommitLog:
        return CommitLog(self._files, location, self._memory)

    def _options(self, location: str) -> dict[str, str]:
        """Anew for each use: the keys of a role expire."""
        return storage_options(self._warehouses.reach_path(location)[0])

    def _open(self, location: str, version: int | None = None) -> DeltaTable:
        return DeltaTable(self._warehouses.uri(location), version=version, storage_options=self._options(location))


class _TableLocks:
    """One lock per table: threads of this process queue here instead of racing for the log and writing files in vain."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()

    @contextmanager
    def held(self, uri: str, seconds: float) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(uri, threading.Lock())
        if not lock.acquire(timeout=seconds):
            raise StorageUnavailableError("Other writes to this table did not finish in time.", retry_after=RETRY_AFTER)
        try:
            yield
        finally:
            lock.release()


def _merge(table: DeltaTable, source: RowSource, write: Write) -> None:
    matched = " AND ".join(f"target.{quoted(key)} = source.{quoted(key)}" for key in write.keys)
    merger = table.merge(
        source.reader(),
        predicate=matched,
        source_alias="source",
        target_alias="target",
        streamed_exec=True,
        writer_properties=_writer_properties(),
        commit_properties=next_commit(table, write.request_id, write.author),
        post_commithook_properties=KEEP_LOG,
    )
    merger.when_matched_update_all().when_not_matched_insert_all().execute()


def _require_version(version: int, newest: int) -> None:
    if not 0 <= version <= newest:
        raise NotFoundError(f"The table has no version {version}; its newest is {newest}.")


def _accounted(commit: Commit | None, source: RowSource | None) -> Commit:
    """What the log holds, having compared it with what was sent: a difference is lost or doubled rows, never a detail."""
    if commit is None:
        raise GatewayError("The table engine reported a commit that its log does not hold.")
    if source is not None and commit.rows_inserted != source.count:
        raise GatewayError(f"The log counts {commit.rows_inserted} rows where {source.count} were written.")
    return commit


def _writer_properties() -> WriterProperties:
    """A third less time to write than level 3 with delta-rs's own sizes, measured; files within 5 % of the same size.

    Most columns that outgrow this dictionary outgrow a larger one as well, after all the work of building it. A row group
    is in memory while it is written.
    """
    return WriterProperties(
        compression="ZSTD",
        compression_level=1,
        dictionary_page_size_limit=_DICTIONARY_BYTES,
        max_row_group_size=_ROWS_PER_GROUP,
    )


@contextmanager
def _translated(location: str) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        if isinstance(error, TableNotFoundError) or not is_transient(error):
            raise NotFoundError(f"There is no table at {location!r}.") from error
        raise refusal(error) from error
