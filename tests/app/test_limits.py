"""Limits at the edge: by the address that a request really comes from, answered so that clients can wait."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from app.settings import LimitSettings, LoginSettings, ServerSettings
from app.web.clients import Clients, are_told_apart
from hops.featurestore.connection import open_connection
from hops.featurestore.errors import TooManyRequestsError
from hops.featurestore.retries import RetryPolicy
from infra.storage.location import Warehouse
from tenancy import attempts
from tenancy.api_keys.token import mint
from tests.keyless import REGION, SERVER, bind, signed
from tests.lab.identity import IdentitySts, running_identity_sts
from tests.world import World, listening, make_world

MOST = 5
WINDOW_SECONDS = 120


@pytest.fixture
def sts() -> Iterator[IdentitySts]:
    with running_identity_sts() as running:
        yield running


@pytest.fixture
def world(
    tmp_path: Path, local_warehouse: Warehouse, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    # However slow the machine is, a test is over before its window.
    monkeypatch.setattr(attempts, "WINDOW_SECONDS", WINDOW_SECONDS)
    login = LoginSettings(server_id=SERVER, regions=REGION, endpoint_url=sts.endpoint_url)
    limits = LimitSettings(failures=MOST, logins=MOST)
    world = make_world(tmp_path / "data", None, local_warehouse, login=login, limits=limits)
    world.projects("football", "rivals")
    bind(world)
    yield world
    world.container.database.engine.dispose()


def me(world: World, credential: str, address: str = "192.0.2.1", scheme: str = "ApiKey") -> Any:
    headers = {"Authorization": f"{scheme} {credential}"}
    return world.client.get("/api/v1/me", headers=headers, environ_base={"REMOTE_ADDR": address})


def log_in(world: World, body: dict[str, Any], address: str = "192.0.2.1") -> Any:
    return world.client.post("/api/v1/login/aws", json=body, environ_base={"REMOTE_ADDR": address})


def guess() -> str:
    return mint("test").text().reveal()


def statuses(world: World, *credentials: str, **how: Any) -> list[int]:
    return [me(world, credential, **how).status_code for credential in credentials]


def test_guessing_is_stopped_before_the_database_is_asked(world: World) -> None:
    assert statuses(world, *(guess() for _ in range(MOST))) == [401] * MOST
    asked: list[str] = []
    event.listen(world.container.database.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    answer = me(world, guess())
    assert asked == []
    assert (answer.status_code, answer.json["code"], answer.json["retryable"]) == (429, "too-many-requests", True)
    assert 1 <= int(answer.headers["Retry-After"]) <= WINDOW_SECONDS
    assert statuses(world, guess(), address="192.0.2.2") == [401]


def test_a_key_that_worked_goes_on_beside_who_guesses(world: World) -> None:
    key, new = world.key("football"), world.key("rivals")
    assert statuses(world, key) == [200]
    statuses(world, *(guess() for _ in range(MOST)))
    assert statuses(world, key, key) == [200, 200]
    assert statuses(world, new) == [429]
    assert statuses(world, new, address="192.0.2.2") == [200], "elsewhere nobody knows of it"
    assert statuses(world, new) == [200], "and now it worked"


def test_nobody_is_shut_out_by_wrong_keys_of_their_id(world: World) -> None:
    key = world.key("football")
    wrong = [replace(mint("test"), key_id=world.key_id(key)).text().reveal() for _ in range(3 * MOST)]
    for address in ("192.0.2.1", "192.0.2.2"):
        statuses(world, *wrong, address=address)
    assert statuses(world, key, address="192.0.2.3") == [200]


def test_one_revoked_key_in_a_loop_is_no_attack(world: World) -> None:
    revoked = guess()
    assert statuses(world, *[revoked] * (MOST + 1)) == [401] * MOST + [429]
    assert statuses(world, world.key("football")) == [200]


def test_keys_and_sessions_are_counted_apart(world: World, sts: IdentitySts) -> None:
    statuses(world, *(guess() for _ in range(MOST)))
    answer = log_in(world, signed(sts.role("Notebooks"), when=world.clock.now()))
    assert statuses(world, answer.json["token"], scheme="Bearer") == [200]
    assert statuses(world, *(f"e30.e30.{number}" for number in range(MOST + 1)), scheme="Bearer")[-1] == 429


def test_a_new_session_comes_in_beside_who_tries_others(world: World, sts: IdentitySts) -> None:
    """Sessions are renewed every ten minutes: what is new must not wait for what a neighbour does."""
    token = log_in(world, signed(sts.role("Notebooks"), when=world.clock.now())).json["token"]
    assert statuses(world, *(f"e30.e30.{number}" for number in range(MOST + 1)), scheme="Bearer")[-1] == 429
    assert statuses(world, token, scheme="Bearer") == [200]
    head, body, _ = token.split(".")
    assert statuses(world, f"{head}.{body}.{'A' * 86}", scheme="Bearer") == [429], "known to nobody but its maker"


def test_a_revoked_session_is_refused_and_not_waved_through(world: World, sts: IdentitySts) -> None:
    """Having worked before lets nobody in: it only spares the wait."""
    answer = log_in(world, signed(sts.role("Notebooks"), when=world.clock.now()))
    assert statuses(world, answer.json["token"], scheme="Bearer") == [200]
    world.container.role_bindings.unbind(world.operator, "football", UUID(answer.json["binding_id"]))
    assert statuses(world, answer.json["token"], scheme="Bearer") == [401]


def test_logins_ask_aws_so_often_and_no_more(world: World, sts: IdentitySts) -> None:
    stranger = sts.role("Strangers")
    answers = [log_in(world, signed(stranger, when=world.clock.now())) for _ in range(MOST + 3)]
    assert [answer.status_code for answer in answers] == [401] * MOST + [429] * 3
    assert len(sts.asked) == MOST
    honest = signed(sts.role("Notebooks"), when=world.clock.now())
    assert log_in(world, honest, "192.0.2.2").status_code == 200, "the role is not shut out elsewhere"


def test_the_sdk_waits_and_comes_in(world: World, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(world.key("football"))
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        world.container.attempts._now = lambda: 1e12

    options = {"secrets_store": "local", "api_key_file": str(path), "quiet": True}
    statuses(world, *(guess() for _ in range(MOST)), address="127.0.0.1")
    with listening(world):
        with pytest.raises(TooManyRequestsError):
            open_connection(world.address, "football", retries=RetryPolicy(attempts=1), **options)
        patient = RetryPolicy(total=2 * WINDOW_SECONDS, sleep=sleep)
        with open_connection(world.address, "football", retries=patient, **options) as fs:
            assert fs.get_featuregroups() == []
    assert len(waited) == 1
    assert 0 < waited[0] <= WINDOW_SECONDS + 1


LB = {"behind_tls_proxy": True, "trusted_proxies": "10.0.1.0/24, fd00:1::/64"}


@pytest.mark.parametrize(
    ("server", "peer", "forwarded", "client"),
    [
        ({}, "192.0.2.1", None, "192.0.2.1"),
        ({}, "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ({}, "2001:db8:1:2:3::4", None, "2001:db8:1:2::/64"),
        ({}, "::ffff:192.0.2.1", None, "192.0.2.1"),
        ({}, "127.0.0.1", None, "127.0.0.1"),
        ({}, "127.0.0.1", "198.51.100.7", None),
        ({}, None, None, None),
        ({}, "unix:", None, None),
        ({"behind_tls_proxy": True}, "10.0.1.5", "198.51.100.7", None),
        (LB, "10.0.1.5", "198.51.100.7", "198.51.100.7"),
        (LB, "fd00:1::5", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        (LB, "10.0.1.5", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
        (LB, "10.0.1.5", "1.1.1.1,10.0.1.9", "10.0.1.9"),
        (LB, "10.0.1.5", "198.51.100.7:4711", "198.51.100.7"),
        (LB, "10.0.1.5", "[2001:db8:1:2::4]:4711", "2001:db8:1:2::/64"),
        (LB, "10.0.1.5", "[2001:db8:1:2::4]", "2001:db8:1:2::/64"),
        (LB, "10.0.1.5", "198.51.100.7, ", None),
        (LB, "10.0.1.5", "unknown", None),
        (LB, "10.0.1.5", None, None),
        (LB, "10.0.2.5", "198.51.100.7", "10.0.2.5"),
    ],
)
def test_who_the_client_is(server: dict[str, Any], peer: str | None, forwarded: str | None, client: str | None) -> None:
    assert Clients(ServerSettings(**server)).find(peer, forwarded) == client


def test_two_headers_are_read_as_one(world: World) -> None:
    world.app.extensions["oasthouse.clients"] = Clients(ServerSettings(**LB))
    for number in range(MOST + 1):
        headers = [
            ("Authorization", f"ApiKey {guess()}"),
            ("X-Forwarded-For", f"203.0.113.{number}"),
            ("X-Forwarded-For", "198.51.100.7"),
        ]
        answer = world.client.get("/api/v1/me", headers=headers, environ_base={"REMOTE_ADDR": "10.0.1.5"})
    assert answer.status_code == 429, "what a client claims for itself counts for nothing"


def test_behind_a_proxy_that_nobody_named_nobody_is_limited() -> None:
    assert are_told_apart(ServerSettings())
    assert are_told_apart(ServerSettings(**LB))
    assert not are_told_apart(ServerSettings(behind_tls_proxy=True))
