"""The answer on its way out of a query's process."""

import os
from typing import Any, Final

import pyarrow as pa

from infra.engines.protocol import Job
from infra.errors import EngineLimitError, GatewayError

_FEWER: Final = "Ask for fewer rows or columns."


class AnswerWriter:
    """Writes an Arrow stream without its end marker, which the gateway adds once it knows that nothing is missing.

    Bytes are held back until `release`: an answer whose first batch is too large has not begun.
    """

    def __init__(self, descriptor: int, schema: pa.Schema, job: Job) -> None:
        self._sink = _Sink(descriptor)
        self._schema = schema
        self._max_rows, self._max_bytes, self._exact_rows = job.max_rows, job.max_bytes, job.exact_rows
        codec = None if job.compression == "none" else job.compression
        options = pa.ipc.IpcWriteOptions(compression=codec)
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, "w"), schema, options=options)
        self.rows = 0

    @property
    def bytes(self) -> int:
        return self._sink.taken

    def write(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        if self._max_rows is not None and self.rows > self._max_rows:
            raise EngineLimitError(f"The answer has more than {self._max_rows:,} rows.", hint=_FEWER)
        self._writer.write_batch(batch)
        if self._max_bytes is not None and self.bytes > self._max_bytes:
            raise EngineLimitError(f"The answer has more than {self._max_bytes:,} bytes.", hint=_FEWER)

    def require_exact(self) -> None:
        """A row that is missing or too many is found here, before the end mark makes the answer a whole one."""
        if self._exact_rows not in (None, self.rows):
            raise GatewayError(
                f"The answer has {self.rows:,} rows where {self._exact_rows:,} were due; it is withheld."
            )

    def release(self) -> None:
        if not self.rows:
            # Arrow writes the schema with the first batch or with the end marker.
            self._sink.write(self._schema.serialize())
        self._sink.release()


class _Sink:
    """A file for Arrow to write to."""

    closed = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held: list[Any] | None = []
        self.taken = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.taken += size
        if self._held is None:
            self._put(data)
        else:
            self._held.append(bytes(data))
        return size

    def release(self) -> None:
        held, self._held = self._held or [], None
        for data in held:
            self._put(data)

    def flush(self) -> None:
        """Nothing is held back after the release."""

    def _put(self, data: Any) -> None:
        rest = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
        while rest.nbytes:
            rest = rest[os.write(self._descriptor, rest) :]
