"""JSON of others, an object a line.

Python's parser and not Arrow's, which ends the process at a line that is `null` and takes any text like a time for one.
"""

import io
import json
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from infra.arrow_types import unified
from infra.formats.foreign.records import ROWS_AT_ONCE, column
from infra.formats.foreign.texts import converted, has_text_form
from infra.ports.imports import NotReadable, Wanted, require_columns

_BATCH_BYTES: Final = 4 << 20
_LINE_BYTES: Final = 16 << 20
_Record = dict[str, Any]


class ForeignJsonLines:
    """Implements `infra.ports.imports.ImportFormat`. Text is text, whatever it looks like, unless a type is wanted."""

    def schema(self, file: pa.Buffer, wanted: Wanted) -> pa.Schema:
        types: dict[str, pa.DataType] = {}
        for records, row in _records(file):
            names = dict.fromkeys(name for record in records for name in record)
            require_columns(len(names.keys() | types.keys()))
            for name in names:
                found = wanted(name) or column(records, name, None, row).type
                kind = unified(types.get(name, pa.null()), found)
                if kind is None:
                    raise NotReadable(
                        f"holds in column {name[:80]!r} {types[name]} at first and {found} from row {row:,} on.",
                        hint="Mend the file, or say the type in `features`.",
                        column=name,
                    )
                types[name] = kind
        return pa.schema(types.items())

    def batches(self, file: pa.Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for records, row in _records(file):
            columns = [_column(records, field, row) for field in schema]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(records: list[_Record], field: pa.Field, row: int) -> pa.Array:
    as_text = pa.types.is_temporal(field.type) or pa.types.is_decimal(field.type)
    if as_text and has_text_form(field.type):
        # JSON has neither times nor exact decimals: they are written as text.
        return converted(column(records, field.name, pa.string(), row), field.type, field.name, row)
    return column(records, field.name, field.type, row)


def _records(file: pa.Buffer) -> Iterator[tuple[list[_Record], int]]:
    """Some rows at a time, with the number of the first."""
    found: list[_Record] = []
    row, size = 1, 0
    for line in _lines(file):
        size += len(line)
        if line.strip():
            found.append(_parsed(line, row + len(found)))
        if len(found) >= ROWS_AT_ONCE or size >= _BATCH_BYTES:
            yield found, row
            row, size, found = row + len(found), 0, []
    if found:
        yield found, row


def _lines(file: pa.Buffer) -> Iterator[bytes]:
    source = io.BufferedReader(pa.BufferReader(file))
    while line := source.readline(_LINE_BYTES):
        if len(line) == _LINE_BYTES:
            raise NotReadable(f"has a line of more than {_LINE_BYTES >> 20} MiB.")
        yield line


def _parsed(line: bytes, row: int) -> _Record:
    try:
        value = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise NotReadable(
            f"holds no JSON in row {row:,}.", hint="Each line must be an object of its own; the file may be cut."
        ) from error
    if not isinstance(value, dict):
        raise NotReadable(f"holds no object in row {row:,}.", hint='Each line must be one, such as {"id": 1}.')
    return value


def _once(pairs: list[tuple[str, Any]]) -> _Record:
    made = dict(pairs)
    "".join(made).encode()  # half of a surrogate pair is no text, and raises what is a ValueError
    if len(made) < len(pairs):
        raise ValueError("a name stands twice")
    return made
