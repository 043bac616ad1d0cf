"""A small HTTP server that answers what a test tells it to, in the shapes of the gateway, and remembers what it was asked."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

ARROW = "application/vnd.apache.arrow.stream"
KEY = "oast_test_0123456789_abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def table(self) -> pa.Table:
        return pa.ipc.open_stream(self.body).read_all()

    @property
    def command(self):
        return json.loads(self.table.schema.metadata[b"oasthouse"])

    def assert_intact(self):
        digest = base64.b64encode(hashlib.sha256(self.body).digest()).decode()
        assert self.headers["Content-Digest"] == f"sha-256=:{digest}:"
        assert int(self.headers["Content-Length"]) == len(self.body)
        assert int(self.headers["X-Row-Count"]) == self.table.num_rows
        assert self.body.endswith(b"\xff\xff\xff\xff\0\0\0\0")


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False
    announced: int | None = None
    """The length in the header, where that is not the body's; the connection is cut after the body then."""


def json_reply(body, status=200, **headers) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})


def problem(status, code, detail="It went wrong.", headers=None, **extra) -> Reply:
    body = {
        "type": f"/problems/{code}",
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": "req-12345678",
        **extra,
    }
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json", **(headers or {})})


def arrow_bytes(table: pa.Table, chunk_rows: int | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table, max_chunksize=chunk_rows)
    return sink.getvalue().to_pybytes()


def arrow_reply(table: pa.Table) -> Reply:
    return Reply(200, arrow_bytes(table), {"Content-Type": ARROW}, chunked=True)


def page(*items, next_cursor=None) -> Reply:
    return json_reply({"items": list(items), "next_cursor": next_cursor})


class Gateway:
    """Several replies for one route are given one after the other; the last one stays."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._replies: dict[tuple[str, str], list[Reply]] = {}
        self.on("GET", "/me", json_reply(me()))

    def on(self, method: str, path: str, *replies: Reply) -> None:
        self._replies[method, "/api/v1" + path] = list(replies)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        replies = self._replies.get((asked.method, asked.path))
        if not replies:
            return problem(404, "not-found", f"Nothing at {asked.method} {asked.path}.")
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def last(self, method: str | None = None) -> Asked:
        return next(asked for asked in reversed(self.asked) if method in {None, asked.method})

    def count(self, method: str, path: str) -> int:
        return sum((asked.method, asked.path) == (method, "/api/v1" + path) for asked in self.asked)


def me(project="football", **changes):
    return {
        "key_id": "0123456789", "environment": "test", "project": project, "member": "ada", "role": "data_owner",
        "scopes": ["featurestore", "project"], "expires_at": None, "operator": False, **changes,
    }  # fmt: skip


def _handler(gateway: Gateway):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            target = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(target.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._send(gateway.answer(Asked(self.command, target.path, query, dict(self.headers), body)))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.chunked:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for start in range(0, len(reply.body), 1000):
                    part = reply.body[start : start + 1000]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.send_header("Content-Length", str(reply.announced or len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                self.close_connection = reply.announced is not None

        def log_message(self, *args) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up, or trusts us not, is what some tests are about."""


@contextmanager
def serving(gateway: Gateway, wrap=None) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), _handler(gateway))
    if wrap is not None:
        server.socket = wrap(server.socket)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
