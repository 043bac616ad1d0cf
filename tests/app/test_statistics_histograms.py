"""Bins and counts."""

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.app.test_statistics_scan import column_of

CHANCE = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _draws_of_its_own() -> None:
    """Whatever ran before, and in which order, each test draws the same."""
    CHANCE.bit_generator.state = np.random.PCG64(5).state


def histogram(values: Any, **options: Any) -> Any:
    return column_of(pa.array(values), **options)["histogram"]


@pytest.mark.parametrize("bins", [2, 20, 333])
@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300])
def test_floats_as_numpy_counts_them(bins: int, scale: float) -> None:
    values = CHANCE.normal(size=100_000) * scale
    found = histogram(values, bins=bins)
    counts, edges = np.histogram(values, bins)
    quantiles = np.quantile(values, np.linspace(0, 1, 51), method="nearest")
    assert found.pop("quantiles") == pytest.approx(quantiles.tolist(), rel=1e-3)
    assert found == {"kind": "bins", "edges": edges.tolist(), "counts": counts.tolist()}


def test_floats_that_are_neighbours() -> None:
    step = np.spacing(1.0)
    values = 1.0 + step * CHANCE.permutation(30)
    found = histogram(values, bins=25)
    assert sum(found["counts"]) == 30
    assert (np.diff(found["edges"]) > 0).all()
    assert (found["edges"][0], found["edges"][-1]) == (values.min(), values.max())
    narrow = histogram(values, bins=30)
    assert sum(narrow["counts"]) == 30
    assert len(narrow["edges"]) <= 31


def test_floats_further_apart_than_the_largest() -> None:
    values = np.linspace(-1.0, 1.0, 101) * 1.7e308
    found = histogram(values, bins=10)
    assert sum(found["counts"]) == 101
    assert np.isfinite(found["edges"]).all()
    assert found["counts"] == pytest.approx([10] * 10, abs=1)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(20, 2**63), st.integers(2, 30))
@settings(max_examples=60)
def test_whole_numbers_have_whole_edges_and_equal_widths(low: int, span: int, bins: int) -> None:
    values = sorted({low + span * step // 40 for step in range(41)} | {low + step for step in range(20)})
    values = [value for value in values if value < 2**63]
    found = histogram(pa.array(values, pa.int64()), bins=bins)
    if found["kind"] == "values":
        assert found == {"kind": "values", "values": values, "counts": [1] * len(values)}
        return
    edges = found["edges"]
    widths = {high - low for low, high in pairwise(edges)}
    assert len(widths) == 1
    assert len(found["counts"]) <= bins
    assert edges[0] == values[0]
    assert edges[-2] <= values[-1] < edges[-1]
    expected = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
    assert found["counts"] == expected


def test_no_bin_is_empty_because_of_where_its_edges_are() -> None:
    found = histogram(np.arange(25))
    assert (found["edges"], found["counts"]) == (list(range(0, 27, 2)), [2] * 12 + [1])


def test_unsigned_numbers_beyond_the_signed() -> None:
    values = np.uint64(2**64 - 1) - np.arange(100, dtype=np.uint64)
    found = histogram(values)
    assert found["edges"][-1] == 2**64
    assert found["counts"] == [5] * 20
    few = histogram(values[:3])
    assert few == {"kind": "values", "values": [2**64 - 3, 2**64 - 2, 2**64 - 1], "counts": [1, 1, 1]}


@pytest.mark.parametrize(
    ("different", "bins", "kind"),
    [(19, 20, "values"), (20, 20, "bins"), (20, 5, "bins"), (49, 50, "values"), (7, 2, "values")],
)
def test_few_values_are_counted_one_by_one(different: int, bins: int, kind: str) -> None:
    values = CHANCE.permutation(np.arange(1_000) % different) - 3.5
    found = histogram(values, bins=bins)
    assert found["kind"] == kind
    if kind == "values":
        exact, counts = np.unique(values, return_counts=True)
        assert (found["values"], found["counts"]) == (exact.tolist(), counts.tolist())
    whole = histogram((values - 0.5).astype(np.int32), bins=bins)
    assert whole["kind"] == kind


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
@pytest.mark.parametrize("low", [-(2**63), 2**60, 2**63 - 5, 2**64 - 5])
def test_few_values_that_floats_cannot_tell_apart(kind: pa.DataType, low: int) -> None:
    values = [low + number for number in range(5) for _ in range(number + 1)]
    fits = (0 if kind == pa.uint64() else -(2**63)) <= low and values[-1] < (2**64 if kind == pa.uint64() else 2**63)
    if fits:
        counted = {"kind": "values", "values": [low + number for number in range(5)], "counts": [1, 2, 3, 4, 5]}
        assert histogram(pa.array(values, kind)) == counted


def test_negative_and_constant() -> None:
    assert histogram([-5, None, -5]) == {"kind": "values", "values": [-5], "counts": [2]}
    assert histogram([0.1] * 70_000) == {"kind": "values", "values": [0.1], "counts": [70_000]}


def test_times_are_binned_with_their_texts() -> None:
    days = pa.array(np.arange(40, dtype=np.int32), pa.date32())
    found = column_of(days)["histogram"]
    assert (found["unit"], found["edges"], found["counts"]) == ("D", list(range(0, 41, 2)), [2] * 20)
    assert found["labels"][:2] == ["1970-01-01", "1970-01-03"]
    last = pa.array(2**63 - 1 - np.arange(100), pa.timestamp("us", "UTC"))
    assert len(column_of(last)["histogram"]["labels"]) == 21
    clock = pa.array(86_399 - np.arange(100, dtype=np.int32), pa.time32("s"))
    assert column_of(clock)["histogram"]["labels"][-1] == "23:59:59"


def test_frequent_texts() -> None:
    texts = [f"{number % 30:02}" for number in range(60)] + ["often"] * 9
    found = histogram(texts)
    assert (found["values"][:2], found["counts"][:2]) == (["often", "00"], [9, 2])
    assert (len(found["values"]), found["other"], found["error"]) == (20, 22, 0)
    assert len(histogram(texts, bins=40)["values"]) == 31
