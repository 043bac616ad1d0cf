"""Bodies under gunicorn: whole or refused, once or not at all."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import urllib3

from app.featurestore.feature_groups.frames import PARQUET
from tests.frames import arrow_bytes, frame_headers, read_arrow
from tests.served import Served, served

ROWS = pa.table({"id": list(range(5000)), "value": [float(i) for i in range(5000)]})
PATH = "/api/v1/projects/football/feature-groups/numbers/versions/1/rows"


@dataclass
class Client:
    gateway: Served
    key: str

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": f"ApiKey {self.key}", **headers}
        return urllib3.request(
            method, self.gateway.address + path, body=body, headers=headers, retries=False, timeout=60
        )

    def count(self) -> int:
        return read_arrow(self.send("GET", PATH).data).num_rows

    def send_raw(self, body: bytes, headers: dict[str, str], *, cut: int | None = None) -> bytes:
        """Announce `headers`, send the first `cut` bytes, close our side, and read the answer."""
        lines = [f"POST {PATH} HTTP/1.1", "Host: gateway", f"Authorization: ApiKey {self.key}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body[:cut])
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("uploads")) as running:
        yield running


@pytest.fixture
def client(gateway: Served) -> Iterator[Client]:
    client = Client(gateway, gateway.oast("key", "create", "football", "--member", "ada")["key"])
    spec = {"name": "numbers", "features": [{"name": "id", "type": "bigint"}, {"name": "value", "type": "double"}]}
    answer = client.send(
        "POST",
        "/api/v1/projects/football/feature-groups",
        json.dumps(spec).encode(),
        **{"Content-Type": "application/json"},
    )
    assert answer.status == 201, answer.data
    yield client
    assert client.send("DELETE", PATH.removesuffix("/rows")).status == 204


def _code(answer: urllib3.BaseHTTPResponse) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


def test_a_cut_body_is_refused_wherever_it_is_cut(client: Client) -> None:
    body = arrow_bytes(ROWS)
    headers = {**frame_headers(body, ROWS.num_rows), "Content-Length": str(len(body))}
    for cut in range(0, len(body), len(body) // 25):
        answer = client.send_raw(body, headers, cut=cut)
        assert b"body-truncated" in answer or answer == b"", (cut, answer[:200])
        assert b" 200 " not in answer.split(b"\r\n")[0]
    assert client.count() == 0


def test_a_stream_cut_at_a_batch_boundary_is_refused_though_it_reads_as_a_table(client: Client) -> None:
    whole = pa.BufferOutputStream()
    writer = pa.ipc.new_stream(whole, ROWS.schema)
    for batch in ROWS.to_batches(max_chunksize=1000)[:3]:
        writer.write_batch(batch)
    body = whole.getvalue().to_pybytes()
    assert pa.ipc.open_stream(body).read_all().num_rows == 3000
    assert _code(client.send("POST", PATH, body, **frame_headers(body, 3000))) == (400, "body-truncated")
    assert client.count() == 0


def _corrupted() -> Iterator[Any]:
    body = arrow_bytes(ROWS)
    honest = frame_headers(body, ROWS.num_rows)
    over_long = body + b"more" + body[-8:]
    garbage = b"garbage" * 100 + body[-8:]
    swapped = body[:5000] + bytes([body[5000] ^ 255]) + body[5001:]
    yield pytest.param(body, frame_headers(body, 4999), "row-count-mismatch", id="too few rows counted")
    yield pytest.param(body, frame_headers(body, 5001), "row-count-mismatch", id="too many rows counted")
    yield pytest.param(swapped, honest, "digest-mismatch", id="a byte changed on the way")
    yield pytest.param(over_long, frame_headers(over_long, 5000), "frame-invalid", id="bytes after the end")
    yield pytest.param(garbage, frame_headers(garbage, 5000), "frame-invalid", id="no frame at all")
    yield pytest.param(b"", frame_headers(b"", 0), "body-truncated", id="empty")
    for missing in ("Content-Digest", "X-Row-Count"):
        kept = {name: value for name, value in honest.items() if name != missing}
        yield pytest.param(body, kept, "header-missing", id=f"without {missing}")
    yield pytest.param(body, {**honest, "X-Row-Count": "-1"}, "header-missing", id="negative row count")
    yield pytest.param(body, {**honest, "Content-Digest": "sha-256=:%%%:"}, "header-missing", id="digest not base64")


@pytest.mark.parametrize(("body", "headers", "code"), list(_corrupted()))
def test_a_corrupted_frame_is_refused(client: Client, body: bytes, headers: dict[str, str], code: str) -> None:
    answer = client.send("POST", PATH, body, **headers)
    assert _code(answer) == (400, code)
    assert client.count() == 0


def test_headers_are_asked_for_before_the_body_is_taken(client: Client) -> None:
    body = arrow_bytes(ROWS)
    headers = {**frame_headers(body, 5000), "Content-Length": str(1 << 30), "Idempotency-Key": "12345678"}
    del headers["Content-Digest"]
    assert b"header-missing" in client.send_raw(body, headers, cut=0)


def test_a_chunked_command_is_refused(client: Client) -> None:
    """By its headers alone: a body cut at the limit would otherwise pass for a whole one."""
    lines = f"POST /api/v1/projects/football/queries HTTP/1.1\r\nHost: g\r\nAuthorization: ApiKey {client.key}\r\n"
    lines += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.gateway.port), timeout=30) as connection:
        connection.sendall(lines.encode())
        connection.shutdown(socket.SHUT_WR)
        assert b"header-missing" in b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_chunked_frame_is_refused(client: Client) -> None:
    body = arrow_bytes(ROWS)
    headers = {**frame_headers(body, ROWS.num_rows), "Transfer-Encoding": "chunked"}
    assert b"header-missing" in client.send_raw(b"", headers)
    assert client.count() == 0


def test_other_content_types_are_refused(client: Client) -> None:
    assert _code(client.send("POST", PATH, b"a,b", **{"Content-Type": "text/csv"})) == (415, "media-type-unsupported")


def test_parquet_is_taken_and_a_cut_one_is_not(client: Client) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(ROWS, sink)
    body = sink.getvalue().to_pybytes()
    headers = {**frame_headers(body[:-100], 5000), "Content-Type": PARQUET}
    assert _code(client.send("POST", PATH, body[:-100], **headers)) == (400, "frame-invalid")
    answer = client.send("POST", PATH, body, **{**frame_headers(body, 5000), "Content-Type": PARQUET})
    assert (answer.status, answer.json()["rows_inserted"]) == (200, 5000)
    assert client.count() == 5000


def test_the_same_key_writes_once_and_answers_the_same(client: Client) -> None:
    body = arrow_bytes(ROWS)
    headers = {**frame_headers(body, 5000), "Idempotency-Key": "insert-0001"}
    first = client.send("POST", PATH, body, **headers)
    again = client.send("POST", PATH, body, **headers)
    assert (first.status, again.status) == (200, 200)
    assert first.json() == again.json()
    assert "Idempotent-Replay" not in first.headers
    assert again.headers["Idempotent-Replay"] == "true"
    other = arrow_bytes(ROWS.slice(0, 10))
    reused = client.send("POST", PATH, other, **{**frame_headers(other, 10), "Idempotency-Key": "insert-0001"})
    assert _code(reused) == (422, "idempotency-key-reused")
    assert _code(client.send("POST", f"{PATH}?mode=overwrite", body, **headers)) == (422, "idempotency-key-reused")
    assert client.count() == 5000


def test_a_large_repetition_gets_its_answer_too(client: Client) -> None:
    large = pa.table({"id": np.random.default_rng(1).integers(0, 2**60, 2_000_000), "value": np.zeros(2_000_000)})
    body = arrow_bytes(large)
    headers = {
        "Authorization": f"ApiKey {client.key}",
        **frame_headers(body, 2_000_000),
        "Idempotency-Key": "insert-0004",
    }
    answers = []
    for _ in range(2):
        connection = http.client.HTTPConnection("127.0.0.1", client.gateway.port, timeout=60)
        connection.request("POST", PATH, body, headers)
        answer = connection.getresponse()
        answers.append((answer.status, answer.read(), answer.headers["Idempotent-Replay"]))
        connection.close()
    assert [(status, replayed) for status, _, replayed in answers] == [(200, None), (200, "true")]
    assert client.count() == 2_000_000


def test_a_refused_request_frees_its_key(client: Client) -> None:
    wrong = arrow_bytes(pa.table({"id": ["x"], "value": [1.0]}))
    right = arrow_bytes(ROWS)
    key = {"Idempotency-Key": "insert-0002"}
    assert client.send("POST", PATH, wrong, **frame_headers(wrong, 1), **key).status == 422
    assert client.send("POST", PATH, right, **frame_headers(right, 5000), **key).status == 200
    assert client.count() == 5000


def test_concurrent_repetitions_write_once(client: Client) -> None:
    body = arrow_bytes(ROWS)
    headers = {**frame_headers(body, 5000), "Idempotency-Key": "insert-0003"}
    answers: list[urllib3.BaseHTTPResponse] = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.send("POST", PATH, body, **headers))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} <= {200, 409}
    assert any(answer.status == 200 for answer in answers)
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status == 409)
    assert client.count() == 5000


def test_an_oversized_body_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with served(tmp_path, OAST_UPLOADS__MAX_BYTES="1000", OAST_SERVER__WORKERS="1") as gateway:
        client = Client(gateway, gateway.oast("key", "create", "football", "--member", "ada")["key"])
        body = arrow_bytes(ROWS)
        headers = {**frame_headers(body, 5000), "Content-Length": str(len(body))}
        assert b"body-too-large" in client.send_raw(body, headers, cut=0)


def test_a_stranger_is_refused_before_the_body_is_read(gateway: Served, client: Client) -> None:
    gateway.oast("project", "create", "rivals", "--owner", "rolf")
    stranger = Client(gateway, gateway.oast("key", "create", "rivals", "--member", "rolf")["key"])
    headers = {**frame_headers(b"", 1), "Content-Length": str(1 << 30)}
    assert b"project-not-found" in stranger.send_raw(b"", headers, cut=0)
