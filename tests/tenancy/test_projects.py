"""Projects, members and shares over the API."""

from datetime import timedelta

import pytest

from tenancy.actions import ShareKind
from tenancy.api_keys.errors import AlreadyInitialisedError
from tenancy.principals import Role
from tests.world import World


def _operator_key(world: World) -> str:
    return world.container.api_keys.create_first_operator_key(world.operator).key.reveal()


def test_an_operator_makes_a_project_and_its_first_key(world: World) -> None:
    operator = _operator_key(world)
    made = world.call("POST", "/projects", operator, json={"name": "football", "owner": "ada@example.com"})
    assert (made.status_code, made.json["featurestore"]) == (201, "football_featurestore")
    taken = world.call("POST", "/projects", operator, json={"name": "football", "owner": "eve"})
    assert (taken.status_code, taken.json["code"]) == (409, "project-exists")
    nobody = world.call("POST", "/projects/football/api-keys", operator, json={"name": "first"})
    assert (nobody.status_code, nobody.json["hint"]) == (422, "Give `member`.")
    key = world.call(
        "POST", "/projects/football/api-keys", operator, json={"name": "first", "member": "ada@example.com"}
    ).json["key"]
    assert world.call("GET", "/me", key).json["role"] == "data_owner"
    assert [project["name"] for project in world.call("GET", "/projects", operator).json["items"]] == ["football"]
    assert world.call("GET", "/me", operator).json["operator"] is True


@pytest.mark.parametrize(
    "name", ["Football", "foot ball", "", "1st", "a" * 64, "_x", "fußball", "a/b", "..", "a%2fb", "x\n"]
)
def test_names_outside_the_alphabet_are_refused(world: World, name: str) -> None:
    answer = world.call("POST", "/projects", _operator_key(world), json={"name": name, "owner": "ada"})
    assert (answer.status_code, answer.json["code"]) == (422, "name-not-valid")


def test_a_refused_name_comes_with_a_valid_one(world: World) -> None:
    answer = world.call("POST", "/projects", _operator_key(world), json={"name": "Foot Ball", "owner": "ada"})
    assert answer.json["candidates"] == ["foot_ball"]


def test_an_owner_needs_a_usable_name(world: World) -> None:
    answer = world.call("POST", "/projects", _operator_key(world), json={"name": "football", "owner": "a b"})
    assert (answer.status_code, answer.json["code"]) == (422, "name-not-valid")


def test_init_gives_out_one_operator_key_at_a_time(world: World) -> None:
    first = _operator_key(world)
    with pytest.raises(AlreadyInitialisedError):
        _operator_key(world)
    world.clock.ahead = timedelta(days=366)
    assert world.call("GET", "/me", first).status_code == 401
    assert world.call("GET", "/me", _operator_key(world)).status_code == 200


def test_members_come_change_and_go_but_one_owner_stays(world: World) -> None:
    world.project("football")
    key, path = world.key("football"), "/projects/football/members"
    assert world.call("PUT", f"{path}/sam", key, json={"role": "data_owner"}).json["role"] == "data_owner"
    assert world.call("PUT", f"{path}/ada", key, json={"role": "viewer"}).status_code == 200
    assert world.call("PUT", f"{path}/ada", key, json={"role": "data_owner"}).json["code"] == "role-too-low"
    sams = world.key("football", "sam")
    for change in (("PUT", {"json": {"role": "viewer"}}), ("DELETE", {})):
        last = world.call(change[0], f"{path}/sam", sams, **change[1])
        assert (last.status_code, last.json["code"]) == (409, "last-data-owner")
    assert world.call("DELETE", f"{path}/ada", sams).status_code == 204
    assert world.call("DELETE", f"{path}/ada", sams).json["code"] == "member-not-found"
    assert world.call("PUT", f"{path}/x", sams, json={"role": "king"}).status_code == 422
    assert [m["name"] for m in world.call("GET", path, sams).json["items"]] == ["sam"]


def test_lists_page(world: World) -> None:
    world.project("football")
    for number in range(7):
        world.member("football", f"member{number}", Role.VIEWER)
    key, names, cursor = world.key("football"), [], ""
    while cursor is not None:
        page = world.call("GET", f"/projects/football/members?limit=3&cursor={cursor}", key).json
        names += [member["name"] for member in page["items"]]
        cursor = page["next_cursor"]
    assert names == ["ada", *(f"member{number}" for number in range(7))]
    for wrong in ("cursor=abc", "cursor=bnVsbA", "cursor=W1tdXQ", "cursor=é", "limit=0", "limit=501", "limit=x"):
        assert world.call("GET", f"/projects/football/members?{wrong}", key).status_code == 422, wrong


class TestShares:
    @pytest.fixture
    def pair(self, world: World) -> World:
        world.projects("venues", "football", "rivals")
        return world

    def test_live_once_and_can_be_offered_again(self, pair: World) -> None:
        body = {"receiver": "football", "what": "feature_store"}
        path, key = "/projects/venues/shares", pair.key("venues")
        offered = pair.call("POST", path, key, json=body)
        assert (offered.status_code, offered.json["state"]) == (201, "pending")
        assert pair.call("POST", path, key, json=body).json["code"] == "share-exists"
        assert pair.call("POST", path, key, json={**body, "what": "training_datasets"}).status_code == 201
        assert pair.call("DELETE", f"{path}/{offered.json['id']}", key).status_code == 204
        assert pair.call("POST", path, key, json=body).status_code == 201

    def test_are_answered_by_the_receiver_only_and_once(self, pair: World) -> None:
        share = pair.offer("venues", "football", ShareKind.FEATURE_STORE)
        for project in ("venues", "rivals"):
            answer = pair.call("POST", f"/projects/{project}/shares/{share.id}/accept", pair.key(project))
            assert (answer.status_code, answer.json["code"]) == (404, "share-not-found")
        path = f"/projects/football/shares/{share.id}"
        accepted = pair.call("POST", f"{path}/accept", pair.key("football")).json
        assert (accepted["state"], accepted["answered_by"], accepted["owner"]) == ("accepted", "ada", "venues")
        assert pair.call("POST", f"{path}/decline", pair.key("football")).json["code"] == "share-answered"

    def test_need_a_data_owner(self, pair: World) -> None:
        pair.member("football", "sam", Role.DATA_SCIENTIST)
        share = pair.offer("venues", "football", ShareKind.FEATURE_STORE)
        answer = pair.call("POST", f"/projects/football/shares/{share.id}/accept", pair.key("football", "sam"))
        assert answer.json["code"] == "role-too-low"

    def test_expire(self, pair: World) -> None:
        soon = pair.clock.now() + timedelta(hours=1)
        share = pair.offer("venues", "football", ShareKind.FEATURE_STORE, soon)
        pair.clock.ahead = timedelta(hours=2)
        answer = pair.call("POST", f"/projects/football/shares/{share.id}/accept", pair.key("football"))
        assert answer.json["detail"] == "The share is expired, not pending."
        assert pair.offer("venues", "football", ShareKind.FEATURE_STORE).state == "pending", "the place is free again"

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"receiver": "venues", "what": "feature_store"}, 422, "share-with-itself"),
            ({"receiver": "nowhere", "what": "feature_store"}, 404, "project-not-found"),
            ({"receiver": "football", "what": "everything"}, 422, "invalid-input"),
            (
                {"receiver": "football", "what": "feature_store", "expires_at": "2020-01-01T00:00:00Z"},
                422,
                "invalid-input",
            ),
            ({"receiver": "football", "what": "feature_store", "expires_at": "2030-01-01"}, 422, "invalid-input"),
            ({"receiver": "Foot", "what": "feature_store"}, 422, "name-not-valid"),
        ],
    )
    def test_that_make_no_sense_are_refused(self, pair: World, body: dict[str, str], status: int, code: str) -> None:
        answer = pair.call("POST", "/projects/venues/shares", pair.key("venues"), json=body)
        assert (answer.status_code, answer.json["code"]) == (status, code)

    def test_show_the_projects_and_stores_they_open(self, pair: World) -> None:
        pair.share("venues", "football")
        key = pair.key("football")
        stores = pair.call("GET", "/projects/football/featurestores", key).json["items"]
        assert [(store["name"], store["shared"]) for store in stores] == [
            ("football_featurestore", False),
            ("venues_featurestore", True),
        ]
        assert [project["name"] for project in pair.call("GET", "/projects", key).json["items"]] == [
            "football",
            "venues",
        ]
        assert pair.call("GET", "/projects/venues", key).json["name"] == "venues"
