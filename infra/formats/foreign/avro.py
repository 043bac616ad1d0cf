"""Avro object container files of others, which fastavro takes through Python value by value."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import fastavro
import pyarrow as pa

from infra.arrow_types import unified
from infra.formats.foreign.avro_blocks import UnpackedAvro
from infra.formats.foreign.records import ROWS_AT_ONCE, column
from infra.ports.imports import NotReadable, Wanted

_BATCH_BYTES: Final = 4 << 20
_SCALARS: Final[dict[str, pa.DataType]] = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
    "enum": pa.string(),
    "fixed": pa.binary(),
}
_LOGICAL: Final[dict[str, pa.DataType]] = {
    "date": pa.date32(),
    "timestamp-millis": pa.timestamp("ms", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "local-timestamp-millis": pa.timestamp("ms"),
    "local-timestamp-micros": pa.timestamp("us"),
    "time-millis": pa.time32("ms"),
    "time-micros": pa.time64("us"),
    "uuid": pa.string(),
}


class ForeignAvro:
    """Implements `infra.ports.imports.ImportFormat`."""

    def schema(self, file: pa.Buffer, wanted: Wanted) -> pa.Schema:  # noqa: ARG002 the file has types of its own
        with _readable():
            written = fastavro.reader(io.BufferedReader(UnpackedAvro(file))).writer_schema
            if not isinstance(written, dict) or written.get("type") != "record":
                raise NotReadable("holds no records, and rows are records.")
            types = _Types(written["name"])
            return pa.schema([(each["name"], types.of(each["type"], each["name"])) for each in written["fields"]])

    def batches(self, file: pa.Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        row = 1
        with _readable():
            for found in _some_at_once(UnpackedAvro(file)):
                plain = [{name: _plain(value) for name, value in record.items()} for record in found]
                columns = [column(plain, field.name, field.type, row) for field in schema]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
                row += len(found)


def _some_at_once(file: UnpackedAvro) -> Iterator[list[dict[str, Any]]]:
    """Records by the number, or by the bytes of the blocks that they stand in."""
    found: list[Any] = []
    given = 0
    for record in fastavro.reader(io.BufferedReader(file)):
        found.append(record)
        if len(found) == ROWS_AT_ONCE or file.given - given >= _BATCH_BYTES:
            yield found
            found, given = [], file.given
    if found:
        yield found


class _Types:
    """Arrow's types for Avro's, with the named ones that were met on the way."""

    def __init__(self, row: str) -> None:
        self._named: dict[str, pa.DataType | None] = {row: None}  # None until its end: it may hold itself

    def of(self, written: Any, name: str) -> pa.DataType:
        if isinstance(written, list):
            return self._union(written, name)
        if isinstance(written, str):
            return _SCALARS[written] if written in _SCALARS else self._known(written, name)
        return self._complex(written, name)

    def _union(self, branches: list[Any], name: str) -> pa.DataType:
        found: pa.DataType | None = pa.null()
        for branch in branches:
            found = found and unified(found, self.of(branch, name))
        if found is None:
            raise NotReadable(f"has values of several types in column {name[:80]!r}.", column=name)
        return found

    def _complex(self, written: Mapping[str, Any], name: str) -> pa.DataType:
        kind, logical = written["type"], written.get("logicalType")
        if logical == "decimal":
            return pa.decimal128(written["precision"], written.get("scale", 0))
        if logical in _LOGICAL:
            return _LOGICAL[logical]
        if kind == "array":
            return pa.list_(self._items(written["items"], name))
        if kind == "map":
            return pa.map_(pa.string(), self.of(written["values"], name))
        if kind in {"record", "error"}:
            return self._record(written, name)
        found = pa.null() if kind == "fixed" and not written["size"] else self.of(kind, name)
        if kind in {"enum", "fixed"}:
            self._named[_full_name(written)] = found
        return found

    def _items(self, written: Any, name: str) -> pa.DataType:
        found = self.of(written, name)
        if _takes_no_bytes(found):  # a file of a hundred bytes could hold a million million of them
            raise NotReadable(f"has lists of nothing in column {name[:80]!r}.", column=name)
        return found

    def _record(self, written: Mapping[str, Any], name: str) -> pa.DataType:
        self._named[_full_name(written)] = None
        made = pa.struct([(each["name"], self.of(each["type"], name)) for each in written["fields"]])
        self._named[_full_name(written)] = made
        return made

    def _known(self, written: str, name: str) -> pa.DataType:
        found = self._named.get(written)
        if found is None:
            raise NotReadable(f"holds in column {name[:80]!r} records within themselves.", column=name)
        return found


def _full_name(written: Mapping[str, Any]) -> str:
    space = written.get("namespace")
    return f"{space}.{written['name']}" if space and "." not in written["name"] else written["name"]


def _plain(value: Any) -> Any:
    """A map as Arrow takes it is a dict, too; an UUID is a text."""
    return str(value) if isinstance(value, UUID) else value


def _takes_no_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_null(kind) or (pa.types.is_struct(kind) and all(_takes_no_bytes(each.type) for each in kind))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except NotReadable:
        raise
    except Exception as error:
        # fastavro lets everything through that reading broken bytes can lead to: struct, zlib, index and key errors.
        raise NotReadable(
            f"is no Avro file that can be read ({type(error).__name__}).", hint="It may be cut, or of another format."
        ) from error
