"""What the columns of a file must be, whatever its format. Pure."""

from collections import Counter
from typing import Final

import pyarrow as pa

from infra.ports.imports import NotReadable, require_columns

MOST_LEVELS: Final = 32
"""Of lists and records within each other. What carries rows here has an end at 64, and recursion one of its own."""


def require_importable(schema: pa.Schema) -> None:
    """Raises NotReadable for too many columns or levels, and for two fields of one name: one would be lost unseen."""
    require_columns(len(schema))
    for field in schema:
        _require_type(field.type, field.name, MOST_LEVELS)


def _require_type(kind: pa.DataType, column: str, levels: int) -> None:
    if levels < 0:
        raise NotReadable(
            f"holds in column {column[:80]!r} more than {MOST_LEVELS} levels of lists and records.",
            hint="Write it flatter, or as text.",
            column=column,
        )
    if pa.types.is_struct(kind):
        name, times = Counter(each.name for each in kind).most_common(1)[0] if kind.num_fields else ("", 1)
        if times > 1:
            raise NotReadable(
                f"has in column {column[:80]!r} {times:,} fields that are called {name[:80]!r}.",
                hint="Rename all but one of them.",
                column=column,
            )
    for number in range(kind.num_fields):
        _require_type(kind.field(number).type, column, levels - 1)
