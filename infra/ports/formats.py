"""Writes frames as files in one data format. Implementations: one module each in `infra/formats/`."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Protocol, runtime_checkable

import pyarrow as pa


class DataFormat(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    def check(self, schema: pa.Schema) -> None:
        """Raise InvalidInputError, naming every column, where the format cannot hold the schema (csv: nested types, binary)."""

    def write(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: BinaryIO) -> int:
        """Stream batches into one file; returns rows written."""

    def read(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Stream a file that `write` made back, with exactly `schema`'s types and nulls distinct from empty strings."""


@runtime_checkable
class ColumnarFormat(DataFormat, Protocol):
    """A format of whose files some columns can be read without the others."""

    def read_columns(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """As `read`, of the columns that `schema` names."""


class RowDescriber(Protocol):
    """Looks at the rows that are written, and can say afterwards what their reader must be told."""

    def see(self, batch: pa.RecordBatch) -> None: ...

    def described(self) -> dict[str, dict[str, Any]]:
        """By column, as JSON holds it."""


@runtime_checkable
class DescribedFormat(DataFormat, Protocol):
    """A format whose files do not say how they are to be read."""

    def describer(
        self, schema: pa.Schema, *, fixed: bool, earlier: Mapping[str, Mapping[str, Any]] | None = None
    ) -> RowDescriber:
        """`fixed` allows arrays of one length; `earlier` is what was described of rows that these are put beside."""
