"""What is particular to Avro, ORC, npy and HDF5, seen by readers other than ours."""

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import h5py
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.orc as pa_orc
import pytest

from infra.errors import FrameInvalidError, InvalidInputError
from infra.formats.avro import AvroFormat
from infra.formats.gathering import rows_at_once
from infra.formats.hdf5 import Hdf5Format
from infra.formats.npy import NpyFormat
from infra.formats.orc import OrcFormat
from infra.formats.parquet import ParquetFormat
from infra.formats.tfrecords.format import TFRecordFormat
from infra.ports.formats import DataFormat
from tests.conformance.test_table_store import EVERY_TYPE, every_value
from tests.infra.test_formats import batch_of, read_back, written

AT = dt.datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=dt.UTC)
TIME = pa.timestamp("us", "UTC")
DEEP = pa.schema(
    [
        ("times", pa.list_(TIME)),
        (
            "deep",
            pa.struct(
                [
                    ("at", TIME),
                    ("amount", pa.decimal128(5, 2)),
                    (
                        "map",
                        pa.map_(
                            pa.string(), pa.struct([("day", pa.date32()), ("map", pa.map_(pa.string(), pa.int8()))])
                        ),
                    ),
                ]
            ),
        ),
        ("maps", pa.list_(pa.map_(pa.string(), pa.int64()))),
    ]
)
DEEP_ROWS: list[Any] = [
    (
        [AT, None],
        {"at": AT, "amount": Decimal("-1.50"), "map": [("a", {"day": AT.date(), "map": [("x", None)]}), ("b", None)]},
        [[("k", 1)], None, []],
    ),
    (None, None, None),
    ([], {"at": None, "amount": None, "map": []}, []),
]


@pytest.mark.parametrize("make", [AvroFormat, OrcFormat])
@pytest.mark.parametrize(
    ("schema", "rows"), [(EVERY_TYPE, [every_value(), (None,) * len(EVERY_TYPE)]), (DEEP, DEEP_ROWS)]
)
def test_every_type_comes_back(make: type[DataFormat], schema: pa.Schema, rows: list[Any]) -> None:
    batch = batch_of(rows, schema)
    assert read_back(make(), written(make(), batch), schema).equals(pa.Table.from_batches([batch]))


def test_polars_reads_our_avro() -> None:
    schema = pa.schema([("n", pa.int64()), ("text", pa.string()), ("x", pa.float64()), ("list", pa.list_(pa.int32()))])
    rows = [(2**62, "é", 0.1, [1, None]), (None, None, None, None), (-1, "", -0.0, [])]
    found = pl.read_avro(io.BytesIO(written(AvroFormat(), batch_of(rows, schema))))
    assert found.rows() == rows


@pytest.mark.parametrize("kind", [pa.map_(pa.int64(), pa.string()), pa.struct([("a-b", pa.int8())])])
def test_avro_refuses_names_and_keys_that_it_cannot_have(kind: pa.DataType) -> None:
    with pytest.raises(InvalidInputError) as caught:
        AvroFormat().check(pa.schema([("x", kind), ("fine", pa.int8())]))
    assert [error["field"] for error in caught.value.errors] == ["x"]


def test_avro_tells_structs_of_like_names_apart() -> None:
    """`a.b` and `a_b` are two records, and each needs a name of its own."""
    schema = pa.schema(
        [("a", pa.struct([("b", pa.struct([("x", pa.int8())]))])), ("a_b", pa.struct([("y", pa.int8())]))]
    )
    batch = batch_of([({"b": {"x": 1}}, {"y": 2}), (None, None)], schema)
    data = written(AvroFormat(), batch)
    assert read_back(AvroFormat(), data, schema).equals(pa.Table.from_batches([batch]))
    assert pl.read_avro(io.BytesIO(data)).rows() == [({"b": {"x": 1}}, {"y": 2}), (None, None)]


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (pa.array([[("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int8())), "one key twice"),
        (pa.array([[[("k", 1), ("k", 1)]]], pa.list_(pa.map_(pa.string(), pa.int8()))), "one key twice"),
        (pa.array([2**62]).cast(TIME), "outside the years 1 to 9999"),
        (
            pa.array([[253_402_300_800_000_000]], pa.list_(pa.int64())).cast(pa.list_(TIME)),
            "outside the years 1 to 9999",
        ),
    ],
)
def test_avro_refuses_values_that_it_would_lose(column: pa.Array, what: str) -> None:
    batch = pa.record_batch([pa.array([1]), column], ["fine", "x"])
    with pytest.raises(InvalidInputError, match=what) as caught:
        written(AvroFormat(), batch)
    assert [error["field"] for error in caught.value.errors] == ["x"]


@pytest.mark.parametrize("make", [AvroFormat, TFRecordFormat, Hdf5Format, NpyFormat, OrcFormat, ParquetFormat])
def test_thousands_of_columns_come_back(make: type[DataFormat]) -> None:
    """In a few portions where values go through Python, and a file that is not mostly room."""
    schema = pa.schema([(f"c{number}", pa.float32()) for number in range(2000)])
    batch = pa.record_batch(
        [pa.array(np.arange(number, number + 5, dtype=np.float32)) for number in range(2000)], schema
    )
    data = written(make(), batch)
    assert read_back(make(), data, schema).equals(pa.Table.from_batches([batch]))
    assert len(data) < 3_000_000


def test_wide_rows_are_taken_fewer_at_a_time() -> None:
    assert [rows_at_once(pa.schema([(str(name), pa.int8()) for name in range(count)])) for count in (1, 256, 2048)] == [
        16_384,
        16_384,
        2048,
    ]


def test_orc_is_one_stripe_of_many_batches() -> None:
    batch = batch_of([(number,) for number in range(100)], pa.schema([("x", pa.int64())]))
    file = pa_orc.ORCFile(io.BytesIO(written(OrcFormat(), *[batch] * 30)))
    assert (file.nstripes, file.nrows, file.compression) == (1, 3000, "ZSTD")


LATE = dt.datetime(2500, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TIME, LATE),
        (pa.list_(TIME), [LATE]),
        (pa.struct([("a", TIME)]), {"a": LATE}),
        (pa.map_(pa.string(), TIME), [("k", LATE)]),
    ],
)
def test_orc_refuses_times_that_its_readers_cannot_have(kind: pa.DataType, value: Any) -> None:
    batch = pa.record_batch([pa.array([value], kind)], ["x"])
    with pytest.raises(InvalidInputError, match="before 1677 or after 2262"):
        OrcFormat().write(iter([batch]), batch.schema, io.BytesIO())


NUMBERS = pa.schema(
    [
        ("tiny", pa.int8()),
        ("n", pa.int64()),
        ("x", pa.float64()),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
        ("at", TIME),
    ]
)
NUMBER_ROWS = [(-128, 2**62, 0.1, True, AT.date(), AT), (127, -1, None, False, None, None)]


def test_npy_of_several_types_is_a_structured_array() -> None:
    data = written(NpyFormat(), batch_of(NUMBER_ROWS, NUMBERS), batch_of(NUMBER_ROWS[:1], NUMBERS))
    array = np.load(io.BytesIO(data))
    assert array.dtype.names == tuple(NUMBERS.names)
    assert array["n"].tolist() == [2**62, -1, 2**62]
    assert array["at"][0] == np.datetime64(AT.replace(tzinfo=None))
    assert np.isnat(array["day"][1])
    table = read_back(NpyFormat(), data, NUMBERS)
    expected = batch_of([NUMBER_ROWS[0], (127, -1, float("nan"), False, None, None), NUMBER_ROWS[0]], NUMBERS)
    assert table.drop_columns("x").equals(pa.Table.from_batches([expected]).drop_columns("x"))
    assert str(table["x"].to_pylist()) == "[0.1, nan, 0.1]"


def test_npy_of_one_type_is_a_matrix() -> None:
    schema = pa.schema([("a", pa.float32()), ("b", pa.float32())])
    data = written(NpyFormat(), batch_of([(1.0, 2.0), (None, 4.0)], schema))
    np.testing.assert_array_equal(np.load(io.BytesIO(data)), np.array([[1, 2], [np.nan, 4]], np.float32))
    assert str(read_back(NpyFormat(), data, schema).to_pylist()) == "[{'a': 1.0, 'b': 2.0}, {'a': nan, 'b': 4.0}]"
    empty = written(NpyFormat(), batch_of([], schema))
    assert np.load(io.BytesIO(empty)).shape == (0, 2)
    assert read_back(NpyFormat(), empty, schema).num_rows == 0


@pytest.mark.parametrize("kind", [pa.int32(), pa.bool_()])
def test_npy_refuses_nulls_that_it_cannot_have(kind: pa.DataType) -> None:
    batch = pa.record_batch([pa.array([None], kind)], ["x"])
    with pytest.raises(InvalidInputError, match="has nulls") as caught:
        NpyFormat().write(iter([batch]), batch.schema, io.BytesIO())
    assert caught.value.errors[0]["field"] == "x"


def test_npy_refuses_text() -> None:
    with pytest.raises(InvalidInputError, match="decimal, text, bytes, list, struct, map"):
        NpyFormat().check(EVERY_TYPE)


def test_npy_refuses_names_that_its_header_cannot_have() -> None:
    odd = pa.schema([("日本", pa.int64()), ("é", pa.float64())])
    with pytest.raises(InvalidInputError, match="no names like: 日本") as caught:
        NpyFormat().check(odd)
    assert [error["field"] for error in caught.value.errors] == ["日本"]
    matrix = pa.schema([("日本", pa.int64()), ("é", pa.int64())])
    batch = batch_of([(1, 2)], matrix)
    assert read_back(NpyFormat(), written(NpyFormat(), batch), matrix).equals(pa.Table.from_batches([batch]))


@pytest.mark.parametrize("columns", [["a"], ["a", "b"]])
def test_npy_of_another_shape_is_noticed(columns: list[str]) -> None:
    schema = pa.schema([(name, pa.float32()) for name in columns])
    data = written(NpyFormat(), batch_of([(1.0,) * len(columns)], schema))
    for other in (pa.schema([("a", pa.int8())]), pa.schema([(name, pa.float32()) for name in "abc"])):
        with pytest.raises(FrameInvalidError, match="expected shape"):
            list(NpyFormat().read(io.BytesIO(data), other))
    with pytest.raises(FrameInvalidError, match="ends before"):
        list(NpyFormat().read(io.BytesIO(data[:-1]), schema))


def test_hdf5_has_a_dataset_for_each_column_and_says_what_is_null() -> None:
    schema = pa.schema([*NUMBERS, ("text", pa.string())])
    rows = [(*row, text) for row, text in zip(NUMBER_ROWS, ["é", None], strict=True)]
    data = written(Hdf5Format(), batch_of(rows, schema))
    with h5py.File(io.BytesIO(data)) as file:
        assert file["n"][:].tolist() == [2**62, -1]
        assert file["flag"][:].tolist() == [True, False]
        assert file["text"].asstr()[:].tolist() == ["é", ""]
        assert file["at"][0] == int(AT.timestamp()) * 1_000_000 + 999_999
        assert file["at"].attrs["unit"] == "microseconds since 1970-01-01 UTC"
        assert np.isnan(file["x"][1])
        assert sorted(file["oasthouse_nulls"]) == ["at", "day", "text", "x"]
        assert file["oasthouse_nulls"]["text"][:].tolist() == [False, True]
    assert read_back(Hdf5Format(), data, schema).equals(pa.Table.from_batches([batch_of(rows, schema)]))


def test_hdf5_tells_of_nulls_that_come_late() -> None:
    """The first 16 MiB of a column have none, so that what says so begins behind them."""
    schema = pa.schema([("x", pa.int64())])
    full = pa.record_batch([pa.array(range(1 << 21))], schema=schema)
    late = batch_of([(None,), (7,)], schema)
    table = read_back(Hdf5Format(), written(Hdf5Format(), full, late, full), schema)
    assert table.equals(pa.Table.from_batches([full, late, full]))


@pytest.mark.parametrize("name", ["a/b", ".", "oasthouse_nulls"])
def test_hdf5_refuses_names_that_are_paths(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Hdf5Format().check(pa.schema([(name, pa.int8()), ("fine", pa.int8())]))
    assert [error["field"] for error in caught.value.errors] == [name]


def test_hdf5_refuses_text_that_it_would_cut() -> None:
    batch = pa.record_batch([["a\0b"]], ["x"])
    with pytest.raises(InvalidInputError, match="zero character"):
        Hdf5Format().write(iter([batch]), batch.schema, io.BytesIO())


@pytest.mark.parametrize("make", [AvroFormat, NpyFormat, Hdf5Format])
def test_the_same_rows_are_the_same_bytes(make: type[DataFormat]) -> None:
    schema = pa.schema([("n", pa.int64()), ("x", pa.float64())])
    first, second = (written(make(), batch_of([(1, 0.5), (2, None)], schema)) for _ in range(2))
    assert first == second
