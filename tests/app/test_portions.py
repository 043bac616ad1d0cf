"""A stream of rows cut into portions, and work on them that keeps their order."""

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from app.featurestore.training_datasets.portions import in_turn, portions


def batches(*sizes: int) -> Iterator[pa.RecordBatch]:
    first = 0
    for size in sizes:
        yield pa.record_batch({"x": pa.array(range(first, first + size), pa.int64())})
        first += size


@pytest.mark.parametrize(
    ("rows", "size", "cut"),
    [
        (10, 10_000, [10, 10, 5]),
        (1_000, 8 * 8, [8, 8, 9]),
        (1_000, 1, [8, 8, 9]),
        (3, 1, [3, 3, 2, 3, 3, 2, 3, 3, 3]),
        (25, 10_000, [25]),
    ],
)
def test_portions_end_at_their_rows_or_with_the_batch_that_fills_them(rows: int, size: int, cut: list[int]) -> None:
    found = list(portions(batches(8, 0, 8, 9), rows, size))
    assert [sum(batch.num_rows for batch in portion) for portion in found] == cut
    assert [value for portion in found for batch in portion for value in batch["x"].to_pylist()] == list(range(25))


def test_no_rows_are_no_portion() -> None:
    assert list(portions(batches(0, 0), 10, 10)) == []


def test_results_come_in_order_however_long_each_takes() -> None:
    later = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert later.wait(30)
        if item == 1:
            later.set()
        return item * item

    assert list(in_turn(work, range(6), 2)) == [0, 1, 4, 9, 16, 25]


def test_after_a_failure_nothing_more_is_taken_or_begun() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    def work(item: int) -> int:
        if item == 1:
            raise LookupError
        return item

    with pytest.raises(LookupError):
        list(in_turn(work, items(), 2))
    assert len(taken) <= 4
