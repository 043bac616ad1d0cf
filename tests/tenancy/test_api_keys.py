"""Keys over the API: they only narrow, they end at once, their secret is shown once."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.world import World

KEYS = "/projects/football/api-keys"


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    world.member("football", "sam", Role.DATA_SCIENTIST)
    return world


def _status(world: World, key: str) -> int:
    return world.call("GET", "/me", key).status_code


def test_a_key_is_shown_once_and_not_kept(football: World) -> None:
    issued = football.call("POST", KEYS, football.key("football"), json={"name": "notebook"})
    assert issued.status_code == 201
    key = issued.json["key"]
    assert football.call("GET", "/me", key).json["scopes"] == sorted(
        ["featurestore", "project", *(s for s in Scope if s.startswith(("featurestore:", "project:")))]
    )
    listed = football.call("GET", KEYS, football.key("football"))
    assert key not in listed.get_data(as_text=True)
    secret = key.split("_")[3][:43]
    with football.container.database.engine.connect() as connection:
        rows = [
            str(row)
            for table in ("api_key", "audit_event", "idempotency_record")
            for row in connection.execute(text(f"select * from {table}"))
        ]
    assert rows
    assert not [row for row in rows if secret in row]


def test_a_scientist_manages_only_own_keys(football: World) -> None:
    owners, sams = football.key("football"), football.key("football", "sam")
    assert football.call("POST", KEYS, sams, json={"name": "mine"}).json["member"] == "sam"
    refused = football.call("POST", KEYS, sams, json={"name": "hers", "member": "ada"})
    assert (refused.status_code, refused.json["code"]) == (403, "not-permitted")
    assert football.call("DELETE", f"{KEYS}/{football.key_id(owners)}", sams).status_code == 403
    assert {key["member"] for key in football.call("GET", KEYS, sams).json["items"]} == {"sam"}
    assert {key["member"] for key in football.call("GET", KEYS, owners).json["items"]} == {"ada", "sam"}


def test_a_key_makes_no_wider_key(football: World) -> None:
    narrow = football.key("football", scopes=(Scope.KEYS_MANAGE, Scope.FEATURESTORE_READ))
    wide = football.call("POST", KEYS, narrow, json={"name": "wide"})
    assert (wide.status_code, wide.json["code"]) == (403, "key-wider-than-caller")
    same = football.call("POST", KEYS, narrow, json={"name": "same", "scopes": ["featurestore:read"]})
    assert same.status_code == 201
    longer = {"name": "longer", "scopes": ["featurestore:read"], "expires_in_days": 200}
    assert football.call("POST", KEYS, narrow, json=longer).json["code"] == "key-wider-than-caller"
    owners = football.key_id(football.key("football"))
    assert football.call("POST", f"{KEYS}/{owners}/rotate", narrow, json={}).json["code"] == "key-wider-than-caller"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x", "scopes": []}, 422),
        ({"name": "x", "scopes": ["operator"]}, 422),
        ({"name": "x", "scopes": ["nonsense"]}, 422),
        ({"name": "x", "expires_in_days": 0}, 422),
        ({"name": "x", "expires_in_days": 366}, 422),
        ({"name": "x", "member": "nobody"}, 404),
        ({"scopes": ["project"]}, 422),
        ({"name": "x", "unknown": 1}, 422),
    ],
)
def test_what_makes_no_sense_is_refused(football: World, body: dict[str, object], status: int) -> None:
    assert football.call("POST", KEYS, football.key("football"), json=body).status_code == status


def test_rotation_overlaps_and_then_ends(football: World) -> None:
    old = football.key("football", fresh=True)
    rotated = football.call("POST", f"{KEYS}/{football.key_id(old)}/rotate", old, json={"overlap_hours": 2})
    new = rotated.json["key"]
    assert (_status(football, old), _status(football, new)) == (200, 200)
    assert football.call("GET", "/me", new).json["scopes"] == football.call("GET", "/me", old).json["scopes"]
    football.clock.ahead = timedelta(hours=3)
    assert (_status(football, old), _status(football, new)) == (401, 200)
    again = football.call("POST", f"{KEYS}/{football.key_id(old)}/rotate", new, json={})
    assert (again.status_code, again.json["code"]) == (409, "api-key-inactive")
    states = {key["key_id"]: key["state"] for key in football.call("GET", KEYS, new).json["items"]}
    assert states[football.key_id(old)] == "expired"


def test_rotation_without_overlap_ends_at_once(football: World) -> None:
    old = football.key("football", fresh=True)
    football.call("POST", f"{KEYS}/{football.key_id(old)}/rotate", football.key("football"), json={"overlap_hours": 0})
    assert _status(football, old) == 401


def test_revocation_holds_from_the_next_request(football: World) -> None:
    key = football.key("football", fresh=True)
    path = f"{KEYS}/{football.key_id(key)}"
    assert football.call("DELETE", path, football.key("football")).status_code == 204
    assert _status(football, key) == 401
    assert football.call("DELETE", path, football.key("football")).status_code == 204, "revoking twice is no error"
    assert football.call("DELETE", f"{KEYS}/nokey", football.key("football")).status_code == 404


def test_a_demoted_member_demotes_the_key(football: World) -> None:
    sams = football.key("football", "sam")
    body = {"name": "g", "features": [{"name": "id", "type": "bigint"}]}
    football.member("football", "sam", Role.VIEWER)
    assert football.call("POST", "/projects/football/feature-groups", sams, json=body).json["code"] == "role-too-low"
    football.member("football", "sam", Role.DATA_SCIENTIST)
    assert football.call("POST", "/projects/football/feature-groups", sams, json=body).status_code == 201


def test_keys_of_another_environment_are_refused(football: World) -> None:
    key = football.key("football")
    assert _status(football, key.replace("oast_test_", "oast_live_")) == 401


def test_use_is_noted_once_a_minute(football: World) -> None:
    key = football.key("football", "sam")
    _status(football, key)

    def last_use() -> str:
        keys = football.call("GET", KEYS, football.key("football")).json["items"]
        return next(k["last_used_at"] for k in keys if k["key_id"] == football.key_id(key))

    first = last_use()
    _status(football, key)
    assert last_use() == first
    football.clock.ahead = timedelta(minutes=2)
    _status(football, key)
    assert last_use() > first


def test_the_idempotency_header_is_refused_where_it_cannot_be_kept(football: World) -> None:
    headers = {"Idempotency-Key": "12345678"}
    answer = football.call("POST", KEYS, football.key("football"), json={"name": "x"}, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "idempotency-key-unsupported")


def test_authorization_takes_one_form_only(football: World) -> None:
    key = football.key("football")
    for header in (f"Bearer {key}", f"Basic {key}", key, "ApiKey", "ApiKey ", f"ApiKey {key} x"):
        assert football.client.get("/api/v1/me", headers={"Authorization": header}).status_code == 401
    assert football.client.get(f"/api/v1/me?api_key={key}").status_code == 401
    assert football.client.get("/api/v1/me", headers={"Authorization": f"apikey {key}"}).status_code == 200
