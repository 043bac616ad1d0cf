"""Stores like S3 that do not keep to If-None-Match, each in its own way, and one that does. They tell what they were sent."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_PAUSE = 0.05


class Care(Enum):
    """What it does with a condition."""

    KEEPS = "keeps to it"
    IGNORES = "ignores it"
    LOOKS_FIRST = "looks first and writes afterwards"
    WRITES_ALL_THE_SAME = "refuses, having written"
    REFUSES_ALL = "refuses the first as well"


class CarelessStore:
    """`sent` has (method, path, headers) of every request. `encrypts`: it says under which key an object is. `pause` is before
    each answer, in seconds."""

    def __init__(self, care: Care, *, encrypts: bool = True) -> None:
        self.care = care
        self.encrypts = encrypts
        self.objects: dict[str, tuple[bytes, str | None]] = {}
        self.sent: list[tuple[str, str, dict[str, str]]] = []
        self.endpoint_url = ""
        self.pause = 0.0
        self._guard = threading.Lock()

    def put(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        kept = (body, headers.get("x-amz-server-side-encryption-aws-kms-key-id") if self.encrypts else None)
        conditional = headers.get("if-none-match") == "*"
        if self.care is Care.LOOKS_FIRST and conditional:
            is_there = path in self.objects
            time.sleep(_PAUSE)
            if is_there:
                return 412
            self.objects[path] = kept
            return 200
        with self._guard:
            if conditional and self.care is Care.REFUSES_ALL:
                return 412
            is_refused = conditional and path in self.objects and self.care is not Care.IGNORES
            if not is_refused or self.care is Care.WRITES_ALL_THE_SAME:
                self.objects[path] = kept
        return 412 if is_refused else 200

    def listed(self, bucket: str, prefix: str) -> bytes:
        keys = sorted(
            path.removeprefix(f"/{bucket}/") for path in self.objects if path.startswith(f"/{bucket}/{prefix}")
        )
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[f'/{bucket}/{key}'][0])}</Size>"
            '<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"e"</ETag></Contents>'
            for key in keys
        )
        return (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>false</IsTruncated><KeyCount>{len(keys)}</KeyCount>{entries}</ListBucketResult>"
        ).encode()


@contextmanager
def careless_store(care: Care, *, encrypts: bool = True) -> Iterator[CarelessStore]:
    store = CarelessStore(care, encrypts=encrypts)

    class Handler(_Handler):
        of = store

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        store.endpoint_url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield store
        finally:
            server.shutdown()
            thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer in one piece: in two the second waits for the first to be acknowledged
    of: CarelessStore

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            body = _unchunked(body)
        self._answer(self.of.put(self._path, body, self._headers))

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        if "list-type" in asked:
            bucket = self._path.strip("/").partition("/")[0]
            self._answer(200, self.of.listed(bucket, asked.get("prefix", [""])[0]))
        else:
            self._object()

    do_HEAD = do_GET  # noqa: N815 named by http.server

    def do_DELETE(self) -> None:
        self.of.objects.pop(self._path, None)
        self._answer(204)

    def do_POST(self) -> None:
        """A deletion of many."""
        bucket = self._path.strip("/")
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        for key in text.split("<Key>")[1:]:
            self.of.objects.pop(f"/{bucket}/{key.partition('</Key>')[0]}", None)
        self._answer(200, b'<?xml version="1.0"?><DeleteResult></DeleteResult>')

    def _object(self) -> None:
        found = self.of.objects.get(self._path)
        if found is None:
            self._answer(404, b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>')
            return
        body, key = found
        more = {"ETag": '"e"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if key:
            more |= {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        if wanted:
            first, _, last = wanted.partition("-")
            start = int(first) if first else len(body) - int(last)
            end = min(int(last) + 1 if first and last else len(body), len(body))
            self._answer(206, body[start:end], {**more, "Content-Range": f"bytes {start}-{end - 1}/{len(body)}"})
        else:
            self._answer(200, body, more)

    @property
    def _path(self) -> str:
        return unquote(urlsplit(self.path).path)

    @property
    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _answer(self, status: int, body: bytes = b"", more: dict[str, str] | None = None) -> None:
        time.sleep(self.of.pause)
        self.of.sent.append((self.command, self._path, self._headers))
        if status == 412:
            body = b'<?xml version="1.0"?><Error><Code>PreconditionFailed</Code></Error>'
        self.send_response(status)
        for name, value in ({"ETag": '"e"'} if more is None else more).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """`sent` has it."""


def _unchunked(body: bytes) -> bytes:
    """As the AWS SDK sends a body with its checksum behind it."""
    read, rest = b"", body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if length == 0:
            break
        read, rest = read + rest[:length], rest[length + 2 :]
    return read
