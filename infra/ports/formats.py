"""Writes frames as files in one data format. Implementations: one module each in `infra/formats/`."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

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
