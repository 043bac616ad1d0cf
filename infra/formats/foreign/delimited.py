"""Comma or tab separated text of others: UTF-8, with a header row."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from infra.formats.foreign.texts import TYPES, Kind, converted, first_failing, has_text_form, kind_of, wider
from infra.ports.imports import NotReadable, Wanted, require_columns

_BLOCK_BYTES: Final = 16 << 20  # a row must fit into it
_HEADER_BYTES: Final = 1 << 20
_COMPRESSED: Final = (b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")  # gzip, bzip2, zstd, zip


class ForeignDelimited:
    """Implements `infra.ports.imports.ImportFormat`. Nothing at all is null, `""` the empty text, or null in other columns."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter

    def schema(self, file: pa.Buffer, wanted: Wanted) -> pa.Schema:
        names = self._header(file)
        _require_even_quotes(file)
        asked = {name: kind for name in names if (kind := wanted(name)) is not None and has_text_form(kind)}
        kinds = {name: Kind.NOTHING for name in names if name not in asked}
        for batch, _ in self._texts(file, names):
            for name, kind in kinds.items():
                if kind is not Kind.TEXT:
                    kinds[name] = wider(kind, kind_of(batch.column(name)))
        return pa.schema([pa.field(name, asked[name] if name in asked else TYPES[kinds[name]]) for name in names])

    def batches(self, file: pa.Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch, row in self._texts(file, schema.names):
            columns = [converted(batch.column(field.name), field.type, field.name, row) for field in schema]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _header(self, file: pa.Buffer) -> list[str]:
        if any(file.slice(0, min(file.size, 4)).to_pybytes().startswith(mark) for mark in _COMPRESSED):
            raise NotReadable(
                "is compressed.", hint="Unpack it first; Parquet and ORC are compressed within themselves."
            )
        try:
            text = file.slice(0, min(file.size, _HEADER_BYTES)).to_pybytes().decode("utf-8-sig", errors="replace")
            names = next(csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True), [])
        except csv.Error as error:
            raise NotReadable(f"has no header row that can be read ({error}).") from error
        if not any(names):
            raise NotReadable("has no header row.", hint="The first row must hold the names of the columns.")
        require_columns(len(names))
        if any("\ufffd" in name for name in names):
            raise NotReadable("has a header row that is no UTF-8.", hint="Save it as UTF-8.")
        if "" in names:
            raise NotReadable(f"has no name for column {names.index('') + 1} in its header.", hint="Give it one.")
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise NotReadable(f"has two columns called {twice[0][:80]!r}.", hint="Rename one of them.")
        return names

    def _texts(self, file: pa.Buffer, names: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Batches of texts, each with the number of its first row."""
        row = 1
        with _readable() as refused, self._open(file, names, refused) as reader:
            if reader.schema.names != names:
                raise NotReadable("has a header row that can be read in two ways.", hint="Quote the names in it.")
            for batch in reader:
                columns = [_utf8(batch.column(name), name, row) for name in names]
                yield pa.RecordBatch.from_arrays(columns, names), row
                row += batch.num_rows

    def _open(self, file: pa.Buffer, names: list[str], refused: list[Any]) -> pa_csv.CSVStreamingReader:
        if _has_no_rows(file):
            file = pa.py_buffer(file.to_pybytes() + b"\n")  # Arrow asks for the header's end of line

        def refuse(row: Any) -> str:
            refused.append(row)
            return "error"

        return pa_csv.open_csv(
            pa.BufferReader(file),
            pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            # In a file of one column an empty line is a row: its null.
            pa_csv.ParseOptions(
                delimiter=self._delimiter,
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,
                invalid_row_handler=refuse,
            ),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )


def foreign_csv() -> ForeignDelimited:
    return ForeignDelimited(",")


def foreign_tsv() -> ForeignDelimited:
    return ForeignDelimited("\t")


def _has_no_rows(file: pa.Buffer) -> bool:
    return bool(file.size < _HEADER_BYTES and b"\n" not in (text := file.to_pybytes()) and b"\r" not in text)


def _require_even_quotes(file: pa.Buffer) -> None:
    """A file that is cut inside a quoted value reads without any error, as one long last value."""
    marks = 0
    for start in range(0, file.size, _BLOCK_BYTES):
        block = file.slice(start, min(_BLOCK_BYTES, file.size - start))
        marks += int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord('"')))
    if marks % 2:
        raise NotReadable(
            "has an odd number of quotation marks: a quoted value never ends.",
            hint='The file may be cut. Within a value that is quoted, a quotation mark is written twice: "".',
        )


def _utf8(values: pa.Array, column: str, row: int) -> pa.Array:
    try:
        return pc.cast(values, pa.string())
    except pa.ArrowInvalid as error:
        at = row + first_failing(values, lambda part: pc.cast(part, pa.string()))
        raise NotReadable(
            f"holds in column {column[:80]!r}, row {at:,}, what is no UTF-8.", hint="Save it as UTF-8.", column=column
        ) from error


@contextmanager
def _readable() -> Iterator[list[Any]]:
    """Gives the list for rows that the parser refused; Arrow's own words would show what is in them."""
    refused: list[Any] = []
    try:
        yield refused
    except pa.ArrowInvalid as error:
        if refused:
            row = refused[0]
            where = "a row" if row.number is None else f"row {row.number - 1:,}"
            what = f"has {row.actual_columns} values in {where} and {row.expected_columns} in its header."
            raise NotReadable(what, hint="Rows are counted from 1 after the header; the file may be cut.") from error
        if "straddl" in str(error):
            raise NotReadable(f"has a row of more than {_BLOCK_BYTES >> 20} MiB.") from error
        raise NotReadable("cannot be read as separated text.") from error
