"""Clusters, as good as scikit-learn's."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.cluster import KMeans  # type: ignore[import-untyped]
from sklearn.datasets import make_blobs  # type: ignore[import-untyped]

from tests.app.test_statistics_scan import computed

CHANCE = np.random.default_rng(13)


@pytest.fixture(autouse=True)
def _draws_of_its_own() -> None:
    """Whatever ran before, and in which order, each test draws the same."""
    CHANCE.bit_generator.state = np.random.PCG64(13).state


def clusters(values: Any, count: int = 5) -> dict[str, Any]:
    table = pa.table({f"c{number}": column for number, column in enumerate(values)})
    found: dict[str, Any] = computed(table, cluster_count=count, correlations=False, histograms=False)["clusters"]
    return found


@pytest.mark.parametrize("count", [1, 3, 5, 8])
@pytest.mark.parametrize("shape", ["blobs", "noise"])
def test_as_good_as_scikit_learn(count: int, shape: str) -> None:
    rows = make_blobs(4_000, 4, centers=5, random_state=2)[0] if shape == "blobs" else CHANCE.normal(size=(4_000, 4))
    found = clusters(rows.T, count)
    best = KMeans(count, n_init=10, random_state=0).fit(rows).inertia_
    assert found["inertia"] <= best * 1.01
    assert (found["rows"], found["exact"], found["count"], sum(found["sizes"])) == (4_000, True, count, 4_000)
    distances = ((rows[:, None] - np.array(found["centers"])[None]) ** 2).sum(axis=2)
    assert found["inertia"] == pytest.approx(distances.min(axis=1).sum(), rel=1e-9)
    assert sorted(np.bincount(distances.argmin(axis=1), minlength=count)) == sorted(found["sizes"])


def test_points_lie_in_the_plane_of_most_variance() -> None:
    rows = make_blobs(2_000, 3, centers=3, random_state=4, cluster_std=0.1)[0]
    found = clusters(rows.T, 3)
    assert len(found["points"]) == 50
    centers = np.array(found["centers_in_plane"])
    for point in found["points"]:
        apart = np.linalg.norm(centers - [point["x"], point["y"]], axis=1)
        assert apart.argmin() == point["cluster"]
    assert sum(found["explained"]) == pytest.approx(1.0, abs=0.01)
    assert found == clusters(rows.T, 3)


def test_what_is_missing_counts_as_zero() -> None:
    values = np.array([[1.0, np.nan, 5.0, np.inf], [1.0, 2.0, -5.0, 1.0]])
    assert clusters(values) == clusters(np.where(np.isfinite(values), values, 0.0))
    nulls = pa.array([1, None, 5, None])
    assert clusters([nulls, values[1]])["inertia"] == clusters([[1, 0, 5, 0], values[1]])["inertia"]


@pytest.mark.parametrize(
    ("rows", "count"), [([[1.0], [2.0]], 1), ([[1.0] * 9, [2.0] * 9], 1), ([[1.0, 2.0] * 9, [2.0] * 18], 2)]
)
def test_more_clusters_than_different_rows(rows: list[list[float]], count: int) -> None:
    found = clusters(rows)
    assert (found["asked"], found["count"], found["inertia"]) == (5, count, pytest.approx(0.0))
    assert len(found["points"]) == len(rows[0])


@pytest.mark.parametrize(
    ("values", "said"),
    [([[1.0, 2.0]], "two numeric columns"), ([[], []], "no rows"), ([[1e200, 1.0], [1.0, 2.0]], "too far apart")],
)
def test_skipped(values: list[list[float]], said: str) -> None:
    table = [pa.array(column, pa.float64()) for column in values]
    assert said in clusters(table)["skipped"]


def test_many_rows_are_sampled() -> None:
    values = CHANCE.normal(size=(2, 150_000))
    found = clusters(values, 2)
    assert (found["rows"], found["exact"], sum(found["sizes"])) == (100_000, False, 100_000)
    best = KMeans(2, n_init=3, random_state=0).fit(values.T).inertia_ / 150_000
    assert found["inertia"] / 100_000 == pytest.approx(best, rel=0.01)


def test_far_from_zero() -> None:
    values = np.concatenate([CHANCE.normal(1e9, 1e-3, 500), CHANCE.normal(1e9 + 1, 1e-3, 500)])
    found = clusters([values, CHANCE.normal(0, 1e-3, 1_000)], 2)
    assert sorted(found["sizes"]) == [500, 500]
    assert found["explained"][0] > 0.99
