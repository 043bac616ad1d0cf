"""Whatever people call a data frame arrives as plain Arrow."""

import datetime as dt
import decimal
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from hops.featurestore import frames
from hops.featurestore.errors import FrameConversionError, MissingExtraError
from hops.featurestore.extras import require
from hops.featurestore.frames import is_frame, to_record_batches

COLUMNS = {"team_id": [1, 2], "name": ["a", "b"]}


def table_of(frame):
    return to_record_batches(frame).read_all()


class Streaming:
    def __arrow_c_stream__(self, requested_schema=None):
        return pa.table(COLUMNS).__arrow_c_stream__(requested_schema)


class Spark3:
    def toPandas(self):  # noqa: N802
        return pd.DataFrame(COLUMNS)


class Spark4(Spark3):
    def toArrow(self):  # noqa: N802
        return pa.table(COLUMNS)


class OldPolars:
    def to_arrow(self):
        return pa.table(COLUMNS)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(COLUMNS),
        pl.DataFrame(COLUMNS),
        pa.table(COLUMNS),
        pa.table(COLUMNS).to_batches()[0],
        COLUMNS,
        {name: np.array(values) for name, values in COLUMNS.items()},
        {name: pa.array(values) for name, values in COLUMNS.items()},
        [{"team_id": 1, "name": "a"}, {"name": "b", "team_id": 2}],
        Streaming(),
        Spark3(),
        Spark4(),
        OldPolars(),
    ],
    ids=lambda frame: f"{type(frame).__module__}.{type(frame).__name__}",
)
def test_frames_of_all_kinds(frame):
    assert is_frame(frame)
    assert table_of(frame).to_pydict() == COLUMNS


def test_a_reader_is_taken_as_it_is():
    reader = pa.table(COLUMNS).to_reader()
    assert is_frame(reader)
    assert to_record_batches(reader) is reader


@pytest.mark.parametrize("value", [5, "text", ["a", "b"], [], None, np.zeros((2, 2)), object()])
def test_no_frames(value):
    assert not is_frame(value)
    with pytest.raises(FrameConversionError, match="is not a frame"):
        to_record_batches(value)


def test_pandas_types():
    frame = pd.DataFrame(
        {
            "nullable": pd.array([1, None], dtype="Int64"),
            "small": pd.array([1, 2], dtype="int8"),
            "text": pd.array(["x", None], dtype="string"),
            "plain": ["x", None],
            "category": pd.Categorical(["x", None]),
            "numbers": pd.Categorical([7, 8]),
            "missing": [1.5, np.nan],
            "moment": pd.to_datetime(["2020-01-01", None]),
            "zoned": pd.to_datetime(["2020-01-01", None], utc=True),
            "date": [dt.date(2020, 1, 1), None],
            "decimal": [decimal.Decimal("1.20"), None],
            "list": [[1, 2], None],
            "nothing": pd.Series([None, None], dtype=object),
            "truth": pd.array([True, None], dtype="boolean"),
            "arrow": pd.array([1, None], dtype=pd.ArrowDtype(pa.int32())),
        }
    )
    table = table_of(frame)
    kinds = {column.name: column.type for column in table.schema}
    assert kinds["nullable"] == pa.int64()
    assert kinds["small"] == pa.int8()
    assert kinds["text"] in {pa.string(), pa.large_string()}
    assert kinds["plain"] in {pa.string(), pa.large_string()}
    assert pa.types.is_dictionary(kinds["category"])
    assert kinds["numbers"] == pa.int64()
    assert kinds["zoned"].tz == "UTC"
    assert kinds["date"] == pa.date32()
    assert kinds["decimal"] == pa.decimal128(3, 2)
    assert kinds["list"] == pa.list_(pa.int64())
    assert kinds["nothing"] == pa.null()
    assert kinds["arrow"] == pa.int32()
    assert table["missing"].null_count == 1
    assert table.slice(1).to_pylist()[0] == dict.fromkeys(table.column_names) | {"small": 2, "numbers": 8}
    assert table.schema.metadata is None


def test_a_category_of_nothing_has_no_type():
    assert table_of(pd.DataFrame({"c": pd.Categorical([None, None])})).schema.field("c").type in {
        pa.null(),
        pa.int64(),
        pa.float64(),
    }


def test_an_index_without_name_is_dropped_and_a_named_one_becomes_columns():
    assert table_of(pd.DataFrame(COLUMNS, index=[7, 8])).column_names == ["team_id", "name"]
    assert table_of(pd.DataFrame(COLUMNS).set_index("name")).column_names == ["name", "team_id"]
    two = pd.MultiIndex.from_arrays([[1, 2], [3, 4]], names=["year", None])
    assert table_of(pd.DataFrame(COLUMNS, index=two)).column_names == ["year", "team_id", "name"]


def test_an_index_named_as_a_column_is_refused():
    with pytest.raises(FrameConversionError, match="team_id is the name of an index level and of a column"):
        table_of(pd.DataFrame(COLUMNS, index=pd.Index([1, 2], name="team_id")))


@pytest.mark.parametrize("as_dict", [False, True])
def test_a_column_of_mixed_types_is_named(as_dict):
    columns = {"good": [1, 2], "score": [1, "two"]}
    with pytest.raises(FrameConversionError, match="Column 'score' cannot be converted") as caught:
        table_of(columns if as_dict else pd.DataFrame(columns))
    assert isinstance(caught.value, TypeError)
    assert "astype" in caught.value.hint


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2]]), "must be text; these are not: 0, 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column named 'a'"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels"),
        (pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), "more than one column named 'a'"),
        ({"a": [1], "b": [1, 2]}, "differ in length"),
    ],
)
def test_frames_that_cannot_be_told_apart(frame, message):
    with pytest.raises(FrameConversionError, match=message):
        to_record_batches(frame)


def test_rows_with_gaps():
    assert table_of([{"a": 1}, {"b": 2}]).to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": 2}]


@pytest.mark.parametrize(
    ("package", "named"), [("pyspark.sql.types", "pyspark"), ("botocore", "boto3"), ("polars", "polars")]
)
def test_packages_are_installed_by_the_names_they_have_on_the_index(monkeypatch, package, named):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as refused:
        require(package)
    assert refused.value.hint == f"Run:  pip install {named}"


def test_without_pyarrow_the_line_that_installs_it_is_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match="pip install pyarrow"):
        to_record_batches(COLUMNS)


def test_where_pandas_was_never_imported_nothing_is_a_pandas_frame(monkeypatch):
    monkeypatch.delitem(sys.modules, "pandas")
    assert not frames.is_pandas(object())


def test_a_pyarrow_too_old_for_foreign_streams_says_which_is_not(monkeypatch):
    monkeypatch.setattr(
        frames, "hasattr", lambda value, name: name != "from_stream" and hasattr(value, name), raising=False
    )
    with pytest.raises(FrameConversionError, match="pyarrow>=15"):
        to_record_batches(Streaming())
