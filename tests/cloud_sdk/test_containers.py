import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from hops.featurestore.containers import convert, resolve_container
from hops.featurestore.errors import InvalidInputError, MissingExtraError
from tests.cloud_sdk.gateway import arrow_reply

TABLE = pa.table({"a": [1, 2], "s": ["x", "y"]})


@pytest.mark.parametrize(
    ("name", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table), ("arrow", pa.Table)]
)
def test_containers(name, kind):
    frame = convert(TABLE, resolve_container(name))
    assert isinstance(frame, kind)
    assert frame.shape == (2, 2)


def test_numpy_is_rows_by_columns():
    array = convert(TABLE, resolve_container("numpy"))
    assert isinstance(array, np.ndarray)
    assert array.tolist() == [[1, "x"], [2, "y"]]


def test_as_wins(fs, sdk_gateway):
    sdk_gateway.on("GET", "/projects/football/feature-groups/g/versions/1/rows", arrow_reply(TABLE))
    assert fs.get_featuregroup("g", dataframe_type="pandas", as_="arrow").equals(TABLE)
    assert isinstance(fs.get_featuregroup("g", dataframe_type="polars"), pl.DataFrame)


def test_a_table_at_hand_is_a_reader_too():
    with convert(TABLE, resolve_container("reader")) as reader:
        assert reader.read_all().equals(TABLE)


LARGE = 1 << 20
NULLS = [None, *range(LARGE - 1)]


@pytest.fixture(params=["one piece", "pieces"])
def large(request):
    """Beyond the size from which a table is given up column by column."""
    table = pa.table(
        {
            **{f"n{bits}": pa.array(NULLS, pa.int64()).cast(f"int{bits}", safe=False) for bits in (8, 16, 32, 64)},
            "id": pa.array(NULLS, pa.int64()).fill_null(2**53 + 1),
            **{f"x{number}": np.random.default_rng(number).random(LARGE) for number in range(8)},
            "f": pa.array([None, float("nan"), *[1.5] * (LARGE - 2)]),
            "s": ["text"] * LARGE,
            "b": [True] * LARGE,
        }
    )
    assert table.nbytes > 64 << 20
    if request.param == "one piece":
        return table.combine_chunks()
    return pa.concat_tables([table.slice(0, 100), table.slice(100)])


def test_a_large_pandas_frame_is_like_a_small_one(large):
    small = convert(large.slice(0, 1000), "pandas")
    rows = large.num_rows
    frame = convert(pa.table(large.columns, schema=large.schema), "pandas")
    assert len(frame) == rows
    pd.testing.assert_frame_equal(frame.head(1000), small)
    assert [str(frame[f"n{bits}"].dtype) for bits in (8, 16, 32, 64)] == ["Int8", "Int16", "Int32", "Int64"]
    assert frame["n64"].isna().sum() == 1
    assert frame["n64"].iloc[-1] == rows - 2
    assert frame["id"].iloc[0] == 2**53 + 1


def test_cells_of_a_large_pandas_frame_can_be_written(large):
    frame = convert(large, "pandas")
    for name, value in (("x0", 5.0), ("id", 7), ("b", False), ("n8", 3), ("s", "other"), ("f", 2.5)):
        frame.loc[0, name] = value
        assert frame.loc[0, name] == value


PEAK = """
import pyarrow as pa
from hops.featurestore.containers import convert_only
def piece():
    return pa.table({f"x{number}": pa.nulls(1 << 20, pa.float64()).fill_null(number) for number in range(16)})
only = [pa.concat_tables([piece(), piece()])]
size = pa.total_allocated_bytes()
assert len(convert_only(only, "pandas")) == 2 << 20
print(size, pa.default_memory_pool().max_memory())
"""


def test_a_large_pandas_frame_does_not_need_its_memory_twice():
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    size, peak = map(int, done.stdout.split())
    assert size > 200 << 20
    assert peak < 1.3 * size


@pytest.mark.parametrize("name", ["python", 5, ""])
def test_other_kinds(name):
    with pytest.raises(InvalidInputError, match="polars"):
        resolve_container(name)


def test_polars_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r"pip install polars$"):
        convert(TABLE, "polars")
