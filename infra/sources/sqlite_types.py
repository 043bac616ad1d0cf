"""Types of SQLite, which has them as hints only, and Arrow."""

import re
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

# In the order of SQLite's own rules for affinity (https://www.sqlite.org/datatype3.html), with what people mean by a name first.
_DECLARED: Final[tuple[tuple[str, pa.DataType], ...]] = (
    (r"BOOL", pa.bool_()),
    (r"TIMESTAMP|DATETIME", pa.timestamp("us", tz="UTC")),
    (r"DATE", pa.date32()),
    (r"INT", pa.int64()),
    (r"CHAR|CLOB|TEXT|JSON|UUID", pa.string()),
    (r"BLOB|BINARY", pa.binary()),
    (r"REAL|FLOA|DOUB|NUMERIC|DECIMAL", pa.float64()),
)
_ZONE = re.compile(r"\d(?:Z|[+-]\d\d:?\d\d)$")
_STORED: Final[tuple[tuple[type, pa.DataType], ...]] = (
    (int, pa.int64()),
    (float, pa.float64()),
    (str, pa.string()),
    (bytes, pa.binary()),
)


def declared_type(name: str) -> pa.DataType | None:
    """What a column's declaration means; None for an expression, which has none, and for words that mean nothing."""
    return next((found for pattern, found in _DECLARED if re.search(pattern, name.upper())), None)


def stored_type(values: Sequence[Any]) -> pa.DataType | None:
    """The one type that holds all `values`; None where there is no value or no such type."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pa.float64()
    return next((found for kind, found in _STORED if kinds == {kind}), None)


def convert(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Values as they are stored; times are texts as SQLite's own functions write them, in UTC."""
    if pa.types.is_boolean(target):
        return pa.array([None if value is None else _truth(value) for value in values], target)
    if pa.types.is_date(target):
        return pc.cast(pa.array(values, pa.string()), target)
    if pa.types.is_timestamp(target):
        return _times(values, target)
    if pa.types.is_floating(target):
        return pc.cast(pa.array([None if value is None else float(_number(value)) for value in values]), target)
    return pa.array(values, target)


def _times(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    return pc.cast(pa.array([None if value is None else _zoned(value) for value in values], pa.string()), target)


def _zoned(value: str) -> str:
    if _ZONE.search(value):
        return value
    return f"{value} 00:00Z" if len(value) == len("2020-01-01") else f"{value}Z"


def _truth(value: Any) -> bool:
    if value not in (0, 1) or isinstance(value, float):
        raise ValueError("no boolean")
    return bool(value)


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError("no number")
    return value
