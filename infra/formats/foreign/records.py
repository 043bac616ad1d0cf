"""Rows that are Python's, as columns that are Arrow's."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from infra.ports.imports import NotReadable

ROWS_AT_ONCE: Final = 8_192
_MISFITS: Final = (pa.ArrowException, ValueError, TypeError, OverflowError)


def column(records: Sequence[Mapping[str, Any]], name: str, kind: pa.DataType | None, row: int) -> pa.Array:
    """One column of the records, of the type found in them where none is given; `row` is the number of the first.

    Raises NotReadable naming the row.
    """
    values = [record.get(name) for record in records]
    try:
        return pa.array(values, type=kind)
    except _MISFITS as error:
        at = row + _first_failing(values, kind)
        what = f"is no {kind}" if kind is not None else "has another type than the ones before it"
        raise NotReadable(
            f"holds in column {name[:80]!r}, row {at:,}, a value that {what}.",
            hint="Mend the file, or say another type in `features`.",
            column=name,
        ) from error


def _first_failing(values: Sequence[Any], kind: pa.DataType | None) -> int:
    """The end of the shortest beginning that fails: without a type, a value fails by what stands before it."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            pa.array(values[:middle], type=kind)
            low = middle
        except _MISFITS:
            high = middle
    return low
