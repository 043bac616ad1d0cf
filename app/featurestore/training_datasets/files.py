"""Writes a stream of rows as part files and says what was written."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

import pyarrow as pa

from infra.errors import StorageUnavailableError
from infra.ports.formats import DataFormat
from infra.ports.storage import ObjectStore

ROWS_PER_PART = 1_000_000


@dataclass(frozen=True)
class WrittenFile:
    path: str
    bytes: int
    sha256: str
    rows: int
    split: str | None = None


class _Measured:
    """A sink that counts and hashes what passes, so that nothing is read back."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.bytes += len(memoryview(data).cast("B"))
        return self._sink.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.write(piece)

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        """The sink is published by its own `close`."""

    def close(self) -> None:
        """Writers close what they are given; the sink belongs to who opened it."""

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def write_parts(
    store: ObjectStore, location: str, data_format: DataFormat, batches: Iterator[pa.RecordBatch], schema: pa.Schema
) -> list[WrittenFile]:
    """Files `part-00000…` of at most `ROWS_PER_PART` rows; at least one, so that an empty dataset still has a schema."""
    written: list[WrittenFile] = []
    pending = _Pending(batches)
    while not written or pending.has_more():
        name = f"part-{len(written):05d}{data_format.suffix}"
        try:
            with store.open_output(f"{location}/{name}") as sink:
                measured = _Measured(sink)
                rows = data_format.write(pending.take(ROWS_PER_PART), schema, cast("BinaryIO", measured))
        except OSError as error:
            raise StorageUnavailableError("The warehouse takes no more bytes just now.", retry_after=30) from error
        written.append(WrittenFile(name, measured.bytes, measured.sha256, rows))
    return written


class _Pending:
    """Batches that can be taken in portions of rows, splitting a batch where a portion ends."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._rest: pa.RecordBatch | None = None

    def has_more(self) -> bool:
        while self._rest is None or self._rest.num_rows == 0:
            following = next(self._batches, None)
            if following is None:
                return False
            self._rest = following
        return True

    def take(self, rows: int) -> Iterator[pa.RecordBatch]:
        while rows > 0 and self.has_more():
            assert self._rest is not None
            portion, self._rest = self._rest.slice(0, rows), self._rest.slice(rows)
            rows -= portion.num_rows
            yield portion
