"""A small HTTP proxy in front of a store, for faults that a healthy store does not show."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from urllib.parse import urlsplit


class Fault(Enum):
    NONE = "forward"
    LOST_REQUEST = "cut the connection before the store sees the request"
    LOST_ANSWER = "let the store act, then cut the connection without an answer"
    CUT_ANSWER = "let the store act, then cut the connection within its answer"


Rule = Callable[[str, str], Fault]
"""Decides by method and path."""


class FaultyProxy:
    """`rule` may be set at any time; one request per connection, which every client of ours puts up with."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        assert parts.hostname, "an upstream has a host"
        self._upstream = (parts.hostname, parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.rule: Rule = lambda _method, _path: Fault.NONE
        self.watch: Callable[[bytes, bytes], None] = lambda _body, _answer: None
        self.faults = 0

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed: the end of the test
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        # shutdown wakes the thread in accept(), close alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head, body = _read_request(connection)
            if not head:
                return
            method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            fault = self.rule(method, path)
            self.faults += fault is not Fault.NONE
            if fault is Fault.LOST_REQUEST:
                return
            answer = self._forward(head, body)
            self.watch(body, answer)
            if fault is Fault.NONE:
                connection.sendall(answer)
            elif fault is Fault.CUT_ANSWER:
                connection.sendall(answer[: len(answer) * 3 // 4])

    def _forward(self, head: bytes, body: bytes) -> bytes:
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        with socket.create_connection(self._upstream, timeout=30) as upstream:
            upstream.sendall(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
            return b"".join(iter(lambda: upstream.recv(1 << 16), b""))


def _read_request(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(1 << 16)
        if not chunk:
            return b"", b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    headers = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    if headers.get(b"expect", b"").strip() == b"100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = int(headers.get(b"content-length", b"0"))
    while len(body) < length:
        body += connection.recv(1 << 16)
    return head, body


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(upstream)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(10)
