"""What a column's type means for its statistics, and its values as numpy has them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats: TypeAlias = npt.NDArray[np.float64]
Bits: TypeAlias = npt.NDArray[np.uint64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Positions: TypeAlias = npt.NDArray[np.int64]
Numbers: TypeAlias = npt.NDArray[Any]
"""float64, int64 or uint64."""


class Kind(StrEnum):
    """`TIME` is any point in time or span of it; `OTHER` has nothing but nulls to count."""

    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    TIME = "time"
    BOOLEAN = "boolean"
    TEXT = "text"
    BINARY = "binary"
    LIST = "list"
    OTHER = "other"


NUMERIC: Final = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL})
ORDERED: Final = NUMERIC | {Kind.TIME}
"""The kinds whose values are numbers on a line."""
EXACT_DIGITS: Final = 15
"""Decimals of so many digits are different numbers as floats too."""


@dataclass(frozen=True)
class Values:
    """Of one column of a block. Where `valid` is false there is null, and the value means nothing; None: no nulls."""

    values: Numbers
    valid: Flags | None

    @property
    def present(self) -> Numbers:
        return self.values if self.valid is None else self.values[self.valid]

    @property
    def known(self) -> Flags | None:
        """Neither null nor NaN nor infinite; None: all are."""
        if self.values.dtype != np.float64:
            return self.valid
        # Nulls of floats are stored as NaN.
        finite = np.isfinite(self.values)
        return None if finite.all() else finite

    def take(self, rows: Positions) -> "Values":
        return Values(self.values[rows], None if self.valid is None else self.valid[rows])


def kind_of(column: pa.DataType) -> Kind:
    column = _storage(column)
    is_of = pa.types
    tests = {
        Kind.INTEGER: is_of.is_integer,
        Kind.FLOAT: is_of.is_floating,
        Kind.DECIMAL: is_of.is_decimal,
        Kind.BOOLEAN: is_of.is_boolean,
        Kind.TEXT: _is_text,
        Kind.BINARY: _is_binary,
        Kind.LIST: _is_list,
        Kind.TIME: _is_time,
    }
    return next((kind for kind, test in tests.items() if test(column)), Kind.OTHER)


def is_numeric(column: pa.DataType) -> bool:
    return kind_of(column) in NUMERIC


def plain(column: pa.Array, kind: Kind) -> pa.Array:
    """What is looked at of it, in a type that can be put together with that of other batches.

    Decoded, text with wide offsets, of lists their lengths, of what has no statistics only which are there.
    """
    return _PLAIN.get(kind, _as_it_is)(_decoded(column))


def values_of(column: pa.Array) -> Values:
    """Of what `plain` gave, if that is numbers."""
    valid = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    if pa.types.is_floating(column.type):
        return Values(column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False), valid)
    filled = pc.fill_null(column, 0) if column.null_count else column
    wide = np.uint64 if pa.types.is_unsigned_integer(column.type) else np.int64
    return Values(filled.to_numpy().astype(wide, copy=False), valid)


def _as_it_is(column: pa.Array) -> pa.Array:
    return column


def _lengths(column: pa.Array) -> pa.Array:
    return pc.cast(pc.list_value_length(column), pa.int64())


def _presence(column: pa.Array) -> pa.Array:
    return pc.if_else(column.is_valid(), pa.scalar(value=True), pa.scalar(None, pa.bool_()))


def _ticks(column: pa.Array) -> pa.Array:
    return pc.cast(column.view(pa.int32() if column.type.bit_width == 32 else pa.int64()), pa.int64())


def _decimal_as_float(column: pa.Array) -> pa.Array:
    """The nearest float where the digits allow it, which Arrow's own cast misses."""
    if column.type.precision > EXACT_DIGITS:
        return pc.cast(column, pa.float64())
    wide = pc.cast(column, pa.decimal128(38, column.type.scale))
    # Numbers of so few digits are in the lower half of their 16 bytes.
    halves = np.frombuffer(wide.buffers()[1], np.int64)[2 * wide.offset :][: 2 * len(wide)]
    floats = halves[::2] / 10.0**column.type.scale
    return pa.array(floats, mask=None if column.null_count == 0 else ~column.is_valid().to_numpy(zero_copy_only=False))


def _decoded(column: pa.Array) -> pa.Array:
    if isinstance(column, pa.ExtensionArray):
        return _decoded(column.storage)
    if isinstance(column, pa.DictionaryArray):
        return _decoded(column.dictionary_decode())
    if isinstance(column, pa.RunEndEncodedArray):
        return _decoded(pc.run_end_decode(column))
    return column


def _storage(column: pa.DataType) -> pa.DataType:
    if isinstance(column, pa.BaseExtensionType):
        return _storage(column.storage_type)
    if pa.types.is_dictionary(column) or pa.types.is_run_end_encoded(column):
        return _storage(column.value_type)
    return column


def _is_text(column: pa.DataType) -> bool:
    return bool(pa.types.is_string(column) or pa.types.is_large_string(column) or pa.types.is_string_view(column))


def _is_binary(column: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(column)
        or pa.types.is_large_binary(column)
        or pa.types.is_fixed_size_binary(column)
        or pa.types.is_binary_view(column)
    )


def _is_list(column: pa.DataType) -> bool:
    return bool(pa.types.is_list(column) or pa.types.is_large_list(column) or pa.types.is_fixed_size_list(column))


def _is_time(column: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(column)) and column != pa.month_day_nano_interval()


_PLAIN: Final[Mapping[Kind, Callable[[pa.Array], pa.Array]]] = {
    Kind.TEXT: lambda column: pc.cast(column, pa.large_string()),
    Kind.BINARY: lambda column: pc.cast(column, pa.large_binary()),
    Kind.LIST: _lengths,
    Kind.OTHER: _presence,
    Kind.DECIMAL: _decimal_as_float,
    Kind.TIME: _ticks,
}
