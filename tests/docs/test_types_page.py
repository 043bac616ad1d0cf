"""docs/types.md against the code, type by type: what it lists is accepted, what it does not list is refused."""

import pyarrow as pa
import pytest

from app.featurestore.feature_groups.conform import accepts
from app.featurestore.feature_groups.errors import TypeNotSupportedError
from app.featurestore.feature_groups.rules import FeatureSpec, GroupSpec, require_roles, resolve_features
from app.featurestore.feature_groups.types import to_arrow, to_hive
from infra.errors import InvalidInputError
from tests.docs.pages import Row, code, codes, read, table

ROWS = table("docs/types.md", "Types")
PARAMETRIC = {"DECIMAL(p,s)", "ARRAY<t>", "STRUCT<a:t,…>", "MAP<k,v>"}
SIMPLE = [row for row in ROWS if code(row["Hive type"]) not in PARAMETRIC]
STORED, ACCEPTED = "Arrow type stored and answered", "Arrow types accepted on insert"

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "float32", "float64"]
TIMESTAMPS = {"timestamp(s)": pa.timestamp("s"), "timestamp(ns, UTC)": pa.timestamp("ns", "UTC")}
GROUPS = {"any integer*": INTEGERS, "any float": FLOATS, "any timestamp": list(TIMESTAMPS)}
SAMPLES: dict[str, pa.DataType] = {
    **{name: getattr(pa, name)() for name in (*INTEGERS, *FLOATS, "date32", "date64", "string", "binary")},
    **{name: getattr(pa, name)() for name in ("large_string", "string_view", "large_binary", "binary_view")},
    **TIMESTAMPS,
    "bool": pa.bool_(),
    "fixed_size_binary": pa.binary(4),
    "decimal": pa.decimal128(5, 2),
    "time": pa.time64("us"),
    "list": pa.list_(pa.int8()),
    "struct": pa.struct({"a": pa.int8()}),
    "map": pa.map_(pa.string(), pa.int8()),
}


def _named(cell: str) -> set[str]:
    """The samples that a cell's first clause names."""
    words = [word.strip() for word in cell.split(";", maxsplit=1)[0].split(",")]
    return {name for word in words for name in GROUPS.get(word, [word])}


@pytest.mark.parametrize("row", SIMPLE, ids=lambda row: row["Hive type"])
def test_simple_types(row: Row) -> None:
    stored = to_arrow(code(row["Hive type"]))
    stored_name = "timestamp(us, UTC)" if pa.types.is_timestamp(stored) else _arrow_name(stored)
    assert stored_name == row[STORED]
    assert {name for name, sample in SAMPLES.items() if accepts(stored, sample)} == _named(row[ACCEPTED])
    assert to_hive(stored) == code(row["Hive type"]).lower()


def _arrow_name(arrow: pa.DataType) -> str:
    return {"float": "float32", "double": "float64", "date32[day]": "date32"}.get(str(arrow), str(arrow))


def test_the_list_is_complete() -> None:
    documented = {code(row["Hive type"]).partition("<")[0].partition("(")[0] for row in ROWS}
    with pytest.raises(TypeNotSupportedError) as refused:
        to_arrow("nonsense")
    assert refused.value.hint is not None
    assert all(name in refused.value.hint for name in documented)
    assert all(name in read("docs/api.md") for name in documented)


def test_decimal() -> None:
    assert to_arrow("DECIMAL(5,2)") == pa.decimal128(5, 2)
    assert to_arrow("DECIMAL") == pa.decimal128(10, 0)
    for p, s, fits in ((4, 1, True), (5, 2, True), (3, 0, True), (4, 0, False), (5, 3, False), (6, 2, False)):
        assert accepts(pa.decimal128(5, 2), pa.decimal128(p, s)) is fits, (p, s)
    for refused in ("decimal(39,0)", "decimal(2,3)", "decimal(0,0)"):
        with pytest.raises(TypeNotSupportedError):
            to_arrow(refused)


def test_nested() -> None:
    assert to_arrow("ARRAY<INT>") == pa.list_(pa.int32())
    for source in (pa.list_(pa.int8()), pa.large_list(pa.int64()), pa.list_(pa.int32(), 3)):
        assert accepts(pa.list_(pa.int32()), source)
    assert not accepts(pa.list_(pa.int32()), pa.list_(pa.string()))
    target = to_arrow("STRUCT<a:INT,b:STRING>")
    assert accepts(target, pa.struct({"a": pa.int8(), "b": pa.large_string()}))
    assert not accepts(to_arrow("STRUCT<a:INT,b:INT>"), pa.struct({"b": pa.int32(), "a": pa.int32()}))
    assert to_arrow("MAP<STRING,DOUBLE>") == pa.map_(pa.string(), pa.float64())
    assert accepts(to_arrow("MAP<STRING,DOUBLE>"), pa.map_(pa.string(), pa.int32()))
    assert not accepts(to_arrow("MAP<STRING,DOUBLE>"), pa.map_(pa.int32(), pa.float64()))


@pytest.mark.parametrize("hive", [code(row["Hive type"]) for row in ROWS])
def test_nulls_and_dictionaries_are_accepted(hive: str) -> None:
    for form, example in (("(p,s)", ""), ("t,…", "t"), ("t>", "int>"), ("k,v", "int,int")):
        hive = hive.replace(form, example)
    target = to_arrow(hive)
    assert accepts(target, pa.null())
    assert accepts(target, pa.dictionary(pa.int8(), target))


def test_inference() -> None:
    documented = {
        name: code(row["Hive type"]).lower()
        for row in table("docs/types.md", "Inferred from a frame")
        for name in _named(row["Arrow type"])
    }
    follow_their_parts = {"decimal", "list", "struct", "map"}
    assert set(documented) == set(SAMPLES) - follow_their_parts - {"time"}
    assert documented == {name: to_hive(SAMPLES[name]) for name in documented}
    assert {name: to_hive(SAMPLES[name]) for name in follow_their_parts} == {
        "decimal": "decimal(5,2)",
        "list": "array<tinyint>",
        "struct": "struct<a:tinyint>",
        "map": "map<string,tinyint>",
    }
    for untyped in (pa.null(), pa.time64("us")):
        with pytest.raises(TypeNotSupportedError):
            to_hive(untyped)


def test_what_a_type_is_fit_for() -> None:
    section = read("docs/types.md").partition("## What a type is fit for")[2].partition("\n## ")[0]
    text = " ".join(section.split())
    types = [code(row["Hive type"]) for row in SIMPLE] + ["DECIMAL(5,2)", "ARRAY<INT>"]
    unfit_for_keys = {kind for kind in types if not _is_fit(kind, primary_key=("it",))}
    unfit_for_partitions = {kind for kind in types if not _is_fit(kind, primary_key=("other",), partition_by=("it",))}
    assert unfit_for_keys == {"FLOAT", "DOUBLE", "ARRAY<INT>"}
    assert unfit_for_partitions == unfit_for_keys | {"BINARY", "DECIMAL(5,2)", "TIMESTAMP"}
    assert "takes every type but floats and nested ones" in text
    assert "moreover no binary, no decimal and no timestamp" in text
    event_times = {kind for kind in types if _is_fit(kind, primary_key=("other",), event_time="it")}
    assert set(codes(text.partition("An event time is")[2])) == event_times


def _is_fit(kind: str, **roles: object) -> bool:
    spec = GroupSpec("group", features=(FeatureSpec("other", "BIGINT"), FeatureSpec("it", kind)), **roles)  # type: ignore[arg-type]
    try:
        require_roles(spec, resolve_features(spec, None))
    except InvalidInputError:
        return False
    return True
