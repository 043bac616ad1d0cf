"""TFRecords: framing, checksums and messages, against protobuf's own reader."""

import datetime as dt
import io
import struct
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import FrameInvalidError, InvalidInputError
from infra.formats.tfrecords.encoding import encode, masked_crc, varint_size
from infra.formats.tfrecords.format import TFRecordFormat
from infra.formats.tfrecords.parsing import read_examples
from tests.property.drawing import compared

LONG = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(width=32, allow_nan=False)
TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "flag": (pa.bool_(), st.booleans()),
    "tiny": (pa.int8(), st.integers(-128, 127)),
    "long": (pa.int64(), LONG),
    "float": (pa.float32(), FLOAT),
    "double": (pa.float64(), FLOAT),
    "text": (pa.string(), TEXT),
    "bytes": (pa.binary(), st.binary(max_size=300)),
    "day": (pa.date32(), st.dates()),
    "at": (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(dt.UTC))),
    "longs": (pa.list_(pa.int64()), st.lists(LONG, max_size=40)),
    "floats": (pa.list_(pa.float32()), st.lists(FLOAT, max_size=40)),
    "texts": (pa.list_(pa.string()), st.lists(TEXT, max_size=5)),
    "é" * 70: (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
}
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()])
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()}), max_size=8)


@compared(100)
@given(rows=ROWS, cut=st.integers(0, 8))
def test_every_row_comes_back(rows: list[dict[str, Any]], cut: int) -> None:
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA).slice(cut)
    sink, form = io.BytesIO(), TFRecordFormat()
    form.check(SCHEMA)
    assert form.write(iter([batch]), SCHEMA, sink) == max(0, len(rows) - cut)
    found = list(form.read(io.BytesIO(sink.getvalue()), SCHEMA))
    assert pa.Table.from_batches(found, SCHEMA).equals(pa.Table.from_batches([batch], SCHEMA))


def test_a_record_is_byte_for_byte_what_tensorflow_writes() -> None:
    """`tf.train.Example` with one feature `x` of the int64 list [1, 300], in TensorFlow's framing."""
    (found,) = [encode(batch, batch.schema) for batch in pa.table({"x": [[1, 300]]}).to_batches()]
    feature = bytes.fromhex("1a 05 0a 03 01 ac 02")
    entry = b"\x0a\x01x\x12" + bytes([len(feature)]) + feature
    features = b"\x0a" + bytes([len(entry)]) + entry
    example = b"\x0a" + bytes([len(features)]) + features
    length = struct.pack("<Q", len(example))
    crcs = [struct.pack("<I", masked_crc(data)) for data in (length, example)]
    assert found == length + crcs[0] + example + crcs[1]


def test_checksums_are_tensorflows() -> None:
    """CRC-32C's check value, and the record without a byte as TensorFlow frames it."""
    assert google_crc32c.value(b"123456789") == 0xE3069283
    assert struct.pack("<I", masked_crc(bytes(8))) == bytes.fromhex("29 03 98 07")
    assert struct.pack("<I", masked_crc(b"")) == bytes.fromhex("d8 ea 82 a2")


@pytest.mark.parametrize(
    ("number", "size"), [(0, 1), (127, 1), (128, 2), (2**14 - 1, 2), (2**14, 3), (2**63 - 1, 9), (-1, 10)]
)
def test_sizes_of_numbers(number: int, size: int) -> None:
    assert varint_size(np.array([number], np.int64)).tolist() == [size]
    assert varint_size(np.array([0, number, 2**62], np.int64)).tolist() == [1, size, 9]


def test_a_null_is_a_feature_less_and_an_empty_list_is_none() -> None:
    batch = pa.record_batch([pa.array([[], None, [1.5]]), pa.array([None, "", "x"])], ["list", "text"])
    assert list(read_examples(io.BytesIO(encode(batch, batch.schema)))) == [
        {"list": []},
        {"text": [b""]},
        {"list": [1.5], "text": [b"x"]},
    ]


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (pa.array([1e300]), "beyond 3.4e38"),
        (pa.array([[1, None]]), "nulls inside"),
        (pa.array([[1e39]]), "beyond 3.4e38"),
    ],
)
def test_values_that_tensorflow_cannot_have_are_refused(column: pa.Array, what: str) -> None:
    batch = pa.record_batch([column], ["x"])
    with pytest.raises(InvalidInputError, match=what) as caught:
        TFRecordFormat().write(iter([batch]), batch.schema, io.BytesIO())
    assert [error["field"] for error in caught.value.errors] == ["x"]


@pytest.mark.parametrize(
    "kind",
    [
        pa.decimal128(5, 2),
        pa.list_(pa.list_(pa.int64())),
        pa.struct([("a", pa.int8())]),
        pa.map_(pa.string(), pa.int8()),
    ],
)
def test_types_without_a_feature_are_refused(kind: pa.DataType) -> None:
    with pytest.raises(InvalidInputError, match="no value for the type of: x, y") as caught:
        TFRecordFormat().check(pa.schema([("x", kind), ("fine", pa.int8()), ("y", kind)]))
    assert [error["field"] for error in caught.value.errors] == ["x", "y"]


def test_infinity_and_not_a_number_stay() -> None:
    batch = pa.record_batch([pa.array([float("inf"), float("-inf"), float("nan")])], ["x"])
    found = [example["x"][0] for example in read_examples(io.BytesIO(encode(batch, batch.schema)))]
    assert found[:2] == [float("inf"), float("-inf")]
    assert found[2] != found[2]


@pytest.mark.parametrize("at", [0, 9, 14, -1])
def test_a_changed_byte_is_noticed(at: int) -> None:
    data = bytearray(
        encode(pa.record_batch([[1], ["x"]], ["a", "b"]), pa.schema([("a", pa.int64()), ("b", pa.string())]))
    )
    data[at] ^= 1
    with pytest.raises(FrameInvalidError, match="checksum"):
        list(read_examples(io.BytesIO(bytes(data))))


@pytest.mark.parametrize("kept", [5, 12, 20, -1])
def test_a_cut_file_is_noticed(kept: int) -> None:
    data = encode(pa.record_batch([[1]], ["a"]), pa.schema([("a", pa.int64())]))
    with pytest.raises(FrameInvalidError, match="checksum"):
        list(read_examples(io.BytesIO(data[:kept])))


def framed(example: bytes) -> bytes:
    length = struct.pack("<Q", len(example))
    return length + struct.pack("<I", masked_crc(length)) + example + struct.pack("<I", masked_crc(example))


def test_a_record_of_something_else_is_noticed() -> None:
    with pytest.raises(FrameInvalidError, match=r"no tf\.train\.Example"):
        list(read_examples(io.BytesIO(framed(b"\xff\xff"))))
    length = struct.pack("<Q", 1 << 40)
    with pytest.raises(FrameInvalidError, match="the longest that is read"):
        list(read_examples(io.BytesIO(length + struct.pack("<I", masked_crc(length)))))


@pytest.mark.parametrize("kind", [pa.string(), pa.int8(), pa.list_(pa.float32())])
def test_other_kinds_than_expected_are_noticed(kind: pa.DataType) -> None:
    data = encode(
        pa.record_batch([[[300]], [["x"]]], ["a", "b"]),
        pa.schema([("a", pa.list_(pa.int64())), ("b", pa.list_(pa.string()))]),
    )
    wrong = "a" if pa.types.is_string(kind) or pa.types.is_int8(kind) else "b"
    with pytest.raises(FrameInvalidError, match="expected shape"):
        list(TFRecordFormat().read(io.BytesIO(data), pa.schema([(wrong, kind)])))
