"""A client that hangs up takes its query with it."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3
from flask import Flask

from app.settings import EngineSettings
from app.web.disconnect import client_gone
from infra.storage.location import Warehouse
from tests.frames import read_arrow
from tests.served import served
from tests.world import listening, make_world

PATH = "/api/v1/projects/football/sql"
SILENT = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT count(*) AS n FROM t"
STREAMING = "SELECT i, repeat('x', 300) AS x FROM range(1000000000) r(i)"
FREE_WITHIN = 3.0  # seconds; it takes a fifth of one, and the machine may be busy


@dataclass
class Caller:
    port: int
    key: str

    def ask(self, query: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request(
            "POST",
            f"http://127.0.0.1:{self.port}{PATH}",
            json={"query": query},
            headers={"Authorization": f"ApiKey {self.key}"},
            retries=False,
            timeout=60,
        )

    def begin(self, query: str) -> socket.socket:
        """The connection, once the question is on its way."""
        body = json.dumps({"query": query}).encode()
        head = [
            f"POST {PATH} HTTP/1.1",
            "Host: gateway",
            f"Authorization: ApiKey {self.key}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        return connection

    def wait_for(self, status: int) -> float:
        """Seconds until a question is answered with `status`."""
        started = time.monotonic()
        while self.ask("SELECT 1 AS n").status != status:
            assert time.monotonic() - started < 30, f"never {status}"
        return time.monotonic() - started


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A gateway under gunicorn that runs one query at once."""
    directory = tmp_path_factory.mktemp("disconnect")
    engine = {"OAST_ENGINE__SLOTS": "1", "OAST_ENGINE__WAIT_SECONDS": "2"}
    with served(directory, OAST_SERVER__WORKERS="1", **engine) as gateway:
        yield Caller(gateway.port, gateway.oast("key", "create", "football", "--member", "ada")["key"])


def test_a_client_that_leaves_before_the_answer_frees_the_slot(caller: Caller) -> None:
    with ExitStack() as connections:
        # Begun again each time, because one of our own questions may have had the slot when it came.
        while caller.ask("SELECT 1 AS n").status != 503:
            connections.enter_context(caller.begin(SILENT))
    assert caller.wait_for(200) < FREE_WITHIN


def test_a_client_that_leaves_while_rows_stream_frees_the_slot(caller: Caller) -> None:
    with caller.begin(STREAMING) as connection:
        assert connection.recv(20).startswith(b"HTTP/1.1 200")
        assert connection.recv(1 << 20)
        caller.wait_for(503)
    assert caller.wait_for(200) < FREE_WITHIN


def test_a_client_that_stays_gets_its_answer(caller: Caller) -> None:
    answer = caller.ask("SELECT count(*) AS n FROM range(30000000) r(i) WHERE hash(i) % 2 = 0 OR true")
    assert (answer.status, read_arrow(answer.data).to_pydict()) == (200, {"n": [30_000_000]})


def test_the_same_under_the_development_server(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = make_world(tmp_path / "data", None, local_warehouse, engine=EngineSettings(wait_seconds=2.0))
    world.project("football")
    with listening(world):
        caller = Caller(int(world.address.rpartition(":")[2]), world.key("football"))
        with ExitStack() as connections:
            while caller.ask("SELECT 1 AS n").status != 503:
                connections.enter_context(caller.begin(SILENT))
        assert caller.wait_for(200) < FREE_WITHIN


@pytest.mark.parametrize("server", ["gunicorn.socket", "werkzeug.socket"])
@pytest.mark.parametrize("leave", ["closes", "closes its side", "sends more"])
def test_what_counts_as_gone(server: str, leave: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Flask("test").test_request_context(environ_overrides={server: ours}):
        gone = client_gone()
        assert not gone()
        if leave == "closes":
            theirs.close()
        elif leave == "closes its side":
            theirs.shutdown(socket.SHUT_WR)
        else:
            theirs.sendall(b"the next request")
        assert gone() == (leave != "sends more")


def test_a_tls_socket_is_asked_too(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured = context.wrap_socket(ours, server_side=True, do_handshake_on_connect=False)
    with secured, theirs, Flask("test").test_request_context(environ_overrides={"gunicorn.socket": secured}):
        gone = client_gone()
        assert not gone()
        theirs.close()
        assert gone()


def test_a_server_that_shows_no_socket_has_clients_that_stay() -> None:
    with Flask("test").test_request_context():
        assert client_gone()() is False
