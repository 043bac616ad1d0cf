"""What keeps a table readable for any Delta engine."""

from collections.abc import Sequence

import pyarrow as pa

from infra.errors import InvalidInputError


def require_portable(schema: pa.Schema, partition_by: Sequence[str]) -> None:
    for name in partition_by:
        if name not in schema.names:
            raise InvalidInputError(f"Partition column {name!r} is no column of the table.")
        if pa.types.is_nested(schema.field(name).type) or _has_no_text_form(schema.field(name).type):
            raise InvalidInputError(f"Column {name!r} is {schema.field(name).type}, which cannot partition a table.")
    if len(schema.names) == len(set(partition_by)):
        raise InvalidInputError("A table needs a column that does not partition it.")
    require_zones(schema)


def require_zones(columns: pa.Schema) -> None:
    """One naive timestamp would raise the table to reader 3 / writer 7 for ever."""
    naive = [field.name for field in columns if pa.types.is_timestamp(field.type) and field.type.tz is None]
    if naive:
        raise InvalidInputError(f"Timestamps without a zone: {naive}.")


def _has_no_text_form(column: pa.DataType) -> bool:
    # Decimals too: delta-rs 1.6.6 writes a negative one as `-1.-500` and cannot read it back.
    unfit = (pa.types.is_floating, pa.types.is_decimal, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_unfit(column) for is_unfit in unfit)
