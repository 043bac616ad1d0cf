"""Where a part waits until its rows are read: in memory if small, else in a temporary file that goes with it."""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from hops.featurestore.errors import FeatureStoreError

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 32 * 1024 * 1024  # bytes
_CAN_MAP = os.name == "posix"  # elsewhere a mapped file cannot be closed


class PartFile:
    """Takes at most `capacity` bytes. Safe to close while another thread writes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._memory: Any = bytearray(capacity) if capacity <= IN_MEMORY else None
        # Where the system allows it, it has no name from the start: it is gone with the process, however that ends.
        self._file: Any = None if self._memory is not None else tempfile.TemporaryFile(prefix="oasthouse-")  # noqa: SIM115 closed by close()
        self._closed = False
        self._lock = threading.Lock()
        self.size = 0

    @property
    def is_complete(self) -> bool:
        return self.size == self._capacity

    def append(self, data: bytes) -> bool:
        """False, and nothing is kept, of more than fits."""
        with self._lock:
            self._require_open()
            if self.size + len(data) > self._capacity:
                return False
            if self._memory is not None:
                self._memory[self.size : self.size + len(data)] = data
            else:
                self._onto_disk(lambda: self._file.write(data))
            self.size += len(data)
            return True

    def restart(self) -> None:
        with self._lock:
            self._require_open()
            self.size = 0
            if self._file is not None:
                self._onto_disk(lambda: (self._file.seek(0), self._file.truncate()))

    def source(self) -> pa.NativeFile:
        """What was appended. The room that it takes is given back once this is closed and nobody reads the source."""
        import pyarrow as pa

        with self._lock:
            self._require_open()
            if self._memory is not None:
                return pa.BufferReader(pa.py_buffer(self._memory))
            self._onto_disk(self._file.flush)
            if not _CAN_MAP:
                self._file.seek(0)
                return pa.PythonFile(self._file, mode="r")
            # Nothing cannot be mapped.
            mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if self.size else b""
            return pa.BufferReader(pa.py_buffer(mapped))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._memory = bytearray()
            if self._file is not None:
                self._file.close()

    def _require_open(self) -> None:
        if self._closed:
            raise FeatureStoreError("The download was closed.")

    def _onto_disk(self, step: Any) -> None:
        try:
            step()
        except OSError as error:
            raise FeatureStoreError(
                f"A part of {self._capacity >> 20} MiB cannot be kept in {tempfile.gettempdir()}: {error.strerror}.",
                hint="Let the environment variable TMPDIR name a folder with more room.",
            ) from error
