"""Rows that are there more than once: counted, or refused where they would make an upsert arbitrary."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from infra.errors import EngineLimitError, GatewayError, InvalidInputError
from infra.ports.duplicates import Duplicate, Duplicates
from infra.ports.tables import BatchFactory
from infra.tables.identifiers import quoted
from infra.tables.source import RowSource

# Only the keys are grouped, and they spill: a large upload costs disk, not the gateway's memory.
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",
    "threads": "1",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
# A space keeps them clear of feature names.
_ROW: Final = "row number"
_TIMES: Final = quoted("how often")
T = TypeVar("T")


def find_duplicates(rows: BatchFactory, columns: Sequence[str], examples: int) -> Duplicates:
    """As `DuplicateFinder.find` has it."""
    source = RowSource(lambda: _numbered(rows(), columns), None)
    names = [quoted(column) for column in columns]
    return _answered(source, lambda: _duplicates(source.reader(), names, examples))


def require_unique_keys(rows: BatchFactory, keys: Sequence[str]) -> None:
    """Raise InvalidInputError, with an example, where a key is null or occurs twice among the rows."""
    source = RowSource(rows, None)
    reader = source.reader()
    unknown = sorted(set(keys) - set(reader.schema.names))
    if unknown or not keys:
        raise InvalidInputError(f"An upsert needs key columns that the rows have; missing: {unknown or 'all'}.")
    found = _answered(source, lambda: _first_unusable(reader, [quoted(key) for key in keys]))
    if found is None:
        return
    key = dict(zip(keys, found, strict=True))
    if None in key.values():
        raise InvalidInputError(f"A key is null: {_shown(key)}. Every row of an upsert needs a complete key.")
    raise InvalidInputError(
        f"Key {_shown(key)} occurs more than once in the rows; which one counts is not for us to pick."
    )


def _first_unusable(reader: object, keys: Sequence[str]) -> tuple[object, ...] | None:
    listed = ", ".join(keys)
    # As text: the driver needs a further package to make Python times of zoned ones, and only a message is made of them.
    shown = ", ".join(f"CAST({key} AS VARCHAR)" for key in keys)
    absent = " OR ".join(f"{key} IS NULL" for key in keys)
    with _connected(reader) as connection:
        return connection.execute(
            f"SELECT {shown} FROM uploaded GROUP BY {listed} HAVING count(*) > 1 OR {absent} LIMIT 1"  # noqa: S608 quoted
        ).fetchone()


def _duplicates(reader: object, names: Sequence[str], examples: int) -> Duplicates:
    listed = ", ".join(names)
    shown = ", ".join(f"CAST({name} AS VARCHAR)" for name in names)
    complete = " AND ".join(f"{name} IS NOT NULL" for name in names)
    with _connected(reader) as connection:
        connection.execute(
            f"CREATE TEMP TABLE twice AS SELECT {listed}, count(*) AS {_TIMES}, min({quoted(_ROW)}) AS {quoted(_ROW)} "  # noqa: S608 quoted
            f"FROM uploaded WHERE {complete} GROUP BY {listed} HAVING count(*) > 1"
        )
        total = connection.execute(f"SELECT coalesce(sum({_TIMES}), 0)::BIGINT FROM twice").fetchone()  # noqa: S608 ours
        first = connection.execute(
            f"SELECT {quoted(_ROW)}, {shown} FROM twice ORDER BY {quoted(_ROW)} LIMIT ?",  # noqa: S608 quoted
            [examples],
        ).fetchall()
    assert total is not None, "an aggregate has one row"
    return Duplicates(total[0], tuple(Duplicate(row, tuple(values)) for row, *values in first))


def _numbered(reader: pa.RecordBatchReader, columns: Sequence[str]) -> pa.RecordBatchReader:
    """Only `columns`, and which row each is: the engine promises no order."""
    schema = pa.schema([reader.schema.field(column) for column in columns]).append(pa.field(_ROW, pa.int64()))

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in reader:
            rows = pa.array(np.arange(start, start + batch.num_rows, dtype=np.int64))
            yield pa.RecordBatch.from_arrays([*batch.select(list(columns)).columns, rows], schema=schema)
            start += batch.num_rows

    return pa.RecordBatchReader.from_batches(schema, batches())


@contextmanager
def _connected(reader: object) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:", config=_SETTINGS) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("uploaded", reader)
        yield connection


def _answered(source: RowSource, ask: Callable[[], T]) -> T:
    """What is wrong with the rows, apart from what is wrong with comparing them."""
    try:
        return ask()
    except duckdb.OutOfMemoryException as error:
        raise EngineLimitError("The keys of this upload do not fit; send it in parts.") from error
    except duckdb.Error as error:
        raise source.error or GatewayError("The keys of the rows could not be compared.") from error


def _shown(key: dict[str, object]) -> str:
    return ", ".join(f"{name}={str(value)[:100]}" for name, value in key.items())
