"""Types of MySQL and Arrow, from what the protocol says of a column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pymysql.constants import FIELD_TYPE, FLAG

_BINARY_CHARSET: Final = 63
_INTEGERS: Final = {
    FIELD_TYPE.TINY: (pa.int8(), pa.uint8()),
    FIELD_TYPE.SHORT: (pa.int16(), pa.uint16()),
    FIELD_TYPE.INT24: (pa.int32(), pa.uint32()),
    FIELD_TYPE.LONG: (pa.int32(), pa.uint32()),
    FIELD_TYPE.LONGLONG: (pa.int64(), pa.uint64()),
}
_PLAIN: Final = {
    FIELD_TYPE.FLOAT: pa.float32(),
    FIELD_TYPE.DOUBLE: pa.float64(),
    FIELD_TYPE.YEAR: pa.int16(),
    FIELD_TYPE.DATE: pa.date32(),
    FIELD_TYPE.NEWDATE: pa.date32(),
    FIELD_TYPE.DATETIME: pa.timestamp("us"),
    # The session's time zone is UTC.
    FIELD_TYPE.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    FIELD_TYPE.JSON: pa.string(),
    FIELD_TYPE.ENUM: pa.string(),
    FIELD_TYPE.SET: pa.string(),
}
_TEXTS: Final = {
    FIELD_TYPE.VARCHAR,
    FIELD_TYPE.VAR_STRING,
    FIELD_TYPE.STRING,
    FIELD_TYPE.TINY_BLOB,
    FIELD_TYPE.MEDIUM_BLOB,
    FIELD_TYPE.LONG_BLOB,
    FIELD_TYPE.BLOB,
}
_NAMES: Final = {number: name for name, number in vars(FIELD_TYPE).items() if name.isupper()}


@dataclass(frozen=True)
class MySqlColumn:
    name: str
    type_code: int
    length: int
    scale: int
    flags: int
    charset: int

    @property
    def is_unsigned(self) -> bool:
        return bool(self.flags & FLAG.UNSIGNED)

    @property
    def display(self) -> str:
        return str(_NAMES.get(self.type_code, self.type_code)).lower()


def arrow_type(column: MySqlColumn) -> pa.DataType | None:
    """None where no feature has such a type."""
    code = column.type_code
    if (code == FIELD_TYPE.TINY and column.length == 1) or (code == FIELD_TYPE.BIT and column.length == 1):
        return pa.bool_()
    if code in _INTEGERS:
        return _INTEGERS[code][column.is_unsigned]
    if code in (FIELD_TYPE.NEWDECIMAL, FIELD_TYPE.DECIMAL):
        return _decimal(column)
    if code == FIELD_TYPE.BIT:
        return pa.binary()
    if code in _TEXTS:
        return pa.binary() if column.charset == _BINARY_CHARSET else pa.string()
    return _PLAIN.get(code)


def _decimal(column: MySqlColumn) -> pa.DataType | None:
    # The length counts the point and, where there may be one, the sign.
    digits = column.length - (column.scale > 0) - (not column.is_unsigned)
    return pa.decimal128(digits, column.scale) if 1 <= digits <= 38 and column.scale <= digits else None


def convert(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    """The text protocol's values, which the driver has left as text, parsed by Arrow: a zero date is an error, not a text."""
    if pa.types.is_boolean(target):
        return pa.array([None if value is None else value not in (b"\x00", "0", 0) for value in values], target)
    if pa.types.is_string(target) or pa.types.is_binary(target):
        return pa.array(values, target)
    texts = pa.array(values, pa.string())
    if pa.types.is_timestamp(target) and target.tz is not None:
        return pc.cast(pc.cast(texts, pa.timestamp(target.unit)), target)
    return pc.cast(texts, target)
