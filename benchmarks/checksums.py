"""One number for many rows, whatever their order and however they came: equal answers have equal numbers.

Knows numpy and pyarrow alone, because the peers' environments have no more in common.
"""

from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa

_NULL = np.uint64(0x9E3779B97F4A7C15)


class Checksum:
    """Of rows that are known by the column `row`. Add tables or batches as they come, in any order."""

    def __init__(self, schema: pa.Schema, row: str) -> None:
        self._schema = schema
        self._row = row
        self._sum = 0
        self._rows = 0
        self._nulls = 0

    def add(self, rows: Any) -> None:
        """Columns may be of other types that hold the same values; engines differ in that."""
        for batch in pa.table({name: rows[name] for name in self._schema.names}).cast(self._schema).to_batches():
            self._add(batch)

    def value(self) -> str:
        """Number of rows, number of nulls, digest."""
        return f"{self._rows}:{self._nulls}:{self._sum % 2**64:016x}"

    def _add(self, batch: pa.RecordBatch) -> None:
        places = _mixed(_numbers(batch.column(self._row)))
        for position, column in enumerate(batch.columns):
            salt = _mixed(np.array([position], np.uint64))[0]
            self._sum += int(_mixed(_numbers(column) ^ places ^ salt).sum(dtype=np.uint64))
            self._nulls += column.null_count
        self._rows += batch.num_rows


def _numbers(column: pa.Array) -> Any:
    """A number for each value, null being one too."""
    if pa.types.is_string(column.type):
        encoded = column.dictionary_encode()
        words = [
            int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")
            for word in encoded.dictionary.to_pylist()
        ]
        numbers = np.array([*words, 0], np.uint64)[encoded.indices.fill_null(len(words)).to_numpy()]
    elif pa.types.is_floating(column.type):
        # Adding zero makes one zero of the two.
        numbers = (column.fill_null(0.0).to_numpy() + 0.0).view(np.uint64)
    else:
        whole = column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column
        numbers = whole.cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64)
    if column.null_count:
        return np.where(column.is_null().to_numpy(zero_copy_only=False), _NULL, numbers)
    return numbers


def _mixed(numbers: Any) -> Any:
    """splitmix64, wrapping."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
