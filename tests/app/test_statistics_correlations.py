"""Matrices, equal to those of pandas.DataFrame.corr."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.app.test_statistics_scan import computed

CHANCE = np.random.default_rng(9)


@pytest.fixture(autouse=True)
def _draws_of_its_own() -> None:
    """Whatever ran before, and in which order, each test draws the same."""
    CHANCE.bit_generator.state = np.random.PCG64(9).state


METHODS = ["pearson", "spearman"]


def matrix(frame: pd.DataFrame | pa.Table, method: str) -> Any:
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    found = computed(table, correlation_method=method, clusters=False, histograms=False)["correlations"]
    assert (found["method"], found["exact"], found["rows"]) == (method, True, table.num_rows)
    assert found["columns"] == table.column_names
    return np.array(found["values"], float)


def frame(rows: int, columns: int, missing: float) -> pd.DataFrame:
    mixing = CHANCE.normal(size=(columns, columns))
    values = CHANCE.normal(size=(rows, columns)) @ mixing * 10.0 ** CHANCE.integers(-6, 6, columns)
    values += CHANCE.normal(size=columns) * 1e3
    values[CHANCE.random(values.shape) < missing] = np.nan
    return pd.DataFrame(values, columns=[f"c{number}" for number in range(columns)])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("rows", "columns", "missing"), [(70_000, 3, 0.0), (70_000, 3, 0.2), (500, 50, 0.1), (65_536, 1, 0.0), (3, 4, 0.2)]
)
def test_as_pandas(method: str, rows: int, columns: int, missing: float) -> None:
    table = frame(rows, columns, missing)
    # pandas loses digits of columns that lie far from zero.
    expected = (table - table.median()).corr(method=method).to_numpy()  # type: ignore[arg-type]
    np.testing.assert_allclose(matrix(table, method), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_ties_and_whole_numbers(method: str) -> None:
    table = pd.DataFrame({"a": CHANCE.integers(0, 5, 4_000), "b": CHANCE.integers(0, 50, 4_000)})
    table["c"] = table["a"] * 3 + table["b"]
    np.testing.assert_allclose(matrix(table, method), table.corr(method=method), rtol=1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_constant_empty_and_infinite_columns(method: str) -> None:
    values = CHANCE.normal(size=1_000)
    table = pd.DataFrame(
        {
            "x": values,
            "constant": 0.1,
            "nothing": np.nan,
            "opposite": -values,
            "strange": np.where(CHANCE.random(1_000) < 0.3, np.inf, values * 2),
            "once": np.where(np.arange(1_000) == 5, 1.0, np.nan),
        }
    )
    found = matrix(table, method)
    expected = table.replace([np.inf], np.nan).corr(method=method).to_numpy()  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found[0, 3] == -1.0
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("method", METHODS)
def test_constant_only_where_the_other_is_known(method: str) -> None:
    half = np.arange(1_000) < 500
    table = pd.DataFrame(
        {"x": np.where(half, 7.3, CHANCE.normal(size=1_000)), "y": np.where(half, CHANCE.normal(size=1_000), np.nan)}
    )
    found = matrix(table, method)
    assert np.isnan(found[0, 1])
    assert (np.diagonal(found) == 1.0).all()


def test_whole_numbers_that_floats_cannot_tell_apart() -> None:
    low = CHANCE.integers(0, 100, 2_000)
    table = pa.table({"small": low, "large": 2**62 + low, "unsigned": np.uint64(2**64 - 1) - low.astype(np.uint64)})
    expected = [[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
    for method in METHODS:
        np.testing.assert_allclose(matrix(table, method), expected, rtol=1e-12)


def test_nulls_of_whole_numbers_decimals_and_floats_go_by_pairs() -> None:
    missing = CHANCE.random((2, 3_000)) < 0.3
    a, b = CHANCE.integers(0, 100, 3_000), CHANCE.normal(size=3_000)
    table = pa.table({"a": pa.array(a, mask=missing[0]), "b": pa.array(b, mask=missing[1]), "text": ["x"] * 3_000})
    expected = pd.DataFrame({"a": np.where(missing[0], np.nan, a), "b": np.where(missing[1], np.nan, b)}).corr()
    found = computed(table, clusters=False)["correlations"]
    assert found["columns"] == ["a", "b"]
    np.testing.assert_allclose(found["values"], expected, rtol=1e-9)


def test_far_from_zero_and_near_the_largest() -> None:
    values = CHANCE.normal(size=(2, 10_000))
    table = pd.DataFrame({"x": 1e9 + values[0] * 1e-3, "y": values[0] + values[1], "huge": values[0] * 1e307})
    found = matrix(table, "pearson")
    assert found[0, 1] == pytest.approx(np.corrcoef(table["x"] - 1e9, table["y"])[0, 1], rel=1e-9)
    assert np.isnan(found[2]).all()  # its variance is beyond what a float holds


def test_ranks_of_more_rows_than_are_kept_are_of_a_sample() -> None:
    values = CHANCE.normal(size=(2, 400_000))
    table = pa.table({"x": values[0], "y": values[0] + values[1]})
    found = computed(table, correlation_method="spearman", clusters=False)["correlations"]
    assert (found["exact"], found["rows"]) == (False, 262_144)
    expected = pd.DataFrame({"x": values[0], "y": values[0] + values[1]}).corr(method="spearman").to_numpy()
    np.testing.assert_allclose(found["values"], expected, atol=0.01)
    gaps = pa.table({"x": pa.array(values[0], mask=CHANCE.random(400_000) < 0.1), "y": values[0] + values[1]})
    found = computed(gaps, correlation_method="spearman", clusters=False)["correlations"]
    assert (found["exact"], found["rows"]) == (False, 65_536)
    np.testing.assert_allclose(found["values"], expected, atol=0.02)
