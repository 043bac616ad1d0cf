"""Reads files that others wrote. Implementations: one module each in `infra/formats/foreign/`."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol, TypeAlias

import pyarrow as pa

from infra.errors import InvalidInputError

Wanted: TypeAlias = Callable[[str], pa.DataType | None]
"""The type that a column shall have, by its name in the file; None: whatever it has."""


MOST_COLUMNS: Final = 2_000
"""Of one file, as of one frame that is inserted."""


class SourceFileInvalidError(InvalidInputError):
    """A file of others is no file of the format, ends early, or holds what cannot be imported."""

    code = "source-file-invalid"
    title = "A file cannot be imported"


class NotReadable(Exception):  # noqa: N818 never seen by anybody: who knows the file's name says it in an error
    """What is wrong with a file, in words that go on after its name. No values: they are nobody's business but the owner's."""

    def __init__(self, what: str, *, hint: str | None = None, column: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.column = column


def require_columns(number: int) -> None:
    """Raises NotReadable for more columns than any table has; a format asks before it works on each of them."""
    if number > MOST_COLUMNS:
        raise NotReadable(
            f"has more than {MOST_COLUMNS:,} columns, which is the most.", hint="Split it into files of fewer columns."
        )


class ImportFormat(Protocol):
    """`file` are all bytes of one file, mapped from disk. Every method raises NotReadable."""

    def schema(self, file: pa.Buffer, wanted: Wanted) -> pa.Schema:
        """The columns by their names in the file, each name once; a column of nothing but nulls may have the type null.

        A format that has no types of its own looks at every value, and takes what is wanted where something is.
        """

    def batches(self, file: pa.Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Every row, in batches of a few megabytes that have the schema which `schema` told, texts perhaps as dictionaries.

        A value that does not fit raises; none is ever left out, or made null.
        """
