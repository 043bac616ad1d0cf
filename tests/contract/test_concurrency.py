"""Many at once, on both databases: nothing acknowledged is lost, nothing is made twice."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from infra.storage.location import Warehouse
from tenancy.members.models import Member
from tenancy.principals import Role
from tests.frames import frame_request, read_arrow
from tests.world import World, make_world

GROUPS = "/projects/football/feature-groups"
AT_ONCE = 8


@pytest.fixture(params=["sqlite", "postgresql"])
def football(request: pytest.FixtureRequest, tmp_path: Path, local_warehouse: Warehouse) -> Iterator[World]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    world = make_world(tmp_path / "data", url, local_warehouse)
    world.project("football")
    world.key("football")
    yield world
    world.container.database.engine.dispose()


def at_once(work: Callable[[int], object]) -> list[object]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, range(AT_ONCE)))


def test_one_of_many_creators_wins_and_the_others_leave_nothing(football: World) -> None:
    frame = frame_request(pa.table({"id": [1]}), {"name": "numbers"})
    key = football.key("football")
    statuses = at_once(lambda _: football.call("POST", GROUPS, key, **frame).status_code)
    assert Counter(statuses) == {201: 1, 409: AT_ONCE - 1}
    tables = list((football.directory.parent / "warehouse").glob("*/*/_delta_log"))
    assert len(tables) == 1


def test_acknowledged_edits_are_all_there(football: World) -> None:
    key = football.key("football")
    football.call("POST", GROUPS, key, json={"name": "numbers", "features": [{"name": "id", "type": "int"}]})

    def edit(number: int) -> int:
        done = 0
        for step in range(10):
            answer = football.call(
                "PUT", f"{GROUPS}/numbers/versions/1/tags/tag_{number}_{step}", key, json={"value": "x"}
            )
            assert answer.status_code in (200, 412), answer.json
            done += answer.status_code == 200
        return done

    acknowledged = sum(count for count in at_once(edit) if isinstance(count, int))
    group = football.call("GET", f"{GROUPS}/numbers/versions/1", key).json
    assert acknowledged > 0
    assert len(group["tags"]) == acknowledged
    assert group["revision"] == 1 + acknowledged


def test_appends_are_all_there_once(football: World) -> None:
    key = football.key("football")
    football.call("POST", GROUPS, key, **frame_request(pa.table({"id": [0]}), {"name": "numbers"}))

    def append(number: int) -> None:
        for step in range(3):
            frame = frame_request(pa.table({"id": [1 + number * 3 + step]}))
            assert football.call("POST", f"{GROUPS}/numbers/versions/1/rows", key, **frame).status_code == 200

    at_once(append)
    rows = read_arrow(football.call("GET", f"{GROUPS}/numbers/versions/1/rows", key).data)
    assert sorted(rows["id"].to_pylist()) == list(range(1 + AT_ONCE * 3))


def test_one_of_many_offers_wins(football: World) -> None:
    football.project("venues")
    key = football.key("football")
    offer = {"receiver": "venues", "what": "feature_store"}
    statuses = at_once(lambda _: football.call("POST", "/projects/football/shares", key, json=offer).status_code)
    assert Counter(statuses) == {201: 1, 409: AT_ONCE - 1}


def test_two_data_owners_cannot_both_leave(football: World) -> None:
    football.member("football", "sue", Role.DATA_OWNER)
    keys = {name: football.key("football", name) for name in ("ada", "sue")}
    names = ["ada", "sue"] * (AT_ONCE // 2)
    at_once(lambda n: football.call("DELETE", f"/projects/football/members/{names[n]}", keys[names[n]]).status_code)
    with football.container.database.read() as session:
        assert session.query(Member).count() == 1
