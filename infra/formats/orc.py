"""ORC with zstd."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.orc as pa_orc

from infra.errors import FrameInvalidError, InvalidInputError
from infra.formats.gathering import gathered

_STRIPE_BYTES: Final = 64 << 20


class OrcFormat:
    """Implements `infra.ports.formats.DataFormat`. Arrow reads times in nanoseconds here, which end in 1677 and in 2262."""

    name = "orc"
    suffix = ".orc"

    def check(self, schema: pa.Schema) -> None:
        """Every type of ours has an ORC form."""

    def write(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: BinaryIO) -> int:
        rows = 0
        with pa_orc.ORCWriter(sink, compression="zstd", stripe_size=_STRIPE_BYTES) as writer:
            writer.write(schema.empty_table())
            for table in gathered(batches, schema, _STRIPE_BYTES):
                _require_readable(table)
                writer.write(table)
                rows += table.num_rows
        return rows

    def read(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            file = pa_orc.ORCFile(source)
            for stripe in range(file.nstripes):
                yield file.read_stripe(stripe).select(schema.names).cast(schema)
        except (pa.ArrowException, KeyError, OSError) as error:
            raise FrameInvalidError(f"This is no ORC file of the expected shape: {error}") from error


def _require_readable(table: pa.Table) -> None:
    for field in table.schema:
        try:
            table.column(field.name).cast(_in_nanoseconds(field.type))
        except pa.ArrowInvalid as error:
            what = "has a time before 1677 or after 2262"
            raise InvalidInputError(
                f"orc cannot hold {field.name}: it {what}, which most readers of ORC cannot read.",
                hint="Choose parquet, or leave this column out.",
                errors=[{"field": field.name, "message": what}],
            ) from error


def _in_nanoseconds(column: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(column):
        return pa.timestamp("ns", column.tz)
    if pa.types.is_list(column):
        return pa.list_(_in_nanoseconds(column.value_type))
    if pa.types.is_struct(column):
        return pa.struct([field.with_type(_in_nanoseconds(field.type)) for field in column])
    if pa.types.is_map(column):
        return pa.map_(_in_nanoseconds(column.key_type), _in_nanoseconds(column.item_type))
    return column
