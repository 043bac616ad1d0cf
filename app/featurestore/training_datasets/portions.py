"""A stream of rows cut into portions, and what is done to each while the next comes in."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

Item = TypeVar("Item")
Result = TypeVar("Result")


def portions(batches: Iterable[pa.RecordBatch], rows: int, size: int) -> Iterator[list[pa.RecordBatch]]:
    """Batches of `rows` rows together, or fewer where they reach `size` bytes. A batch is cut by rows, not by bytes."""
    portion: list[pa.RecordBatch] = []
    room, held = rows, 0
    for batch in batches:
        rest = batch
        while rest.num_rows:
            piece, rest = rest.slice(0, room), rest.slice(room)
            portion.append(piece)
            room, held = room - piece.num_rows, held + piece.nbytes
            if room == 0 or held >= size:
                yield portion
                portion, room, held = [], rows, 0
    if portion:
        yield portion


def in_turn(work: Callable[[Item], Result], items: Iterable[Item], most: int) -> Iterator[Result]:
    """Results in the order of `items`, of which `most` are worked on at a time. Nothing is begun after one has failed."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(most) as pool:
        try:
            for item in items:
                if len(waiting) == most:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(work, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
