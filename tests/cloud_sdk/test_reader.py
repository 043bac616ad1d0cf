"""Rows as they arrive: the same ones, in constant memory, and never fewer without an error."""

import socket
import threading
import tracemalloc
from contextlib import contextmanager

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from hops.featurestore.address import Address
from hops.featurestore.api_key import ApiKey
from hops.featurestore.download import fetch, open_reader
from hops.featurestore.errors import AnswerCutError, FeatureGroupNotFoundError, FeatureStoreError
from hops.featurestore.reader import RowReader
from hops.featurestore.retries import RetryPolicy
from hops.featurestore.transport import Request, Transport
from tests.cloud_sdk.answers import group as group_answer
from tests.cloud_sdk.gateway import ARROW, Reply, arrow_bytes, arrow_reply, json_reply, problem

ROWS = "/projects/football/feature-groups/g/versions/1/rows"
TABLE = pa.table({"a": list(range(3000)), "s": [str(number) for number in range(3000)]})
STREAM = arrow_bytes(TABLE, chunk_rows=1000)
ASKED = Request("GET", "/rows")


@pytest.fixture
def reader(fs, sdk_gateway):
    """Reads the group `g` from these bytes."""

    def open_(body=STREAM) -> RowReader:
        sdk_gateway.on("GET", ROWS, Reply(200, body, {"Content-Type": ARROW}, chunked=True))
        return fs.get_featuregroup("g", as_="reader")

    return open_


def test_rows_come_batch_by_batch(reader):
    with reader() as rows:
        assert rows.schema == TABLE.schema
        assert [batch.num_rows for batch in rows] == [1000, 1000, 1000]
        with pytest.raises(StopIteration):
            rows.read_next_batch()


def test_the_rest_can_be_had_at_once(reader):
    with reader() as rows:
        next(rows)
        assert rows.read_all().equals(TABLE.slice(1000))
    with reader() as rows:
        assert rows.read_pandas()["a"].tolist() == list(range(3000))


TAKERS = {
    "pyarrow": pa.table,
    "polars": pl.DataFrame,
    "stream": lambda rows: pa.RecordBatchReader.from_stream(rows).read_all(),
    "to_reader": lambda rows: rows.to_reader().read_all(),
    "duckdb": lambda rows: duckdb.from_arrow(rows).to_arrow_table(),
}


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_others_take_it_as_it_is(reader, take):
    with reader() as rows:
        taken = take(rows)
    assert taken.shape == (3000, 2)


def test_rows_go_from_one_group_into_another(reader, fs, sdk_gateway):
    sdk_gateway.on("POST", "/projects/football/feature-groups", json_reply(group_answer(), 201))
    with reader() as rows:
        fs.create_featuregroup(rows, "other")
    assert sdk_gateway.last("POST").table.drop_columns([]).equals(TABLE.replace_schema_metadata(None))


def test_it_reads_once(reader):
    with reader() as rows:
        assert list(rows)
        assert list(rows) == []
    with pytest.raises(FeatureStoreError, match="closed"):
        next(rows)
    rows.close()


def boundary(batches):
    """Where so many batches of the stream end."""
    source = pa.BufferReader(STREAM)
    messages = pa.ipc.MessageReader.open_stream(source)
    for _ in range(batches + 1):
        messages.read_next_message()
    return source.tell()


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_a_cut_stream_is_an_error_in_place_of_its_end(reader, batches):
    arrived = []
    rows = reader(STREAM[: boundary(batches)])
    with pytest.raises(AnswerCutError, match="completely"):
        arrived.extend(rows)
    with pytest.raises(FeatureStoreError, match="closed"):
        next(rows)
    assert sum(batch.num_rows for batch in arrived) == 1000 * batches


@pytest.mark.parametrize(
    "take", [pa.table, pl.DataFrame, lambda rows: rows.read_all()], ids=["pyarrow", "polars", "read_all"]
)
def test_nobody_takes_a_cut_stream_for_a_whole_one(reader, take):
    with reader(STREAM[: boundary(2)]) as rows, pytest.raises(Exception, match="did not arrive completely"):
        take(rows)


def test_errors_before_the_first_row_are_raised_at_once(fs, sdk_gateway):
    sdk_gateway.on("GET", ROWS, problem(404, "feature-group-not-found"))
    with pytest.raises(FeatureGroupNotFoundError):
        fs.get_featuregroup("g", as_="reader")
    sdk_gateway.on("GET", ROWS, Reply(200, STREAM[:50], {"Content-Type": ARROW}))
    with pytest.raises(AnswerCutError):
        fs.get_featuregroup("g", as_="reader")


def test_no_rows_are_a_reader_with_columns(fs, sdk_gateway):
    sdk_gateway.on("GET", ROWS, arrow_reply(TABLE.slice(0, 0)))
    with fs.get_featuregroup("g", as_="reader") as rows:
        assert rows.schema.names == ["a", "s"]
        assert rows.read_all().num_rows == 0


@contextmanager
def endless():
    """A gateway that sends batches for as long as somebody takes them; the event says that nobody does any more."""
    server, gone = socket.create_server(("127.0.0.1", 0)), threading.Event()
    batch = arrow_bytes(TABLE)[len(arrow_bytes(TABLE.slice(0, 0))) - 8 : -8]
    head = arrow_bytes(TABLE.slice(0, 0))[:-8]

    def serve():
        client, _ = server.accept()
        with client:
            client.recv(100_000)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n\r\n" % ARROW.encode() + head)
            try:
                while True:
                    client.sendall(batch)
            except OSError:
                gone.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    address = Address("http", "127.0.0.1", server.getsockname()[1])
    transport = Transport(address, ApiKey("k"), timeout=10.0, retries=RetryPolicy(attempts=1))
    try:
        yield transport, gone
    finally:
        transport.close()
        server.close()
        thread.join(10)


def test_closing_early_hangs_up():
    with endless() as (transport, gone):
        with open_reader(transport, ASKED) as rows:
            assert next(rows).num_rows == 3000
            assert not gone.is_set()
        assert gone.wait(10)


def test_memory_does_not_grow_with_what_was_read():
    with endless() as (transport, _), fetch(transport, ASKED, "reader") as rows:
        next(rows)
        before = pa.total_allocated_bytes()
        tracemalloc.start()
        try:
            for _ in range(300):
                next(rows)
            grown = tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes() - before
        finally:
            tracemalloc.stop()
    assert grown < TABLE.nbytes * 10
