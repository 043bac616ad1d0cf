"""Files in a directory of this machine."""

import io
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast
from uuid import uuid4

from infra.errors import InvalidInputError, NotFoundError, StorageUnavailableError
from infra.storage.location import Warehouse, path_segments

STAGING = ".staging"


class LocalObjectStore:
    """Implements `infra.ports.storage.ObjectStore` on a directory, which is made on first use."""

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser().resolve()

    def uri(self, path: str) -> str:
        return str(self._path(path))

    def open_output(self, path: str) -> BinaryIO:
        """The file replaces an older one of the same path on `close()`; nothing is published when it is left otherwise."""
        try:
            return cast(BinaryIO, _PublishedFile(self._staging_directory(), self._path(path)))
        except OSError as error:
            raise _unavailable(error) from error

    def open_input(self, path: str) -> BinaryIO:
        try:
            return self._path(path).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NotFoundError(f"There is no file {path!r} in the warehouse.") from error
        except OSError as error:
            raise _unavailable(error) from error

    def presigned(self, uri: str, seconds: int) -> str | None:  # noqa: ARG002 the port's signature
        self.local_path(uri)
        return None

    def local_path(self, uri: str) -> Path | None:
        path = self._root.joinpath(*Warehouse(str(self._root)).below(uri)).resolve()
        if not path.is_relative_to(self._root):
            raise InvalidInputError("A file of the table lies outside the warehouse.")
        return path

    def list_files(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Sorted within each directory."""
        for directory, folders, names in os.walk(self._path(prefix), onerror=raise_unless_absent):
            folders.sort()
            below = Path(directory).relative_to(self._root).as_posix()
            yield from (path for name in sorted(names) if (path := f"{below}/{name}") > after)

    def delete_prefix(self, prefix: str) -> int:
        count = 0
        for directory, folders, names in os.walk(self._path(prefix), topdown=False, onerror=raise_unless_absent):
            for name in names:
                count += _removed(Path(directory) / name)
            for folder in folders:
                _remove_folder(Path(directory) / folder)
            _remove_folder(Path(directory))
        return count

    def delete_files(self, paths: Sequence[str]) -> None:
        for path in paths:
            _removed(self._path(path))

    def sweep(self, older_than: timedelta) -> int:
        before = time.time() - older_than.total_seconds()
        return sum(_removed(file) for file in (self._root / STAGING).glob("*") if _is_older(file, before))

    def probe(self) -> None:
        try:
            first = self._staging_directory() / f"probe-{uuid4()}"
            first.touch(exist_ok=False)
            try:
                self._require_refusal(first)
            finally:
                first.unlink(missing_ok=True)
        except OSError as error:
            raise _unavailable(error) from error

    def race(self) -> None:
        """The kernel makes a link or refuses it, whoever else asks."""
        self.probe()

    def _require_refusal(self, first: Path) -> None:
        # A Delta commit on disk is a hard link that must not replace; this is the same call.
        second = first.with_name(first.name + "-second")
        second.hardlink_to(first)
        try:
            second.hardlink_to(first)
        except FileExistsError:
            return
        finally:
            second.unlink(missing_ok=True)
        raise StorageUnavailableError(f"The directory {str(self._root)!r} lets a second create replace the first.")

    def _path(self, path: str) -> Path:
        return self._root.joinpath(*path_segments(path))

    def _staging_directory(self) -> Path:
        staging = self._root / STAGING
        staging.mkdir(parents=True, exist_ok=True)
        return staging


class _PublishedFile(io.BufferedWriter):
    """Writes beside the target's tree and moves into place on close: a reader sees all of the file or none of it."""

    def __init__(self, staging: Path, target: Path) -> None:
        descriptor, name = tempfile.mkstemp(dir=staging)
        self._temporary = Path(name)
        self._target = target
        super().__init__(io.FileIO(descriptor, "wb"), buffer_size=1 << 20)

    def close(self) -> None:
        if self.closed:
            return
        try:
            self.flush()
            os.fsync(self.fileno())
            super().close()
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.replace(self._target)
            _sync_directory(self._target.parent)
        except OSError as error:
            self.discard()
            raise _unavailable(error) from error

    def discard(self) -> None:
        with suppress(OSError):
            super().close()
        self._temporary.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        # The inherited finaliser closes, which would publish a file that its writer forgot half-way.
        if not self.closed:
            self.discard()


def _is_older(file: Path, before: float) -> bool:
    """Never for a file that is gone: writers publish theirs at any moment."""
    try:
        return file.stat().st_mtime < before
    except FileNotFoundError:
        return False


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _removed(file: Path) -> int:
    try:
        file.unlink()
    except FileNotFoundError:  # another deletion of the same prefix was quicker
        return 0
    except OSError as error:
        raise _unavailable(error) from error
    return 1


def _remove_folder(folder: Path) -> None:
    # Not empty: a writer is at work below; its file stays and is found by the next deletion.
    with suppress(OSError):
        folder.unlink() if folder.is_symlink() else folder.rmdir()


def raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise _unavailable(error) from error


def _unavailable(error: OSError) -> StorageUnavailableError:
    return StorageUnavailableError(f"The warehouse directory refused: {error.strerror or error}.")
