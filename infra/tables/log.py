"""What the Delta log says: who committed what, and which files make a version.

Commits are read as files here and not through `DeltaTable.history()` of delta-rs 1.6.6, for two measured reasons: it
numbers entries from the version it knows while it lists what has been written since, so that under concurrency a version
is off by one or more; and it holds the interpreter's lock while it waits for the store, so that one silent endpoint
stops every thread of the process.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction

from infra.errors import NotFoundError
from infra.ports.storage import ObjectStore
from infra.ports.tables import Commit, DataFile, Snapshot

_APPLICATION: Final = "oasthouse"
_REQUEST: Final = "oasthouse.request"
_READ_AT_ONCE: Final = 8


def next_commit(table: DeltaTable | None, request_id: str) -> CommitProperties:
    """Metadata for the commit that follows what this handle has read.

    The application transaction is a compare-and-swap: delta-rs refuses it when the log has moved since this very handle
    was opened, and would let it pass on a handle opened later. A commit that creates the table has nothing to compare
    with; it must not be retried, or two creators would both succeed and the second append its rows to the first's table.
    """
    seen = 0 if table is None else (table.transaction_version(_APPLICATION) or 0)
    return CommitProperties(
        custom_metadata={_REQUEST: request_id},
        max_commit_retries=0 if table is None else None,
        app_transactions=[Transaction(_APPLICATION, seen + 1)],
    )


class CommitLog:
    """The commit files of one table."""

    def __init__(self, store: ObjectStore, location: str) -> None:
        self._store = store
        self._location = location

    def find(self, request_id: str, *, after: int, until: int) -> Commit | None:
        """The commit of this request among the versions `after` (excluded) to `until`."""
        versions = range(until, after, -1)
        if len(versions) <= 1:
            found = [self._commit_of(version, request_id) for version in versions]
        else:
            with ThreadPoolExecutor(min(len(versions), _READ_AT_ONCE)) as pool:
                found = list(pool.map(lambda version: self._commit_of(version, request_id), versions))
        return next((commit for commit in found if commit is not None), None)

    def _commit_of(self, version: int, request_id: str) -> Commit | None:
        try:
            with self._store.open_input(f"{self._location}/_delta_log/{version:020}.json") as file:
                actions = [json.loads(line) for line in file.read().splitlines()]
        except NotFoundError:  # expired and cleaned up: too old to be a retry of anything
            return None
        info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        return _counted(version, info, actions) if info.get(_REQUEST) == request_id else None


def _counted(version: int, info: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> Commit:
    if info["operation"] == "MERGE":
        metrics = info["operationMetrics"]
        return Commit(version, int(metrics["num_target_rows_inserted"]), int(metrics["num_target_rows_updated"]))
    added = sum(json.loads(action["add"]["stats"])["numRecords"] for action in actions if "add" in action)
    return Commit(version, rows_inserted=int(added), rows_updated=0)


def read_snapshot(table: DeltaTable, root: str) -> Snapshot:
    """`root` is the table's absolute location, below which the log names its files."""
    return Snapshot(
        version=table.version(),
        schema=pa.schema(table.schema().to_arrow()),
        partition_by=tuple(table.metadata().partition_columns),
        files=tuple(_files(table, root)),
    )


def _files(table: DeltaTable, root: str) -> Iterator[DataFile]:
    actions = pa.table(table.get_add_actions(flatten=False))
    partitions = _partition_texts(actions)
    paths, sizes, rows = (actions.column(name).to_pylist() for name in ("path", "size_bytes", "num_records"))
    for index, (path, size, count) in enumerate(zip(paths, sizes, rows, strict=True)):
        # The log holds URL-encoded paths; a partition value is encoded once more inside them, so decode once only.
        yield DataFile(
            uri=f"{root}/{unquote(path)}",
            bytes=size,
            rows=count,
            partition={name: values[index] for name, values in partitions.items()},
        )


def _partition_texts(actions: pa.Table) -> dict[str, list[str | None]]:
    if "partition" not in actions.column_names:
        return {}
    column = actions.column("partition").combine_chunks()
    return {
        field.name: pc.cast(pc.struct_field(column, [field.name]), pa.string()).to_pylist() for field in column.type
    }
