"""Staged files, copied to the gateway's disk before anything looks at them: what a client can still replace is read once."""

import hashlib
import hmac
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from uuid import UUID

from app.featurestore.feature_groups.frames import PARQUET, Frame, FrameTooLargeError, Upload
from app.featurestore.staging.errors import StagedFileDiffersError
from infra.errors import NotFoundError, StorageUnavailableError
from infra.ports.storage import ObjectStore

_CHUNK: Final = 8 << 20
_AT_ONCE: Final = 4


@dataclass(frozen=True)
class StagedFile:
    """One that a client says it has put there. `sha256` is hexadecimal."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class StagedRows:
    """What a client sends in place of a frame. `rows` is what it counted; their order is that of `files`."""

    staging: UUID
    rows: int
    files: tuple[StagedFile, ...]


@dataclass(frozen=True)
class StagingLimits:
    """Of one insert, the same as of one that is sent. `directory` None: the system's for what is temporary."""

    max_bytes: int
    max_expanded_bytes: int
    directory: Path | None = None


@contextmanager
def fetched(store: ObjectStore, place: str, staged: StagedRows, limits: StagingLimits) -> Iterator[Frame]:
    """The files below `place` as one frame; each is of the length and the digest that was told, or this raises."""
    if sum(file.bytes for file in staged.files) > limits.max_bytes:
        raise FrameTooLargeError(
            f"The files have more than {limits.max_bytes:,} bytes.", hint="Insert fewer rows at once."
        )
    with _directory(limits.directory) as directory:
        paths = [directory / f"{number:05}.parquet" for number in range(len(staged.files))]

        def fetch(number: int) -> None:
            _fetch(store, place, staged.files[number], paths[number])

        with ThreadPoolExecutor(min(_AT_ONCE, len(paths))) as pool:
            list(pool.map(fetch, range(len(paths))))
        yield Frame(Upload(paths[0], PARQUET, staged.rows, limits.max_expanded_bytes, tuple(paths[1:])))


@contextmanager
def _directory(parent: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="oast-", dir=parent) as name:
        yield Path(name)


def _fetch(store: ObjectStore, place: str, file: StagedFile, target: Path) -> None:
    try:
        with store.open_input(f"{place}/{file.name}") as source, target.open("wb") as sink:
            digest = _copy(source, sink, file)
    except NotFoundError:
        raise StagedFileDiffersError(f"The staged file {file.name!r} is not there.", hint="Stage it again.") from None
    if not hmac.compare_digest(digest, file.sha256):
        raise StagedFileDiffersError(
            f"The staged file {file.name!r} has another digest than the insert says.", hint="Stage it again."
        )


def _copy(source: IO[bytes], sink: IO[bytes], file: StagedFile) -> str:
    """Never more than was announced, however long the file has become."""
    digest, left = hashlib.sha256(), file.bytes
    # One byte more than is due is asked for, to see that there is none.
    while chunk := source.read(min(_CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            break
        digest.update(chunk)
        _write(sink, chunk)
    if left != 0:
        raise StagedFileDiffersError(
            f"The staged file {file.name!r} has not the {file.bytes:,} bytes that the insert says.",
            hint="Stage it again.",
        )
    return digest.hexdigest()


def _write(sink: IO[bytes], chunk: bytes) -> None:
    try:
        sink.write(chunk)
        sink.flush()  # so that nothing is left to fail when it is closed
    except OSError as error:
        raise StorageUnavailableError("The gateway has no room for the rows just now.", retry_after=30) from error
