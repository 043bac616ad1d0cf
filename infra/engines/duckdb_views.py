"""A query's tables in its DuckDB: views of the files that the Delta log names, or of the rows that came along."""

import json
from collections.abc import Sequence
from typing import Final

import duckdb
import pyarrow as pa

from infra.engines.duckdb_types import identifier, literal, sql_type
from infra.engines.protocol import Job, StoredRows
from infra.errors import StorageUnavailableError
from infra.ports.engine import REMOVED_AT, WRITE_ORDER, WRITTEN_AT
from infra.ports.tables import DataFile, Snapshot

# More rows than any file has.
_ROWS_PER_FILE: Final = 1 << 36
_TIMES: Final = {WRITTEN_AT: "added_at", REMOVED_AT: "removed_at"}
_OF_FILES: Final = identifier("of files")


def create_table(connection: duckdb.DuckDBPyConnection, name: str, table: Snapshot | StoredRows, job: Job) -> None:
    if isinstance(table, StoredRows):
        _create_rows(connection, name, table)
        return
    try:
        _create_view(connection, name, table, _hidden_columns(job))
    except duckdb.PermissionException as error:
        # What an allowed path is found to be that leads to no file.
        raise StorageUnavailableError("A file of the table is gone from the warehouse.", retry_after=5) from error


def _hidden_columns(job: Job) -> list[str]:
    """Those that trusted SQL names. The others would only be in the way of `SELECT *`."""
    text = " ".join([job.sql, *(step.sql for step in job.steps)])
    return [name for name in (WRITE_ORDER, *_TIMES) if job.trusted and identifier(name) in text]


def _create_rows(connection: duckdb.DuckDBPyConnection, name: str, rows: StoredRows) -> None:
    connection.execute(f"CREATE VIEW {identifier(name)} AS SELECT * FROM read_parquet([{literal(rows.path)}])")  # noqa: S608


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot, hidden: list[str]) -> None:
    """No file is opened for this: the snapshot has said which types the columns have."""
    view = f"CREATE VIEW {identifier(name)} AS SELECT"
    times = [column for column in hidden if any(_times(snapshot, column))]
    if not snapshot.files:
        columns = [_null(field.name, sql_type(field.type)) for field in snapshot.schema]
        nulls = [_null(column, _type_of_hidden(column)) for column in hidden]
        connection.execute(f"{view} {', '.join(columns + nulls)} WHERE false")
        return
    source = f"{_read_parquet(snapshot)} AS data"
    if snapshot.partition_by or times:
        values = _values_of_files(connection, name, snapshot, times)
        # A join on the number of the file: a filter on a value of the small side becomes one on files, and skips them.
        source += f" JOIN {values} AS of_file ON of_file.file = data.file_index"
    columns = [_column(index, field.name, snapshot) for index, field in enumerate(snapshot.schema)]
    columns += [_hidden_column(column, times) for column in hidden]
    connection.execute(f"{view} {', '.join(columns)} FROM {source}")


def _read_parquet(snapshot: Snapshot) -> str:
    """Files with the columns, the types and the nulls for absent columns that the snapshot's schema asks for.

    Columns get names of our own: one of the table's may be `file_index`, which is also the reader's.
    """
    files = ", ".join(literal(file.uri) for file in snapshot.files)
    columns = ", ".join(
        f"{literal(field.name)}: {{name: 'c{index}', type: {literal(sql_type(field.type))}, default_value: NULL}}"
        for index, field in enumerate(snapshot.schema)
        if field.name not in snapshot.partition_by
    )
    # Partition values come from the log. Paths are how one writer chose to name folders, so hive_partitioning is off.
    options = f"schema = MAP {{{columns}}}, hive_partitioning = false"
    counts = [file.rows for file in snapshot.files]
    if total := sum(count for count in counts if count is not None):
        options += f", explicit_cardinality = {total}"
    return f"read_parquet([{files}], {options})"


def _column(index: int, name: str, snapshot: Snapshot) -> str:
    if name not in snapshot.partition_by:
        return f"data.c{index} AS {identifier(name)}"
    return f"of_file.p{snapshot.partition_by.index(name)} AS {identifier(name)}"


def _hidden_column(name: str, times: list[str]) -> str:
    if name == WRITE_ORDER:
        # Files are listed in the order in which they were written; both numbers come from the reader and cost nothing unused.
        order = f"CAST(data.file_index AS BIGINT) * {_ROWS_PER_FILE} + data.file_row_number"
        return f"{order} AS {identifier(name)}"
    if name in times:
        return f"of_file.t{times.index(name)} AS {identifier(name)}"
    return _null(name, _type_of_hidden(name))


def _values_of_files(connection: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot, times: list[str]) -> str:
    """A table with what the log says of each file. Partition values are texts there, and typed here.

    It goes in as one literal of JSON: for a parameter, DuckDB's client would import pandas in every query's process.
    """
    columns = {f"p{index}": snapshot.schema.field(name).type for index, name in enumerate(snapshot.partition_by)}
    columns |= {f"t{index}": pa.timestamp("us", "UTC") for index in range(len(times))}
    rows = json.dumps(
        [_values_of_file(index, file, snapshot.partition_by, times) for index, file in enumerate(snapshot.files)]
    )
    form = json.dumps([{"file": "UBIGINT"} | dict.fromkeys(columns, "VARCHAR")])
    typed = ", ".join(f"CAST(of_file.{column} AS {sql_type(kind)}) AS {column}" for column, kind in columns.items())
    table = f"{_OF_FILES}.{identifier(name)}"
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_OF_FILES}")
    connection.execute(
        f"CREATE TABLE {table} AS SELECT of_file.file, {typed} "  # noqa: S608 quoted
        f"FROM (SELECT unnest(from_json({literal(rows)}, {literal(form)})) AS of_file)"
    )
    return table


def _values_of_file(index: int, file: DataFile, partition_by: Sequence[str], times: list[str]) -> dict[str, object]:
    values: dict[str, object] = {"file": index}
    values |= {f"p{number}": file.partition[column] for number, column in enumerate(partition_by)}
    for number, column in enumerate(times):
        moment = getattr(file, _TIMES[column])
        values[f"t{number}"] = moment and moment.isoformat()
    return values


def _times(snapshot: Snapshot, column: str) -> list[object]:
    return [getattr(file, _TIMES[column]) for file in snapshot.files] if column in _TIMES else []


def _type_of_hidden(name: str) -> str:
    return "BIGINT" if name == WRITE_ORDER else "TIMESTAMPTZ"


def _null(name: str, kind: str) -> str:
    return f"CAST(NULL AS {kind}) AS {identifier(name)}"
