"""The schema of TFRecords: of a dataset and of a frame alike, and true of what protobuf and TensorFlow read."""

import io
import logging
import math
import struct
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import hops.featurestore as fs
from hops.featurestore import default
from hops.featurestore.errors import InvalidInputError, NotSupportedError
from tests.world import World

WITHOUT_TENSORFLOW = find_spec("tensorflow") is None
plainly = pytest.mark.skipif(not WITHOUT_TENSORFLOW, reason="with TensorFlow the schema is its own objects")
TABLE = pa.table(
    {
        "team": pa.array([1, 2, 3], pa.int32()),
        "won": pa.array([True, False, True]),
        "rating": pa.array([0.5, None, 2.5]),
        "city": pa.array(["a", "", "ü"]),
        "place": pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        "moves": pa.array([[1], [2, 3], []]),
        "names": pa.array([["a", "b"], None, ["c", "d"]]),
        "nothing": pa.array([[], [], []], pa.list_(pa.int64())),
    }
)
FIXED = {
    "team": ("fixed", "int64", (), None),
    "won": ("fixed", "int64", (), None),
    "rating": ("varlen", "float32", (None,), "nulls"),
    "city": ("fixed", "string", (), None),
    "place": ("fixed", "float32", (2,), None),
    "moves": ("varlen", "int64", (None,), "0 to 2 elements"),
    "names": ("varlen", "string", (None,), "nulls"),
    "nothing": ("varlen", "int64", (None,), "no elements"),
}
LISTS = {"int64": "int64_list", "float32": "float_list", "string": "bytes_list"}


@pytest.fixture
def connected(live_world: World) -> Iterator[World]:
    live_world.project("football")
    with live_world.connect("football") as connection:
        default.use_connection(connection)
        yield live_world
        default.forget_connection()


def plain(schema: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {name: (each.kind, each.dtype, each.shape, each.why) for name, each in schema.items()}


def example_class() -> Any:
    """`tf.train.Example` by its published numbers, in a pool of this test's own."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="seen.proto", package="seen", syntax="proto3")

    def add(message: Any, name: str, number: int, kind: int, label: int = 1, of: str | None = None) -> Any:
        made = message.field.add(name=name, number=number, type=kind, label=label)
        if of:
            made.type_name = f".seen.{of}"
        return made

    kinds = {"BytesList": field.TYPE_BYTES, "FloatList": field.TYPE_FLOAT, "Int64List": field.TYPE_INT64}
    for name, kind in kinds.items():
        add(file.message_type.add(name=name), "value", 1, kind, label=3)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, of) in enumerate(
        (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), 1
    ):
        add(feature, name, number, field.TYPE_MESSAGE, of=of).oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, field.TYPE_STRING)
    add(entry, "value", 2, field.TYPE_MESSAGE, of="Feature")
    add(features, "feature", 1, field.TYPE_MESSAGE, label=3, of="Features.FeatureEntry")
    add(file.message_type.add(name="Example"), "features", 1, field.TYPE_MESSAGE, of="Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("seen.Example"))


def records(name: str) -> list[bytes]:
    """The records of a dataset's files, without their framing."""
    manifest = fs.get_training_dataset_manifest(name)
    found = []
    for file in manifest["files"]:
        source = io.BytesIO((Path(fs.get_training_dataset_path(name) or "") / file["path"]).read_bytes())
        while head := source.read(12):
            found.append(source.read(struct.unpack("<Q", head[:8])[0]))
            source.read(4)
    return found


def parsed(record: bytes, schema: dict[str, tuple[Any, ...]]) -> dict[str, list[Any]]:
    """As `tf.io.parse_single_example` does it: a fixed feature must be there with as many values of that type."""
    features = example_class().FromString(record).features.feature
    found: dict[str, list[Any]] = {}
    for name, (kind, dtype, shape, _) in schema.items():
        listed = features[name].WhichOneof("kind") if name in features else None
        values = list(getattr(features[name], listed).value) if listed else []
        assert listed in (LISTS[dtype], None), name
        assert kind == "varlen" or len(values) == math.prod(shape), name
        found[name] = values
    return found


@plainly
def test_the_schema_of_a_frame() -> None:
    assert plain(fs.get_dataframe_tf_record_schema(TABLE)) == FIXED
    loose = plain(fs.get_dataframe_tf_record_schema(TABLE.to_pandas(types_mapper=None).head(2), fixed=False))
    assert {name for name, each in loose.items() if each[0] == "fixed"} == {"team", "won", "city"}
    assert loose["place"] == ("varlen", "float32", (None,), "fixed=False")


def test_types_that_no_record_holds_are_named() -> None:
    with pytest.raises(InvalidInputError, match="for the type of: deep, far"):
        fs.get_dataframe_tf_record_schema(pa.table({"deep": [[[1]]], "near": [1], "far": [{"a": 1}]}))


@plainly
@pytest.mark.usefixtures("connected")
def test_the_schema_of_a_dataset_is_that_of_its_frame_and_true(caplog: pytest.LogCaptureFixture) -> None:
    fs.create_training_dataset("td", TABLE, data_format="tfrecords")
    with caplog.at_level(logging.WARNING, "hops"):
        schema = plain(fs.get_training_dataset_tf_record_schema("td"))
    assert schema == FIXED
    assert "moves (0 to 2 elements)" in caplog.text
    rows = [parsed(record, schema) for record in records("td")]
    assert [row["place"] for row in rows] == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert [row["city"] for row in rows] == [[b"a"], [b""], ["ü".encode()]]
    assert [row["moves"] for row in rows] == [[1], [2, 3], []]
    assert [row["rating"] for row in rows] == [[0.5], [], [2.5]]


@plainly
@pytest.mark.usefixtures("connected")
def test_fixed_or_not_is_said_when_it_is_made() -> None:
    arrays = TABLE.select(["team", "place"])
    fs.create_training_dataset(arrays, "td", data_format="tfrecords", fixed=False)
    assert plain(fs.get_training_dataset_tf_record_schema("td"))["place"] == (
        "varlen", "float32", (None,), "fixed=False",
    )  # fmt: skip


@plainly
@pytest.mark.usefixtures("connected")
def test_rows_that_are_added_may_make_less_fixed() -> None:
    fs.create_training_dataset("td", TABLE.select(["team", "place"]).slice(0, 0), data_format="tfrecords")
    assert plain(fs.get_training_dataset_tf_record_schema("td"))["place"][3] == "no rows"
    fits = pa.table({"team": [4], "place": [[1.0, 2.0]]})
    for rows, expected in (
        (fits, ("fixed", "float32", (2,), None)),
        (fits, ("fixed", "float32", (2,), None)),
        (pa.table({"team": [5], "place": [[1.0]]}), ("varlen", "float32", (None,), "1 to 2 elements")),
        (fits, ("varlen", "float32", (None,), "1 to 2 elements")),
    ):
        fs.insert_into_training_dataset(rows, "td", write_mode="append")
        schema = plain(fs.get_training_dataset_tf_record_schema("td"))
        assert schema["place"] == expected
        assert len([parsed(record, schema) for record in records("td")]) > 0
    fs.insert_into_training_dataset(fits, "td")
    assert plain(fs.get_training_dataset_tf_record_schema("td"))["place"][0] == "fixed"


@pytest.mark.usefixtures("connected")
def test_other_formats_need_no_schema() -> None:
    fs.create_training_dataset("td", TABLE)
    with pytest.raises(NotSupportedError, match="written as parquet"):
        fs.get_training_dataset_tf_record_schema("td")


@pytest.mark.usefixtures("connected")
def test_tensorflow_reads_with_it() -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed: its own reader is not asked")
    fs.create_training_dataset("td", TABLE, data_format="tfrecords")
    schema = fs.get_training_dataset_tf_record_schema("td")
    assert isinstance(schema["place"], tf.io.FixedLenFeature)
    assert isinstance(schema["moves"], tf.io.VarLenFeature)
    rows = [tf.io.parse_single_example(record, schema) for record in records("td")]
    assert [row["team"].numpy() for row in rows] == [1, 2, 3]
    assert [row["place"].numpy().tolist() for row in rows] == TABLE["place"].to_pylist()
    assert [tf.sparse.to_dense(row["moves"]).numpy().tolist() for row in rows] == TABLE["moves"].to_pylist()
