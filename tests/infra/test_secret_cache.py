"""The cache of secrets, and logging in with secrets that change: a store and a target that count, and a clock that is moved."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pytest

from infra.crypto import SecretValue
from infra.ports.secrets import (
    SecretAccessDeniedError,
    SecretNotFoundError,
    SecretRef,
    SecretStage,
    SecretStoreUnavailableError,
)
from infra.registry import Registry
from infra.secrets.cached import FRESH_SECONDS, STALE_SECONDS, SecretCache
from infra.secrets.rotating import REMEMBERED_SECONDS, RotatingSecrets

REF = SecretRef.parse("count:oasthouse/football/db")
CURRENT, PREVIOUS = SecretStage.CURRENT, SecretStage.PREVIOUS


@dataclass
class Store:
    """Answers what it is told to, and counts the questions."""

    values: dict[SecretStage, str] = field(default_factory=lambda: {CURRENT: "first"})
    error: Exception | None = None
    is_local: bool = False
    asked: list[SecretStage] = field(default_factory=list)
    gate: threading.Event | None = None

    def path(self, ref: SecretRef) -> str:
        return ref.name

    def resolve(self, ref: SecretRef, stage: SecretStage = CURRENT) -> SecretValue:  # noqa: ARG002 the port's signature
        self.asked.append(stage)
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        if stage not in self.values:
            raise SecretNotFoundError("There is no such version.")
        return SecretValue(self.values[stage])


class RefusedError(Exception):
    pass


@dataclass
class Target:
    """Takes one password, and counts who tries."""

    password: str
    tried: list[str] = field(default_factory=list)

    def log_in(self, secret: SecretValue) -> str:
        self.tried.append(secret.reveal())
        if secret.reveal() != self.password:
            raise RefusedError
        return "in"


@dataclass
class Time:
    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def cache(time: Time) -> SecretCache:
    return SecretCache(now=time, draw=lambda: 0.5)


@pytest.fixture
def rotating(store: Store, cache: SecretCache, time: Time) -> RotatingSecrets:
    return RotatingSecrets(Registry("oasthouse.secret_stores", {"count": store}), cache, time)


def _use(rotating: RotatingSecrets, target: Target, owner: str = "football") -> str:
    return rotating.use(owner, REF, target.log_in, lambda error: isinstance(error, RefusedError))


# the cache


def test_a_secret_is_asked_for_once_in_its_time(store: Store, cache: SecretCache, time: Time) -> None:
    ask = partial(cache.resolve, "football", store, REF)
    assert {ask().reveal() for _ in range(5)} == {"first"}
    store.values[CURRENT] = "second"
    time.at += FRESH_SECONDS * 0.89
    assert (ask().reveal(), len(store.asked)) == ("first", 1)
    time.at += FRESH_SECONDS * 0.02
    assert (ask().reveal(), len(store.asked)) == ("second", 2)


def test_jitter_shortens_and_never_lengthens(store: Store, time: Time) -> None:
    lives = []
    for drawn in (0.0, 0.5, 0.999):
        cache, begun = SecretCache(now=time, draw=lambda drawn=drawn: drawn), time.at
        cache.resolve("football", store, REF)
        while len(store.asked) % 2:
            time.at += 1
            cache.resolve("football", store, REF)
        lives.append(time.at - begun)
    assert lives == [300, 270, 241]


def test_nothing_is_shared_between_projects_and_versions(store: Store, cache: SecretCache) -> None:
    store.values[PREVIOUS] = "zeroth"
    for _ in range(2):
        for owner in ("football", "rivals", ""):
            assert cache.resolve(owner, store, REF).reveal() == "first"
            assert cache.resolve(owner, store, REF, PREVIOUS).reveal() == "zeroth"
    assert sorted(store.asked) == [CURRENT] * 3 + [PREVIOUS] * 3


def test_many_threads_ask_once(store: Store, cache: SecretCache) -> None:
    store.gate = threading.Event()
    with ThreadPoolExecutor(32) as pool:
        waiting = [pool.submit(cache.resolve, "football", store, REF) for _ in range(32)]
        store.gate.set()
        assert {each.result(10).reveal() for each in waiting} == {"first"}
    assert len(store.asked) == 1


def test_many_threads_hear_of_one_silence() -> None:
    """With the real clock: whoever waited is told what the first one found, and does not wait again."""
    store = Store(error=SecretStoreUnavailableError("silent", retry_after=5), gate=threading.Event())
    cache = SecretCache()

    def ask() -> str:
        started.release()
        with pytest.raises(SecretStoreUnavailableError, match="silent"):
            cache.resolve("football", store, REF)
        return "told"

    started = threading.Semaphore(0)
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(ask) for _ in range(16)]
        for _ in range(16):
            assert started.acquire(timeout=10)
        threading.Event().wait(0.3)
        store.gate.set()  # type: ignore[union-attr]  # set above
        assert [each.result(10) for each in waiting] == ["told"] * 16
    assert len(store.asked) <= 2, "the first one, and at the most who asked after it had begun"


def test_a_silent_store_leaves_the_old_value_for_a_while(store: Store, cache: SecretCache, time: Time) -> None:
    ask = partial(cache.resolve, "football", store, REF)
    ask()
    store.error = SecretStoreUnavailableError("silent")
    time.at += FRESH_SECONDS
    assert [ask().reveal() for _ in range(3)] == ["first"] * 3
    assert len(store.asked) == 2, "a store that does not answer is left alone for some seconds"
    time.at += STALE_SECONDS - FRESH_SECONDS
    assert ask().reveal() == "first"
    time.at += 0.1
    with pytest.raises(SecretStoreUnavailableError):
        ask()
    store.error = None
    assert ask().reveal() == "first"


@pytest.mark.parametrize("error", [SecretNotFoundError("gone"), SecretAccessDeniedError("no")], ids=["gone", "denied"])
def test_what_was_taken_away_is_not_used_on(store: Store, cache: SecretCache, time: Time, error: Exception) -> None:
    cache.resolve("football", store, REF)
    time.at += FRESH_SECONDS
    store.error = error
    with pytest.raises(type(error)):
        cache.resolve("football", store, REF)
    store.error = SecretStoreUnavailableError("silent")
    with pytest.raises(SecretStoreUnavailableError):
        cache.resolve("football", store, REF)


def test_it_does_not_grow(store: Store, time: Time) -> None:
    cache = SecretCache(now=time, most=10)
    for number in range(100):
        cache.resolve(f"p{number}", store, REF)
    assert len(cache._entries) == 10
    cache.resolve("p99", store, REF)
    assert len(store.asked) == 100
    cache.resolve("p0", store, REF)
    assert len(store.asked) == 101


def test_secrets_of_this_machine_are_read_each_time(cache: SecretCache) -> None:
    store = Store(is_local=True)
    for value in ("first", "second"):
        store.values[CURRENT] = value
        assert cache.resolve("football", store, REF).reveal() == value


def test_an_entry_shows_no_value(store: Store, cache: SecretCache) -> None:
    cache.resolve("football", store, REF)
    assert "first" not in repr(cache._entries)


# rotation


def test_a_rotated_secret_is_read_again(store: Store, rotating: RotatingSecrets) -> None:
    target = Target("first")
    assert _use(rotating, target) == "in"
    store.values, target.password = {CURRENT: "second", PREVIOUS: "first"}, "second"
    assert _use(rotating, target) == "in"
    assert target.tried == ["first", "first", "second"]
    assert _use(rotating, target) == "in"
    assert (target.tried[3:], store.asked) == (["second"], [CURRENT, CURRENT])


def test_a_target_that_was_not_told_yet(store: Store, rotating: RotatingSecrets, time: Time) -> None:
    """The previous version is tried once, then first for a while: a refused login with each request would lock the account."""
    store.values, target = {CURRENT: "second", PREVIOUS: "first"}, Target("first")
    assert _use(rotating, target) == "in"
    assert target.tried == ["second", "first"]
    for _ in range(10):
        assert _use(rotating, target) == "in"
    assert target.tried.count("second") == 1
    target.password = "second"  # now it was
    target.tried.clear()
    assert [_use(rotating, target) for _ in range(3)] == ["in"] * 3
    assert target.tried == ["first", "second", "second", "second"]


def test_the_previous_version_is_not_first_for_ever(store: Store, rotating: RotatingSecrets, time: Time) -> None:
    store.values, target = {CURRENT: "second", PREVIOUS: "first"}, Target("first")
    _use(rotating, target)
    time.at += REMEMBERED_SECONDS
    target.tried.clear()
    _use(rotating, target)
    assert target.tried == ["second", "first"]


def test_it_never_goes_on_trying(store: Store, rotating: RotatingSecrets, time: Time) -> None:
    store.values, target = {CURRENT: "second", PREVIOUS: "first"}, Target("third")
    with pytest.raises(RefusedError):
        _use(rotating, target)
    assert target.tried == ["second", "first"]
    target.tried.clear()
    for _ in range(5):
        with pytest.raises(RefusedError):
            _use(rotating, target)
    assert target.tried == ["second"] * 5, "one each, as without any rotation"
    time.at += REMEMBERED_SECONDS
    target.tried.clear()
    with pytest.raises(RefusedError):
        _use(rotating, target)
    assert target.tried == ["second", "first"]


def test_three_at_the_most(store: Store, rotating: RotatingSecrets) -> None:
    target = Target("first")
    _use(rotating, target)
    store.values, target.password = {CURRENT: "third", PREVIOUS: "second"}, "unknown"
    target.tried.clear()
    with pytest.raises(RefusedError):
        _use(rotating, target)
    assert target.tried == ["first", "third", "second"]


def test_a_store_that_fails_midway_does_not_hide_the_refusal(store: Store, rotating: RotatingSecrets) -> None:
    target = Target("first")
    _use(rotating, target)
    target.password, store.error = "second", SecretStoreUnavailableError("silent")
    with pytest.raises(RefusedError):
        _use(rotating, target)
    assert target.tried == ["first", "first"]


def test_other_failures_are_not_tried_again(store: Store, rotating: RotatingSecrets) -> None:
    tried = []

    def fail(secret: SecretValue) -> None:
        tried.append(secret)
        raise ValueError("the query is wrong")

    with pytest.raises(ValueError, match="query"):
        rotating.use("football", REF, fail, lambda error: isinstance(error, RefusedError))
    assert (len(tried), len(store.asked)) == (1, 1)


def test_fifty_at_once_ask_the_store_seldom() -> None:
    """Each of fifty logins is refused once; the store is asked by one or two of them, and all get in."""
    store = Store({CURRENT: "first"})
    rotating = RotatingSecrets(Registry("oasthouse.secret_stores", {"count": store}))
    target = Target("first")
    assert _use(rotating, target) == "in"
    store.values, target.password = {CURRENT: "second", PREVIOUS: "first"}, "second"
    barrier = threading.Barrier(50)

    def one() -> str:
        barrier.wait(10)
        return _use(rotating, target)

    with ThreadPoolExecutor(50) as pool:
        assert [each.result(10) for each in [pool.submit(one) for _ in range(50)]] == ["in"] * 50
    assert PREVIOUS not in store.asked
    assert len(target.tried) <= 101
