"""Avro object container files through fastavro, which takes every value through Python."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO, Final, TypeAlias

import fastavro
import pyarrow as pa

from infra.errors import FrameInvalidError, InvalidInputError
from infra.formats.gathering import rows_at_once

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCALARS: Final[dict[pa.DataType, Any]] = {
    pa.int8(): "int",
    pa.int16(): "int",
    pa.int32(): "int",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.string(): "string",
    pa.binary(): "bytes",
    pa.date32(): {"type": "int", "logicalType": "date"},
    pa.timestamp("us", "UTC"): {"type": "long", "logicalType": "timestamp-micros"},
}
_Turn: TypeAlias = Callable[[Any], Any]


class AvroFormat:
    """Implements `infra.ports.formats.DataFormat`. Every value may be null; times are microseconds."""

    name = "avro"
    suffix = ".avro"

    def check(self, schema: pa.Schema) -> None:
        errors = []
        for field in schema:
            try:
                _avro_field(field, "row")
            except ValueError as error:
                errors.append({"field": field.name, "message": str(error)})
        if errors:
            raise InvalidInputError(
                f"avro cannot hold: {', '.join(error['field'] for error in errors)}.",
                hint="Choose parquet, or leave these columns out.",
                errors=errors,
            )

    def write(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: BinaryIO) -> int:
        rows = 0

        def records() -> Iterator[dict[str, Any]]:
            nonlocal rows
            turns = {field.name: turn for field in schema if (turn := _maps_as_dicts(field.type)) is not None}
            size = rows_at_once(schema)
            for batch in batches:
                rows += batch.num_rows
                for start in range(0, batch.num_rows, size):
                    for record in _records(batch.slice(start, size)):
                        for name, turn in turns.items():
                            record[name] = _turned(name, turn, record[name])
                        yield record

        told = _avro_schema(schema)
        fastavro.writer(sink, told, records(), codec="deflate", sync_marker=_sync_marker(told))
        return rows

    def read(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            records = fastavro.reader(source)
            while found := list(islice(records, rows_at_once(schema))):
                yield pa.RecordBatch.from_pylist([_named(record, schema) for record in found], schema=schema)
        except (pa.ArrowException, ValueError, KeyError, EOFError, TypeError) as error:
            raise FrameInvalidError(f"This is no Avro file of the expected shape: {error}") from error


def _records(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    try:
        records: list[dict[str, Any]] = batch.to_pylist()
    except OverflowError:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            _require_python_has(name, column)
        raise
    return records


def _require_python_has(name: str, column: pa.Array) -> None:
    try:
        column.to_pylist()
    except OverflowError as error:
        raise _cannot_hold(name, "has times outside the years 1 to 9999") from error


def _turned(name: str, turn: _Turn, value: Any) -> Any:
    try:
        return turn(value)
    except _KeyTwiceError as error:
        raise _cannot_hold(name, "has a map with one key twice") from error


def _cannot_hold(name: str, what: str) -> InvalidInputError:
    return InvalidInputError(
        f"avro cannot hold {name}: it {what}.",
        hint="Choose parquet, or leave this column out.",
        errors=[{"field": name, "message": what}],
    )


def _named(record: Any, schema: pa.Schema) -> dict[str, Any]:
    return {name: record[name] for name in schema.names}


def _avro_schema(schema: pa.Schema) -> dict[str, Any]:
    return {"type": "record", "name": "row", "fields": [_avro_field(field, "row") for field in schema]}


def _avro_field(field: pa.Field, path: str) -> dict[str, Any]:
    if not _NAME.fullmatch(field.name):
        raise ValueError(f"{field.name!r} is no name in Avro")
    return {"name": field.name, "type": ["null", _avro_type(field.type, f"{path}.{field.name}")]}


def _avro_type(column: pa.DataType, path: str) -> Any:
    """`path` names records, each of which needs one of its own; what is before a dot is a namespace. Raises ValueError."""
    if pa.types.is_decimal(column):
        return {"type": "bytes", "logicalType": "decimal", "precision": column.precision, "scale": column.scale}
    if pa.types.is_list(column):
        return {"type": "array", "items": ["null", _avro_type(column.value_type, path)]}
    if pa.types.is_struct(column):
        return {"type": "record", "name": path, "fields": [_avro_field(field, path) for field in column]}
    if pa.types.is_map(column):
        if not pa.types.is_string(column.key_type):
            raise ValueError(f"keys of a map are text in Avro, not {column.key_type}")
        return {"type": "map", "values": ["null", _avro_type(column.item_type, path)]}
    return _SCALARS[column]


def _maps_as_dicts(column: pa.DataType) -> _Turn | None:
    """How Arrow's values, in which a map is a list of pairs, become Avro's; None where they are the same."""
    if pa.types.is_list(column):
        element = _maps_as_dicts(column.value_type)
        return element and (lambda values: values and [element(value) for value in values])
    if pa.types.is_struct(column):
        turns = {field.name: turn for field in column if (turn := _maps_as_dicts(field.type)) is not None}
        return (
            (lambda value: value and {**value, **{k: turn(value[k]) for k, turn in turns.items()}}) if turns else None
        )
    if pa.types.is_map(column):
        item = _maps_as_dicts(column.item_type) or (lambda value: value)
        return lambda pairs: None if pairs is None else _dict_of(pairs, item)
    return None


class _KeyTwiceError(ValueError):
    """Arrow's maps are lists of pairs, and may have it; Avro's may not."""


def _dict_of(pairs: list[tuple[str, Any]], item: _Turn) -> dict[str, Any]:
    found = {key: item(value) for key, value in pairs}
    if len(found) < len(pairs):
        raise _KeyTwiceError
    return found


def _sync_marker(schema: Any) -> bytes:
    """What stands between blocks; usually drawn at random, but the same rows are to be the same bytes."""
    return hashlib.blake2b(json.dumps(schema, sort_keys=True).encode(), digest_size=16).digest()
