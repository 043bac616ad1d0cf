"""Text with one row a line: comma or tab separated, UTF-8, with a header."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from infra.errors import FrameInvalidError, InvalidInputError

# A row must fit into a block.
_BLOCK_BYTES: Final = 16 << 20
_TEXT: Final = pa.large_string()
_QUOTE: Final = '"'
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


class DelimitedFormat:
    """Implements `infra.ports.formats.DataFormat`.

    Text is always quoted and null never, so `""` is the empty text and nothing at all is null. Numbers are written in
    their shortest exact form, times as UTC with six digits.
    """

    def __init__(self, name: str, delimiter: str) -> None:
        self.name = name
        self.suffix = f".{name}"
        self._delimiter = delimiter

    def check(self, schema: pa.Schema) -> None:
        refused = [field for field in schema if not _has_text_form(field.type)]
        if refused:
            raise InvalidInputError(
                f"{self.name} holds neither nested nor binary columns: {', '.join(field.name for field in refused)}.",
                hint="Choose parquet, or leave these columns out.",
                errors=[{"field": field.name, "message": f"{field.type} has no text form"} for field in refused],
            )

    def write(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: BinaryIO) -> int:
        rows = 0
        sink.write(_lines([pa.array([name], _TEXT) for name in schema.names], self._delimiter))
        for batch in batches:
            for field, column in zip(schema, batch.columns, strict=True):
                self._require_readable(field.name, column)
            sink.write(_lines(batch.columns, self._delimiter))
            rows += batch.num_rows
        return rows

    def _require_readable(self, name: str, column: pa.Array) -> None:
        if pa.types.is_timestamp(column.type) and not _has_four_digits(column):
            raise InvalidInputError(
                f"{self.name} cannot hold {name}: it has times outside the years 1 to 9999.",
                hint="Choose parquet, or filter these rows out.",
                errors=[{"field": name, "message": "has times outside the years 1 to 9999"}],
            )

    def read(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            with pa_csv.open_csv(source, _read_options(), self._parse_options(), _convert_options(schema)) as reader:
                for batch in reader:
                    yield batch.select(schema.names).cast(schema)
        except (pa.ArrowException, KeyError) as error:
            raise FrameInvalidError(f"This is no {self.name} file of the expected shape: {error}") from error

    def _parse_options(self) -> pa_csv.ParseOptions:
        # In a file of one column an empty line is a row: its null.
        return pa_csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True, ignore_empty_lines=False)


def csv_format() -> DelimitedFormat:
    return DelimitedFormat("csv", ",")


def tsv_format() -> DelimitedFormat:
    return DelimitedFormat("tsv", "\t")


def _lines(columns: Sequence[pa.Array], delimiter: str) -> memoryview:
    """The bytes of all rows. pyarrow's own writer takes four times as long where one column is a time with a zone."""
    texts = [_text(column) for column in columns]
    texts[-1] = _joined(pc.coalesce(texts[-1], pa.scalar("", _TEXT)), "\n")
    lines = pc.binary_join_element_wise(
        *texts, pa.scalar(delimiter, _TEXT), null_handling="replace", null_replacement=""
    )
    _, offsets, values = lines.buffers()
    return memoryview(values)[: np.frombuffer(offsets, np.int64)[len(lines)]] if len(lines) else memoryview(b"")


def _text(column: pa.Array) -> pa.Array:
    if _is_text(column.type):
        return _joined(_QUOTE, pc.replace_substring(column.cast(_TEXT), _QUOTE, _QUOTE * 2), _QUOTE)
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return _joined(column.cast(pa.timestamp(column.type.unit)).cast(_TEXT), "Z")
    return column.cast(_TEXT)


def _joined(*texts: pa.Array | str) -> pa.Array:
    scalars = [pa.scalar(text, _TEXT) if isinstance(text, str) else text for text in (*texts, "")]
    return pc.binary_join_element_wise(*scalars)


def _has_four_digits(column: pa.Array) -> bool:
    extremes = pc.min_max(column.cast(pa.timestamp("us")).cast(pa.int64()))
    least, most = extremes["min"].as_py(), extremes["max"].as_py()
    return least is None or (least >= _FIRST and most <= _LAST)


def _is_text(column: pa.DataType) -> bool:
    return bool(pa.types.is_string(column) or pa.types.is_large_string(column) or pa.types.is_string_view(column))


def _read_options() -> pa_csv.ReadOptions:
    return pa_csv.ReadOptions(block_size=_BLOCK_BYTES)


def _convert_options(schema: pa.Schema) -> pa_csv.ConvertOptions:
    return pa_csv.ConvertOptions(
        column_types=schema,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["true"],
        false_values=["false"],
    )


def _has_text_form(column: pa.DataType) -> bool:
    binary = pa.types.is_binary(column) or pa.types.is_large_binary(column) or pa.types.is_fixed_size_binary(column)
    return not (binary or pa.types.is_binary_view(column) or pa.types.is_nested(column))
