"""Feature groups over the API: what the SDK's own tests do not reach."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from app.featurestore.feature_groups.types import to_arrow
from infra.errors import StorageUnavailableError
from tenancy.principals import Role
from tests.frames import frame_request, read_arrow
from tests.world import World

GROUPS = "/projects/football/feature-groups"
EVERY_TYPE = {
    "tiny": "tinyint", "small": "smallint", "whole": "int", "big": "bigint", "single": "float", "real": "double",
    "flag": "boolean", "words": "string", "raw": "binary", "day": "date", "at": "timestamp", "price": "decimal(10,2)",
    "list": "array<int>", "pair": "struct<a:int,b:string>", "dict": "map<string,double>",
}  # fmt: skip


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    return world


def _create(world: World, **spec: Any) -> Any:
    features = spec.pop("features", {"id": "bigint", "value": "double"})
    body = {"name": "numbers", "features": [{"name": name, "type": kind} for name, kind in features.items()], **spec}
    return world.call("POST", GROUPS, world.key("football"), json=body)


def test_every_type_comes_back_as_it_went(football: World) -> None:
    made = _create(football, features=EVERY_TYPE, primary_key=["big"])
    assert made.status_code == 201, made.json
    assert {feature["name"]: feature["type"] for feature in made.json["features"]} == EVERY_TYPE
    row: dict[str, Any] = {
        "tiny": 1, "small": -2, "whole": 3, "big": 2**62, "single": 1.5, "real": 0.1, "flag": True, "words": "ä",
        "raw": b"\x00\xff", "day": date(2024, 2, 29), "at": datetime(2024, 1, 1, 12, tzinfo=UTC), "price": Decimal("12.34"),
        "list": [1, None], "pair": {"a": 1, "b": None}, "dict": [("k", 1.0)],
    }  # fmt: skip
    nothing = dict.fromkeys(EVERY_TYPE) | {"big": 1}
    schema = pa.schema([(name, to_arrow(kind)) for name, kind in EVERY_TYPE.items()])
    table = pa.Table.from_pylist([row, nothing], schema=schema)
    path = f"{GROUPS}/numbers/versions/1/rows"
    assert football.call("POST", path, football.key("football"), **frame_request(table)).status_code == 200
    for compression in ("none", "lz4", "zstd"):
        answer = football.call("GET", f"{path}?compression={compression}", football.key("football"))
        assert answer.data.endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00")
        read = read_arrow(answer.data)
        assert read.schema == schema
        assert read.to_pylist() == [row, nothing]
    some = football.call("GET", f"{path}?columns=words,big", football.key("football"))
    assert read_arrow(some.data).to_pydict() == {"words": ["ä", None], "big": [2**62, 1]}


def test_an_empty_group_reads_as_no_rows(football: World) -> None:
    _create(football, features=EVERY_TYPE, partition_by=["day", "flag"], primary_key=["big"])
    answer = football.call("GET", f"{GROUPS}/numbers/versions/1/rows", football.key("football"))
    assert read_arrow(answer.data).schema.names == list(EVERY_TYPE)
    assert read_arrow(answer.data).num_rows == 0
    assert football.call("GET", f"{GROUPS}/numbers/versions/1/partitions", football.key("football")).json["items"] == []


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"name": "Numbers"}, None),
        ({"version": 0}, None),
        ({"version": "1"}, "version"),
        ({"features": {}}, None),
        ({"features": {"Id": "bigint"}}, "Id"),
        ({"features": {"id": "foo", "x": "bar"}}, "id"),
        ({"features": {"id": "double"}}, None),
        ({"primary_key": ["nope"]}, None),
        ({"primary_key": ["id", "id"]}, None),
        ({"primary_key": []}, "primary_key"),
        ({"event_time": "value"}, None),
        ({"event_time": "nope"}, None),
        ({"partition_by": ["value"]}, None),
        ({"partition_by": ["id"], "features": {"id": "bigint"}}, None),
        ({"tags": {"Bad Tag": "x"}}, None),
        ({"tags": {"tag": "x" * 5000}}, "tags.tag.value"),
        ({"description": "\x00"}, "description"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_makes_no_group_is_refused_whole(football: World, spec: dict[str, Any], field: str | None) -> None:
    answer = _create(football, **spec)
    assert answer.status_code == 422, answer.json
    if field is not None:
        assert field in [error["field"] for error in answer.json["errors"]]
    assert football.call("GET", GROUPS, football.key("football")).json["items"] == []


def test_a_frame_tells_its_types_and_may_be_overruled(football: World) -> None:
    table = pa.table({"id": pa.array([1], pa.int64()), "score": pa.array([3], pa.int64())})
    features = [{"name": "score", "type": "tinyint", "description": "1 to 3"}]
    command = {"name": "games", "features": features, "event_time": "id", "jobs": ["nightly"], "tags": {"a": "b"}}
    made = football.call("POST", GROUPS, football.key("football"), **frame_request(table, command)).json
    assert [(f["name"], f["type"], f["description"], f["primary"]) for f in made["features"]] == [
        ("id", "bigint", "", True),
        ("score", "tinyint", "1 to 3", False),
    ]
    assert (made["event_time"], made["jobs"], made["tags"], made["table_version"]) == ("id", ["nightly"], {"a": "b"}, 0)


@pytest.mark.parametrize(
    ("table", "command"),
    [
        (pa.table({"id": [1], "nothing": pa.nulls(1)}), {"name": "g"}),
        (pa.table({"id": [1], "wait": pa.array([1], pa.duration("s"))}), {"name": "g"}),
        (pa.table({"id": [1]}), {"name": "g", "features": [{"name": "other", "type": "int"}]}),
        (pa.table({"id": [1000]}), {"name": "g", "features": [{"name": "id", "type": "tinyint"}]}),
        (pa.table({"id": [1]}), {}),
        (pa.table({"id": [1]}), None),
        (pa.table({"id": [1]}), {"name": "g", "surprise": True}),
    ],
)
def test_a_frame_that_makes_no_group_leaves_nothing(football: World, table: pa.Table, command: Any) -> None:
    answer = football.call("POST", GROUPS, football.key("football"), **frame_request(table, command))
    assert answer.status_code == 422, answer.json
    assert football.call("GET", GROUPS, football.key("football")).json["items"] == []


def test_edits_are_guarded_by_revision(football: World) -> None:
    _create(football)
    path, key = f"{GROUPS}/numbers/versions/1", football.key("football")
    tag = football.call("GET", path, key).headers["ETag"]
    changed = football.call("PATCH", path, key, json={"description": "new", "jobs": ["a"]}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json["description"], changed.json["jobs"]) == (200, "new", ["a"])
    stale = football.call("PATCH", path, key, json={"description": "newer"}, headers={"If-Match": tag})
    assert (stale.status_code, stale.json["code"]) == (412, "revision-stale")
    assert football.call("PATCH", path, key, json={}, headers={"If-Match": "nonsense"}).status_code == 400
    assert football.call("PATCH", path, key, json={}, headers={"If-Match": "*"}).status_code == 200
    described = football.call(
        "PATCH", path, key, json={"features": [{"name": "value", "description": "how much"}]}
    ).json
    assert described["features"][1]["description"] == "how much"
    unknown = football.call("PATCH", path, key, json={"features": [{"name": "valu", "description": ""}]})
    assert (unknown.status_code, unknown.json["candidates"]) == (422, ["id", "value"])


def test_tags_come_and_go(football: World) -> None:
    _create(football)
    path, key = f"{GROUPS}/numbers/versions/1/tags", football.key("football")
    for value in ("first", "second"):
        assert football.call("PUT", f"{path}/colour", key, json={"value": value}).json == {
            "name": "colour",
            "value": value,
        }
    assert football.call("GET", path, key).json == {"items": [{"name": "colour", "value": "second"}]}
    missing = football.call("DELETE", f"{path}/color", key)
    assert (missing.status_code, missing.json["code"], missing.json["candidates"]) == (404, "tag-not-found", ["colour"])
    assert football.call("DELETE", f"{path}/colour", key).status_code == 204
    assert football.call("GET", path, key).json == {"items": []}
    assert football.call("PUT", f"{path}/Bad Name", key, json={"value": "x"}).status_code == 422


def test_a_missing_group_gets_near_misses(football: World) -> None:
    _create(football)
    key = football.key("football")
    assert football.call("GET", f"{GROUPS}/number/versions/1", key).json["candidates"] == ["numbers"]
    assert football.call("GET", f"{GROUPS}/numbers/versions/2", key).json["candidates"] == ["numbers version 1"]
    assert football.call("GET", f"{GROUPS}/numbers/versions/1/partitions", key).status_code == 422
    assert football.call("GET", f"{GROUPS}/numbers/versions/1/rows?columns=nope", key).json["candidates"] == [
        "id",
        "value",
    ]


def test_a_deleted_group_frees_its_name_and_its_bytes(football: World) -> None:
    key = football.key("football")
    frame = frame_request(pa.table({"id": [1]}), {"name": "numbers"})
    football.call("POST", GROUPS, key, **frame)
    root = football.directory.parent / "warehouse"
    files = list(root.rglob("*.parquet"))
    assert files
    assert football.call("DELETE", f"{GROUPS}/numbers/versions/1", key).status_code == 204
    assert list(root.rglob("*.parquet")) == []
    assert football.call("GET", f"{GROUPS}/numbers/versions/1", key).status_code == 404
    assert football.call("POST", GROUPS, key, **frame).status_code == 201


def test_only_the_maker_or_an_owner_deletes(football: World) -> None:
    football.member("football", "sam", Role.DATA_SCIENTIST)
    football.member("football", "sue", Role.DATA_SCIENTIST)
    frame = frame_request(pa.table({"id": [1]}), {"name": "numbers"})
    assert football.call("POST", GROUPS, football.key("football", "sam"), **frame).status_code == 201
    refused = football.call("DELETE", f"{GROUPS}/numbers/versions/1", football.key("football", "sue"))
    assert (refused.status_code, refused.json["code"]) == (403, "not-creator")
    assert football.call("DELETE", f"{GROUPS}/numbers/versions/1", football.key("football", "sam")).status_code == 204


def test_a_second_creation_conflicts_and_says_which_version_is_free(football: World) -> None:
    _create(football)
    _create(football, version=4)
    again = _create(football)
    assert (again.status_code, again.json["code"]) == (409, "feature-group-exists")
    assert "version 5" in again.json["hint"]


def test_creation_is_idempotent(football: World) -> None:
    headers = {"Idempotency-Key": "create-001"}
    body = {"name": "numbers", "features": [{"name": "id", "type": "bigint"}]}
    first, again = (
        football.call("POST", GROUPS, football.key("football"), json=body, headers=headers) for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json == again.json
    assert again.headers["Idempotent-Replay"] == "true"


def test_upserts_need_clear_keys(football: World) -> None:
    _create(football)
    path, key = f"{GROUPS}/numbers/versions/1/rows?mode=upsert", football.key("football")
    for ids in ([1, 1], [1, None]):
        table = pa.table({"id": pa.array(ids, pa.int64()), "value": [1.0, 2.0]})
        assert football.call("POST", path, key, **frame_request(table)).status_code == 422
    assert football.call("POST", path.replace("upsert", "merge"), key, **frame_request(table)).status_code == 422


def test_frames_have_limits(football: World) -> None:
    key = football.key("football")
    wide = pa.table({f"c{number}": [1] for number in range(2001)})
    answer = football.call("POST", GROUPS, key, **frame_request(wide, {"name": "wide"}))
    assert (answer.status_code, answer.json["code"]) == (413, "frame-too-large")
    twice = pa.table([[1], [2]], names=["id", "id"])
    answer = football.call("POST", GROUPS, key, **frame_request(twice, {"name": "twice"}))
    assert (answer.status_code, answer.json["code"]) == (400, "frame-invalid")


def test_a_frame_that_expands_too_far_is_refused(football: World) -> None:
    uploads = football.container.settings.uploads.model_copy(update={"max_expanded_bytes": 1_000_000})
    settings = football.container.settings.model_copy(update={"uploads": uploads})
    object.__setattr__(football.container, "settings", settings)
    bomb = frame_request(pa.table({"id": pa.array([0] * 1_000_000)}), {"name": "bomb"})
    assert len(bomb["data"]) < 1_000_000
    answer = football.call("POST", GROUPS, football.key("football"), **bomb)
    assert (answer.status_code, answer.json["code"]) == (413, "frame-too-large")


def test_join_keys_may_be_one_or_several(football: World) -> None:
    key = football.key("football")
    for name, column in (("a", "x"), ("b", "y")):
        table = pa.table({"id": [1, 2], "day": [1, 1], column: [1.0, 2.0]})
        football.call("POST", GROUPS, key, **frame_request(table, {"name": name, "primary_key": ["id"]}))
    for join_key, rows in (("id", 2), (["id", "day"], 2), ("day", 4)):
        answer = football.call(
            "POST", "/projects/football/queries", key, json={"features": ["x", "y"], "join_key": join_key}
        )
        assert read_arrow(answer.data).num_rows == rows
    for wrong in (1, [1], {"a": 1}):
        answer = football.call(
            "POST", "/projects/football/queries", key, json={"features": ["x", "y"], "join_key": wrong}
        )
        assert answer.status_code == 422


class _Away:
    """A store that cannot be reached."""

    def sweep(self, _older_than: timedelta) -> int:
        return 0

    def delete_prefix(self, _prefix: str) -> int:
        raise StorageUnavailableError("away")


def test_bytes_that_cannot_be_removed_now_are_removed_later(football: World) -> None:
    key, locations = football.key("football"), football.container.locations
    football.call("POST", GROUPS, key, **frame_request(pa.table({"id": [1]}), {"name": "numbers"}))
    store, locations._store = locations._store, _Away()  # type: ignore[assignment]
    assert football.call("DELETE", f"{GROUPS}/numbers/versions/1", key).status_code == 204
    locations._store = store
    root = football.directory.parent / "warehouse"
    assert list(root.rglob("*.parquet"))
    assert locations.purge() == 1
    assert not list(root.rglob("*.parquet"))
