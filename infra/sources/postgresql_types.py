"""Types of PostgreSQL and Arrow."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

import pyarrow as pa
from psycopg import Column
from psycopg.postgres import types as registry

# A numeric without digits of its own holds any; this is what Spark reads it as.
UNBOUND_DECIMAL: Final = pa.decimal128(38, 18)
_UTC: Final = pa.timestamp("us", tz="UTC")
_NAMED: Final[dict[str, pa.DataType]] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "text": pa.string(),
    "varchar": pa.string(),
    "bpchar": pa.string(),
    '"char"': pa.string(),
    "name": pa.string(),
    "uuid": pa.string(),
    "json": pa.string(),
    "jsonb": pa.string(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": _UTC,
}


def type_name(oid: int) -> str:
    """The built-in name of a type; empty for what a database added, such as an enumeration."""
    info = registry.get(oid)
    if info is None:
        return ""
    return f"{info.name}[]" if info.array_oid == oid else info.name


def arrow_type(column: Column) -> pa.DataType | None:
    """None where no feature has such a type."""
    name = type_name(column.type_code)
    if name.endswith("[]"):
        # The digits of an array's numerics are not told.
        item = UNBOUND_DECIMAL if name == "numeric[]" else _NAMED.get(name.removesuffix("[]"))
        return None if item is None else pa.list_(item)
    return _decimal(column) if name == "numeric" else _NAMED.get(name)


def _decimal(column: Column) -> pa.DataType | None:
    if column.precision is None:
        return UNBOUND_DECIMAL
    # Since version 15 a scale may be negative or above the precision, and a precision up to 1000.
    digits, scale = column.precision, column.scale or 0
    return pa.decimal128(digits, scale) if digits <= 38 and 0 <= scale <= digits else None


def convert(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Naive times are read as UTC. Decimals beyond 18 digits of a numeric without a scale are rounded to even."""
    if target == UNBOUND_DECIMAL:
        values = [None if value is None else _rounded(value) for value in values]
    elif target == pa.list_(UNBOUND_DECIMAL):
        values = [None if value is None else [None if v is None else _rounded(v) for v in value] for value in values]
    return pa.array(values, target)


_QUANTUM = Decimal(1).scaleb(-18)


def _rounded(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    if isinstance(exponent, str):
        raise ValueError("not a number")  # noqa: TRY004 a value, not a type of Python's
    return value if exponent >= -18 else value.quantize(_QUANTUM, rounding=ROUND_HALF_EVEN)
