"""Rows in blocks of one size, however they come."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final, Protocol, TypeVar

import pyarrow as pa

from app.featurestore.statistics.maths.kinds import Kind, plain

BLOCK_ROWS: Final = 65_536
_BLOCK_BYTES: Final = 64 * 2**20
_Item = TypeVar("_Item")


class RowScan(Protocol):
    """Rows that can be read more than once, the same each time."""

    @property
    def schema(self) -> pa.Schema: ...

    @property
    def rows(self) -> int | None:
        """How many, where that is known without reading."""
        ...

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """From the start each time, only these columns, in this order."""
        ...


def blocks(scan: RowScan, kinds: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
    """These columns as `plain` has them. The next block is read while one is worked on.

    All blocks but the last have the same number of rows, so that no sum depends on how the rows were cut into batches. Only
    rows of more than a kilobyte make them end sooner: then the last digits of sums may differ, and counts that are flagged.
    """
    with closing(_cut(scan, kinds)) as found:
        yield from _ahead(found)


def _cut(scan: RowScan, kinds: Mapping[str, Kind]) -> Generator[pa.RecordBatch, None, None]:
    pending: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in scan.batches(list(kinds)):
        at = 0
        while at < batch.num_rows:
            piece = _plain(batch.slice(at, BLOCK_ROWS - rows), kinds)
            pending.append(piece)
            at, rows, size = at + piece.num_rows, rows + piece.num_rows, size + piece.nbytes
            if rows == BLOCK_ROWS or size > _BLOCK_BYTES:
                yield _joined(pending)
                pending, rows, size = [], 0, 0
    if pending:
        yield _joined(pending)


def _plain(batch: pa.RecordBatch, kinds: Mapping[str, Kind]) -> pa.RecordBatch:
    columns = [plain(column, kind) for column, kind in zip(batch.columns, kinds.values(), strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=list(kinds))


def _joined(pieces: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces)


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    with ThreadPoolExecutor(1, "statistics-read") as reader:
        upcoming = reader.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = reader.submit(next, items, None)
            yield item
