"""What the Delta log says: who committed what, and when.

Commits are read as files here and not through `DeltaTable.history()` of delta-rs 1.6.6, for two measured reasons: it
numbers entries from the version it knows while it lists what has been written since, so that under concurrency a version
is off by one or more; and it holds the interpreter's lock while it waits for the store, so that one silent endpoint
stops every thread of the process.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction

from infra.errors import GatewayError, NotFoundError
from infra.ports.storage import ObjectStore
from infra.ports.tables import Author, Commit, LoggedCommit
from infra.tables.entries import LogEntry, parse_entry
from infra.tables.kept import Kept

_APPLICATION: Final = "oasthouse"
_REQUEST: Final = "oasthouse.request"
_MEMBER: Final = "oasthouse.member"
_KEY: Final = "oasthouse.key"
_PURPOSE: Final = "oasthouse.purpose"
_READ_AT_ONCE: Final = 8
_KEPT_BYTES: Final = 16 * 1024 * 1024  # of log text
_KEPT_TABLES: Final = 10_000
_FILE: Final = re.compile(r"/_delta_log/(\d{20})\.json$")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WRITE_MODES: Final = {"Append": "append", "Overwrite": "overwrite"}
# delta-rs would drop log files that are 30 days old when it writes a checkpoint, and with them when rows came and went.
KEEP_LOG: Final = PostCommitHookProperties(cleanup_expired_logs=False)
KEEP_LOG_OF_TABLE: Final = {"delta.enableExpiredLogCleanup": "false"}


def next_commit(
    table: DeltaTable | None, request_id: str, author: Author | None, purpose: str | None = None
) -> CommitProperties:
    """Metadata for the commit that follows what this handle has read.

    The application transaction is a compare-and-swap: delta-rs refuses it when the log has moved since this very handle
    was opened, and would let it pass on a handle opened later. A commit that creates the table has nothing to compare
    with; it must not be retried, or two creators would both succeed and the second append its rows to the first's table.
    """
    seen = 0 if table is None else (table.transaction_version(_APPLICATION) or 0)
    written_by = {} if author is None else {_MEMBER: author.member, _KEY: author.key_id}
    return CommitProperties(
        custom_metadata={_REQUEST: request_id, **written_by, **({} if purpose is None else {_PURPOSE: purpose})},
        max_commit_retries=0 if table is None else None,
        app_transactions=[Transaction(_APPLICATION, seen + 1)],
    )


class LogMemory:
    """What was read from the logs of many tables: entries by location and version, and the newest version of each."""

    def __init__(self, kept_bytes: int = _KEPT_BYTES) -> None:
        self.entries: Kept[tuple[str, int], LogEntry] = Kept(kept_bytes)
        self.newest: Kept[str, int] = Kept(_KEPT_TABLES)


class CommitLog:
    """The commit files of one table."""

    def __init__(self, store: ObjectStore, location: str, memory: LogMemory) -> None:
        self._store = store
        self._location = location
        self._memory = memory

    def find(self, request_id: str, *, after: int, until: int) -> Commit | None:
        """The commit of this request among the versions `after` (excluded) to `until`."""
        entries = self.entries(range(until, after, -1))
        return next((_counted(entry) for entry in entries if entry.info.get(_REQUEST) == request_id), None)

    def newest(self) -> int:
        """One listing of what is not older than the newest version that was known; NotFoundError without a table.

        Opening the table instead takes many turns between threads, each of which waits for a core on a busy machine.
        """
        known = self._memory.newest.find(self._location) or 0
        # From the known one on: it alone is there if nothing was written, and not even that if the table is gone.
        found = self._listed(after=self._path(known - 1) if known else "") or self.versions()
        self._memory.newest.keep(self._location, max(found))
        return max(found)

    def versions(self) -> list[int]:
        """Those whose file is there, in order; NotFoundError if none is."""
        found = sorted(self._listed())
        if not found:
            raise NotFoundError(f"There is no table at {self._location!r}.")
        return found

    def entries(self, versions: Sequence[int]) -> list[LogEntry]:
        """In the order asked; what has expired is left out."""
        if len(versions) <= 1:
            found = [self._entry(version) for version in versions]
        else:
            with ThreadPoolExecutor(min(len(versions), _READ_AT_ONCE)) as pool:
                found = list(pool.map(self._entry, versions))
        return [entry for entry in found if entry is not None]

    def _entry(self, version: int) -> LogEntry | None:
        entry = self._memory.entries.find((self._location, version))
        if entry is not None:
            return entry
        try:
            with self._store.open_input(self._path(version)) as file:
                entry = parse_entry(version, file.read())
        except NotFoundError:  # expired and cleaned up: too old to be a retry of anything
            return None
        self._memory.entries.keep((self._location, version), entry, entry.size)
        return entry

    def _listed(self, after: str = "") -> list[int]:
        paths = self._store.list_files(f"{self._location}/_delta_log", after=after)
        return [int(match[1]) for path in paths if (match := _FILE.search(path))]

    def _path(self, version: int) -> str:
        return f"{self._location}/_delta_log/{version:020}.json"


def commit_times(entries: Iterable[LogEntry]) -> list[datetime]:
    """When each was committed; `entries` are in order of version.

    Clocks of several writers differ, and two commits can fall into one millisecond. As in Delta's own time travel, a time
    that is not after the one before it is moved there, so that each version has a moment at which it was the newest.
    """
    times, last = [], -1
    for entry in entries:
        last = max(entry.timestamp, last + 1)
        times.append(_EPOCH + timedelta(milliseconds=last))
    return times


def logged_commits(entries: Sequence[LogEntry]) -> list[LoggedCommit]:
    """In order of version, as given."""
    commits, rows = [], dict[str, int | None]()
    for entry, at in zip(entries, commit_times(entries), strict=True):
        operation = _operation(entry)
        inserted, updated, deleted = _counts(entry, operation, [rows.pop(path, None) for path in entry.removed])
        rows |= {file.path: file.rows for file in entry.added}
        shown = entry.info.get(_PURPOSE, operation)
        commits.append(LoggedCommit(entry.version, at, shown, inserted, updated, deleted, _author(entry.info)))
    return commits


def _operation(entry: LogEntry) -> str:
    if entry.version == 0:
        return "create"
    match entry.info.get("operation"):
        case "WRITE":
            return _WRITE_MODES.get(str((entry.info.get("operationParameters") or {}).get("mode")), "other")
        case "MERGE":
            return "upsert"
        case "ADD COLUMN" | "ADD COLUMNS":
            return "append_features"
        case _:
            return "other"


_Counts: TypeAlias = tuple[int | None, int | None, int | None]
"""Rows inserted, updated and deleted."""


def _counts(entry: LogEntry, operation: str, removed: Sequence[int | None]) -> _Counts:
    """`removed` are the rows of each file that went."""
    if not entry.changes_data:
        return 0, 0, 0
    match operation:
        case "create" | "append" | "overwrite":
            return _total([file.rows for file in entry.added]), 0, _total(removed)
        case "upsert":
            metrics = entry.info.get("operationMetrics") or {}
            return _metric(metrics, "inserted"), _metric(metrics, "updated"), _metric(metrics, "deleted")
        case _:
            return None, None, None


def _metric(metrics: Mapping[str, Any], name: str) -> int | None:
    count = metrics.get(f"num_target_rows_{name}")
    return None if count is None else int(count)


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _author(info: Mapping[str, Any]) -> Author | None:
    return Author(info[_MEMBER], info[_KEY]) if _MEMBER in info and _KEY in info else None


def _counted(entry: LogEntry) -> Commit:
    """Of a commit of ours, whose writer counts."""
    inserted, updated, _ = _counts(entry, _operation(entry), ())
    if inserted is None or updated is None:
        raise GatewayError(f"The log does not count the rows of version {entry.version}.")
    return Commit(entry.version, inserted, updated)
