"""Where a part waits until its rows are read: in memory if small, else in a temporary file that goes with it."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from hops.featurestore.errors import FeatureStoreError

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 32 * 1024 * 1024  # bytes


class PartFile:
    """Takes at most `capacity` bytes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._memory: Any = bytearray(capacity) if capacity <= IN_MEMORY else None
        # Deleted when it is closed or forgotten, also by a process that is killed in an orderly way.
        self._file: Any = None if self._memory is not None else tempfile.NamedTemporaryFile(prefix="oasthouse-")  # noqa: SIM115
        self.size = 0

    @property
    def is_complete(self) -> bool:
        return self.size == self._capacity

    def append(self, data: bytes) -> bool:
        """False, and nothing is kept, of more than fits."""
        if self.size + len(data) > self._capacity:
            return False
        if self._memory is not None:
            self._memory[self.size : self.size + len(data)] = data
        else:
            self._write(data)
        self.size += len(data)
        return True

    def restart(self) -> None:
        self.size = 0
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()

    def source(self) -> pa.NativeFile:
        """What was appended, to be read while this lives."""
        import pyarrow as pa

        if self._memory is not None:
            return pa.BufferReader(pa.py_buffer(self._memory))
        self._file.flush()
        if os.name == "posix":
            return pa.memory_map(self._file.name)
        self._file.seek(0)  # elsewhere an open file cannot be opened again
        return pa.PythonFile(self._file, mode="r")

    def close(self) -> None:
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise FeatureStoreError(
                f"A part of {self._capacity >> 20} MiB cannot be kept in {tempfile.gettempdir()}: {error.strerror}.",
                hint="Let the environment variable TMPDIR name a folder with more room.",
            ) from error
