"""Small batches gathered up: a row group each would cost a reader more in footers than in data. Wide ones cut."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

_MOST_ROWS: Final = 16_384
_MOST_VALUES: Final = 1 << 22


def rows_at_once(schema: pa.Schema) -> int:
    """For what takes many bytes for each value on the way: a row of thousands of columns counts for many."""
    return min(_MOST_ROWS, max(1, _MOST_VALUES // max(1, len(schema))))


def gathered(batches: Iterator[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """Tables of at least `size` bytes but for the last."""
    pending: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        pending.append(batch)
        held += batch.nbytes
        if held >= size:
            yield pa.Table.from_batches(pending, schema)
            pending, held = [], 0
    if pending:
        yield pa.Table.from_batches(pending, schema)
