"""Who fails too often waits; nobody else does."""

import pytest

from infra.errors import TooManyRequestsError
from infra.limits.counters import WindowCounter
from tenancy import attempts
from tenancy.attempts import Attempts

WINDOW_SECONDS = 120
HERE, THERE = "apikey 192.0.2.1", "apikey 192.0.2.2"


def nobody(_: str) -> bool:
    return False


@pytest.fixture(autouse=True)
def _windows_that_outlast_a_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "WINDOW_SECONDS", WINDOW_SECONDS)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def made(time: Time, **limits: int) -> Attempts:
    return Attempts(counter=WindowCounter(None, "test"), now=time, **{"failures": 3, "logins": 2, **limits})


def fail(tried: Attempts, client: str | None, *credentials: str) -> None:
    for credential in credentials:
        tried.admit(client, credential, nobody)
        tried.failed(client, credential)


def is_stopped(tried: Attempts, client: str | None, credential: str) -> bool:
    try:
        tried.admit(client, credential, nobody)
    except TooManyRequestsError as error:
        return 1 <= (error.retry_after or 0) <= WINDOW_SECONDS
    return False


def test_an_address_that_fails_too_often_waits() -> None:
    tried = made(time := Time())
    fail(tried, HERE, "a", "b")
    assert not is_stopped(tried, HERE, "c")
    fail(tried, HERE, "c")
    assert is_stopped(tried, HERE, "d")
    assert not is_stopped(tried, THERE, "d")
    time.now += WINDOW_SECONDS
    assert not is_stopped(tried, HERE, "d")
    assert not tried._stopped, "what is over is forgotten"


def test_what_was_good_before_goes_on() -> None:
    tried = made(Time())
    tried.succeeded(HERE, "good")
    fail(tried, HERE, "a", "b", "c")
    assert not is_stopped(tried, HERE, "good")
    assert not is_stopped(tried, THERE, "never seen")
    tried.failed(HERE, "good")
    assert is_stopped(tried, HERE, "good"), "revoked meanwhile"


def test_what_only_we_can_have_made_goes_on() -> None:
    tried = made(Time())
    fail(tried, HERE, "a", "b", "c")
    tried.admit(HERE, "ours", lambda credential: credential == "ours")
    assert is_stopped(tried, HERE, "theirs")


def test_one_credential_again_and_again_stops_itself_alone() -> None:
    """A forgotten job with a revoked key, beside everybody else of a cluster."""
    tried = made(Time())
    fail(tried, HERE, "revoked", "revoked", "revoked")
    assert is_stopped(tried, HERE, "revoked")
    assert not is_stopped(tried, HERE, "another")
    assert not is_stopped(tried, THERE, "revoked")


def test_logins_are_counted_whatever_becomes_of_them() -> None:
    tried = made(time := Time())
    tried.log_in("192.0.2.1")
    tried.log_in("192.0.2.1")
    for _ in range(3):
        with pytest.raises(TooManyRequestsError):
            tried.log_in("192.0.2.1")
    tried.log_in("192.0.2.2")
    assert not is_stopped(tried, HERE, "a")
    time.now += WINDOW_SECONDS
    with pytest.raises(TooManyRequestsError):
        tried.log_in("192.0.2.1")  # the counter's own clock did not move: asked anew, refused anew


@pytest.mark.parametrize("client", [None, HERE])
def test_no_limit_and_nobody(client: str | None) -> None:
    tried = made(Time(), failures=0, logins=0) if client else made(Time())
    for number in range(50):
        fail(tried, client, str(number))
        tried.log_in(client)
        tried.succeeded(client, "good")
    assert not tried._stopped
    assert not tried._good


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST_KEPT", 5)
    tried = made(Time(), failures=1)
    for number in range(20):
        tried.succeeded(HERE, str(number))
        tried.failed(f"apikey 192.0.2.{number}", "bad")
    assert len(tried._good) == len(tried._stopped) == 5
    assert is_stopped(tried, "apikey 192.0.2.19", "bad"), "the newest are kept"
