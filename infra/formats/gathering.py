"""Small batches gathered up: a row group each would cost a reader more in footers than in data."""

from collections.abc import Iterator

import pyarrow as pa


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
