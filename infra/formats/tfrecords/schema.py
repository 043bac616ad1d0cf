"""What `tf.io.parse_single_example` must be told of records, which do not say it themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from infra.formats.tfrecords.columns import Kind, kind_of

FIXED, VARLEN = "fixed", "varlen"
_DTYPES: Final = {Kind.INT64: "int64", Kind.FLOAT: "float32", Kind.BYTES: "string"}


@dataclass
class _Seen:
    """Of one column, and of its arrays `least` to `most` elements."""

    rows: int = 0
    nulls: int = 0
    least: int | None = None
    most: int | None = None

    def add(self, column: pa.Array) -> None:
        self.rows += len(column)
        self.nulls += column.null_count
        if pa.types.is_list(column.type) and len(column) > column.null_count:
            lengths = pc.min_max(pc.list_value_length(column))
            self.widen(lengths["min"].as_py(), lengths["max"].as_py())

    def widen(self, least: int, most: int) -> None:
        self.least = least if self.least is None else min(self.least, least)
        self.most = most if self.most is None else max(self.most, most)


class RecordDescriber:
    """Implements `infra.ports.formats.RowDescriber`.

    A fixed feature is one that every row has with as many values: TensorFlow refuses a record that differs. So it is every
    row that decides, where the original clients trusted the first. Arrays are fixed only if that is asked for.
    """

    def __init__(self, schema: pa.Schema, *, fixed: bool, earlier: Mapping[str, Mapping[str, Any]] | None) -> None:
        self._schema = schema
        self._fixed = fixed
        self._seen = {field.name: _Seen() for field in schema}
        self._earlier = earlier or {}

    def see(self, batch: pa.RecordBatch) -> None:
        for name, seen in self._seen.items():
            seen.add(batch.column(name))

    def described(self) -> dict[str, dict[str, Any]]:
        return {field.name: self._feature(field) for field in self._schema}

    def _feature(self, column: pa.Field) -> dict[str, Any]:
        kind = kind_of(column.type)
        assert kind is not None, "the format was checked"
        seen, earlier = self._seen[column.name], self._earlier.get(column.name)
        why = self._why_not_fixed(seen, earlier, is_list=pa.types.is_list(column.type))
        if why is None:
            shape = [] if seen.most is None else [seen.most]
            return {"kind": FIXED, "dtype": _DTYPES[kind], "shape": shape}
        return {"kind": VARLEN, "dtype": _DTYPES[kind], "shape": [None], "why": why}

    def _why_not_fixed(self, seen: _Seen, earlier: Mapping[str, Any] | None, *, is_list: bool) -> str | None:
        if earlier is not None and earlier["kind"] == VARLEN and earlier["why"] != _NO_ROWS:
            return str(earlier["why"])
        if earlier is not None and earlier["shape"] not in ([], [None]):
            seen.widen(*earlier["shape"] * 2)
        if is_list and not self._fixed:
            return "fixed=False"
        if seen.nulls:
            return "nulls"
        if not is_list:
            return None
        if not seen.most:
            return "no elements" if seen.rows else _NO_ROWS
        return None if seen.least == seen.most else f"{seen.least} to {seen.most} elements"


_NO_ROWS: Final = "no rows"
