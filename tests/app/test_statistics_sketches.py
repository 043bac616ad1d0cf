"""What stands for more values than fit into memory."""

import math

import numpy as np
import pyarrow as pa
import pytest

from app.featurestore.statistics.maths.distinct import CAPACITY, DistinctSketch
from app.featurestore.statistics.maths.frequencies import CAPACITY as TEXTS
from app.featurestore.statistics.maths.frequencies import TopTexts
from app.featurestore.statistics.maths.hashing import bits_of, hash_texts, mix, unmix
from app.featurestore.statistics.maths.kinds import Values
from app.featurestore.statistics.maths.sampling import SAMPLE_ROWS, RowSample, rank_error

CHANCE = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _draws_of_its_own() -> None:
    """Whatever ran before, and in which order, each test draws the same."""
    CHANCE.bit_generator.state = np.random.PCG64(3).state


def test_hashes_can_be_undone() -> None:
    bits = np.concatenate([CHANCE.integers(0, 2**64 - 1, 1_000, np.uint64), np.array([0, 1, 2**64 - 1], np.uint64)])
    assert (unmix(mix(bits)) == bits).all()
    assert bits_of(np.array([0.0])) == bits_of(np.array([-0.0]))


def test_texts_that_differ_have_different_hashes() -> None:
    texts = [
        "",
        "\0",
        "\0\0",
        "a",
        "a\0",
        "ab" * 100,
        "ab" * 128,
        "ab" * 128 + "c",
        "ab" * 1_000,
        "abcdefgh",
        "abcdefgh\0",
    ]
    texts += [f"user-{number:09}" for number in range(50_000)]
    array = pa.array(texts, pa.large_string())
    hashes = hash_texts(array)
    assert len(np.unique(hashes)) == len(texts)
    assert (hash_texts(array.slice(3, 20_000)) == hashes[3:20_003]).all()
    assert len(hash_texts(array.slice(0, 0))) == 0


@pytest.mark.parametrize("count", [0, 1, 1_000, CAPACITY])
def test_distinct_values_are_counted_exactly(count: int) -> None:
    sketch = DistinctSketch()
    for _ in range(3):
        sketch.add_numbers(CHANCE.permutation(count).astype(np.int64))
    assert (sketch.is_exact, sketch.count, sketch.error) == (True, count, 0.0)
    assert sorted(unmix(sketch.hashes).tolist()) == list(range(count))


@pytest.mark.parametrize("count", [CAPACITY + 1, 300_000, 3_000_000])
def test_and_beyond_about_right(count: int) -> None:
    sketch = DistinctSketch()
    for start in range(0, count, 65_536):
        values = np.arange(start, min(start + 65_536, count))
        sketch.add_numbers(values)
        sketch.add_numbers(values[::2])
    found = sketch.count
    sketch.add_numbers(np.array([], np.int64))
    sketch.add_numbers(np.arange(count))
    sketch.add(np.array([2**64 - 1], np.uint64))
    assert (sketch.is_exact, sketch.count) == (False, found)
    assert sketch.error == pytest.approx(1 / math.sqrt(CAPACITY), rel=1e-3)
    assert abs(sketch.count / count - 1) < 4 * sketch.error


def test_a_sample_is_uniform_and_the_same_for_all_columns() -> None:
    rows, sample = 1_500_000, RowSample(["a", "b"])
    for start in range(0, rows, 65_536):
        numbers = np.arange(start, min(start + 65_536, rows))
        chosen = sample.choose(len(numbers))
        sample.keep("a", Values(numbers, None).take(chosen))
        sample.keep("b", Values(numbers * 2, numbers % 2 == 0).take(chosen))
        sample.shrink()
    drawn = sample.drawn()
    a, b = drawn.columns["a"], drawn.columns["b"]
    assert not drawn.is_exact
    assert len(a.values) == SAMPLE_ROWS
    assert (a.values * 2 == b.values).all()
    assert b.valid is not None
    assert (b.valid == (a.values % 2 == 0)).all()
    assert (np.diff(a.values) > 0).all()
    # A uniform sample is nowhere further from a straight line than its rank error.
    assert np.abs(np.arange(SAMPLE_ROWS) / SAMPLE_ROWS - a.values / rows).max() < rank_error(SAMPLE_ROWS)
    fewer = drawn.fewer(1_000)
    assert len(fewer) == 1_000
    assert rank_error(0) == 1.0


def _counted(words: list[str], top: TopTexts) -> None:
    different, counts = np.unique(np.array(words, object), return_counts=True)
    array = pa.array(different.tolist(), pa.large_string())
    top.add(array, hash_texts(array), counts.astype(np.int64))


def test_frequent_texts_are_found_among_many() -> None:
    top, total = TopTexts(), 0
    for block in range(20):
        words = ["often"] * 500 + ["rather"] * 300 + [f"{block}-{number}" for number in range(3_000)]
        _counted(words, top)
        total += len(words)
    assert 0 < top.error <= total / TEXTS
    first, second = top.top(2)
    assert (first.text, second.text) == ("often", "rather")
    assert first.count <= 10_000 <= first.count + top.error
    assert second.count <= 6_000 <= second.count + top.error


def test_few_texts_are_counted_exactly() -> None:
    top = TopTexts()
    assert top.top(3) == []
    _counted([], top)
    for _ in range(3):
        _counted([f"{number % 100}" for number in range(5_050)], top)
    assert top.error == 0
    assert [(each.text, each.count) for each in top.top(3)] == [("0", 153), ("1", 153), ("10", 153)]
