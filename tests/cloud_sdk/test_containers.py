import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from hops.featurestore.containers import convert, resolve_container
from hops.featurestore.errors import InvalidInputError, MissingExtraError, NotSupportedError
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


def test_spark_says_what_to_do_before_anything_is_asked(fs, sdk_gateway):
    asked = len(sdk_gateway.asked)
    with pytest.raises(NotSupportedError, match="createDataFrame"):
        fs.get_features(["a"], dataframe_type="spark")
    assert len(sdk_gateway.asked) == asked


@pytest.mark.parametrize("name", ["python", 5, None])
def test_other_kinds(name):
    with pytest.raises(InvalidInputError, match="polars"):
        resolve_container(name)


def test_polars_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r'pip install "oasthouse-cloud-sdk\[polars\]"'):
        convert(TABLE, "polars")
