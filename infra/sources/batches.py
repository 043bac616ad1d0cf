"""Rows of a driver as Arrow batches of a few megabytes, counted."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import pyarrow as pa

from infra.errors import EngineLimitError
from infra.ports.sources import SourceLimits, SourceValueError

Convert: TypeAlias = Callable[[Sequence[Any], pa.DataType], pa.Array]
"""A driver's values of one column to an array of a type; raises ValueError, TypeError or ArrowException."""

BATCH_BYTES: Final = 4 * 1024 * 1024
_FIRST_ROWS: Final = 16
_MOST_ROWS: Final = 16_384


def batches(
    fetch: Callable[[int], Sequence[Sequence[Any]]], schema: pa.Schema, limits: SourceLimits, convert: Convert
) -> Iterator[pa.RecordBatch]:
    """Until `fetch(rows)` gives none. Raises EngineLimitError over `limits`, SourceValueError naming the column."""
    rows = size = 0
    wanted = _FIRST_ROWS
    while fetched := fetch(wanted):
        batch = _batch(fetched, schema, convert)
        rows += batch.num_rows
        size += batch.nbytes
        _require_within(rows, size, limits)
        yield batch
        wanted = _next_rows(wanted, batch)


def _next_rows(wanted: int, batch: pa.RecordBatch) -> int:
    fit: int = BATCH_BYTES * batch.num_rows // max(batch.nbytes, 1)
    # Grown step by step: one narrow batch says little of the next.
    return max(1, min(fit, wanted * 4, _MOST_ROWS))


def _require_within(rows: int, size: int, limits: SourceLimits) -> None:
    if rows > limits.max_rows or size > limits.max_bytes:
        raise EngineLimitError(
            f"The source gives more than {limits.max_rows:,} rows or {limits.max_bytes:,} bytes, which is the most.",
            hint="Read fewer rows or columns, narrow the query of the feature group, or load the rows into a cached one.",
        )


def _batch(fetched: Sequence[Sequence[Any]], schema: pa.Schema, convert: Convert) -> pa.RecordBatch:
    columns = zip(*fetched, strict=True)
    arrays = [_array(values, field, convert) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: Sequence[Any], field: pa.Field, convert: Convert) -> pa.Array:
    try:
        return convert(values, field.type)
    except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        # Not chained: the error carries the value, which is the source's and none of the log's business.
        raise unfit(field, error) from None


def unfit(field: pa.Field, error: Exception | None = None) -> SourceValueError:
    kind = f" ({type(error).__name__})" if error is not None else ""
    return SourceValueError(
        f"Column {field.name!r} of the source holds a value that is no {field.type}{kind}.",
        hint="Cast the column in the query, or create a new version of the feature group if its type has changed.",
    )
