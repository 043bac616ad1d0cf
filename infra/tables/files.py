"""Which files make a version, and which made any version up to it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema

from infra.ports.tables import DataFile, Snapshot
from infra.tables.bounds import bounded_columns, bounds_in_text, bounds_of_files
from infra.tables.entries import AddedFile, LogEntry
from infra.tables.log import commit_times


def read_snapshot(table: DeltaTable, root: str) -> Snapshot:
    """`root` is the table's absolute location, below which the log names its files."""
    schema = pa.schema(table.schema().to_arrow())
    actions = pa.table(table.get_add_actions(flatten=False))
    # Which commit brought a file in is not in a checkpoint, its modification time is. The two have the same order: a writer
    # commits only through a handle opened after the commit before, and writes its files in between.
    order = actions.select(["modification_time", "path"])
    actions = actions.take(pc.sort_indices(order, [("modification_time", "ascending"), ("path", "ascending")]))
    return Snapshot(
        version=table.version(),
        schema=schema,
        partition_by=tuple(table.metadata().partition_columns),
        files=tuple(_files(actions, schema, root)),
    )


def read_history(entries: Sequence[LogEntry], root: str) -> Snapshot:
    """From every entry up to a version, the first one included: the files that were ever part of it."""
    described = [entry for entry in entries if entry.schema is not None]
    schema = pa.schema(Schema.from_json(described[-1].schema or "").to_arrow())
    return Snapshot(
        version=entries[-1].version,
        schema=schema,
        partition_by=described[-1].partition_by,
        files=tuple(_files_over_time(entries, schema, root)),
    )


def difference(old: Snapshot, new: Snapshot) -> tuple[Snapshot, Snapshot]:
    """Each without the files of the other."""
    in_old, in_new = ({file.uri for file in snapshot.files} for snapshot in (old, new))
    gone = tuple(file for file in old.files if file.uri not in in_new)
    come = tuple(file for file in new.files if file.uri not in in_old)
    return replace(old, files=gone), replace(new, files=come)


def _files_over_time(entries: Sequence[LogEntry], schema: pa.Schema, root: str) -> list[DataFile]:
    """In the order of their commits, then as in a snapshot."""
    columns = bounded_columns(schema)
    files: list[DataFile] = []
    present: dict[str, int] = {}
    for entry, at in zip(entries, commit_times(entries), strict=True):
        for position in [present.pop(path) for path in entry.removed if path in present]:
            files[position] = replace(files[position], removed_at=at)
        for added in sorted(entry.added, key=lambda file: (file.modified, file.path)):
            file = _file(added, columns, root, at)
            if added.path in present:
                # Added while it is there, as when its statistics are renewed, a file is not younger for it.
                position = present[added.path]
                files[position] = replace(file, added_at=files[position].added_at)
            else:
                present[added.path] = len(files)
                files.append(file)
    return files


def _file(added: AddedFile, columns: Mapping[str, pa.DataType], root: str, at: datetime) -> DataFile:
    return DataFile(
        uri=f"{root}/{added.path}",
        bytes=added.bytes,
        rows=added.rows,
        partition=added.partition,
        bounds=bounds_in_text(json.loads(added.stats), columns) if added.stats else {},
        added_at=at,
    )


def _files(actions: pa.Table, schema: pa.Schema, root: str) -> Iterator[DataFile]:
    partitions = _partition_texts(actions)
    paths, sizes, rows = (actions.column(name).to_pylist() for name in ("path", "size_bytes", "num_records"))
    bounds = bounds_of_files(actions, bounded_columns(schema))
    for index, (path, size, count, bounded) in enumerate(zip(paths, sizes, rows, bounds, strict=True)):
        # The log holds URL-encoded paths; a partition value is encoded once more inside them, so decode once only.
        yield DataFile(
            uri=f"{root}/{unquote(path)}",
            bytes=size,
            rows=count,
            partition={name: values[index] for name, values in partitions.items()},
            bounds=bounded,
        )


def _partition_texts(actions: pa.Table) -> dict[str, list[str | None]]:
    if "partition" not in actions.column_names:
        return {}
    column = actions.column("partition").combine_chunks()
    return {
        field.name: pc.cast(pc.struct_field(column, [field.name]), pa.string()).to_pylist() for field in column.type
    }
