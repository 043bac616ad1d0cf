"""Text with one row a line: comma or tab separated, UTF-8, with a header."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.csv as pa_csv

from infra.errors import FrameInvalidError, InvalidInputError

# A row must fit into a block.
_BLOCK_BYTES: Final = 16 << 20


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
        options = pa_csv.WriteOptions(delimiter=self._delimiter, quoting_style="needed")
        with pa_csv.CSVWriter(sink, schema, write_options=options) as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows
        return rows

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
