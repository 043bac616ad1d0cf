"""Rows and files on the worker's disk while they are imported. They have no names there: what dies leaves nothing behind."""

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import pyarrow as pa

from app.featurestore.feature_groups.expansion import portions
from app.featurestore.feature_groups.frames import ARROW_STREAM, Frame, Upload
from app.featurestore.jobs.handlers import RunLog
from infra.errors import StorageUnavailableError, TooLargeError

_DESCRIPTORS = Path("/proc/self/fd")
_CHUNK = 1 << 20
_WIDEST = 16  # by how much a value may grow on its way into the group's type


class ImportTooLargeError(TooLargeError):
    """More rows or bytes than one import may read."""

    code = "import-too-large"
    title = "The import is too large"


@dataclass(frozen=True)
class ImportLimits:
    """Of one import: rows, and their bytes as Arrow. `directory` None: the system's for what is temporary."""

    max_rows: int
    max_bytes: int
    directory: Path | None = None


@contextmanager
def spooled(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], limits: ImportLimits, log: RunLog
) -> Iterator[tuple[Frame, int]]:
    """The rows, read once to their end, as a frame that can be read as often as needed; and how many they are."""
    with _file(limits.directory) as (file, path):
        rows = _write(file, schema, batches, limits, log)
        yield Frame(Upload(path, ARROW_STREAM, rows, limits.max_bytes * _WIDEST)), rows


class FileStore:
    """Bytes of many files in one file without a name."""

    def __init__(self, directory: Path | None) -> None:
        self._file = tempfile.TemporaryFile(prefix="oast-", dir=directory)  # noqa: SIM115 closed below
        self._places: list[tuple[int, int]] = []
        self._size = 0

    @property
    def size(self) -> int:
        return self._size

    def add(self, source: BinaryIO) -> int:
        """Copy to the end; returns how many bytes that were."""
        start = self._size
        while chunk := source.read(_CHUNK):
            with _disk():
                self._file.write(chunk)
            self._size += len(chunk)
        with _disk():
            self._file.flush()
        self._places.append((start, self._size - start))
        return self._size - start

    def get(self, number: int) -> pa.Buffer:
        """All of one file, mapped: the system reads what is looked at, and forgets it again."""
        start, size = self._places[number]
        if size == 0:
            return pa.py_buffer(b"")
        first = start - start % mmap.ALLOCATIONGRANULARITY
        mapped = mmap.mmap(self._file.fileno(), start + size - first, access=mmap.ACCESS_READ, offset=first)
        return pa.py_buffer(mapped).slice(start - first, size)

    def close(self) -> None:
        self._file.close()


@contextmanager
def _file(directory: Path | None) -> Iterator[tuple[IO[bytes], Path]]:
    if _DESCRIPTORS.is_dir():
        with tempfile.TemporaryFile(prefix="oast-", dir=directory) as file:
            yield file, _DESCRIPTORS / str(file.fileno())
    else:
        with tempfile.NamedTemporaryFile(prefix="oast-", dir=directory) as named:
            yield named, Path(named.name)


def _write(
    file: IO[bytes], schema: pa.Schema, batches: Iterator[pa.RecordBatch], limits: ImportLimits, log: RunLog
) -> int:
    rows = size = 0
    writer = pa.ipc.new_stream(file, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
    for batch in batches:
        for portion in portions(batch, schema):
            plain = _plain(portion, schema)
            rows, size = rows + plain.num_rows, size + plain.nbytes
            _require_within(rows, size, limits)
            with _disk():
                writer.write_batch(plain)
        log.progress("reading", rows, size)
    with _disk():
        writer.close()
        file.flush()
    return rows


def _plain(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _require_within(rows: int, size: int, limits: ImportLimits) -> None:
    if rows > limits.max_rows:
        raise ImportTooLargeError(
            f"The source has more than {limits.max_rows:,} rows, which is the most of one import.",
            hint="Import it in parts, or ask the operator about OAST_CONNECTORS__MAX_ROWS.",
        )
    if size > limits.max_bytes:
        raise ImportTooLargeError(
            f"The source has more than {limits.max_bytes:,} bytes of rows, which is the most of one import.",
            hint="Import it in parts, or ask the operator about OAST_CONNECTORS__MAX_BYTES.",
        )


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailableError(
            f"The worker's disk does not take the rows: {error.strerror or type(error).__name__}.",
            hint="OAST_UPLOADS__SPOOL_DIR says where they lie meanwhile.",
        ) from error
