"""The rows of one attempt to commit: brought into the table's shape, counted, and their own errors kept apart."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from infra.errors import GatewayError, InvalidInputError
from infra.ports.tables import BatchFactory

_HIVE_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
# Delta writes null as an empty partition value, and delta-rs in a folder of this name: these texts would come back null.
# A local warehouse makes folders of partition values, and file systems end names at 255 bytes.
_LONGEST_FOLDER: Final = 250
_LIKE_NULL: Final = ("", _HIVE_NULL)


class RowSource:
    """Opens a factory once, as a reader with exactly `schema`, or with the schema it brings where that is None.

    The table engine swallows what a Python reader raises into a text; `error` keeps the exception itself, so that a
    broken upload is told apart from a broken warehouse. `count` is what the engine has taken so far.
    """

    def __init__(self, factory: BatchFactory, schema: pa.Schema | None, *, partition_by: Sequence[str] = ()) -> None:
        self._factory = factory
        self._schema = schema
        self._partition_by = partition_by
        self.count = 0
        self.error: Exception | None = None

    def reader(self) -> pa.RecordBatchReader:
        incoming = self._factory()
        schema = incoming.schema if self._schema is None else self._schema
        _require_same_columns(incoming.schema, schema)
        return pa.RecordBatchReader.from_batches(schema, self._batches(incoming, schema))

    def _batches(self, incoming: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        texts = [name for name in self._partition_by if _is_text(schema.field(name).type)]
        try:
            for batch in incoming:
                conformed = batch.select(schema.names).cast(schema)
                _require_partitionable(conformed, texts)
                yield conformed
                self.count += batch.num_rows
        except GatewayError as error:
            self.error = error
            raise
        except Exception as error:
            self.error = InvalidInputError(f"The rows cannot be read: {error}")
            self.error.__cause__ = error
            raise


def empty_rows(schema: pa.Schema) -> Callable[[], pa.RecordBatchReader]:
    return lambda: pa.RecordBatchReader.from_batches(schema, [])


def _is_text(column: pa.DataType) -> bool:
    return bool(pa.types.is_string(column) or pa.types.is_large_string(column) or pa.types.is_string_view(column))


def _require_partitionable(batch: pa.RecordBatch, text_partitions: Sequence[str]) -> None:
    # Not before it is needed: the first array of a list makes Arrow import pandas.
    like_null = pa.array(_LIKE_NULL) if text_partitions else None
    for name in text_partitions:
        if pc.any(pc.is_in(batch.column(name), value_set=like_null)).as_py():
            raise InvalidInputError(
                f"Partition column {name!r} holds an empty text or {_HIVE_NULL}: both would be stored as null.",
                hint="Use null or another value.",
            )
        for value in pc.unique(batch.column(name)).to_pylist():
            if value is not None and len(name) + 1 + len(quote(value, safe="")) > _LONGEST_FOLDER:
                raise InvalidInputError(
                    f"Partition column {name!r} holds a text of {len(value)} characters, which is too long."
                )


def _require_same_columns(incoming: pa.Schema, expected: pa.Schema) -> None:
    missing = [name for name in expected.names if name not in incoming.names]
    extra = [name for name in incoming.names if name not in expected.names]
    twice = sorted({name for name in incoming.names if incoming.names.count(name) > 1})
    if missing or extra or twice:
        raise InvalidInputError(
            f"The rows do not fit the table: missing columns {missing}, unknown columns {extra}, doubled columns {twice}.",
            # Who sends rows knows the table's columns, but for those that are being added at this moment.
            hint="Columns are being added, or adding them was cut off. Repeat that, then send the rows with them."
            if missing and not extra
            else None,
        )
