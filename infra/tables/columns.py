"""Columns that are added to a table."""

import pyarrow as pa
from deltalake import DeltaTable, Field, Schema

from infra.errors import ConflictError


def missing_columns(table: DeltaTable, wanted: pa.Schema) -> list[Field]:
    """Those of `wanted` that the table lacks, nullable; ConflictError where it has one of another type."""
    # Delta does not tell names apart by case. Types are compared in Delta's words: Arrow has several for some of them.
    present = {field.name.lower(): field for field in table.schema().fields}
    missing = []
    for field in Schema.from_arrow(pa.schema([column.with_nullable(nullable=True) for column in wanted])).fields:
        known = present.get(field.name.lower())
        if known is None:
            missing.append(field)
        elif (known.name, known.type) != (field.name, field.type):
            raise ConflictError(
                f"The table has a column {known.name!r} of another type, from an addition that was cut off or goes on.",
                hint=f"Add it as it was added first, as {pa.field(known).type}.",
            )
    return missing
