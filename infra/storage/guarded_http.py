"""HTTP to hosts that users name: botocore's own, but for where it connects, how long it waits and how much it takes."""

import io
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSResponse,
)
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import HTTPError, NewConnectionError

Addresses: TypeAlias = Callable[[str, int], Sequence[str]]
"""What a host resolves to and may be connected to; raises where it may not."""

CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 10
REQUEST_SECONDS: Final = 60.0
MOST_BYTES: Final = 20 << 20  # more than a part of a file or a page of a list
_CHUNK: Final = 1 << 16


class GuardedSession(URLLib3Session):
    """No proxy is asked, no answer is longer than MOST_BYTES, no request takes longer than `seconds`.

    Time-outs of sockets are not enough: a host that sends a byte every nine seconds would hold a thread for ever.
    """

    _manager: Any

    def __init__(self, addresses: Addresses, *, ca_file: Path | None = None, seconds: float = REQUEST_SECONDS) -> None:
        options: dict[str, Any] = {"verify": str(ca_file) if ca_file else True}
        super().__init__(**options, timeout=(CONNECT_SECONDS, READ_SECONDS))  # type: ignore[arg-type]  # a pair is taken
        self._line = _Line(addresses, seconds)
        self._manager.pool_classes_by_scheme = {
            "http": _pool_class(AWSHTTPConnectionPool, AWSHTTPConnection, self._line),
            "https": _pool_class(AWSHTTPSConnectionPool, AWSHTTPSConnection, self._line),
        }

    def answer(self, request: Any, **_event: Any) -> AWSResponse:
        """For botocore's event `before-send`, in place of its own session."""
        return self.send(request)

    def send(self, request: Any) -> AWSResponse:
        request.stream_output = True  # else the inherited one reads whatever comes
        with self._line.turn() as turn:
            answer: Any = super().send(request)
            try:
                body = _read(answer.raw)
            except (HTTPError, OSError) as error:
                raise HTTPClientError(error=error) from error
            finally:
                answer.raw.release_conn()
            turn.require_time()
        return AWSResponse(answer.url, answer.status_code, answer.headers, _Body(body))


class _Body(io.BytesIO):
    """What is left of urllib3's answer for botocore."""

    def stream(self, *_arguments: object, **_options: object) -> Iterator[bytes]:
        yield self.read()


class _Turn:
    """One request. Its connection is cut by a duplicate: the connection's own end may by then belong to TLS or an answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._is_over = False

    def hold(self, connection: socket.socket) -> None:
        self.require_time()
        with self._lock:
            if self._held is not None:
                self._held.close()
            self._held = socket.socket(fileno=os.dup(connection.fileno()))

    def require_time(self) -> None:
        if self._is_over:
            raise HTTPClientError(error=TimeoutError("the request took too long"))

    def cut(self) -> None:
        with self._lock:
            self._is_over = True
            if self._held is not None:
                with suppress(OSError):
                    self._held.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        with self._lock:
            if self._held is not None:
                self._held.close()
                self._held = None


class _Line:
    """What all connections of a session share: where they may go, and whose turn it is in each thread."""

    def __init__(self, addresses: Addresses, seconds: float) -> None:
        self._addresses = addresses
        self._seconds = seconds
        self._current = threading.local()

    @contextmanager
    def turn(self) -> Iterator[_Turn]:
        turn = self._current.turn = _Turn()
        timer = threading.Timer(self._seconds, turn.cut)
        timer.daemon = True
        timer.start()
        try:
            yield turn
        finally:
            timer.cancel()
            turn.end()

    def hold(self, connection: socket.socket) -> None:
        self._current.turn.hold(connection)

    def dial(self, host: str, port: int) -> socket.socket | None:
        for address in self._addresses(host, port):
            with suppress(OSError):
                connection = socket.create_connection((address, port), CONNECT_SECONDS)
                self.hold(connection)
                return connection
        return None


def _pool_class(pool: type[Any], connection: type[Any], line: _Line) -> type[Any]:
    class Connection(connection):  # type: ignore[misc]  # botocore ships no types
        def _new_conn(self) -> socket.socket:
            dialled = line.dial(self.host.strip("[]"), self.port)
            if dialled is None:
                raise NewConnectionError(self, "no connection")
            return dialled

        def request(self, *arguments: Any, **options: Any) -> Any:
            if self.sock is not None:  # one of an earlier request
                line.hold(self.sock)
            return super().request(*arguments, **options)

    return type("GuardedPool", (pool,), {"ConnectionCls": Connection})


def _read(raw: Any) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in raw.stream(_CHUNK, decode_content=False):
        size += len(chunk)
        if size > MOST_BYTES:
            raise OSError("the answer is too long")
        chunks.append(chunk)
    return b"".join(chunks)
