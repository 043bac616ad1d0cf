"""Figures of columns, equal to those of numpy and pandas."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from app.featurestore.statistics.maths.descriptive import QUANTILES
from tests.app.test_statistics_scan import column_of

CHANCE = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def _draws_of_its_own() -> None:
    """Whatever ran before, and in which order, each test draws the same."""
    CHANCE.bit_generator.state = np.random.PCG64(11).state


ROWS = 200_000
FLOATS = {
    "normal": CHANCE.normal(size=ROWS),
    "far from zero": CHANCE.normal(1e9, 1e-3, ROWS),
    "skewed": CHANCE.pareto(1.2, ROWS),
    "a step": np.concatenate([np.zeros(70_000), CHANCE.normal(1e9, 1e-3, ROWS - 70_000)]),
    "constant": np.full(ROWS, 0.1),
    "tiny": CHANCE.normal(size=50) * 1e-300,
    "two": np.array([1.5, -2.5]),
}


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("with_missing", [False, True])
def test_floats_as_pandas_has_them(name: str, with_missing: bool) -> None:
    values = FLOATS[name]
    missing = CHANCE.random(len(values)) < (0.3 if with_missing and len(values) > 2 else 0)
    found = column_of(pa.array(values, mask=missing))
    expected = pd.Series(values[~missing])
    figures = found["descriptive"]
    assert (found["count"], found["nulls"]) == (len(expected), int(missing.sum()))
    assert found["completeness"] == len(expected) / len(values)
    assert (figures["min"], figures["max"]) == (expected.min(), expected.max())
    assert figures["mean"] == pytest.approx(expected.mean(), rel=1e-12)
    assert figures["sum"] == pytest.approx(expected.sum(), rel=1e-9)
    # Against numpy's two passes, and around a middle that leaves the digits alone.
    assert figures["stddev"] == pytest.approx(float(np.std(expected - expected.median(), ddof=1)), rel=1e-9, abs=1e-320)
    exact = figures["quantiles"]
    assert (exact["exact"], exact["rank_error"]) == (True, 0.0)
    assert list(exact["values"].values()) == pytest.approx(np.quantile(expected, QUANTILES).tolist(), rel=1e-9)
    distinct = figures["distinct"]
    assert (
        distinct["count"] == expected.nunique()
        if distinct["exact"]
        else abs(distinct["count"] / expected.nunique() - 1) < 0.02
    )


def test_infinity_and_nan_are_counted_and_left_out() -> None:
    found = column_of(pa.array([1.0, math.nan, math.inf, -math.inf, -math.inf, None, 3.0, -0.0, 0.0]))
    figures = found["descriptive"]
    assert (found["count"], found["nulls"]) == (8, 1)
    assert [figures[name] for name in ("nan", "positive_infinity", "negative_infinity")] == [1, 1, 2]
    assert [figures[name] for name in ("min", "max", "sum", "mean")] == [0.0, 3.0, 4.0, 1.0]
    assert figures["distinct"] == {"count": 5, "exact": True, "error": 0.0}
    assert found["histogram"] == {"kind": "values", "values": [0.0, 1.0, 3.0], "counts": [2, 1, 1]}


@pytest.mark.parametrize(
    "values", [[], [None, None], [math.nan], [math.inf, None]], ids=["empty", "nulls", "nan", "infinity"]
)
def test_nothing_to_describe(values: list[float | None]) -> None:
    found = column_of(pa.array(values, pa.float64()))
    figures = found["descriptive"]
    assert all(figures[name] is None for name in ("min", "max", "mean", "stddev"))
    assert set(figures["quantiles"]["values"].values()) == {None}
    assert found["histogram"] is None


def test_floats_near_the_largest() -> None:
    found = column_of(pa.array([1e308, 1.5e308, -1.7e308]))["descriptive"]
    assert (found["min"], found["max"], found["stddev"]) == (-1.7e308, 1.5e308, None)
    assert found["quantiles"]["values"]["0.25"] == pytest.approx(-0.35e308)


def test_a_sum_beyond_the_largest_leaves_the_mean() -> None:
    values = 1.5e303 * (1 + CHANCE.random(200_000))
    found = column_of(pa.array(values))["descriptive"]
    assert found["sum"] is None
    assert found["mean"] == pytest.approx((values / 1e303).mean() * 1e303)


WHOLE: dict[str, npt.NDArray[Any]] = {
    "small": CHANCE.integers(-50, 50, ROWS),
    "near the largest": 2**63 - 1 - CHANCE.integers(0, 1_000, ROWS),
    "all there are": CHANCE.integers(-(2**63), 2**63 - 1, 5_000),
    "unsigned": np.uint64(2**64 - 1) - CHANCE.integers(0, 10**12, 5_000).astype(np.uint64),
    "bytes": CHANCE.integers(0, 255, 5_000).astype(np.uint8),
    "constant": np.full(10, -(2**63)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_are_exact(name: str) -> None:
    values = WHOLE[name]
    figures = column_of(pa.array(values))["descriptive"]
    exact = [int(value) for value in values]
    mean = Fraction(sum(exact), len(exact))
    variance = sum((value - mean) ** 2 for value in exact[:10_000]) if len(exact) <= 10_000 else None
    assert (figures["min"], figures["max"], figures["sum"]) == (min(exact), max(exact), sum(exact))
    assert figures["mean"] == float(mean)
    expected = math.sqrt(variance / (len(exact) - 1)) if variance is not None else _deviation(exact)
    assert figures["stddev"] == pytest.approx(expected, rel=1e-9)
    assert figures["distinct"]["count"] == len(set(exact))
    median = Fraction(sum(sorted(exact)[len(exact) // 2 - 1 : len(exact) // 2 + 1]), 2)
    assert figures["quantiles"]["values"]["0.5"] == pytest.approx(float(median), rel=1e-9)


def _deviation(values: list[int]) -> float:
    return float(np.std(np.array([value - values[0] for value in values], np.float64), ddof=1))


def test_decimals() -> None:
    cents = CHANCE.integers(-(10**9), 10**9, 3_000)
    exact = [Decimal(int(each)) / 100 for each in cents]
    missing = CHANCE.random(len(cents)) < 0.1
    few = column_of(pa.array(exact, pa.decimal128(12, 2), mask=missing))
    floats = np.array([float(each) for each in exact])[~missing]
    assert few["kind"] == "decimal"
    assert (few["descriptive"]["min"], few["descriptive"]["max"]) == (floats.min(), floats.max())
    assert few["descriptive"]["mean"] == pytest.approx(floats.mean(), rel=1e-9)
    assert few["descriptive"]["distinct"] == {"count": len(np.unique(floats)), "exact": True, "error": 0.0}
    many = column_of(pa.array([*exact[:50], None], pa.decimal128(38, 2)))["descriptive"]
    assert many["distinct"]["exact"] is False
    assert many["max"] == pytest.approx(float(max(exact[:50])))
    assert column_of(pa.array(exact, pa.decimal256(50, 2)))["descriptive"]["stddev"] == pytest.approx(
        float(np.std([float(each) for each in exact], ddof=1)), rel=1e-9
    )


def test_booleans() -> None:
    found = column_of(pa.array([True, False, None, True]))
    assert found["descriptive"] == {
        "distinct": {"count": 2, "exact": True, "error": 0.0},
        "true": 2,
        "false": 1,
        "mean": 2 / 3,
    }
    assert found["histogram"] == {"kind": "values", "values": [False, True], "counts": [1, 2]}
    assert column_of(pa.array([None], pa.bool_()))["descriptive"]["mean"] is None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Stockholm"])
def test_times_are_text(unit: str, zone: str | None) -> None:
    start = datetime(2024, 2, 29, 12, tzinfo=UTC)
    times = [start + timedelta(hours=hours) for hours in range(5)]
    column = pc.cast(
        pa.array(times, pa.timestamp("us", "UTC")), pa.timestamp(unit, zone) if zone else pa.timestamp(unit, "UTC")
    )
    figures = column_of(column if zone else pc.cast(column, pa.timestamp(unit)))["descriptive"]
    shown = {name: datetime.fromisoformat(figures[name]) for name in ("min", "max", "mean")}
    assert figures["min"].endswith("Z") is (zone is not None)
    found = {name: each.replace(tzinfo=UTC) - start for name, each in shown.items()}
    assert found == {"min": timedelta(0), "max": timedelta(hours=4), "mean": timedelta(hours=2)}
    assert figures["stddev"] == pytest.approx(float(np.std(range(5), ddof=1)) * 3600)
    assert datetime.fromisoformat(figures["quantiles"]["values"]["0.5"]).hour == 14
    assert figures["sum"] is None


@pytest.mark.parametrize(
    ("column", "least", "most"),
    [
        (pa.array([0, 10], pa.date32()), "1970-01-01", "1970-01-11"),
        (pa.array([0, 864_000_000], pa.date64()), "1970-01-01", "1970-01-11"),
        (pa.array([7, 86_399], pa.time32("s")), "00:00:07", "23:59:59"),
        (pa.array([7, 86_399_000_000], pa.time64("us")), "00:00:00.000007", "23:59:59.000000"),
        (pa.array([-1_500, 20], pa.duration("ms")), "PT-1.5S", "PT0.02S"),
        (
            pa.array([2**63 - 2, 2**63 - 1], pa.timestamp("ns")),
            "2262-04-11T23:47:16.854775806",
            "2262-04-11T23:47:16.854775807",
        ),
    ],
)
def test_other_times(column: pa.Array, least: str, most: str) -> None:
    found = column_of(column)
    assert found["kind"] == "time"
    assert (found["descriptive"]["min"], found["descriptive"]["max"]) == (least, most)
    assert found["histogram"]["labels"] == [least, most]


def test_the_first_number_of_all_is_a_time() -> None:
    """numpy takes it for none."""
    told = column_of(pa.array([-(2**63), 0], pa.timestamp("us", "UTC")))
    assert told["descriptive"]["min"] == "-290308-12-21T19:59:05.224193Z"
    assert "NaT" not in "".join(told["histogram"]["labels"])


def test_texts() -> None:
    texts = ["åäö", "", None, "💚" * 300, "åäö", "a" * 256, "a" * 257, "a" * 257]
    for column in (pa.array(texts), pa.array(texts).dictionary_encode(), pa.chunked_array([texts[:3], texts[3:]])):
        found = column_of(column)
        assert found["descriptive"] == {
            "distinct": {"count": 5, "exact": True, "error": 0.0},
            "lengths": {"min": 0, "max": 300, "mean": pytest.approx((3 + 300 + 3 + 256 + 257 * 2) / 7)},
        }
        assert found["histogram"] == {
            "kind": "top",
            "values": ["a" * 100, "åäö", "", "a" * 100, "💚" * 100],
            "counts": [2, 2, 1, 1, 1],
            "other": 0,
            "error": 0,
        }


def test_binary_lists_and_the_rest() -> None:
    assert column_of(pa.array([b"\xff", b"ab", None, b"ab"]))["descriptive"] == {
        "distinct": {"count": 2, "exact": True, "error": 0.0},
        "lengths": {"min": 1, "max": 2, "mean": 5 / 3},
    }
    assert column_of(pa.array([[1], None, [], [1, 2, 3]]))["descriptive"] == {
        "lengths": {"min": 0, "max": 3, "mean": 4 / 3}
    }
    assert column_of(pa.array([{"a": 1}, None]))["descriptive"] == {}
    assert column_of(pa.array([None], pa.string()))["descriptive"]["lengths"] == {
        "min": None,
        "max": None,
        "mean": None,
    }


def test_quantiles_of_more_rows_than_are_kept_are_within_their_error() -> None:
    values = CHANCE.normal(size=700_000)
    missing = CHANCE.random(len(values)) < 0.5
    for mask in (None, missing):
        found = column_of(pa.array(values, mask=mask))["descriptive"]["quantiles"]
        present = np.sort(values if mask is None else values[~missing])
        assert found["exact"] is False
        assert 0 < found["rank_error"] < 0.006
        for share, value in found["values"].items():
            rank = np.searchsorted(present, value) / len(present)
            assert abs(rank - float(share)) <= found["rank_error"]
