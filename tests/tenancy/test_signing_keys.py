"""The keys that sessions are signed with: shared, one at a time, gone in time; and many who log in at once meanwhile."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import func, select

from app.bootstrap import build_container
from app.factory import create_app
from hops.featurestore.retries import RetryPolicy
from infra.crypto import Pepper
from tenancy.sessions.keys import KeyRing
from tenancy.sessions.models import SigningKey
from tests.keyless import bind, connect, in_threads, signed, use_role
from tests.lab.identity import IdentitySts
from tests.world import MovableClock, World, listening

CLIENTS = 50


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_fifty_clients_log_in_while_keys_rotate(
    make_keyless: Callable[..., World],
    sts: IdentitySts,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    database: str,
) -> None:
    """Two gateways on one database, new keys all the while; each session is good at both, at once."""
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else None
    first = make_keyless(sts.endpoint_url, url)
    container = build_container(first.container.settings, first.clock)
    second = World(create_app(container=container), container, first.clock, first.directory)
    for world in (first, second):
        ring = world.container.sessions._tokens.keys
        ring.period, ring.lead = timedelta(seconds=2), timedelta(seconds=1.5)
    bind(first)
    use_role(monkeypatch, sts.role("Notebooks"))
    statuses: list[int] = []
    with listening(second):
        addresses = [first.address, second.address]

        def client(number: int) -> None:
            fs = connect(first if number % 2 else second, retries=RetryPolicy())
            for _ in range(4):
                header = fs._transport._key.header()
                statuses.extend(_status(address, str(header)) for address in addresses)
                time.sleep(1)
                fs._transport._key.renew(str(header))
            fs.close()
            statuses.append(200)

        in_threads([lambda number=number: client(number) for number in range(CLIENTS)])
    assert statuses == [200] * (CLIENTS * 9)
    with first.container.database.read() as session:
        assert session.scalar(select(func.max(SigningKey.generation))) >= 3


def test_of_many_at_once_one_gets_through_on_postgresql(
    make_keyless: Callable[..., World], sts: IdentitySts, postgres_url: str
) -> None:
    world = make_keyless(sts.endpoint_url, postgres_url)
    bind(world)
    body, statuses = signed(sts.role("Notebooks"), server_id="127.0.0.1"), []
    barrier = threading.Barrier(12)

    def send() -> None:
        barrier.wait()
        statuses.append(world.call("POST", "/login/aws", json=body).status_code)

    in_threads([send] * 12)
    assert sorted(statuses) == [200] + [401] * 11


def test_first_logins_at_once_agree_on_whom(keyless: World, sts: IdentitySts) -> None:
    """Two roles of one name cannot be at the same time, but an STS may lag: one of them is bound, and stays."""
    bind(keyless)
    ids = [f"AROA{number:017d}" for number in range(8)]
    bodies = [signed(sts.role("Notebooks", unique_id=each), server_id="127.0.0.1") for each in ids]
    statuses: list[int] = []
    barrier = threading.Barrier(len(bodies))

    def send(body: dict[str, Any]) -> None:
        barrier.wait()
        statuses.append(keyless.call("POST", "/login/aws", json=body).status_code)

    in_threads([lambda body=body: send(body) for body in bodies])
    assert sorted(statuses) == [200] + [401] * 7


def test_keys_are_swept_once_no_session_needs_them(keyless: World, sts: IdentitySts) -> None:
    ring = keyless.container.sessions._tokens.keys
    first = ring.current()
    keyless.clock.ahead = timedelta(days=7) - timedelta(minutes=30)
    assert ring.current().kid == first.kid
    keyless.clock.ahead = timedelta(days=7, minutes=31)
    second = ring.current()
    assert second.generation == first.generation + 1
    keyless.container.logins.sweep()
    assert _generations(keyless) == [1, 2], "sessions of the first key still live"
    keyless.clock.ahead = timedelta(days=7, hours=3)
    keyless.container.logins.sweep()
    assert _generations(keyless) == [2]


def test_a_gateway_whose_clock_is_behind_signs_with_the_first_key(keyless: World) -> None:
    late = MovableClock()
    late.ahead = -timedelta(seconds=20)
    first = keyless.container.sessions._tokens.keys.current()
    pepper = Pepper.load(keyless.container.settings.resolved_pepper_file)
    other = KeyRing(database=keyless.container.database, pepper=pepper, clock=late)
    assert other.current().kid == first.kid
    assert _generations(keyless) == [1]


def test_threads_that_find_a_key_old_make_one_successor(keyless: World) -> None:
    ring = keyless.container.sessions._tokens.keys
    kids: list[str] = []
    in_threads([lambda: kids.append(ring.current().kid)] * 8)
    assert (len(set(kids)), _generations(keyless)) == (1, [1])
    keyless.clock.ahead = timedelta(days=7) - timedelta(minutes=30)
    in_threads([lambda: kids.append(ring.current().kid)] * 8)
    assert (len(set(kids)), _generations(keyless)) == (1, [1, 2])


def test_keys_under_a_lost_pepper_are_void(keyless: World, sts: IdentitySts) -> None:
    first = keyless.container.sessions._tokens.keys.current()
    other = KeyRing(database=keyless.container.database, pepper=Pepper(bytes(32)), clock=keyless.clock)
    assert other.find(first.kid) is None
    assert (other.current().generation, other.current().kid != first.kid) == (first.generation + 1, True)


def _generations(world: World) -> list[int]:
    with world.container.database.read() as session:
        return list(session.scalars(select(SigningKey.generation).order_by(SigningKey.generation)))


def _status(address: str, header: str) -> int:
    try:
        with urlopen(Request(f"{address}/api/v1/me", headers={"Authorization": header}), timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def test_looking_for_unknown_keys_holds_no_other_session_up(keyless: World, sts: IdentitySts) -> None:
    """Whoever sends sessions of keys that never were keeps the lock busy: others need it once a minute only."""
    bind(keyless)
    body = signed(sts.role("Notebooks"), server_id="127.0.0.1")
    token = keyless.call("POST", "/login/aws", json=body).json["token"]
    sessions = keyless.container.sessions
    assert sessions.authenticate(token).member == "ada"
    found: list[str | None] = []
    with sessions._tokens.keys._lock:
        thread = threading.Thread(target=lambda: found.append(sessions.authenticate(token).member), daemon=True)
        thread.start()
        thread.join(10)
    assert found == ["ada"]


def test_before_the_first_login_no_key_is_known(keyless: World) -> None:
    ring = keyless.container.sessions._tokens.keys
    assert [ring.find(kid) for kid in ("0" * 16, "f" * 16)] == [None, None]
    assert ring.current() == ring.find(ring.current().kid)
