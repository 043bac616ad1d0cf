"""Rows that do not arrive completely are not returned at all."""

import socket
import threading

import pyarrow as pa
import pytest

from hops.featurestore.address import Address
from hops.featurestore.api_key import ApiKey
from hops.featurestore.download import fetch
from hops.featurestore.errors import AnswerCutError
from hops.featurestore.retries import RetryPolicy
from hops.featurestore.transport import Request, Transport
from tests.cloud_sdk.gateway import arrow_bytes, arrow_reply

TABLE = pa.table({"a": list(range(3000)), "s": [str(number) for number in range(3000)]})
STREAM = arrow_bytes(TABLE, chunk_rows=1000)
END = b"\xff\xff\xff\xff\0\0\0\0"


def boundaries(stream):
    """Where each message of the stream ends: the places where a cut leaves a readable, shorter stream."""
    source = pa.BufferReader(stream)
    places = []
    for message in pa.ipc.MessageReader.open_stream(source):
        del message
        places.append(source.tell())
    return places


@pytest.fixture
def raw_answer():
    """Answers the one request with these very bytes and hangs up."""
    servers, transports = [], []

    def answer(head: bytes, body: bytes) -> Transport:
        server = socket.create_server(("127.0.0.1", 0))

        def serve():
            client, _ = server.accept()
            with client:
                client.recv(100_000)
                client.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.apache.arrow.stream\r\n" + head + b"\r\n" + body
                )

        threading.Thread(target=serve, daemon=True).start()
        servers.append(server)
        transports.append(
            Transport(
                Address("http", "127.0.0.1", server.getsockname()[1]),
                ApiKey("k"),
                timeout=10.0,
                retries=RetryPolicy(attempts=1),
            )
        )
        return transports[-1]

    yield answer
    for each in transports + servers:
        each.close()


def chunked(body, *, finished):
    parts = [body[start : start + 700] for start in range(0, len(body), 700)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + (b"0\r\n\r\n" if finished else b"")


CHUNKED = b"Transfer-Encoding: chunked\r\n"
ROWS = Request("GET", "/rows")


def _read(transport, request):
    return fetch(transport, request, "pyarrow")


def with_length(body):
    return b"Content-Length: %d\r\n" % len(body)


def test_a_whole_stream_arrives(raw_answer):
    assert _read(raw_answer(CHUNKED, chunked(STREAM, finished=True)), ROWS).equals(TABLE)
    assert _read(raw_answer(with_length(STREAM), STREAM), ROWS).equals(TABLE)
    assert _read(raw_answer(b"Connection: close\r\n", STREAM), ROWS).equals(TABLE)


def test_pyarrow_alone_would_return_a_short_frame():
    assert pa.ipc.open_stream(STREAM[: boundaries(STREAM)[1]]).read_all().num_rows == 1000


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "framing", ["chunked, finished", "chunked, cut", "length of the cut", "length of the whole", "none"]
)
def test_a_cut_between_batches_is_an_error(raw_answer, batches, framing):
    cut = STREAM[: boundaries(STREAM)[batches]]
    assert STREAM.startswith(cut)
    assert len(cut) < len(STREAM)
    transport = {
        "chunked, finished": lambda: raw_answer(CHUNKED, chunked(cut, finished=True)),
        "chunked, cut": lambda: raw_answer(CHUNKED, chunked(cut, finished=False)),
        "length of the cut": lambda: raw_answer(with_length(cut), cut),
        "length of the whole": lambda: raw_answer(with_length(STREAM), cut),
        "none": lambda: raw_answer(b"Connection: close\r\n", cut),
    }[framing]()
    with pytest.raises(AnswerCutError, match="none are returned") as caught:
        _read(transport, ROWS)
    assert caught.value.retryable


@pytest.mark.parametrize("missing", [1, 4, 5, 8, 9, 100])
def test_a_cut_anywhere_else_is_an_error(raw_answer, missing):
    with pytest.raises(AnswerCutError):
        _read(raw_answer(CHUNKED, chunked(STREAM[:-missing], finished=True)), ROWS)


def test_an_end_marker_without_the_end_of_http_is_an_error(raw_answer):
    with pytest.raises(AnswerCutError):
        _read(raw_answer(CHUNKED, chunked(STREAM, finished=False)), ROWS)
    with pytest.raises(AnswerCutError):
        _read(raw_answer(b"Content-Length: %d\r\n" % (len(STREAM) + 1), STREAM), ROWS)


@pytest.mark.parametrize(
    ("head", "where"), [(b"", "its log says which."), (b"X-Request-Id: 0c5dcb06\r\n", "under the request 0c5dcb06.")]
)
def test_a_gateway_that_hangs_up_may_have_met_a_limit(raw_answer, head, where):
    cut = STREAM[: boundaries(STREAM)[2]]
    with pytest.raises(AnswerCutError) as caught:
        _read(raw_answer(CHUNKED + head, chunked(cut, finished=False)), ROWS)
    assert "a limit of rows, bytes or time" in caught.value.hint
    assert where in caught.value.hint
    assert "fewer rows" in caught.value.hint
    assert caught.value.request_id == ("0c5dcb06" if head else None)
    assert caught.value.detail.count("IncompleteRead") == 1


def test_bytes_after_the_end_are_an_error(raw_answer):
    with pytest.raises(AnswerCutError, match="bytes after"):
        _read(raw_answer(CHUNKED, chunked(STREAM + b"x", finished=True)), ROWS)


def test_data_that_looks_like_the_end_marker_is_not_taken_for_it(raw_answer):
    table = pa.table({"n": pa.array([-1, 0], pa.int32())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    cut = sink.getvalue().to_pybytes()[: -len(END)]
    assert END in cut[-64:]
    with pytest.raises(AnswerCutError):
        _read(raw_answer(CHUNKED, chunked(cut, finished=True)), ROWS)


def test_an_empty_body_and_a_foreign_one_are_errors(raw_answer):
    with pytest.raises(AnswerCutError):
        _read(raw_answer(CHUNKED, chunked(b"", finished=True)), ROWS)
    with pytest.raises(AnswerCutError):
        _read(raw_answer(with_length(b"<html></html>"), b"<html></html>"), ROWS)


@pytest.mark.parametrize(("host", "compression"), [("127.0.0.1", "none"), ("8.8.8.8", "lz4")])
def test_rows_are_packed_for_the_way(sdk_connection, sdk_gateway, host, compression):
    sdk_gateway.on("GET", "/projects/football/feature-groups/g/versions/1/rows", arrow_reply(TABLE))
    transport = sdk_connection._transport
    transport.is_near = Transport(Address("http", host, 80), ApiKey("k")).is_near
    assert sdk_connection.get_featuregroup("g", as_="pyarrow").equals(TABLE)
    assert sdk_gateway.last().query == {"compression": compression}


def test_no_rows_are_a_frame_with_columns(fs, sdk_gateway):
    sdk_gateway.on("GET", "/projects/football/feature-groups/g/versions/1/rows", arrow_reply(TABLE.slice(0, 0)))
    assert list(fs.get_featuregroup("g").columns) == ["a", "s"]
