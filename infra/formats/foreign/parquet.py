"""Parquet files of others."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from infra.arrow_sizes import rows_at_once
from infra.arrow_types import plain
from infra.ports.imports import NotReadable, Wanted


class ForeignParquet:
    """Implements `infra.ports.imports.ImportFormat`.

    Pages are unpacked as they are read, so that a row group may be of any size; what is held is a page of each column.
    """

    def schema(self, file: pa.Buffer, wanted: Wanted) -> pa.Schema:  # noqa: ARG002 the file has types of its own
        with _readable(), pq.ParquetFile(pa.BufferReader(file)) as source:
            return pa.schema([pa.field(field.name, plain(field.type)) for field in source.schema_arrow])

    def batches(self, file: pa.Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        # Texts stay dictionaries as they are in the file: one long value may stand for many.
        texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
        with _readable(), pq.ParquetFile(pa.BufferReader(file), read_dictionary=texts, pre_buffer=False) as source:
            rows = 0
            for group in range(source.num_row_groups):
                size = rows_at_once(source.metadata.row_group(group))
                for batch in source.iter_batches(size, row_groups=[group], use_threads=False):
                    batch.validate(full=True)
                    rows += batch.num_rows
                    yield batch
            if rows != source.metadata.num_rows:
                raise NotReadable(f"holds {rows:,} rows and says that it has {source.metadata.num_rows:,}.")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise NotReadable(
            f"is no Parquet file that can be read: {str(error)[:200]}", hint="It may be cut, or of another format."
        ) from error
