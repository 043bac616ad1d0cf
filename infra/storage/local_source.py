"""Files below a directory of this machine, by whatever names they have."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from infra.errors import StorageUnavailableError
from infra.ports.files import FileEntry, FileLimits, SourceFileChangedError, SourceFileNotFoundError
from infra.storage.file_names import Counted, plain_path, require_readable
from infra.storage.local import STAGING, raise_unless_absent


class LocalFileSource:
    """Implements `infra.ports.files.FileSource`. Links are not followed: they could lead out of the directory."""

    def __init__(self, root: Path, limits: FileLimits) -> None:
        self._root = root.expanduser().resolve()
        self._limits = limits

    def list_files(self, path: str) -> list[FileEntry]:
        found = Counted(self._limits)
        start = self._root / plain_path(path)
        try:
            for file in self._files(start):
                with suppress(FileNotFoundError):  # somebody deleted it just now
                    found.add(self._entry(file))
        except OSError as error:
            raise _unavailable(error) from error
        return found.sorted()

    def open_input(self, entry: FileEntry) -> BinaryIO:
        require_readable(entry.path)
        file = self._root / entry.path
        try:
            if not self._is_inside(file) or not file.is_file():
                raise SourceFileNotFoundError(f"There is no file {entry.path[:200]!r}.")
            if self._entry(file) != entry:
                raise SourceFileChangedError(
                    f"{entry.path[:200]!r} was replaced since it was listed.", hint="Try again."
                )
            return file.open("rb")
        except FileNotFoundError as error:
            raise SourceFileNotFoundError(f"There is no file {entry.path[:200]!r}.") from error
        except OSError as error:
            raise _unavailable(error) from error

    def _files(self, start: Path) -> Iterator[Path]:
        if not self._is_inside(start):
            return
        if start.is_file():
            yield start
        for directory, folders, names in os.walk(start, onerror=raise_unless_absent):
            if directory == str(self._root):
                folders[:] = [each for each in folders if each != STAGING]
            files = (Path(directory) / name for name in names)
            yield from (file for file in files if not file.is_symlink() and file.is_file())

    def _is_inside(self, file: Path) -> bool:
        return file.resolve() == file and file.is_relative_to(self._root)

    def _entry(self, file: Path) -> FileEntry:
        found = file.stat()
        state = f"{found.st_ino}-{found.st_mtime_ns}"
        return FileEntry(file.relative_to(self._root).as_posix(), found.st_size, state)


def _unavailable(error: OSError) -> StorageUnavailableError:
    return StorageUnavailableError(f"The warehouse directory refused: {error.strerror or error}.")
