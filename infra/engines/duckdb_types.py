"""Arrow types in DuckDB's words."""

from typing import Final

import pyarrow as pa

from infra.errors import InvalidInputError

_SCALARS: Final[dict[pa.DataType, str]] = {
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.string_view(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.large_binary(): "BLOB",
    pa.binary_view(): "BLOB",
    pa.date32(): "DATE",
}


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def sql_type(column: pa.DataType) -> str:
    """The DuckDB type that holds exactly these values; InvalidInputError for a type no table of ours has."""
    if column in _SCALARS:
        return _SCALARS[column]
    if pa.types.is_timestamp(column):
        return "TIMESTAMP" if column.tz is None else "TIMESTAMPTZ"
    if pa.types.is_decimal128(column):
        return f"DECIMAL({column.precision}, {column.scale})"
    if pa.types.is_map(column):
        return f"MAP({sql_type(column.key_type)}, {sql_type(column.item_type)})"
    if pa.types.is_struct(column):
        return f"STRUCT({', '.join(f'{identifier(field.name)} {sql_type(field.type)}' for field in column)})"
    if pa.types.is_list(column) or pa.types.is_large_list(column):
        return f"{sql_type(column.value_type)}[]"
    raise InvalidInputError(f"The query engine does not know the type {column}.")
