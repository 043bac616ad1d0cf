"""TFRecord files, one `tf.train.Example` a row."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa

from infra.errors import FrameInvalidError, InvalidInputError
from infra.formats.gathering import rows_at_once
from infra.formats.tfrecords.columns import column_of, kind_of
from infra.formats.tfrecords.encoding import encode
from infra.formats.tfrecords.parsing import read_examples
from infra.formats.tfrecords.schema import RecordDescriber


class TFRecordFormat:
    """Implements `infra.ports.formats.DescribedFormat`.

    A null is a feature that an example does not have. Doubles become floats, as in every writer of this format; times are
    microseconds and dates days since 1970.
    """

    name = "tfrecords"
    suffix = ".tfrecords"

    def check(self, schema: pa.Schema) -> None:
        refused = [field for field in schema if kind_of(field.type) is None]
        if refused:
            raise InvalidInputError(
                f"tfrecords has no value for the type of: {', '.join(field.name for field in refused)}.",
                hint="Choose parquet, cast decimals to DOUBLE, or leave these columns out.",
                errors=[{"field": field.name, "message": f"{field.type} has no tf.train.Feature"} for field in refused],
            )

    def write(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: BinaryIO) -> int:
        rows = 0
        size = rows_at_once(schema)
        for batch in batches:
            rows += batch.num_rows
            starts = range(0, batch.num_rows, size)
            sink.writelines(encode(batch.slice(start, size), schema) for start in starts)
        return rows

    def describer(
        self, schema: pa.Schema, *, fixed: bool, earlier: Mapping[str, Mapping[str, Any]] | None = None
    ) -> RecordDescriber:
        return RecordDescriber(schema, fixed=fixed, earlier=earlier)

    def read(self, source: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        examples = read_examples(source)
        while rows := list(islice(examples, rows_at_once(schema))):
            yield _batch(rows, schema)


def _batch(rows: Sequence[Mapping[str, list[Any]]], schema: pa.Schema) -> pa.RecordBatch:
    try:
        columns = [column_of([row.get(field.name) for row in rows], field.type) for field in schema]
    except (pa.ArrowException, IndexError, OverflowError) as error:
        raise FrameInvalidError(f"This is no TFRecord file of the expected shape: {error}") from error
    return pa.record_batch(columns, schema=schema)
