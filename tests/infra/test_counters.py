"""Counting in one process and in many, and while the Valkey is away."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.errors import InvalidInputError
from infra.limits.counters import WindowCounter
from tests.lab.relay import certificate
from tests.lab.valkey import Valkey, encrypted, running_valkey


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with running_valkey() as running:
        yield running


def test_a_process_counts_for_itself() -> None:
    one, other = WindowCounter(None, "gateway"), WindowCounter(None, "gateway")
    assert [one.count("ada", 10), one.count("ada", 10), one.count("bob", 10), other.count("ada", 10)] == [1, 2, 1, 1]
    assert 9 < one.ends_in("ada") <= 10
    assert one.ends_in("nobody") == 0


def test_a_window_ends() -> None:
    counter = WindowCounter(None, "gateway")
    assert [counter.count("ada", 1), counter.count("ada", 1)] == [1, 2]
    time.sleep(1.1)
    assert counter.count("ada", 1) == 1


def test_memory_is_given_back() -> None:
    counter = WindowCounter(None, "gateway")
    for number in range(1000):
        counter.count(f"client {number}", 1)
    time.sleep(1.1)
    counter.count("later", 1)
    deadline = time.monotonic() + 5
    while len(counter._own.storage) > 1 and time.monotonic() < deadline:  # type: ignore[attr-defined]
        time.sleep(0.05)
    assert list(counter._own.storage) == ["later"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("scheme", ["valkey", "redis"])
def test_processes_count_together(valkey: Valkey, scheme: str) -> None:
    url = valkey.url.replace("valkey://", f"{scheme}://")
    one, other, stranger = WindowCounter(url, "a"), WindowCounter(url, "a"), WindowCounter(url, "b")
    assert [one.count("ada", 10), other.count("ada", 10), stranger.count("ada", 10)] == [1, 2, 1]
    assert 8 < other.ends_in("ada") <= 10.5
    assert 0 < valkey.client.ttl("a:ada") <= 10, "it goes by itself"


def test_while_the_valkey_is_away_each_counts_and_asks_again_later(valkey: Valkey) -> None:
    now = [0.0]
    counter = WindowCounter(valkey.url, "gateway", now=lambda: now[0])
    assert [counter.count("ada", 60), counter.count("ada", 60)] == [1, 2]
    valkey.stop()
    assert [counter.count("ada", 60), counter.count("ada", 60)] == [1, 2]
    valkey.start()
    assert counter.count("ada", 60) == 3, "not asked before five seconds are over"
    now[0] = 6.0
    assert counter.count("ada", 60) == 1, "a Valkey that keeps nothing begins anew"


def test_a_silent_valkey_is_waited_for_once_and_shortly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        counter = WindowCounter(f"valkey://127.0.0.1:{silent.getsockname()[1]}", "gateway")
        counter.count("warm", 10)
        counter = WindowCounter(f"valkey://127.0.0.1:{silent.getsockname()[1]}", "gateway")
        began = time.monotonic()
        assert [counter.count("ada", 10) for _ in range(50)] == list(range(1, 51))
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(("name", "together"), [("localhost", 2), ("other.example.com", 1)])
def test_tls_is_for_the_host_that_was_named(
    valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, together: int
) -> None:
    chain, key = certificate(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    with encrypted(valkey, chain, key) as port:
        one, other = (WindowCounter(f"valkeys://localhost:{port}/0", "gateway") for _ in range(2))
        assert [one.count("ada", 10), other.count("ada", 10)] == [1, together]


@pytest.mark.parametrize(
    "url",
    [
        "http://:secret@host",
        "secret",
        "valkey://",
        "valkey://:secret@",
        "valkey://:secret@host:port",
        "valkey://:secret@host:70000",
        "valkey://:secret@[host",
        "valkey://:secret@host/first",
        "valkeys://:secret@host?ssl_cert_reqs=none",
        "valkey+unix:///secret",
    ],
)
def test_what_is_no_valkey_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        WindowCounter(url, "gateway")
    assert "secret" not in caught.value.detail


_AT_ONCE = """
import threading, time
from infra.limits.counters import WindowCounter
counter, faults = WindowCounter(None, "test"), []
def count():
    try:
        counter.count("an address", 10)
    except Exception as error:
        faults.append(repr(error))
threads = [threading.Thread(target=count) for _ in range(60)]
for thread in threads:
    thread.start()
    time.sleep(0.002)
for thread in threads:
    thread.join()
print(faults, counter.count("an address", 10))
"""


def test_the_first_to_be_counted_may_come_one_upon_the_other() -> None:
    """In a process that has not counted yet, which has first to import what counts."""
    command = [sys.executable, "-c", _AT_ONCE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "[] 61", done.stdout + done.stderr
