"""What the Delta log says: who committed what, and which files make a version."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction

from infra.errors import GatewayError
from infra.ports.tables import Commit, DataFile, Snapshot

_APPLICATION: Final = "oasthouse"
_REQUEST: Final = "oasthouse.request"


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


def find_commit(table: DeltaTable, request_id: str, *, after: int) -> Commit | None:
    """The commit of this request among the versions later than `after`."""
    span = table.version() - after
    for entry in table.history(span) if span > 0 else ():
        if entry.get(_REQUEST) == request_id:
            return _commit_of(entry)
    return None


def _commit_of(entry: Mapping[str, object]) -> Commit:
    metrics = entry.get("operationMetrics")
    if not isinstance(metrics, Mapping):
        raise GatewayError(f"Version {entry['version']} of the table carries no metrics.")
    merged = entry.get("operation") == "MERGE"
    inserted = metrics["num_target_rows_inserted" if merged else "num_added_rows"]
    updated = metrics["num_target_rows_updated"] if merged else 0
    return Commit(version=int(str(entry["version"])), rows_inserted=int(inserted), rows_updated=int(updated))


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
