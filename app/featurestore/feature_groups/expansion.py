"""Cuts batches so that making them plain never takes much memory at once.

A kilobyte can stand for gigabytes: a dictionary repeats one long value, a view points at it many times, a column of nulls
has no bytes at all. What a portion becomes is reckoned before it is made.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from infra.arrow_sizes import viewed_bytes

PORTION_BYTES = 64 * 1024 * 1024
PORTION_ROWS = 65_536
_WIDEST_FLAT = 16


def portions(batch: pa.RecordBatch, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Slices of `batch` that become at most about `PORTION_BYTES`, or single rows; nothing is copied."""
    for start in range(0, max(batch.num_rows, 1), PORTION_ROWS):
        yield from _halved(batch.slice(start, PORTION_ROWS), target)


def _halved(batch: pa.RecordBatch, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    if batch.num_rows <= 1 or sum(_expanded(batch.column(field.name)) for field in target) <= PORTION_BYTES:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _halved(batch.slice(0, middle), target)
    yield from _halved(batch.slice(middle), target)


def _expanded(column: pa.Array) -> int:
    """About how many bytes the column takes once it is plain."""
    if pa.types.is_dictionary(column.type):
        values = column.dictionary
        if _has_lengths(values.type):
            return int(pc.sum(pc.take(pc.binary_length(values), column.indices)).as_py() or 0)
        return _WIDEST_FLAT * len(column)
    if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
        return viewed_bytes(column)
    return _WIDEST_FLAT * len(column) if pa.types.is_null(column.type) else int(column.nbytes)


def _has_lengths(values: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(values)
        or pa.types.is_large_string(values)
        or pa.types.is_binary(values)
        or pa.types.is_large_binary(values)
    )
