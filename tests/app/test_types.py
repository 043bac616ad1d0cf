"""Hive types and Arrow types, and what a frame may hold for each."""

import string
import time
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.featurestore.feature_groups.conform import accepts, conformed, find_offences
from app.featurestore.feature_groups.errors import SchemaMismatchError, TypeNotSupportedError
from app.featurestore.feature_groups.types import stored, to_arrow, to_hive

FLAT = ["tinyint", "smallint", "int", "bigint", "float", "double", "boolean", "string", "binary", "date", "timestamp"]
_flat = st.sampled_from(FLAT) | st.builds(
    lambda p, s: f"decimal({max(p, s)},{s})", st.integers(1, 38), st.integers(0, 38)
)
_names = st.text(string.ascii_lowercase, min_size=1, max_size=8).map(lambda name: f"f_{name}")
hive_types = st.recursive(
    _flat,
    lambda inner: (
        st.builds("array<{}>".format, inner)
        | st.builds("map<string,{}>".format, inner)
        | st.dictionaries(_names, inner, min_size=1, max_size=4).map(
            lambda fields: "struct<" + ",".join(f"{name}:{kind}" for name, kind in fields.items()) + ">"
        )
    ),
    max_leaves=6,
)


@given(hive_types)
def test_types_go_there_and_back(hive_type: str) -> None:
    assert to_hive(to_arrow(hive_type)) == hive_type
    assert to_hive(to_arrow(hive_type.upper().replace("F_", "f_"))).lower() == hive_type


@pytest.mark.parametrize(
    "wrong",
    ["", "foo", "int(3)", "array", "array<>", "struct<>", "struct<a>", "map<int>", "decimal(39,1)", "decimal(2,3)", "decimal(0)",
     "uniontype<int>", "varchar(3)", "array<int> foo", "int; drop table x", "array<" * 3000, "x" * 30_000, "interval", "null",
     "int, string", "int)", "array<int>>", "array<int>,int", "struct<a:int>,b:int",
     "struct<a:int, b>", "int not null", "int -- c", "decimal(5,2,1)", "decimal(5,2),",
     "decimal(a,b)", "int[3]", "string collate x",
     "struct<a:int,a:int>", "struct<a:int,A:int>", "struct<`x:int,y`:int>", "array<" * 33 + "int" + ">" * 33],
)  # fmt: skip
def test_what_is_no_type_is_refused(wrong: str) -> None:
    with pytest.raises(TypeNotSupportedError) as refused:
        to_arrow(wrong)
    assert len(refused.value.detail) < 200


@pytest.mark.parametrize(
    "wrong",
    [
        "date(" * 30 + "1" + ")" * 30,
        "decimal(" * 30 + "1" + ")" * 30,
        "struct<a:" + "time(" * 30 + "1" + ")" * 30 + ">",
        "array<" * 200 + "int" + ">" * 200,
        "struct<" + ",".join(f"f{number}:{'array<' * 30}int" for number in range(80)) + ">",
    ],
    ids=lambda wrong: wrong[:20],
)
def test_no_type_takes_long(wrong: str) -> None:
    started = time.monotonic()
    with pytest.raises(TypeNotSupportedError):
        to_arrow(wrong)
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("name", ["a:int,b", "a:date(date(1)),b", "two words", "", "a>", "1a", "`a`"])
def test_a_field_of_any_name_is_one_field_or_refused(name: str) -> None:
    frame = pa.list_(pa.struct([(name, pa.int32())]))
    for convert in (to_hive, stored):
        with pytest.raises(TypeNotSupportedError, match="cannot be part of a type"):
            convert(frame)


@given(hive_types)
def test_what_is_stored_is_what_the_text_says(hive_type: str) -> None:
    assert stored(to_arrow(hive_type)) == to_arrow(hive_type)


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(TypeNotSupportedError):
        to_hive(to_arrow(text))


@pytest.mark.parametrize(
    ("arrow", "hive"),
    [
        (pa.uint8(), "smallint"), (pa.uint16(), "int"), (pa.uint32(), "bigint"), (pa.uint64(), "bigint"), (pa.float16(), "float"),
        (pa.large_string(), "string"), (pa.string_view(), "string"), (pa.dictionary(pa.int32(), pa.string()), "string"),
        (pa.binary(4), "binary"), (pa.large_binary(), "binary"), (pa.binary_view(), "binary"), (pa.timestamp("ns"), "timestamp"),
        (pa.timestamp("s", "Europe/Berlin"), "timestamp"), (pa.date64(), "date"), (pa.decimal256(20, 2), "decimal(20,2)"),
        (pa.large_list(pa.int8()), "array<tinyint>"), (pa.list_(pa.int8(), 3), "array<tinyint>"),
    ],
)  # fmt: skip
def test_types_are_inferred_from_frames(arrow: pa.DataType, hive: str) -> None:
    assert to_hive(arrow) == hive
    assert accepts(to_arrow(hive), arrow)


@pytest.mark.parametrize(
    "unknown", [pa.null(), pa.duration("s"), pa.time32("s"), pa.decimal256(60, 2), pa.decimal128(5, -2)]
)
def test_other_frames_have_no_type(unknown: pa.DataType) -> None:
    with pytest.raises(TypeNotSupportedError):
        to_hive(unknown)


def _cast(values: pa.Array, hive: str) -> pa.Array:
    target = pa.schema([("f", to_arrow(hive))])
    return next(conformed(iter([pa.record_batch([values], names=["f"])]), target)).column(0)


@pytest.mark.parametrize(
    ("values", "hive", "expected"),
    [
        (pa.array([1, None], pa.int64()), "tinyint", [1, None]),
        (pa.array([1], pa.uint64()), "bigint", [1]),
        (pa.array([3], pa.int64()), "double", [3.0]),
        (pa.array([1.5], pa.float32()), "double", [1.5]),
        (pa.array([None, None]), "struct<a:int>", [None, None]),
        (pa.array(["a", "b"]).dictionary_encode(), "string", ["a", "b"]),
        (pa.array([[1]], pa.list_(pa.int64())), "array<smallint>", [[1]]),
        (pa.array([{"a": 1}]), "struct<a:int>", [{"a": 1}]),
    ],
)
def test_values_that_fit_are_taken(values: pa.Array, hive: str, expected: list[object]) -> None:
    assert accepts(to_arrow(hive), values.type)
    assert _cast(values, hive).to_pylist() == expected


def test_times_become_utc_microseconds() -> None:
    nanoseconds = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))
    assert _cast(nanoseconds, "timestamp").cast(pa.int64()).to_pylist() == [1_700_000_000_123_456]
    berlin = pa.array([1_700_000_000], pa.timestamp("s", "Europe/Berlin"))
    assert _cast(berlin, "timestamp").cast(pa.int64()).to_pylist() == [1_700_000_000_000_000]


@pytest.mark.parametrize(
    ("values", "hive"),
    [
        (pa.array([128], pa.int64()), "tinyint"),
        (pa.array([-129], pa.int64()), "tinyint"),
        (pa.array([2**63], pa.uint64()), "bigint"),
        (pa.array([2**53 + 1], pa.int64()), "double"),
        (pa.array([2**62], pa.timestamp("s")), "timestamp"),
    ],
)
def test_values_that_do_not_fit_are_refused_never_wrapped(values: pa.Array, hive: str) -> None:
    with pytest.raises(SchemaMismatchError) as refused:
        _cast(values, hive)
    assert refused.value.errors[0]["field"] == "f"


@pytest.mark.parametrize(
    ("source", "hive"),
    [
        (pa.string(), "bigint"),
        (pa.float64(), "bigint"),
        (pa.float64(), "float"),
        (pa.int64(), "string"),
        (pa.int64(), "boolean"),
        (pa.timestamp("us"), "date"),
        (pa.date32(), "timestamp"),
        (pa.decimal128(10, 3), "decimal(10,2)"),
        (pa.decimal128(11, 2), "decimal(10,2)"),
        (pa.struct([("b", pa.int32())]), "struct<a:int>"),
        (pa.list_(pa.string()), "array<int>"),
        (pa.map_(pa.string(), pa.string()), "map<string,int>"),
        (pa.string(), "binary"),
        (pa.bool_(), "int"),
    ],
)
def test_types_that_do_not_fit_are_refused(source: pa.DataType, hive: str) -> None:
    assert not accepts(to_arrow(hive), source)


def test_offences_are_listed_whole_by_name() -> None:
    target = pa.schema([("a", pa.int64()), ("b", pa.string())])
    received = pa.schema([("b", pa.int8()), ("c", pa.duration("s"))])
    assert find_offences(received, target) == [
        {"field": "a", "message": "is missing from the frame", "expected": "bigint", "received": None},
        {"field": "b", "message": "has another type", "expected": "string", "received": "tinyint"},
        {"field": "c", "message": "is no feature of the group", "expected": None, "received": "duration[s]"},
    ]


@given(st.permutations(["a", "b", "c"]))
def test_columns_are_matched_by_name_never_by_position(order: list[str]) -> None:
    target = pa.schema([(name, pa.string()) for name in ("a", "b", "c")])
    batch = pa.record_batch({name: [name] for name in order})
    assert next(conformed(iter([batch]), target)).to_pylist() == [{"a": "a", "b": "b", "c": "c"}]
