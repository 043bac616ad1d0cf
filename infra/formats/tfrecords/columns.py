"""What of an Arrow column goes into a `tf.train.Feature`, and back.

TensorFlow has three kinds of values: int64, float32 and bytes. Each feature is a list of one kind; a scalar is a list of
one. A null is a feature that an example does not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infra.errors import InvalidInputError

Integers: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]
Bytes: TypeAlias = npt.NDArray[np.uint8]


class Kind(Enum):
    """Named as in `tf.train.Feature`; the value is the number of its list there."""

    BYTES = 1
    FLOAT = 2
    INT64 = 3


@dataclass(frozen=True)
class Texts:
    """Element i is `data[starts[i]:starts[i + 1]]`."""

    data: Bytes
    starts: Integers


@dataclass(frozen=True)
class FeatureValues:
    """One column of a batch. `rows` are those that have a value, row `rows[i]` has `values[starts[i]:starts[i + 1]]`."""

    kind: Kind
    rows: Integers
    starts: Integers
    values: Integers | Floats | Texts


_TIME_UNIT: Final = pa.timestamp("us", "UTC")


def kind_of(column: pa.DataType) -> Kind | None:
    """Of a scalar or of a list's elements; None for what TensorFlow has no value for."""
    if pa.types.is_list(column):
        column = column.value_type
    if pa.types.is_floating(column):
        return Kind.FLOAT
    if pa.types.is_integer(column) or pa.types.is_boolean(column) or pa.types.is_date32(column):
        return Kind.INT64
    if column == _TIME_UNIT:
        return Kind.INT64
    return Kind.BYTES if pa.types.is_string(column) or pa.types.is_binary(column) else None


def feature_values(name: str, column: pa.Array) -> FeatureValues:
    """`column` is of a type that has a kind. Raises InvalidInputError for values that TensorFlow cannot have."""
    kind = kind_of(column.type)
    assert kind is not None
    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    present = column.drop_null()
    if pa.types.is_list(column.type):
        lengths = pc.list_value_length(present).cast(pa.int64()).to_numpy()
        elements = present.flatten()
        if elements.null_count:
            raise _unfit(name, "has nulls inside its lists")
    else:
        lengths, elements = np.ones(len(present), np.int64), present
    return FeatureValues(kind, rows.astype(np.int64), starts_of(lengths), _values(name, kind, elements))


def starts_of(lengths: npt.NDArray[Any]) -> Integers:
    """Where each of consecutive pieces begins, and where the last one ends."""
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def column_of(found: Sequence[list[Any] | None], column: pa.DataType) -> pa.Array:
    """The values of each row, None where there is no such feature, as they were before they were written."""
    if pa.types.is_list(column):
        return pa.array(found, pa.list_(_stored_type(column.value_type))).cast(column)
    scalars = [None if values is None else values[0] for values in found]
    return pa.array(scalars, _stored_type(column)).cast(column)


def _stored_type(column: pa.DataType) -> pa.DataType:
    stored: dict[Kind | None, pa.DataType] = {
        Kind.INT64: pa.int32() if pa.types.is_date32(column) else pa.int64(),
        Kind.FLOAT: pa.float32(),
        Kind.BYTES: pa.binary(),
    }
    return stored[kind_of(column)]


def _values(name: str, kind: Kind, elements: pa.Array) -> Integers | Floats | Texts:
    match kind:
        case Kind.INT64:
            whole = elements.cast(pa.int32()) if pa.types.is_date32(elements.type) else elements
            integers: Integers = whole.cast(pa.int64()).to_numpy(zero_copy_only=False)
            return integers
        case Kind.FLOAT:
            return _floats(name, elements.to_numpy(zero_copy_only=False))
        case Kind.BYTES:
            return _texts(elements)


def _floats(name: str, numbers: npt.NDArray[Any]) -> Floats:
    with np.errstate(over="ignore"):
        floats: Floats = numbers.astype(np.float32)
    if np.any(np.isinf(floats) & ~np.isinf(numbers)):
        raise _unfit(name, "has numbers beyond 3.4e38, the largest that TensorFlow's floats take")
    return floats


def _texts(elements: pa.Array) -> Texts:
    large = elements.cast(pa.large_binary())
    _, offsets, data = large.buffers()
    starts = np.zeros(len(large) + 1, np.int64)
    if offsets is not None and len(large):
        starts = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
    return Texts(np.frombuffer(data if data is not None else b"", np.uint8), starts)


def _unfit(name: str, what: str) -> InvalidInputError:
    return InvalidInputError(
        f"tfrecords cannot hold {name}: it {what}.",
        hint="Choose parquet, or leave this column out.",
        errors=[{"field": name, "message": what}],
    )
