"""A snapshot as a DuckDB view: the files the Delta log names, with the types and the partition values it names."""

from typing import Final

import duckdb
import pyarrow as pa

from infra.engines.duckdb_types import identifier, literal, sql_type
from infra.ports.tables import Snapshot

# Spaces keep it clear of feature names.
_FILE: Final = identifier("file of the row")


def create_view(connection: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot) -> None:
    """Define `name`; the files are opened here for their schemas and again by the query, from the metadata cache."""
    columns = ", ".join(
        f"CAST({identifier(field.name)} AS {sql_type(field.type)}) AS {identifier(field.name)}"
        for field in snapshot.schema
    )
    # An empty typed relation comes first: it answers for a table without files and for columns that no file has yet.
    parts = [_typed_nothing(snapshot.schema)]
    if snapshot.files:
        parts.append(_rows_of_files(connection, name, snapshot))
    source = " UNION ALL BY NAME ".join(parts)
    connection.execute(f"CREATE VIEW {identifier(name)} AS SELECT {columns} FROM ({source})")  # noqa: S608 quoted


def _typed_nothing(schema: pa.Schema) -> str:
    columns = ", ".join(f"CAST(NULL AS {sql_type(field.type)}) AS {identifier(field.name)}" for field in schema)
    return f"SELECT {columns} WHERE false"


def _rows_of_files(connection: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot) -> str:
    files = ", ".join(literal(file.uri) for file in snapshot.files)
    # Partition values come from the log. Paths are how one writer chose to name folders, so hive_partitioning is off.
    options = "union_by_name = true, hive_partitioning = false"
    if not snapshot.partition_by:
        return f"SELECT * FROM read_parquet([{files}], {options})"  # noqa: S608 literals are quoted
    values = _partition_table(connection, name, snapshot)
    columns = ", ".join(f"partition_values.{identifier(column)}" for column in snapshot.partition_by)
    # A join on the file name, not a UNION ALL per partition: it binds three times faster at 2 000 files, and a filter on
    # a partition column still skips files, through the filter that DuckDB derives from the small side.
    return (
        f"SELECT data.* EXCLUDE ({_FILE}), {columns} "  # noqa: S608 identifiers and literals are quoted
        f"FROM read_parquet([{files}], {options}, filename = {_FILE}) AS data "
        f"JOIN {values} AS partition_values ON partition_values.{_FILE} = data.{_FILE}"
    )


def _partition_table(connection: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot) -> str:
    texts = {
        column: pa.array([file.partition[column] for file in snapshot.files], pa.string())
        for column in snapshot.partition_by
    }
    uris = pa.array([file.uri for file in snapshot.files], pa.string())
    casts = ", ".join(
        f"CAST({identifier(column)} AS {sql_type(snapshot.schema.field(column).type)}) AS {identifier(column)}"
        for column in snapshot.partition_by
    )
    table = f"partitions.{identifier(name)}"
    connection.execute("CREATE SCHEMA IF NOT EXISTS partitions")
    connection.register("partition_texts", pa.table({_FILE.strip('"'): uris, **texts}))
    connection.execute(f"CREATE TABLE {table} AS SELECT {_FILE}, {casts} FROM partition_texts")  # noqa: S608
    connection.unregister("partition_texts")
    return table
