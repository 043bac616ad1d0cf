"""Spark frames, on Spark Connect without a JVM."""

import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hops.featurestore import spark as spark_module
from hops.featurestore.containers import convert
from hops.featurestore.errors import AnswerCutError, NotSupportedError
from hops.featurestore.spark import frame_from_table, spark_type
from tests.cloud_sdk.gateway import Reply, arrow_reply, serving
from tests.cloud_sdk.store import PARTS, ROWS, Parts, Store

STRUCT = pa.struct([("a", pa.int16()), ("m", pa.map_(pa.string(), pa.int32()))])
TABLE = pa.table(
    {
        "i": pa.array([1, None, 2**53 + 1], pa.int64()),
        "tiny": pa.array([1, 2, None], pa.int8()),
        "f": [1.5, None, float("nan")],
        "s": ["a", None, "c"],
        "t": pa.array([datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
        "d": [date(2024, 2, 29), None, None],
        "dec": pa.array([Decimal("1.20"), None, Decimal("-0.01")], pa.decimal128(10, 2)),
        "bin": pa.array([b"x", None, b""], pa.binary()),
        "bo": [True, None, False],
        "l": pa.array([[1, None], None, []], pa.list_(pa.int32())),
        "st": pa.array([{"a": 1, "m": [("x", 2)]}, None, {"a": None, "m": None}], STRUCT),
        "m": pa.array([[("k", 1.0)], None, []], pa.map_(pa.string(), pa.float64())),
    }
)


def comparable(rows: list[dict[str, Any]]) -> list[str]:
    """NaN is no other NaN, and frames have no order."""
    return sorted(str(sorted(row.items())) for row in rows)


def rows(frame: Any) -> list[str]:
    return comparable(frame.toArrow().to_pylist())


EXPECTED = comparable(TABLE.to_pylist())


@pytest.fixture
def no_spark(monkeypatch) -> None:
    """Whatever other tests have started."""
    for name in ("pyspark.sql", "pyspark.sql.connect.session"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_without_a_session_it_says_what_to_do_before_anything_is_asked(fs, sdk_gateway, no_spark) -> None:
    asked = len(sdk_gateway.asked)
    with pytest.raises(NotSupportedError, match="getOrCreate"):
        fs.get_features(["a"], dataframe_type="spark")
    assert len(sdk_gateway.asked) == asked


@pytest.mark.parametrize("takes_arrow", [True, False])
def test_a_table_becomes_a_frame_of_the_same_types_and_values(sail, monkeypatch, takes_arrow) -> None:
    monkeypatch.setattr(spark_module, "_takes_arrow", lambda: takes_arrow)
    frame = frame_from_table(sail, TABLE)
    assert rows(frame) == EXPECTED
    assert [field.dataType.simpleString() for field in frame.schema] == [
        "bigint", "tinyint", "double", "string", "timestamp", "date", "decimal(10,2)", "binary", "boolean", "array<int>",
        "struct<a:smallint,m:map<string,int>>", "map<string,double>",
    ]  # fmt: skip


@pytest.mark.parametrize("takes_arrow", [True, False])
def test_a_table_without_rows_becomes_a_frame_with_columns(sail, monkeypatch, takes_arrow) -> None:
    monkeypatch.setattr(spark_module, "_takes_arrow", lambda: takes_arrow)
    frame = convert(TABLE.slice(0, 0), "spark")
    assert frame.columns == TABLE.column_names
    assert frame.count() == 0


def test_a_type_that_features_cannot_have() -> None:
    with pytest.raises(NotSupportedError, match="time64"):
        spark_type(pa.time64("us"))


def test_rows_of_the_gateway_become_a_frame(sail, fs, sdk_gateway) -> None:
    sdk_gateway.on("GET", ROWS, arrow_reply(TABLE))
    assert rows(fs.get_featuregroup("g", dataframe_type="spark")) == EXPECTED


@pytest.fixture
def listed(tmp_path, sail, fs, sdk_gateway):
    """The group `g` as files in a directory that Spark can read; no byte of them is to be had from anywhere else."""
    schema = pa.schema([("city", pa.string()), *TABLE.schema, ("n", pa.int32()), ("late", pa.float64())])
    parts = Parts(Store(), "http://127.0.0.1:1", schema)

    def add(table: pa.Table, folder: str, **partition: Any) -> None:
        path = tmp_path / folder / f"part-{len(parts.listed)}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table, path)
        parts.add(table, partition, uri=str(path))

    def read(**changes: Any) -> Any:
        manifest = json.dumps(parts.manifest(**changes)).encode()
        sdk_gateway.on("GET", ROWS, Reply(200, manifest, {"Content-Type": PARTS}))
        return fs.get_featuregroup("g", dataframe_type="spark")

    return parts, add, read


def test_spark_reads_the_files_itself(listed) -> None:
    _, add, read = listed
    add(TABLE, "city=New_York", city="New York", n="7")
    add(TABLE.slice(1, 1), "city=New_York", city="New York", n="7")
    add(TABLE.slice(0, 1).append_column("late", pa.array([0.5])), "city=__HIVE_DEFAULT_PARTITION__", city=None, n="-1")
    frame = read()
    assert frame.columns == ["city", *TABLE.column_names, "n", "late"]
    stored, york = TABLE.to_pylist(), {"city": "New York", "n": 7, "late": None}
    expected = [{**stored[at], **york} for at in (0, 1, 2, 1)] + [{**stored[0], "city": None, "n": -1, "late": 0.5}]
    assert rows(frame) == comparable(expected)
    assert frame.schema["n"].dataType.simpleString() == "int"


def test_many_partitions_are_one_frame(listed) -> None:
    _, add, read = listed
    for number in range(70):
        add(TABLE.slice(0, 1), f"n={number}", city="Oslo", n=str(number))
    assert sorted(row.n for row in read().select("n").collect()) == list(range(70))


def test_a_list_without_parts_is_a_frame_without_rows(listed) -> None:
    _, _, read = listed
    assert read().count() == 0


def test_files_with_other_rows_than_listed_are_no_frame(listed) -> None:
    parts, add, read = listed
    add(TABLE, "n=1", city="Oslo", n="1")
    parts.listed[0]["rows"] = 6
    with pytest.raises(AnswerCutError, match="3 rows in the files where 6"):
        read()


def test_files_that_spark_would_take_for_a_pattern_come_through_the_driver(listed) -> None:
    parts, add, read = listed
    add(TABLE, "city={a}", city="{a}", n="1")
    with serving(parts.store) as port:
        for part in parts.listed:
            part["url"] = part["url"].replace("http://127.0.0.1:1", f"http://127.0.0.1:{port}")
        frame = read()
    assert [row.city for row in frame.select("city").collect()] == ["{a}"] * 3
    assert len(parts.store.asked) == 1
