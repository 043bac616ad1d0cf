"""How far apart two statistics are."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import jensenshannon  # type: ignore[import-untyped]
from scipy.stats import ks_2samp, wasserstein_distance  # type: ignore[import-untyped]

from app.featurestore.statistics.maths.drift import compare
from tests.app.test_statistics_scan import computed

CHANCE = np.random.default_rng(17)


@pytest.fixture(autouse=True)
def _draws_of_its_own() -> None:
    """Whatever ran before, and in which order, each test draws the same."""
    CHANCE.bit_generator.state = np.random.PCG64(17).state


ROWS = 20_000


def statistics(**columns: Any) -> dict[str, Any]:
    return computed(pa.table(columns), correlations=False, clusters=False)


def drift(old: Any, new: Any) -> dict[str, Any]:
    compared = compare(statistics(x=old), statistics(x=new))
    json.dumps(compared, allow_nan=False)
    found: dict[str, Any] = compared["columns"][0]
    assert compared["verdict"] == (found["verdict"] if found["verdict"] != "incomparable" else "stable")
    return found


def words(shares: dict[str, float], rows: int = ROWS) -> list[str]:
    return CHANCE.choice(list(shares), rows, p=list(shares.values())).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: CHANCE.normal(size=ROWS),
        lambda: CHANCE.integers(0, 1_000, ROWS),
        lambda: CHANCE.integers(0, 6, ROWS),
        lambda: CHANCE.random(ROWS) < 0.3,
        lambda: CHANCE.choice(["a", "b", "c"], ROWS).tolist(),
        lambda: [f"user {number}" for number in CHANCE.integers(0, 10**9, ROWS)],
        lambda: [f"{number}" for number in CHANCE.integers(0, 30, ROWS)],
        lambda: pa.array(CHANCE.integers(0, 10**15, ROWS), pa.timestamp("us", "UTC")),
        lambda: CHANCE.pareto(1.5, ROWS),
        lambda: CHANCE.normal(size=60),
    ],
    ids=["normal", "whole", "few", "booleans", "words", "all different", "30 words", "times", "skewed", "few rows"],
)
def test_two_draws_of_the_same_are_stable(draw: Any) -> None:
    found = drift(draw(), draw())
    assert (found["verdict"], found["reasons"]) == ("stable", [])
    assert found["psi"] < max(0.05, found["psi_by_chance"])


def test_of_itself_nothing_is_apart() -> None:
    values = CHANCE.normal(size=ROWS)
    found = drift(values, values)
    assert [found[name] for name in ("psi", "ks", "jensen_shannon", "wasserstein")] == pytest.approx(
        [0.0] * 4, abs=1e-7
    )
    assert set(found["changes"].values()) == {0.0}


@pytest.mark.parametrize(("shift", "verdict"), [(0.1, "stable"), (0.37, "moderate"), (1.0, "drifted")])
def test_a_shift(shift: float, verdict: str) -> None:
    old, new = CHANCE.normal(size=ROWS), CHANCE.normal(shift, 1.0, ROWS)
    found = drift(old, new)
    assert found["verdict"] == verdict
    assert len(found["reasons"]) == (verdict != "stable")
    assert found["psi"] == pytest.approx(shift**2, rel=0.3)  # of two normal distributions
    assert found["ks"] == pytest.approx(ks_2samp(old, new).statistic, abs=0.01)
    assert found["wasserstein"] == pytest.approx(wasserstein_distance(old, new), abs=0.02)
    assert found["changes"]["mean"] == pytest.approx(new.mean() - old.mean())


def test_another_spread_where_the_functions_cross() -> None:
    old, new = CHANCE.normal(size=ROWS), CHANCE.normal(0, 2, ROWS)
    found = drift(old, new)
    assert found["verdict"] == "drifted"
    assert found["wasserstein"] == pytest.approx(wasserstein_distance(old, new), abs=0.05)
    assert found["ks"] == pytest.approx(ks_2samp(old, new).statistic, abs=0.02)


def test_ranges_without_overlap() -> None:
    found = drift(CHANCE.random(ROWS), 10 + CHANCE.random(ROWS))
    assert (found["ks"], found["jensen_shannon"]) == pytest.approx((1.0, 1.0))
    assert found["wasserstein"] == pytest.approx(10, abs=0.02)
    back = drift(10 + CHANCE.random(ROWS), CHANCE.random(ROWS))
    assert back["wasserstein"] == pytest.approx(10, abs=0.02)


def test_values_are_compared_one_by_one() -> None:
    old, new = CHANCE.integers(0, 4, ROWS), CHANCE.integers(2, 6, ROWS)
    found = drift(old, new)
    shares = [np.bincount(each, minlength=6) / ROWS for each in (old, new)]
    assert found["ks"] == pytest.approx(ks_2samp(old, new).statistic)
    assert found["wasserstein"] == pytest.approx(wasserstein_distance(old, new))
    assert found["jensen_shannon"] == pytest.approx(jensenshannon(*shares, base=2))
    smooth = [(share * ROWS + 0.5) / (ROWS + 3) for share in shares]
    assert found["psi"] == pytest.approx(((smooth[1] - smooth[0]) * np.log(smooth[1] / smooth[0])).sum())


@pytest.mark.parametrize("turned", [False, True])
def test_values_against_bins(turned: bool) -> None:
    few, many = CHANCE.integers(0, 10, ROWS) * 10, CHANCE.integers(0, 100, ROWS)
    found = drift(many, few) if turned else drift(few, many)
    assert found["ks"] < 0.15
    assert found["wasserstein"] < 10
    constant = drift(np.full(ROWS, 3.0), CHANCE.normal(3, 1, ROWS))
    assert constant["verdict"] == "drifted"


def test_words() -> None:
    found = drift(words({"a": 0.5, "b": 0.3, "c": 0.2}), words({"a": 0.2, "b": 0.3, "d": 0.5}))
    assert found["verdict"] == "drifted"
    assert found["ks"] is found["wasserstein"] is None
    assert found["jensen_shannon"] == pytest.approx(
        jensenshannon([0.5, 0.3, 0.2, 0], [0.2, 0.3, 0, 0.5], base=2), abs=0.02
    )


def test_a_frequent_word_among_many_rare_ones() -> None:
    rare = {f"word {number:03}": 0.7 / 300 for number in range(300)}
    found = drift(words({"often": 0.3, **rare}), words({"new": 0.3, **rare}))
    assert found["verdict"] == "drifted"
    assert drift(words({"often": 0.3, **rare}), words({"often": 0.3, **rare}))["verdict"] == "stable"


def test_booleans() -> None:
    found = drift(CHANCE.random(ROWS) < 0.2, CHANCE.random(ROWS) < 0.6)
    assert found["verdict"] == "drifted"
    assert found["ks"] == pytest.approx(0.4, abs=0.02)


def test_times_in_seconds_whatever_their_unit() -> None:
    seconds = CHANCE.integers(0, 10**6, ROWS)
    old = pa.array(seconds, pa.timestamp("s"))
    new = pa.array((seconds + 3_600) * 1_000_000, pa.timestamp("us"))
    found = drift(old, new)
    assert found["wasserstein"] == pytest.approx(3_600, rel=0.1)
    assert found["verdict"] == "stable"
    days = drift(pa.array([0, 1], pa.date32()), pa.array([1, 2], pa.date32()))
    assert days["wasserstein"] == pytest.approx(86_400)


@pytest.mark.parametrize(("share", "verdict"), [(0.03, "stable"), (0.1, "moderate"), (0.3, "drifted")])
@pytest.mark.parametrize("with_nan", [False, True])
def test_missing_values(share: float, verdict: str, with_nan: bool) -> None:
    values, missing = CHANCE.normal(size=ROWS), CHANCE.random(ROWS) < share
    new = np.where(missing, np.nan, values) if with_nan else pa.array(values, mask=missing)
    found = drift(values, new)
    assert found["verdict"] == verdict
    if verdict != "stable":
        assert "missing" in found["reasons"][0]


def test_few_rows_prove_nothing() -> None:
    assert drift(pa.array([1.0, None, 2.0]), pa.array([1.0, 2.0, 5.0]))["verdict"] == "stable"


def test_all_missing() -> None:
    nothing = pa.nulls(ROWS, pa.float64())
    assert drift(CHANCE.normal(size=ROWS), nothing)["verdict"] == "drifted"
    assert drift(nothing, nothing)["verdict"] == "stable"
    empty = pa.array([], pa.float64())
    assert drift(empty, empty)["verdict"] == "stable"
    assert drift(empty, pa.array([1.0]))["verdict"] == "incomparable"
    assert drift(pa.nulls(3, pa.string()), pa.array(["a"]))["verdict"] == "incomparable"


def test_another_type() -> None:
    found = drift([1, 2], ["a", "b"])
    assert (found["verdict"], found["psi"]) == ("incomparable", None)
    assert found["reasons"] == ["It was int64 and is string."]
    assert drift([1, 2], [1.0, 2.0])["verdict"] == "stable"
    assert drift([[1]], [[1]])["verdict"] == "incomparable"


def test_columns_that_come_and_go() -> None:
    old, new = statistics(a=[1], b=[1.0]), statistics(b=[1.0], c=["x"])
    found = compare(old, new)
    assert (found["only_in_old"], found["only_in_new"]) == (["a"], ["c"])
    assert [column["name"] for column in found["columns"]] == ["b"]
    bare = computed(pa.table({"b": [1.0]}), descriptive=False, histograms=False, correlations=False, clusters=False)
    assert compare(bare, new)["columns"][0]["verdict"] == "incomparable"


@pytest.mark.parametrize("draw", [lambda: CHANCE.pareto(1.0, ROWS), lambda: CHANCE.lognormal(0, 3, ROWS)])
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "stable"), (3.0, "moderate"), (10.0, "drifted")])
def test_one_value_far_out_does_not_blind_it(draw: Any, factor: float, verdict: str) -> None:
    """Nearly all rows are in the first of twenty equally wide bins."""
    old, new = draw(), draw() * factor
    found = drift(old, new)
    assert found["psi"] < 0.05
    assert found["ks"] == pytest.approx(ks_2samp(old, new).statistic, abs=0.03)
    assert found["verdict"] in ({verdict, "drifted"} if factor > 1 else {verdict})


@pytest.mark.parametrize(
    "draw",
    [
        lambda: np.where(CHANCE.random(300) < 0.5, CHANCE.normal(-50, 1, 300), CHANCE.normal(50, 1, 300)),
        lambda: np.where(CHANCE.random(300) < 0.8, 0.0, CHANCE.lognormal(0, 3, 300)),
        lambda: CHANCE.integers(0, 25, 300),
        lambda: CHANCE.standard_cauchy(40),
    ],
    ids=["a gap in the middle", "mostly zero", "whole", "few rows"],
)
def test_tenths_of_the_same_are_stable(draw: Any) -> None:
    found = [drift(draw(), draw()) for _ in range(20)]
    assert [each["verdict"] for each in found] == ["stable"] * 20
    assert all(each["psi_by_tenths"] is not None for each in found)


@pytest.mark.parametrize("apart", [1, 100])
def test_whole_numbers_that_floats_cannot_tell_apart(apart: int) -> None:
    old = 2**60 + CHANCE.integers(0, 30 * apart, ROWS)
    assert drift(old, 2**60 + CHANCE.integers(0, 30 * apart, ROWS))["verdict"] == "stable"
    moved = drift(old, old + 15 * apart)
    assert moved["verdict"] == "drifted"
    assert moved["wasserstein"] == pytest.approx(15 * apart, rel=0.1)
    assert moved["ks"] == pytest.approx(0.5, abs=0.05)
    few = drift(2**62 + CHANCE.integers(0, 3, ROWS), 2**62 + 3 + CHANCE.integers(0, 3, ROWS))
    assert (few["ks"], few["wasserstein"]) == pytest.approx((1.0, 3.0), abs=0.1)


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e300, 1.7e308])
def test_floats_near_the_ends_of_what_there_is(scale: float) -> None:
    draws = [CHANCE.integers(-100, 101, ROWS) / 100 * max(scale, 1e-321) for _ in range(2)]
    assert drift(*draws)["verdict"] == "stable"
    assert drift(draws[0], np.abs(draws[1]))["verdict"] == "drifted"
