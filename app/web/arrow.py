"""Answers rows as an Arrow stream: passed on piece by piece, the executor waits for the client."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from enum import StrEnum

import pyarrow as pa
import structlog
from flask import Response

from app.featurestore.feature_groups.frames import ARROW_STREAM
from infra.errors import ErrorKind, GatewayError
from infra.ports.engine import BatchStream

_log = structlog.get_logger(__name__)


class Compression(StrEnum):
    NONE = "none"
    LZ4 = "lz4"
    ZSTD = "zstd"


class StreamBrokenOffError(Exception):
    """Ends an answer that cannot be finished; the server logs it."""


class _Sink:
    """Collects what Arrow writes until it is taken; Arrow wants a file, HTTP wants pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.closed = False

    def write(self, data: pa.Buffer) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def arrow_response(answer: AbstractContextManager[BatchStream]) -> Response:
    """Enter `answer` now, so that an error before the first row still is a proper answer; leave it when the client is done."""
    stack = ExitStack()
    stream = stack.enter_context(answer)
    response = Response(_broken_off_loudly(stream.chunks()), content_type=ARROW_STREAM)
    response.call_on_close(stack.close)
    return response


def batches_response(schema: pa.Schema, batches: Iterator[pa.RecordBatch], compression: Compression) -> Response:
    """For rows that no engine streams: they are written as they are taken."""
    return Response(_broken_off_loudly(_written(schema, batches, compression)), content_type=ARROW_STREAM)


def _written(schema: pa.Schema, batches: Iterator[pa.RecordBatch], compression: Compression) -> Iterator[bytes]:
    sink = _Sink()
    codec = None if compression is Compression.NONE else compression.value
    with pa.ipc.new_stream(
        pa.PythonFile(sink, "w"), schema, options=pa.ipc.IpcWriteOptions(compression=codec)
    ) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


def _broken_off_loudly(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The status is sent already: breaking the connection is the only way left to say that rows are missing."""
    try:
        yield from pieces
    except GatewayError as error:
        if error.kind is ErrorKind.INTERNAL:
            _log.exception("stream broken off")
            raise
        # What is wrong with a row is told with the row's value, which is not for the log; nor is it in what is raised here.
        _log.warning("stream broken off", code=error.code)
        _log.debug("stream broken off because", detail=error.detail)
        raise StreamBrokenOffError(error.code) from None
    except Exception:
        _log.exception("stream broken off")
        raise
