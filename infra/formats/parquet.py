"""Parquet with zstd."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from infra.errors import FrameInvalidError
from infra.formats.gathering import gathered

_ROW_GROUP_BYTES: Final = 64 << 20
_READ_ROWS: Final = 65_536


class ParquetFormat:
    """Implements `infra.ports.formats.ColumnarFormat`."""

    name = "parquet"
    suffix = ".parquet"

    def check(self, schema: pa.Schema) -> None:
        """Every type of ours has a Parquet form."""

    def write(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: BinaryIO) -> int:
        rows = 0
        with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            for group in gathered(batches, schema, _ROW_GROUP_BYTES):
                writer.write_table(group, row_group_size=max(1, group.num_rows))
                rows += group.num_rows
        return rows

    def read(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        return self.read_columns(source, schema)

    def read_columns(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            with pq.ParquetFile(source) as file:
                for batch in file.iter_batches(batch_size=_READ_ROWS, columns=schema.names):
                    yield batch.select(schema.names).cast(schema)
        except (pa.ArrowException, KeyError) as error:
            raise FrameInvalidError(f"This is no Parquet file of the expected shape: {error}") from error
