"""Hosts that users name: where the gateway connects, how long it waits, how much it takes."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from infra.crypto import SecretValue
from infra.ports.files import BucketAccessRefusedError, BucketKeys, BucketTarget, FileLimits, SourceFilesTooLargeError
from infra.ports.sources import SourceUnreachableError
from infra.sources.addresses import AddressGuard
from infra.storage.buckets import S3Buckets
from infra.storage.guarded_http import MOST_BYTES
from infra.storage.roles import AssumedRoles
from tests.lab.relay import certificate

HERE = AddressGuard((ip_network("127.0.0.0/8"),))
EMPTY = b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'


def _answer(body: bytes, more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


class Endpoint:
    """A port that says what a test wants, and remembers what it was asked."""

    def __init__(self, say: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[bytes] = []
        self._say, self._tls = say, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed: the end of the test
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _handle(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                asked = b""
                while b"\r\n\r\n" not in asked and (received := connection.recv(1 << 16)):
                    asked += received
                self.asked.append(asked)
                self._say(connection)


@contextmanager
def endpoint(say: Callable[[socket.socket], None] | bytes, tls: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    made = Endpoint(say if callable(say) else lambda connection: connection.sendall(say), tls)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join(10)


def _buckets(seconds: float = 20, guard: AddressGuard = HERE, ca_file: Path | None = None) -> S3Buckets:
    return S3Buckets(
        addresses=guard.addresses,
        roles=AssumedRoles(),
        limits=FileLimits(10, 1 << 30),
        ca_file=ca_file,
        request_seconds=seconds,
    )


def _target(url: str) -> BucketTarget:
    return BucketTarget("landing", BucketKeys(SecretValue("AKIAX"), SecretValue("canary7f3a")), endpoint_url=url)


def _drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def _drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def _flood(connection: socket.socket) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 40}\r\n\r\n".encode())
    sent = 0
    while sent < 10 * MOST_BYTES:
        connection.sendall(b" " * (1 << 20))
        sent += 1 << 20


def test_the_secret_does_not_travel() -> None:
    with endpoint(_answer(EMPTY)) as server:
        _buckets().test(_target(f"http://127.0.0.1:{server.port}"))
    assert b"AKIAX" in server.asked[0]
    assert b"canary7f3a" not in b"".join(server.asked)


@pytest.mark.parametrize("say", [_drip, _drip_headers])
def test_a_drip_is_ended(say: Callable[[socket.socket], None]) -> None:
    with endpoint(say) as server:
        started = time.monotonic()
        with pytest.raises(SourceUnreachableError):
            _buckets(seconds=0.5).test(_target(f"http://127.0.0.1:{server.port}"))
        assert time.monotonic() - started < 15
    assert len(server.asked) <= 3


def test_a_drip_within_the_greeting_of_tls_is_ended() -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00")
        while True:
            connection.sendall(b"\x02")
            time.sleep(0.05)

    with endpoint(greet) as server:
        started = time.monotonic()
        with pytest.raises(SourceUnreachableError):
            _buckets(seconds=0.5).test(_target(f"https://127.0.0.1:{server.port}"))
        assert time.monotonic() - started < 15


def test_a_flood_is_not_taken() -> None:
    with endpoint(_flood) as server, pytest.raises(SourceUnreachableError):
        _buckets().test(_target(f"http://127.0.0.1:{server.port}"))


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        _answer(b"<html>not S3</html>"),
        _answer(b"canary7f3a"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n<x",
        b"HTTP/1.1 503 canary7f3a\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 418 x\r\nContent-Length: 61\r\n\r\n<Error><Code>canary7f3a \n&lt;</Code><Message>x</Message></Error>",
        _answer(b"<ListBucketResult><Contents><Key>x</Key></Contents></ListBucketResult>"),
        b"",
    ],
    ids=lambda answer: repr(answer[:30]),
)
def test_what_is_no_s3_is_no_answer(answer: bytes) -> None:
    """Nor does anything of what was said come back to who asked, but an error's code in plain letters."""
    with endpoint(answer) as server:
        source = _buckets().source(_target(f"http://127.0.0.1:{server.port}"))
        told = ""
        with suppress(SourceUnreachableError):
            told = str(source.list_files(""))
        assert told in {"", "[]"}


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirects_are_not_followed(status: int) -> None:
    """Neither to an address nor, as botocore does by itself, to another region of the same endpoint."""
    with endpoint(_answer(EMPTY)) as inside:
        there = f"Location: http://127.0.0.1:{inside.port}/\r\nx-amz-bucket-region: eu-north-1\r\nConnection: close"
        answer = f"HTTP/1.1 {status} x\r\n{there}\r\nContent-Length: 0\r\n\r\n"
        with endpoint(answer.encode()) as server:
            with pytest.raises((SourceUnreachableError, BucketAccessRefusedError)):
                _buckets().test(_target(f"http://127.0.0.1:{server.port}"))
            assert len(server.asked) == 1
        assert inside.asked == []


def test_a_list_that_never_ends_is_left() -> None:
    pages = iter(range(1_000_000))

    def say(connection: socket.socket) -> None:
        body = f"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{next(pages)}</NextContinuationToken>"
        connection.sendall(_answer(f"{body}</ListBucketResult>".encode(), "Connection: close\r\n"))

    with endpoint(say) as server, pytest.raises(SourceFilesTooLargeError):
        _buckets().source(_target(f"http://127.0.0.1:{server.port}")).list_files("")


_DEFINITIONS = '<!DOCTYPE a [<!ENTITY e "eeee">]>'
_KEY = "<Contents><Key>&e;</Key><Size>1</Size><ETag>x</ETag></Contents>"


@pytest.mark.parametrize(
    "body",
    [
        f"{_DEFINITIONS}<ListBucketResult>{_KEY}</ListBucketResult>".encode(),
        f"{_DEFINITIONS}<ListBucketResult>{_KEY}</ListBucketResult>".encode("utf-16"),
        b"<?xml version='1.0' encoding='cp037'?>" + f"{_DEFINITIONS}<ListBucketResult/>".encode("cp037"),
        b"<ListBucketResult>" + b"<a/>" * (3 << 20) + b"</ListBucketResult>",
    ],
    ids=["definitions", "wide", "another alphabet", "elements"],
)
def test_an_answer_that_grows_when_it_is_read_is_none(body: bytes) -> None:
    with endpoint(_answer(body)) as server, pytest.raises(SourceUnreachableError):
        _buckets().test(_target(f"http://127.0.0.1:{server.port}"))


def test_a_page_for_people_is_a_refusal_by_its_status() -> None:
    page = b"<!DOCTYPE html><html>Forbidden</html>"
    head = f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(page)}\r\n\r\n".encode()
    with endpoint(head + page) as server, pytest.raises(BucketAccessRefusedError, match="403"):
        _buckets().test(_target(f"http://127.0.0.1:{server.port}"))


def _listing(size: int) -> bytes:
    entry = f"<Contents><Key>a.csv</Key><Size>{size}</Size><ETag>x</ETag></Contents>"
    return f"<ListBucketResult>{entry}<IsTruncated>false</IsTruncated></ListBucketResult>".encode()


def test_a_file_of_less_than_nothing_is_no_answer() -> None:
    """It would make room for one that is larger than anybody may read."""
    with endpoint(_answer(_listing(-(1 << 40)))) as server, pytest.raises(SourceUnreachableError):
        _buckets().source(_target(f"http://127.0.0.1:{server.port}")).list_files("")


@pytest.mark.parametrize("sent", [0, 9, 11, 1 << 20])
def test_another_range_than_was_asked_for_is_no_answer(sent: int) -> None:
    """Too few bytes would read as a shorter file, and too many as another one."""

    def say(connection: socket.socket) -> None:
        is_list = b"list-type" in server.asked[-1]
        connection.sendall(_answer(_listing(10) if is_list else b"x" * sent, "Connection: close\r\n"))

    with endpoint(say) as server:
        source = _buckets().source(_target(f"http://127.0.0.1:{server.port}"))
        (entry,) = source.list_files("")
        with pytest.raises(SourceUnreachableError), source.open_input(entry) as file:
            file.read()


def test_a_deletion_that_never_ends_is_left() -> None:
    def say(connection: socket.socket) -> None:
        page = "<Contents><Key>set/x</Key></Contents><IsTruncated>true</IsTruncated>"
        body = f"<ListBucketResult>{page}<NextContinuationToken>{time.monotonic_ns()}</NextContinuationToken></ListBucketResult>"
        connection.sendall(_answer(body.encode(), "Connection: close\r\n"))

    with endpoint(say) as server, pytest.raises(SourceFilesTooLargeError):
        _buckets().store(_target(f"http://127.0.0.1:{server.port}")).delete_prefix("set")


def test_a_refused_deletion_says_its_code_in_plain_letters() -> None:
    listed = b"<ListBucketResult><Contents><Key>set/x</Key></Contents></ListBucketResult>"
    refused = b"<DeleteResult><Error><Key>set/x</Key><Code>Access Denied &lt;b&gt;</Code></Error></DeleteResult>"

    def say(connection: socket.socket) -> None:
        body = listed if server.asked[-1].startswith(b"GET") else refused
        connection.sendall(_answer(body, "Connection: close\r\n"))

    with endpoint(say) as server, pytest.raises(SourceUnreachableError, match="failed: AccessDeniedb"):
        _buckets().store(_target(f"http://127.0.0.1:{server.port}")).delete_prefix("set")


def test_what_was_checked_is_connected_to() -> None:
    """A name that answers otherwise a moment later changes nothing: nobody asks again."""
    with endpoint(_answer(EMPTY)) as server:
        asked: list[str] = []

        def addresses(host: str, port: int) -> list[str]:
            asked.append(host)
            assert port == server.port
            return ["127.0.0.1"]

        buckets = S3Buckets(addresses=addresses, roles=AssumedRoles(), limits=FileLimits(1, 1))
        buckets.test(_target(f"http://bucket.store.invalid:{server.port}"))
        assert asked == ["bucket.store.invalid"]
    assert b"Host: bucket.store.invalid" in server.asked[0]


def test_certificates_are_checked_against_the_name(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with endpoint(_answer(EMPTY), context) as server:
        url = f"https://localhost:{server.port}"
        _buckets(ca_file=chain).test(_target(url))
        with pytest.raises(SourceUnreachableError):
            _buckets().test(_target(url))
        other = S3Buckets(
            addresses=lambda _host, _port: ["127.0.0.1"],
            roles=AssumedRoles(),
            limits=FileLimits(1, 1),
            ca_file=chain,
        )
        with pytest.raises(SourceUnreachableError):
            other.test(_target(f"https://another.invalid:{server.port}"))
