"""Retries, time-outs, redirects: what happens between a call and its answer."""

import logging
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pandas as pd
import pytest

from hops.featurestore import errors
from hops.featurestore.retries import RetryPolicy, parse_retry_after
from tests.cloud_sdk.gateway import Reply, json_reply, page, problem

GROUPS = "/projects/football/feature-groups"
ROWS = f"{GROUPS}/g/versions/1/rows"
INSERTED = json_reply({"rows_received": 1, "rows_inserted": 1, "rows_updated": 0, "table_version": 1, "mode": "append"})
FRAME = pd.DataFrame({"a": [1]})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_read_is_tried_again(fs, sdk_gateway, sdk_waits, status, caplog):
    sdk_gateway.on("GET", GROUPS, Reply(status), problem(status, "unavailable"), page())
    with caplog.at_level(logging.WARNING, "hops"):
        assert fs.get_featuregroups() == []
    assert sdk_waits == [0.5, 1.0]
    assert sum("Trying again" in message for message in caplog.messages) == 2


def test_it_gives_up_after_four_attempts(fs, sdk_gateway, sdk_waits):
    sdk_gateway.on("GET", GROUPS, problem(503, "storage-unavailable"))
    with pytest.raises(errors.StorageUnavailableError) as caught:
        fs.get_featuregroups()
    assert sdk_gateway.count("GET", GROUPS) == 4
    assert sdk_waits == [0.5, 1.0, 2.0]
    assert caught.value.retryable


def test_it_gives_up_before_the_time_is_over(fs, sdk_gateway, sdk_waits):
    sdk_gateway.on("GET", GROUPS, problem(503, "unavailable", headers={"Retry-After": "40"}))
    with pytest.raises(errors.UnavailableError):
        fs.get_featuregroups()
    assert sdk_waits == [40.5]


@pytest.mark.parametrize(("headers", "attempts"), [({"Idempotency-Key": "a" * 32}, 2), ({}, 1)], ids=["once", "plain"])
def test_what_counts_once_is_asked_again_however_long_it_took(sdk_gateway, sdk_url, headers, attempts):
    """Minutes of work, and then a gateway that died: who is not told the outcome would send the rows a second time."""
    from hops.featurestore.address import parse_address
    from hops.featurestore.api_key import ApiKey
    from hops.featurestore.transport import Request, Transport

    sdk_gateway.on("POST", ROWS, problem(504, "gateway-timeout"), INSERTED)
    policy = RetryPolicy(sleep=lambda _: None, clock=lambda: 90.0 * sdk_gateway.count("POST", ROWS))
    transport = Transport(parse_address(sdk_url), ApiKey("k"), retries=policy)
    request = Request("POST", ROWS, headers=headers, body=b"{}", repeatable=True)
    if attempts == 1:
        with pytest.raises(errors.GatewayError):
            transport.json(request)
    else:
        assert transport.json(request)["rows_inserted"] == 1
    transport.close()
    assert sdk_gateway.count("POST", ROWS) == attempts


def test_retry_after_is_waited_for(fs, sdk_gateway, sdk_waits):
    sdk_gateway.on("GET", GROUPS, problem(429, "too-many", headers={"Retry-After": "3"}), page())
    fs.get_featuregroups()
    assert sdk_waits == [3.5]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
def test_what_will_not_change_is_not_tried_again(fs, sdk_gateway, sdk_waits, status):
    sdk_gateway.on("GET", GROUPS, problem(status, "some-code"))
    with pytest.raises(errors.GatewayError):
        fs.get_featuregroups()
    assert sdk_waits == []


@pytest.mark.parametrize("first", [problem(503, "unavailable"), problem(502, "x"), problem(409, "request-in-progress")])
def test_an_insert_is_repeated_with_the_same_bytes_and_key(fs, sdk_gateway, first):
    sdk_gateway.on("POST", ROWS, first, first, INSERTED)
    fs.insert_into_featuregroup(FRAME, "g")
    asked = [each for each in sdk_gateway.asked if each.method == "POST"]
    assert len(asked) == 3
    assert len({(each.body, each.headers["Idempotency-Key"], each.headers["X-Request-Id"]) for each in asked}) == 1
    asked[-1].assert_intact()


def test_two_inserts_have_two_keys(fs, sdk_gateway):
    sdk_gateway.on("POST", ROWS, INSERTED)
    fs.insert_into_featuregroup(FRAME, "g")
    fs.insert_into_featuregroup(FRAME, "g")
    assert len({each.headers["Idempotency-Key"] for each in sdk_gateway.asked if each.method == "POST"}) == 2


@pytest.mark.parametrize(("status", "attempts"), [(502, 1), (504, 1), (503, 2), (429, 2)])
def test_a_delete_is_repeated_only_if_nothing_was_done(fs, sdk_gateway, status, attempts):
    sdk_gateway.on("DELETE", f"{GROUPS}/g/versions/1", problem(status, "x"), Reply(204))
    if attempts == 1:
        with pytest.raises(errors.UnavailableError):
            fs.delete_featuregroup("g")
    else:
        fs.delete_featuregroup("g")
    assert sdk_gateway.count("DELETE", f"{GROUPS}/g/versions/1") == attempts


def test_a_redirect_is_not_followed(fs, sdk_gateway):
    sdk_gateway.on("GET", GROUPS, Reply(307, headers={"Location": "https://evil.example.com/"}))
    with pytest.raises(errors.GatewayError, match=r"redirect to 'https://evil\.example\.com/', which is not followed"):
        fs.get_featuregroups()
    assert sdk_gateway.count("GET", GROUPS) == 1


def test_an_answer_that_is_no_json(fs, sdk_gateway):
    sdk_gateway.on("GET", GROUPS, Reply(200, b"<html>", {"Content-Type": "text/html"}))
    with pytest.raises(errors.GatewayError, match="text/html"):
        fs.get_featuregroups()


def test_nobody_listens(sdk_open, sdk_waits):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(errors.ConnectionFailedError, match=f"No answer from http://127.0.0.1:{port}") as caught:
        sdk_open("http://127.0.0.1", port=port)
    assert len(sdk_waits) == 3
    assert isinstance(caught.value, ConnectionError)


def listener(*, answer=b""):
    """A server that reads a little, says `answer` and hangs up, every time."""
    server = socket.create_server(("127.0.0.1", 0))
    seen = []

    def serve():
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                seen.append(client.recv(100_000))
                client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return server, seen


@pytest.mark.parametrize(("method", "attempts"), [("GET", 4), ("PUT", 4), ("DELETE", 1), ("PATCH", 1)])
def test_a_connection_that_breaks_is_repeated_where_it_cannot_harm(fs, sdk_connection, method, attempts):
    from hops.featurestore.address import Address
    from hops.featurestore.api_key import ApiKey
    from hops.featurestore.transport import Request, Transport

    server, seen = listener()
    with server:
        transport = Transport(
            Address("http", "127.0.0.1", server.getsockname()[1]),
            ApiKey("k"),
            retries=RetryPolicy(sleep=lambda _: None),
        )
        with pytest.raises(errors.ConnectionFailedError):
            transport.json(Request(method, "/x"))
        transport.close()
    assert len(seen) == attempts


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found"])
def test_a_short_body_is_noticed(status, sdk_waits):
    from hops.featurestore.address import Address
    from hops.featurestore.api_key import ApiKey
    from hops.featurestore.transport import Request, Transport

    server, _ = listener(answer=b"HTTP/1.1 " + status + b'\r\nContent-Length: 50\r\n\r\n{"items": []')
    with server:
        transport = Transport(
            Address("http", "127.0.0.1", server.getsockname()[1]), ApiKey("k"), retries=sdk_waits.policy()
        )
        with pytest.raises(errors.AnswerCutError if b"200" in status else errors.NotFoundError):
            transport.json(Request("GET", "/x"))
        transport.close()


def test_silence_times_out(sdk_open, sdk_waits):
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(errors.ConnectionFailedError, match="timed out"),
    ):
        sdk_open("http://127.0.0.1", port=server.getsockname()[1], timeout=0.05, retries=sdk_waits.policy(attempts=1))


def test_one_connection_is_kept(fs, sdk_gateway, sdk_connection):
    sdk_gateway.on("GET", GROUPS, page())
    for _ in range(5):
        fs.get_featuregroups()
    assert sdk_connection._transport._pool.num_connections == 1


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, None), ("", None), ("7", 7.0), ("soon", None), ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0)]
)
def test_retry_after(value, seconds):
    assert parse_retry_after(value) == seconds


def test_retry_after_as_a_date():
    moment = datetime.now(UTC) + timedelta(minutes=5)
    assert 290 < parse_retry_after(format_datetime(moment, usegmt=True)) <= 300
    assert 290 < parse_retry_after(format_datetime(moment.replace(tzinfo=None))) <= 300


def test_waits_are_drawn_from_zero_to_the_bound():
    drawn = []
    policy = RetryPolicy(attempts=10, draw=lambda low, high: drawn.append((low, high)) or low)
    assert [policy.wait_before(attempt, None, policy.clock()) for attempt in range(2, 8)] == [0.0] * 6
    assert drawn == [(0.0, 0.5), (0.0, 1.0), (0.0, 2.0), (0.0, 4.0), (0.0, 8.0), (0.0, 8.0)]


def test_the_real_jitter_is_random():
    policy = RetryPolicy()
    waits = {policy.wait_before(2, None, policy.clock()) for _ in range(20)}
    assert len(waits) > 1
    assert all(0 <= wait <= 0.5 for wait in waits)
