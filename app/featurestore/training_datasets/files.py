"""The files of one training dataset: written in parts, hashed as they are, copied and read back."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, BinaryIO, Final, cast

import pyarrow as pa

from app.featurestore.training_datasets.portions import in_turn, portions
from infra.errors import StorageUnavailableError
from infra.ports.formats import ColumnarFormat, DataFormat
from infra.ports.storage import ObjectStore

# A part ends where it has as many of either. They are held in memory, Arrow in and encoded out.
ROWS_PER_PART = 1_000_000
BYTES_PER_PART = 128 << 20
WRITERS: Final = max(1, min(4, os.cpu_count() or 1))
MANIFEST: Final = "manifest.json"
LABELS: Final = "labels.arrow"
_CHUNK: Final = 4 << 20


@dataclass(frozen=True)
class WrittenFile:
    path: str
    bytes: int
    sha256: str
    rows: int
    split: str | None = None


class DatasetFiles:
    """Everything that is done to the bytes of a dataset. Paths are those of its manifest, below its location."""

    def __init__(self, open_store: Callable[[], ObjectStore], location: str, uri: str) -> None:
        """`open_store` is called when the first file is wanted, and not to say where they are."""
        self._open_store = open_store
        self._location = location
        self.uri = uri

    @cached_property
    def _store(self) -> ObjectStore:
        return self._open_store()

    def open(self, path: str) -> BinaryIO:
        return self._store.open_input(f"{self._location}/{path}")

    def list_files(self) -> set[str]:
        """What is there, whether or not a manifest names it."""
        return {path.removeprefix(f"{self._location}/") for path in self._store.list_files(self._location)}

    def digest(self, path: str) -> str:
        """SHA-256 of the bytes as they are now."""
        digest = hashlib.sha256()
        with closing(self.open(path)) as file:
            while piece := file.read(_CHUNK):
                digest.update(piece)
        return digest.hexdigest()

    def write_parts(
        self,
        data_format: DataFormat,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        *,
        split: str | None = None,
        after: int = 0,
    ) -> list[WrittenFile]:
        """Files `part-00000…` in the folder of their split, numbered on from `after`.

        Where there are none before there is at least one, so that an empty dataset still has a schema. Parts are written
        while the rows of the next come in; no more are in memory than `WRITERS` and those of the next.
        """

        def write(part: tuple[int, Sequence[pa.RecordBatch]]) -> WrittenFile:
            path = f"{'' if split is None else f'{split}/'}part-{part[0]:05d}{data_format.suffix}"
            with self._sink(path) as sink:
                measured = _Measured(sink)
                rows = data_format.write(iter(part[1]), schema, cast("BinaryIO", measured))
            return WrittenFile(path, measured.bytes, measured.sha256, rows, split)

        parts = portions(batches, ROWS_PER_PART, BYTES_PER_PART)
        if not after:
            parts = chain([next(parts, [])], parts)
        return list(in_turn(write, enumerate(parts, after), WRITERS))

    def write_labels(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> WrittenFile:
        """As an Arrow stream, beside the rows and not one of them."""
        rows = 0
        with self._sink(LABELS) as sink:
            measured = _Measured(sink)
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.ipc.new_stream(pa.PythonFile(measured, "w"), schema, options=options) as writer:
                for batch in batches:
                    writer.write_batch(batch)
                    rows += batch.num_rows
        return WrittenFile(LABELS, measured.bytes, measured.sha256, rows)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Whoever has only the bucket still knows what is in it."""
        with self._sink(MANIFEST) as sink:
            sink.write(json.dumps(manifest, indent=2).encode())

    def copy_from(self, other: "DatasetFiles", files: Sequence[Mapping[str, Any]]) -> None:
        """Raises StorageUnavailableError where a file is no longer the one that was written."""
        for file in files:
            with self._sink(file["path"]) as sink:
                other.copy_to(sink, file)

    def copy_to(self, sink: BinaryIO, file: Mapping[str, Any]) -> None:
        """Raises StorageUnavailableError as `copy_from` does, when all of it was copied."""
        measured = _Measured(sink)
        with closing(self.open(file["path"])) as source:
            while piece := source.read(_CHUNK):
                measured.write(piece)
        if measured.sha256 != file["sha256"]:
            raise _another(file)

    def read(
        self,
        files: Sequence[Mapping[str, Any]],
        data_format: DataFormat,
        schema: pa.Schema,
        columns: Sequence[str] = (),
    ) -> Iterator[pa.RecordBatch]:
        """Rows of some files of the manifest. Raises StorageUnavailableError where one has not as many as it says."""
        chosen = pa.schema([schema.field(name) for name in columns]) if columns else schema
        for file in files:
            rows = 0
            with closing(self.open(file["path"])) as source:
                for batch in _batches(data_format, source, schema, chosen):
                    rows += batch.num_rows
                    yield batch
            if rows != file["rows"]:
                raise _another(file)

    @contextmanager
    def _sink(self, path: str) -> Iterator[BinaryIO]:
        try:
            with self._store.open_output(f"{self._location}/{path}") as sink:
                yield sink
        except OSError as error:
            raise StorageUnavailableError("The warehouse takes no more bytes just now.", retry_after=30) from error


def content_hash(files: Iterable[Mapping[str, Any]]) -> str:
    """Of all files in order: equal hashes mean equal bytes under equal paths."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file['path']}\0{file['sha256']}\0{file['rows']}\n".encode())
    return digest.hexdigest()


def _batches(
    data_format: DataFormat, source: BinaryIO, schema: pa.Schema, chosen: pa.Schema
) -> Iterator[pa.RecordBatch]:
    if isinstance(data_format, ColumnarFormat):
        return data_format.read_columns(source, chosen)
    return (batch.select(chosen.names) for batch in data_format.read(source, schema))


def _another(file: Mapping[str, Any]) -> StorageUnavailableError:
    return StorageUnavailableError(f"{file['path']} in the warehouse is not the file that was written.")


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
