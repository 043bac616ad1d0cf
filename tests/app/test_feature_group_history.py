"""Commits, changes, earlier states and appended features over the API."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.feature_groups.service import UpdateFeatureGroup
from infra.errors import StorageUnavailableError
from infra.ports.tables import Author, TableStore
from infra.storage.location import Warehouse
from tenancy.audit.models import AuditEvent
from tenancy.principals import Role
from tests.frames import frame_request, read_arrow
from tests.world import World, make_world

GROUPS = "/projects/football/feature-groups"
NUMBERS = f"{GROUPS}/numbers/versions/1"


@pytest.fixture
def football(world: World) -> World:
    """A group `numbers` (id, value) with three commits: 1 and 2 came at once, 3 was appended, 2 became 20."""
    world.projects("football", "venues", "rivals")
    insert(world, GROUPS, {"id": [1, 2], "value": [1.0, 2.0]}, {"name": "numbers"})
    insert(world, f"{NUMBERS}/rows", {"id": [3], "value": [3.0]})
    insert(world, f"{NUMBERS}/rows?mode=upsert", {"id": [2], "value": [20.0]})
    return world


def insert(world: World, path: str, columns: dict[str, Any], command: Any = None, key: str | None = None) -> None:
    answer = world.call("POST", path, key or world.key("football"), **frame_request(pa.table(columns), command))
    assert answer.status_code in (200, 201), answer.json


def get(world: World, path: str, key: str | None = None, **query: Any) -> TestResponse:
    return world.call("GET", path, key or world.key("football"), query_string=query or None)


def rows(world: World, path: str = f"{NUMBERS}/rows", **query: Any) -> list[dict[str, Any]]:
    answer = get(world, path, **query)
    assert answer.status_code == 200, answer.json
    return sorted(read_arrow(answer.data).to_pylist(), key=lambda row: row["id"])


def append(world: World, *features: dict[str, str], headers: Any = None, key: str | None = None) -> TestResponse:
    body = {"features": list(features)}
    return world.call("POST", f"{NUMBERS}/features", key or world.key("football"), json=body, headers=headers or {})


def group_of(world: World) -> dict[str, Any]:
    found: dict[str, Any] = get(world, NUMBERS).json  # type: ignore[assignment]
    return found


def test_commits_say_what_when_and_who(football: World) -> None:
    football.member("football", "sam", Role.DATA_SCIENTIST)
    insert(football, f"{NUMBERS}/rows?mode=overwrite", {"id": [9], "value": [9.0]}, key=football.key("football", "sam"))
    listed = get(football, f"{NUMBERS}/commits").json
    assert listed["next_cursor"] is None
    shown = ("version", "operation", "rows_inserted", "rows_updated", "rows_deleted", "member")
    assert [tuple(commit[name] for name in shown) for commit in listed["items"]] == [
        (3, "overwrite", 1, 0, 3, "sam"),
        (2, "upsert", 0, 1, 0, "ada"),
        (1, "append", 1, 0, 0, "ada"),
        (0, "create", 2, 0, 0, "ada"),
    ]
    keys = [commit["key_id"] for commit in listed["items"]]
    assert keys == [football.key_id(football.key("football", "sam")), *[football.key_id(football.key("football"))] * 3]
    times = [datetime.fromisoformat(commit["committed_at"]) for commit in listed["items"]]
    assert times == sorted(times, reverse=True)
    assert all(time.tzinfo is not None for time in times)


def test_a_share_shows_commits_without_people(football: World) -> None:
    football.share("football", "venues")
    own = get(football, f"{NUMBERS}/commits").json["items"]
    shared = get(football, f"{NUMBERS}/commits", football.key("venues")).json["items"]
    assert shared == [{**commit, "member": None, "key_id": None} for commit in own]
    assert "ada" not in get(football, f"{NUMBERS}/commits", football.key("venues")).get_data(as_text=True)
    assert get(football, f"{NUMBERS}/changes", football.key("venues")).status_code == 200
    assert rows_seen(football, "venues", as_of=0) == 2
    appended = append(football, {"name": "more", "type": "double"}, key=football.key("venues"))
    assert (appended.status_code, appended.json["code"]) == (403, "not-permitted")


def rows_seen(world: World, project: str, **query: Any) -> int:
    return int(read_arrow(get(world, f"{NUMBERS}/rows", world.key(project), **query).data).num_rows)


@pytest.mark.parametrize("path", ["commits", "changes", "changes?from=99", "rows?as_of=99", "rows?as_of=0"])
def test_strangers_learn_nothing(football: World, path: str) -> None:
    answer = get(football, f"{NUMBERS}/{path}", football.key("rivals"))
    absent = get(football, f"{NUMBERS}/{path}".replace("football", "nowhere"), football.key("rivals"))
    assert (answer.status_code, absent.status_code) == (404, 404)
    assert answer.json["detail"].replace("football", "nowhere") == absent.json["detail"]


def test_rows_as_of_a_version(football: World) -> None:
    assert [[row["value"] for row in rows(football, as_of=version)] for version in range(3)] == [
        [1.0, 2.0],
        [1.0, 2.0, 3.0],
        [1.0, 20.0, 3.0],
    ]
    assert rows(football, as_of=0, columns="id") == [{"id": 1}, {"id": 2}]


def test_rows_as_of_a_time(football: World) -> None:
    commits = get(football, f"{NUMBERS}/commits").json["items"][::-1]
    for commit, count in zip(commits, (2, 3, 3), strict=True):
        assert len(rows(football, as_of=commit["committed_at"])) == count
        local = datetime.fromisoformat(commit["committed_at"]).astimezone(UTC) + timedelta(hours=5, minutes=30)
        assert len(rows(football, as_of=f"{local.replace(tzinfo=None).isoformat()}+05:30")) == count
    assert rows(football, as_of="2999-01-01T00:00:00Z") == rows(football)
    before = get(football, f"{NUMBERS}/rows", as_of="2001-01-01T00:00:00Z")
    assert (before.status_code, before.json["code"]) == (404, "not-found")
    assert commits[0]["committed_at"][:19] in before.json["detail"]


@pytest.mark.parametrize("path", ["rows?as_of=", "changes?from=", "changes?to="])
@pytest.mark.parametrize(
    ("state", "hint"),
    [("2026-03-01T12:00:00", "2026-03-01T12:00:00Z"), ("yesterday", "2026-03-01T12:00:00Z"), ("-1", "such as 3")],
)
def test_states_that_are_none_are_refused_with_an_example(football: World, path: str, state: str, hint: str) -> None:
    answer = get(football, f"{NUMBERS}/{path}{state}")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
    assert hint in answer.json["errors"][0]["message"]


@pytest.mark.parametrize("path", ["rows?as_of=3", "changes?from=3", "changes?to=3", "changes?to=999999999999999999"])
def test_a_version_that_is_not_there_yet_is_not_found(football: World, path: str) -> None:
    answer = get(football, f"{NUMBERS}/{path}")
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")
    assert "its newest is 2" in answer.json["detail"]


def change(word: str, key: int, value: float) -> dict[str, Any]:
    return {"change": word, "id": key, "value": value}


def test_changes_between_versions(football: World) -> None:
    assert changes(football, **{"from": 0, "to": 1}) == [change("insert", 3, 3.0)]
    update = [change("update_before", 2, 2.0), change("update_after", 2, 20.0)]
    assert changes(football, **{"from": 1, "to": 2}) == update
    assert changes(football, **{"from": 0}) == changes(football) == [*update, change("insert", 3, 3.0)]
    assert changes(football, **{"from": 2, "to": 0}) == [
        change("update_before", 2, 20.0),
        change("update_after", 2, 2.0),
        change("delete", 3, 3.0),
    ]
    assert changes(football, **{"from": 1, "to": 1}) == []
    commits = get(football, f"{NUMBERS}/commits").json["items"]
    assert changes(football, **{"from": commits[1]["committed_at"], "to": commits[0]["committed_at"]}) == update


def changes(world: World, **query: Any) -> list[dict[str, Any]]:
    answer = get(world, f"{NUMBERS}/changes", **query)
    assert answer.status_code == 200, answer.json
    table = read_arrow(answer.data)
    assert table.column_names[0] == "change"
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def test_rows_rewritten_unchanged_are_no_change(football: World) -> None:
    now = rows(football)
    insert(football, f"{NUMBERS}/rows?mode=overwrite", {"id": [3, 2, 1, 1], "value": [3.0, 20.0, 1.0, 1.0]})
    assert changes(football, **{"from": 2}) == [change("insert", 1, 1.0)]
    insert(football, f"{NUMBERS}/rows?mode=overwrite", {name: [row[name] for row in now] for name in ("id", "value")})
    assert changes(football, **{"from": 2}) == []
    assert changes(football, **{"from": 3}) == [change("delete", 1, 1.0)]


def test_features_are_appended_with_nulls_so_far(football: World) -> None:
    answer = append(
        football, {"name": "more", "type": "ARRAY<int>", "description": "later"}, {"name": "word", "type": "string"}
    )
    assert answer.status_code == 200, answer.json
    assert answer.json["features"][2:] == [
        {"name": "more", "type": "array<int>", "description": "later", "primary": False, "partition": False},
        {"name": "word", "type": "string", "description": "", "primary": False, "partition": False},
    ]
    assert (answer.json["revision"], answer.headers["ETag"]) == (2, '"2"')
    assert answer.json["table_version"] == group_of(football)["table_version"] == 3
    assert rows(football)[0] == {"id": 1, "value": 1.0, "more": None, "word": None}
    insert(football, f"{NUMBERS}/rows", {"id": [4], "value": [4.0], "more": [[1]], "word": ["w"]})
    assert rows(football)[3] == {"id": 4, "value": 4.0, "more": [1], "word": "w"}
    assert rows(football, as_of=0) == [
        {"id": 1, "value": 1.0, "more": None, "word": None},
        {"id": 2, "value": 2.0, "more": None, "word": None},
    ]
    assert [each["operation"] for each in get(football, f"{NUMBERS}/commits").json["items"]][:2] == [
        "append",
        "append_features",
    ]
    with football.container.database.read() as session:
        event = session.query(AuditEvent).filter_by(action="feature-group:update").one()
        assert (event.subject, event.detail) == ("numbers version 1", {"features": ["more", "word"]})


def test_after_features_were_appended_frames_have_to_bring_them(football: World) -> None:
    append(football, {"name": "more", "type": "double"})
    old_shape = frame_request(pa.table({"id": [4], "value": [4.0]}))
    refused = football.call("POST", f"{NUMBERS}/rows", football.key("football"), **old_shape)
    assert (refused.status_code, refused.json["code"]) == (422, "schema-mismatch")
    assert [error["field"] for error in refused.json["errors"]] == ["more"]
    insert(football, f"{NUMBERS}/rows?mode=upsert", {"id": [3, 4], "value": [30.0, 4.0], "more": [0.3, None]})
    assert [(row["id"], row["value"], row["more"]) for row in rows(football)] == [
        (1, 1.0, None),
        (2, 20.0, None),
        (3, 30.0, 0.3),
        (4, 4.0, None),
    ]
    # Through the appending of the feature: only what was written is a change.
    assert [(row["change"], row["id"], row["more"]) for row in changes(football, **{"from": 2})] == [
        ("update_before", 3, None),
        ("update_after", 3, 0.3),
        ("insert", 4, None),
    ]
    insert(football, f"{NUMBERS}/rows?mode=overwrite", {"id": [1], "value": [1.0], "more": [1.0]})
    assert rows(football) == [{"id": 1, "value": 1.0, "more": 1.0}]


def test_appending_again_changes_nothing(football: World) -> None:
    first = append(football, {"name": "more", "type": "double"})
    stale = {"If-Match": '"1"'}
    again = append(football, {"name": "more", "type": "DOUBLE", "description": "ignored"}, headers=stale)
    assert (again.status_code, again.json["features"], again.headers["ETag"]) == (200, first.json["features"], '"2"')
    both = append(football, {"name": "more", "type": "double"}, {"name": "third", "type": "int"})
    assert [feature["name"] for feature in both.json["features"]] == ["id", "value", "more", "third"]
    assert group_of(football)["table_version"] == 4


def test_a_feature_of_another_type_is_a_new_version(football: World) -> None:
    refused = append(football, {"name": "fine", "type": "double"}, {"name": "value", "type": "bigint"})
    assert (refused.status_code, refused.json["code"]) == (409, "feature-exists")
    assert "new version" in refused.json["hint"]
    assert [(error["field"], error["expected"], error["received"]) for error in refused.json["errors"]] == [
        ("value", "double", "bigint")
    ]
    assert group_of(football)["table_version"] == 2


@pytest.mark.parametrize(
    ("features", "field"),
    [
        ([], "features"),
        ([{"name": "Bad Name", "type": "int"}], "Bad Name"),
        ([{"name": "more"}], "more"),
        ([{"name": "more", "type": "nonsense"}], "more"),
        ([{"name": "more", "type": "int"}, {"name": "more", "type": "int"}], None),
        ([{"name": "more", "type": "int", "primary": True}], "features.0.primary"),
        ([{"name": f"f{number}", "type": "int"} for number in range(1999)], None),
    ],
)
def test_what_cannot_be_created_cannot_be_appended(football: World, features: list[Any], field: str | None) -> None:
    answer = append(football, *features)
    assert answer.status_code == 422, answer.json
    if field is not None:
        assert [error["field"] for error in answer.json["errors"]] == [field]
    assert (group_of(football)["revision"], group_of(football)["table_version"]) == (1, 2)


def test_appending_is_guarded_by_revision(football: World) -> None:
    stale = append(football, {"name": "more", "type": "double"}, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json["code"]) == (412, "revision-stale")
    assert group_of(football)["table_version"] == 2
    tag = get(football, NUMBERS).headers["ETag"]
    assert append(football, {"name": "more", "type": "double"}, headers={"If-Match": tag}).status_code == 200


class Interfering:
    """A table store in which something happens after the columns are there and before that is known."""

    def __init__(self, tables: TableStore, happening: Any) -> None:
        self._tables = tables
        self._happening = happening

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    def add_columns(self, location: str, columns: pa.Schema, author: Author | None = None) -> int:
        version = self._tables.add_columns(location, columns, author)
        self._happening()
        return version


def interfere(world: World, happening: Any) -> None:
    history = world.container.feature_group_history
    history._tables = Interfering(history._tables, happening)  # type: ignore[assignment]


def test_what_broke_off_half_way_is_finished_by_a_repetition(football: World) -> None:
    calls = []

    def die_once() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise StorageUnavailableError("The gateway died.")

    interfere(football, die_once)
    assert append(football, {"name": "more", "type": "double"}).status_code == 503
    assert [feature["name"] for feature in group_of(football)["features"]] == ["id", "value"]
    assert rows(football)[0] == {"id": 1, "value": 1.0}
    refused = football.call(
        "POST", f"{NUMBERS}/rows", football.key("football"), **frame_request(pa.table({"id": [4], "value": [4.0]}))
    )
    assert (refused.status_code, "Repeat that" in refused.json["hint"]) == (422, True)
    other = append(football, {"name": "more", "type": "int"})
    assert (other.status_code, other.json["code"], "double" in other.json["hint"]) == (409, "conflict", True)
    assert append(football, {"name": "more", "type": "double"}).status_code == 200
    assert rows(football)[0] == {"id": 1, "value": 1.0, "more": None}
    assert group_of(football)["table_version"] == 3


def test_a_description_edited_meanwhile_is_not_in_the_way(football: World) -> None:
    groups, context = football.container.feature_groups, football.context("football")

    def edit() -> None:
        groups.update(context, "football", "numbers", 1, UpdateFeatureGroup(description="edited"))

    interfere(football, edit)
    answer = append(football, {"name": "more", "type": "double"}, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json["description"], answer.json["revision"]) == (200, "edited", 3)


@pytest.mark.parametrize(("edits", "status"), [(2, 200), (99, 412)])
def test_edits_in_the_same_moment_are_waited_for_but_not_for_ever(
    tmp_path: Path, postgres_url: str, local_warehouse: Warehouse, edits: int, status: int
) -> None:
    """Only PostgreSQL lets somebody else edit what a transaction has read."""
    world = make_world(tmp_path / "data", postgres_url, local_warehouse)
    world.project("football")
    insert(world, GROUPS, {"id": [1]}, {"name": "numbers"})
    with world.container.database.write() as uow:
        uow.session.execute(update(FeatureGroup).values(table_version=9))  # so that noting ours takes no lock
        uow.commit()
    groups, context = world.container.feature_groups, world.context("football")

    class EditingClock:
        left = edits

        def now(self) -> datetime:
            if self.left:
                self.left -= 1
                groups.update(context, "football", "numbers", 1, UpdateFeatureGroup(description=f"edit {self.left}"))
            return world.clock.now()

    world.container.feature_group_history._clock = EditingClock()
    answer = append(world, {"name": "more", "type": "double"})
    assert (answer.status_code, answer.json.get("code")) == (status, None if status == 200 else "revision-stale")
    world.container.feature_group_history._clock = world.clock
    assert [each["name"] for each in append(world, {"name": "more", "type": "double"}).json["features"]] == [
        "id",
        "more",
    ]
    world.container.database.engine.dispose()


def test_one_who_was_faster_with_the_same_feature_is_not_in_the_way(football: World) -> None:
    started: list[bool] = []
    answers: list[TestResponse] = []

    def be_faster() -> None:
        if not started:
            started.append(True)
            answers.append(append(football, {"name": "more", "type": "double", "description": "first"}))

    interfere(football, be_faster)
    late = append(football, {"name": "more", "type": "double", "description": "second"})
    assert (late.status_code, late.json["features"]) == (200, answers[0].json["features"])
    assert late.json["features"][2]["description"] == "first"
    assert group_of(football)["revision"] == 2


def test_nothing_stays_of_a_group_deleted_meanwhile(football: World) -> None:
    groups, context = football.container.feature_groups, football.context("football")
    with football.container.database.read() as session:
        location = session.query(FeatureGroup).one().location
    interfere(football, lambda: groups.delete(context, "football", "numbers", 1))
    answer = append(football, {"name": "more", "type": "double"})
    assert (answer.status_code, answer.json["code"]) == (404, "feature-group-not-found")
    assert list(football.container.store.list_files(location)) == []


def test_features_appended_by_many_at_once_are_all_there(any_world: World) -> None:
    any_world.project("football")
    insert(any_world, GROUPS, {"id": [1]}, {"name": "numbers"})
    together = threading.Barrier(4)
    answers: list[int] = []

    def send(number: int) -> None:
        together.wait()
        answers.append(append(any_world, {"name": f"f{number}", "type": "int"}).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    group = group_of(any_world)
    assert sorted(feature["name"] for feature in group["features"]) == ["f0", "f1", "f2", "f3", "id"]
    assert rows(any_world) == [{"id": 1, "f0": None, "f1": None, "f2": None, "f3": None}]


def test_a_group_whose_rows_are_elsewhere_has_no_history(football: World) -> None:
    with football.container.database.write() as uow:
        uow.session.execute(update(FeatureGroup).values(kind="ON_DEMAND"))
        uow.commit()
    answers = [get(football, f"{NUMBERS}/{path}") for path in ("commits", "changes")]
    answers.append(append(football, {"name": "more", "type": "double"}))
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(422, "feature-group-on-demand")] * 3


def test_viewers_read_history_and_append_nothing(football: World) -> None:
    football.member("football", "vic", Role.VIEWER)
    key = football.key("football", "vic")
    assert get(football, f"{NUMBERS}/commits", key).json["items"][0]["member"] == "ada"
    refused = append(football, {"name": "more", "type": "double"}, key=key)
    assert (refused.status_code, refused.json["code"]) == (403, "role-too-low")


def test_appended_features_have_ids_of_their_own(football: World) -> None:
    append(football, {"name": "more", "type": "double"}, {"name": "again", "type": "double"})
    with football.container.database.read() as session:
        features = session.query(FeatureGroup).one().features
        assert [feature.position for feature in features] == [0, 1, 2, 3]
        assert all(isinstance(feature.id, UUID) for feature in features)
