"""Files in each format, written and read back."""

import datetime as dt
import io
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from infra.errors import FrameInvalidError, InvalidInputError
from infra.formats.avro import AvroFormat
from infra.formats.csv import csv_format, tsv_format
from infra.formats.hdf5 import Hdf5Format
from infra.formats.npy import NpyFormat
from infra.formats.orc import OrcFormat
from infra.formats.parquet import ParquetFormat
from infra.formats.tfrecords.format import TFRecordFormat
from infra.ports.formats import DataFormat
from infra.storage.local import LocalObjectStore
from tests.conformance.test_table_store import EVERY_TYPE, every_value

FORMATS = [ParquetFormat, csv_format, tsv_format, AvroFormat, OrcFormat, Hdf5Format, TFRecordFormat]
REFUSED = {
    AvroFormat: {'odd, "name"\t'},
    Hdf5Format: {"decimal"},
    TFRecordFormat: {"decimal"},
}
PLAIN = pa.schema(
    [
        ("text", pa.string()),
        ("double", pa.float64()),
        ("float", pa.float32()),
        ("at", pa.timestamp("us", "UTC")),
        ("day", pa.date32()),
        ("decimal", pa.decimal128(38, 3)),
        ("flag", pa.bool_()),
        ("int", pa.int64()),
        ("tiny", pa.int8()),
        ('odd, "name"\t', pa.string()),
    ]
)
UTC = dt.UTC
MICROSECOND = dt.datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
LAST = dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
ROWS = [
    ("", 0.1, 0.1, dt.datetime(1, 1, 1, tzinfo=UTC), dt.date(1, 1, 1), Decimal("-0.001"), True, -(2**63), -128, "a\nb"),
    (None,) * 10,
    (
        "null",
        5e-324,
        1e-45,
        dt.datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        LAST.date(),
        Decimal(10) ** 34,
        False,
        0,
        0,
        'q"q,\t\r\n',
    ),
    ("NA", 1.7976931348623157e308, 3.4028234663852886e38, LAST, None, None, None, 2**63 - 1, 127, " "),
    (
        "#N/A",
        math.inf,
        -math.inf,
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        None,
        None,
        True,
        1,
        1,
        "é,ä",
    ),
    ("true", -0.0, 2 / 3, None, None, None, None, None, None, "'"),
]


def batch_of(rows: list[Any], schema: pa.Schema = PLAIN) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


def written(form: DataFormat, *batches: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    form.check(batches[0].schema)
    assert form.write(iter(batches), batches[0].schema, sink) == sum(batch.num_rows for batch in batches)
    return sink.getvalue()


def read_back(form: DataFormat, data: bytes, schema: pa.Schema) -> pa.Table:
    batches = list(form.read(io.BytesIO(data), schema))
    assert all(batch.schema.equals(schema) for batch in batches)
    return pa.Table.from_batches(batches, schema)


def fitting(make: Callable[[], DataFormat], rows: list[Any]) -> pa.RecordBatch:
    """Without the columns that the format says it refuses, and in values that it can have."""
    batch = batch_of(rows)
    refused = REFUSED.get(make, set())
    if refused:
        with pytest.raises(InvalidInputError) as caught:
            make().check(batch.schema)
        assert {error["field"] for error in caught.value.errors} == refused
    batch = batch.select([name for name in batch.schema.names if name not in refused])
    if make is TFRecordFormat:
        doubles = pa.array([0.5, None, 2.0**-20, 2.0**100, math.inf, -0.0])
        batch = batch.set_column(batch.schema.get_field_index("double"), "double", doubles)
    if make is OrcFormat:
        times = [None if at is None or at.year in {1, 9999} else at for at in batch.column("at").to_pylist()]
        batch = batch.set_column(batch.schema.get_field_index("at"), "at", pa.array(times, batch.column("at").type))
    return batch


@pytest.mark.parametrize("make", FORMATS)
def test_rows_come_back_exactly(make: Callable[[], DataFormat]) -> None:
    batch = fitting(make, ROWS)
    table = read_back(make(), written(make(), batch, batch.slice(0, 0), batch, batch.slice(3, 2)), batch.schema)
    assert table.equals(pa.Table.from_batches([batch, batch, batch.slice(3, 2)]))
    assert math.copysign(1, table.column("double")[5].as_py()) == -1


@pytest.mark.parametrize("make", FORMATS)
def test_not_a_number_comes_back(make: Callable[[], DataFormat]) -> None:
    schema = pa.schema([("x", pa.float64())])
    table = read_back(make(), written(make(), batch_of([(math.nan,), (None,)], schema)), schema)
    assert math.isnan(table.column("x")[0].as_py())
    assert table.column("x")[1].as_py() is None


@pytest.mark.parametrize("make", FORMATS)
@pytest.mark.parametrize("rows", [[], [(None,)], [(None,), ("",), (None,)]])
def test_a_single_column_keeps_its_nulls(make: Callable[[], DataFormat], rows: list[Any]) -> None:
    schema = pa.schema([("x", pa.string())])
    assert read_back(make(), written(make(), batch_of(rows, schema)), schema).to_pylist() == [
        {"x": row[0]} for row in rows
    ]


def test_parquet_holds_every_type_compressed() -> None:
    batch = batch_of([every_value()], EVERY_TYPE)
    data = written(ParquetFormat(), batch)
    assert read_back(ParquetFormat(), data, EVERY_TYPE).to_pylist() == batch.to_pylist()
    assert pq.read_metadata(io.BytesIO(data)).row_group(0).column(0).compression == "ZSTD"


def test_small_batches_share_a_row_group_and_large_ones_do_not() -> None:
    schema = pa.schema([("x", pa.int64())])
    small = pa.record_batch([pa.array(range(1000))], schema=schema)
    assert pq.read_metadata(io.BytesIO(written(ParquetFormat(), *[small] * 20))).num_row_groups == 1
    large = pa.record_batch([pa.array(range(5_000_000))], schema=schema)
    assert pq.read_metadata(io.BytesIO(written(ParquetFormat(), *[large] * 4))).num_row_groups == 2


@pytest.mark.parametrize("make", [csv_format, tsv_format])
def test_columns_without_a_text_form_are_refused_by_name(make: Callable[[], DataFormat]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        make().check(EVERY_TYPE)
    assert [error["field"] for error in caught.value.errors] == ["bytes", "list", "struct", "map"]
    for kind in (pa.binary(4), pa.large_binary(), pa.binary_view()):
        with pytest.raises(InvalidInputError):
            make().check(pa.schema([("x", kind)]))


@pytest.mark.parametrize(("make", "delimiter"), [(csv_format, ","), (tsv_format, "\t")])
@pytest.mark.parametrize("rows", [ROWS, ROWS[:2], ROWS[2:], []])
def test_the_text_is_that_of_pyarrows_own_writer(
    make: Callable[[], DataFormat], delimiter: str, rows: list[tuple[Any, ...]]
) -> None:
    schema = pa.schema([*PLAIN, ("naive", pa.timestamp("ms")), ("time", pa.time64("us")), ("last", pa.large_string())])
    table = pa.table([*zip(*rows, strict=True)] or [[]] * len(PLAIN), PLAIN)
    more: list[Any] = [MICROSECOND.replace(tzinfo=None, microsecond=0), None, dt.time(1, 2, 3, 4), None, None, "é\n"]
    for index, field in enumerate(list(schema)[len(PLAIN) :]):
        column = pa.array(more[index * 2 : index * 2 + 2], field.type).take(
            pa.array([row % 2 for row in range(len(rows))], pa.int64())
        )
        table = table.append_column(field, column)
    # Sliced, because what a batch of a query begins with is not always the first row of its buffers.
    batches = [batch.slice(at, 2) for batch in table.to_batches() for at in range(0, batch.num_rows, 2)]
    sink, expected = io.BytesIO(), io.BytesIO()
    assert make().write(iter(batches), schema, sink) == len(rows)
    options = pa_csv.WriteOptions(delimiter=delimiter, quoting_style="needed")
    with pa_csv.CSVWriter(expected, schema, write_options=options) as writer:
        writer.write_table(table)
    assert sink.getvalue().decode() == expected.getvalue().decode()


@pytest.mark.parametrize("make", [csv_format, tsv_format])
def test_years_of_more_than_four_digits_have_no_text_that_is_read_back(make: Callable[[], DataFormat]) -> None:
    times = pa.array([0, 253_402_300_800_000_000, None], pa.timestamp("us", "UTC"))
    with pytest.raises(InvalidInputError, match="cannot hold at: it has times outside the years 1 to 9999") as caught:
        written(make(), pa.record_batch({"at": times}))
    assert [error["field"] for error in caught.value.errors] == ["at"]


def test_names_and_suffixes() -> None:
    assert [(make().name, make().suffix) for make in FORMATS] == [
        ("parquet", ".parquet"),
        ("csv", ".csv"),
        ("tsv", ".tsv"),
        ("avro", ".avro"),
        ("orc", ".orc"),
        ("hdf5", ".hdf5"),
        ("tfrecords", ".tfrecords"),
    ]


@pytest.mark.parametrize("make", [*FORMATS, NpyFormat])
@pytest.mark.parametrize(
    "data", [b"", b"\x00\xff", b"PAR1PAR1", b'"x","y"\n1,2,3\n', b"Obj\x01\x00", b"\x93NUMPY\x02\x00"]
)
def test_other_bytes_are_no_file_of_the_format(make: Callable[[], DataFormat], data: bytes) -> None:
    if make is TFRecordFormat and not data:
        return  # a file of no records
    schema = PLAIN if make is not NpyFormat else pa.schema([("x", pa.int64()), ("y", pa.float64())])
    with pytest.raises(FrameInvalidError):
        list(make().read(io.BytesIO(data), schema))


@pytest.mark.parametrize("make", FORMATS)
def test_a_writer_leaves_publishing_to_the_file(make: Callable[[], DataFormat], tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    batch = fitting(make, ROWS)

    def broken() -> Any:
        yield batch
        raise LookupError

    def write() -> None:
        with store.open_output("p/file") as sink:
            make().write(broken(), batch.schema, sink)

    with pytest.raises(LookupError):
        write()
    assert list(store.list_files("p")) == []
    with store.open_output("p/file") as sink:
        make().write(iter([batch]), batch.schema, sink)
    with store.open_input("p/file") as source:
        assert sum(found.num_rows for found in make().read(source, batch.schema)) == len(ROWS)
