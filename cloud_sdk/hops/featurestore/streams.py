"""Rows of an HTTP answer that is one Arrow stream: all of them, or an error in place of the end."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Callable, Generator, Optional, Tuple

from hops.featurestore.errors import AnswerCutError
from hops.featurestore.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa
    from urllib3.response import BaseHTTPResponse


class StreamSource:
    """Implements `hops.featurestore.reader.Source`.

    The rows are complete only if the stream reached Arrow's end marker and HTTP its own end right after it: pyarrow
    alone takes a stream that is cut between two batches for a shorter one.
    """

    def __init__(self, answer: BaseHTTPResponse, progress: Progress) -> None:
        import pyarrow as pa

        self._answer = answer
        self._progress = progress
        self._body = _Body(answer, progress)
        self._reader: Any = self._take(lambda: pa.ipc.open_stream(pa.PythonFile(self._body, mode="r")))

    @property
    def schema(self) -> pa.Schema:
        return self._reader.schema

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        while True:
            batch = self._take(lambda: _next_or_none(self._reader))
            if batch is None:
                break
            self._progress.add(rows=batch.num_rows)
            yield batch
        self._require_end()

    def table(self) -> pa.Table:
        import pyarrow as pa

        return pa.Table.from_batches(list(self.batches()), self.schema)

    def close(self) -> None:
        """Before the end it breaks the connection, which is how the gateway learns that nobody waits any more."""
        self._progress.close()
        self._answer.close()

    def _require_end(self) -> None:
        if self._body.ended_early:
            self._fail("no end-of-stream marker")
        if self._take(lambda: self._body.read(1)):  # also makes HTTP find its own end, or raise
            self._fail("bytes after the end-of-stream marker")
        self._progress.close()
        self._answer.release_conn()

    def _take(self, step: Callable[[], Any]) -> Any:
        taken, why = _attempted(step)
        if why is not None:
            # Not inside `except`: see Transport.open.
            self._fail(why)
        return taken

    def _fail(self, why: str) -> None:
        self.close()
        request_id = self._answer.headers.get("X-Request-Id")
        raise AnswerCutError(
            f"The rows did not arrive completely ({why}); none are returned.",
            # Whatever went wrong after the first row, the gateway has no other way to say so than to hang up.
            hint="Try again if it was the network. The gateway may also have ended it at a limit of rows, bytes or time: "
            f"{_where_it_says_why(request_id)}. Then ask for fewer rows or columns at once.",
            request_id=request_id,
        )


def _where_it_says_why(request_id: Optional[str]) -> str:
    return "its log says which" if request_id is None else f"its log says which under the request {request_id}"


def _attempted(step: Callable[[], Any]) -> Tuple[Any, Optional[str]]:
    """(what it gave, None) or (None, why it did not)."""
    import pyarrow as pa
    import urllib3

    try:
        return step(), None
    except (urllib3.exceptions.HTTPError, OSError, EOFError, pa.ArrowException) as error:
        return None, str(error.args[0] if error.args else error)  # the second one of urllib3 says the same again


def _next_or_none(reader: Any) -> Optional[pa.RecordBatch]:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None


class _Body(io.RawIOBase):
    """Reads exactly what is asked for, and remembers whether that ever was more than there was.

    pyarrow asks for exact sizes and stops at the end marker, so a short read means that the marker is missing, whatever the
    last bytes look like (a column ending in -1, 0 looks like a marker).
    """

    def __init__(self, answer: BaseHTTPResponse, progress: Progress) -> None:
        self._answer = answer
        self._progress = progress
        self.ended_early = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts = []
        missing = size
        while missing:
            part = self._answer.read(missing)
            if not part:
                break
            parts.append(part)
            missing -= len(part)
            self._progress.add(bytes_=len(part))
        self.ended_early = self.ended_early or bool(missing)
        return parts[0] if len(parts) == 1 else b"".join(parts)
