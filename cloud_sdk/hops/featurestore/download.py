"""An Arrow stream out of an HTTP answer: all of it, or an error."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Optional, Tuple

from hops.featurestore.errors import AnswerCutError
from hops.featurestore.transport import Request, Transport

if TYPE_CHECKING:
    import pyarrow as pa
    from urllib3.response import BaseHTTPResponse

ARROW_STREAM = "application/vnd.apache.arrow.stream"


def read_table(transport: Transport, request: Request) -> pa.Table:
    """Raises AnswerCutError unless the stream reached Arrow's end marker and HTTP its own end right after it.

    pyarrow alone takes a stream that is cut between two batches for a shorter one.
    """
    answer = transport.open(request)
    table, failure = _read(answer)
    if failure is not None:
        answer.close()
        # Not inside `except`: see Transport.open.
        raise failure
    answer.release_conn()
    return table


def _read(answer: BaseHTTPResponse) -> Tuple[Any, Optional[AnswerCutError]]:
    import pyarrow as pa
    import urllib3

    body = _Body(answer)
    try:
        with pa.ipc.open_stream(pa.PythonFile(body, mode="r")) as reader:
            table = reader.read_all()
        complete = not body.ended_early
        trailing = body.read(1)  # also makes HTTP find its own end, or raise
    except (urllib3.exceptions.HTTPError, OSError, EOFError, pa.ArrowException) as error:
        return None, _cut(answer, str(error))
    if not complete:
        return None, _cut(answer, "no end-of-stream marker")
    if trailing:
        return None, _cut(answer, "bytes after the end-of-stream marker")
    return table, None


def _cut(answer: BaseHTTPResponse, why: str) -> AnswerCutError:
    return AnswerCutError(
        f"The rows did not arrive completely ({why}); none are returned.",
        hint="Try again; if it persists, ask the operator what happened to this request.",
        request_id=answer.headers.get("X-Request-Id"),
    )


class _Body(io.RawIOBase):
    """Reads exactly what is asked for, and remembers whether that ever was more than there was.

    pyarrow asks for exact sizes and stops at the end marker, so a short read means that the marker is missing, whatever the
    last bytes look like (a column ending in -1, 0 looks like a marker).
    """

    def __init__(self, answer: BaseHTTPResponse) -> None:
        self._answer = answer
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
        self.ended_early = self.ended_early or bool(missing)
        return parts[0] if len(parts) == 1 else b"".join(parts)
