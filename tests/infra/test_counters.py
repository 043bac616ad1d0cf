"""Counting in one process and in many, and while the Valkey is away."""

import socket
import time
from collections.abc import Iterator

import pytest

from infra.errors import InvalidInputError
from infra.limits.counters import WindowCounter
from tests.lab.valkey import Valkey, running_valkey


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


@pytest.mark.parametrize("url", ["http://secret@host", "secret", "valkey://"])
def test_what_is_no_valkey_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        WindowCounter(url, "gateway")
    assert "secret" not in caught.value.detail
