"""Statistics of a feature group: computed in the background, kept per commit, for who may read the rows."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import event, func, select

from app.featurestore.statistics import repository
from app.featurestore.statistics.models import Statistics
from app.settings import StatisticsSettings
from infra.storage.location import Warehouse
from tenancy.actions import ShareKind
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.frames import frame_request
from tests.world import World, make_world

GROUPS = "/projects/football/feature-groups"
GROUP = f"{GROUPS}/players/versions/1"
AGES = [17.0, 21.0, 34.0, None]


@pytest.fixture
def world(tmp_path: Path, local_warehouse: Warehouse) -> Iterator[World]:
    """One where statistics follow every commit, as they do unless an operator says otherwise."""
    made = make_world(tmp_path / "data", None, local_warehouse, statistics=StatisticsSettings())
    made.projects("football", "rivals")
    yield made
    made.container.database.engine.dispose()


def create(world: World, **command: Any) -> Any:
    table = pa.table({"id": [1, 2, 3, 4], "age": AGES})
    return world.call("POST", GROUPS, world.key("football"), **frame_request(table, {"name": "players", **command}))


def insert(world: World, ids: list[int], ages: list[float]) -> Any:
    table = pa.table({"id": ids, "age": ages})
    return world.call("POST", f"{GROUP}/rows", world.key("football"), **frame_request(table))


def statistics(world: World, path: str = "", key: str | None = None) -> Any:
    return world.call("GET", f"{GROUP}/statistics{path}", key or world.key("football"))


def column(answer: Any, name: str = "age") -> dict[str, Any]:
    assert answer.status_code == 200, answer.json
    return dict(next(found for found in answer.json["content"]["columns"] if found["name"] == name))


class TestAfterACommit:
    def test_they_are_those_of_the_rows(self, world: World) -> None:
        create(world)
        assert world.work() == 1
        age = column(statistics(world))
        known = [value for value in AGES if value is not None]
        assert (age["count"], age["nulls"]) == (3, 1)
        assert age["descriptive"]["mean"] == pytest.approx(np.mean(known), rel=1e-12)
        assert age["descriptive"]["stddev"] == pytest.approx(np.std(known, ddof=1), rel=1e-12)

    def test_each_commit_has_its_own(self, world: World) -> None:
        create(world)
        world.work()
        insert(world, [5, 6], [40.0, 41.0])
        world.work()
        states = statistics(world, "/states").json["items"]
        assert [(state["state"], state["rows"]) for state in states] == [(1, 6), (0, 4)]
        assert column(statistics(world, "?state=0"))["descriptive"]["max"] == 34.0
        assert column(statistics(world))["descriptive"]["max"] == 41.0

    def test_commits_that_come_faster_share_one_computation(self, world: World) -> None:
        create(world)
        for number in range(3):
            insert(world, [10 + number], [1.0])
        assert world.work() == 1
        assert statistics(world).json["state"] == 3

    def test_an_empty_group_has_none_yet(self, world: World) -> None:
        features = [{"name": "id", "type": "bigint"}, {"name": "age", "type": "double"}]
        world.call("POST", GROUPS, world.key("football"), json={"name": "players", "features": features})
        assert world.work() == 0
        answer = statistics(world)
        assert (answer.status_code, answer.json["type"]) == (404, "/problems/statistics-not-found")
        assert "update_featuregroup_stats" in answer.json["hint"]

    def test_who_wants_none_gets_none(self, world: World) -> None:
        nothing = {"descriptive": False, "correlations": False, "histograms": False, "clusters": False}
        assert create(world, statistics=nothing).json["statistics"]["histograms"] is False
        assert world.work() == 0

    def test_the_group_says_which_ones(self, world: World) -> None:
        assert create(world, statistics={"columns": ["age"], "clusters": False, "bins": 7}).status_code == 201
        world.work()
        answer = statistics(world).json
        assert [found["name"] for found in answer["content"]["columns"]] == ["age"]
        assert answer["content"]["clusters"] is None
        assert answer["options"]["bins"] == 7
        changed = world.call("PATCH", GROUP, world.key("football"), json={"statistics": {"descriptive": False}})
        assert changed.json["statistics"]["columns"] == []
        insert(world, [9], [1.0])
        world.work()
        assert column(statistics(world), "id")["descriptive"] is None

    @pytest.mark.parametrize(
        "options",
        [
            {"columns": ["height"]},
            {"columns": ["age", "age"]},
            {"bins": 1},
            {"correlation_method": "kendall"},
            {"colour": "red"},
        ],
    )
    def test_what_cannot_be_computed_is_refused_at_once(self, world: World, options: dict[str, Any]) -> None:
        assert create(world, statistics=options).status_code == 422
        assert create(world).status_code == 201
        assert world.call("PATCH", GROUP, world.key("football"), json={"statistics": options}).status_code == 422

    def test_more_numbers_than_a_matrix_has_are_refused_where_they_are_named(self, world: World) -> None:
        table = pa.table({f"n{number}": [1, 2] for number in range(51)})
        command: dict[str, Any] = {"name": "wide", "statistics": {"columns": table.column_names}}
        refused = world.call("POST", GROUPS, world.key("football"), **frame_request(table, command))
        assert (refused.status_code, refused.json["code"]) == (422, "invalid-input")
        assert "51 numeric columns" in refused.json["detail"]

    @pytest.mark.parametrize("of", ["commit", "asking", "rules"])
    def test_the_warehouse_is_looked_at_outside_of_transactions(
        self, world: World, of: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A slow object store must not hold connections of the database."""
        create(world)
        world.work()
        insert(world, [7], [1.0])
        snapshot = world.container.tables.snapshot
        held: list[int] = []

        def looked(*args: Any) -> Any:
            held.append(world.container.database.engine.pool.checkedout())  # type: ignore[attr-defined]  # of pools that have a size
            return snapshot(*args)

        monkeypatch.setattr(world.container.tables, "snapshot", looked)
        if of == "asking":
            asked = world.call("POST", f"{GROUP}/statistics", world.key("football"), json={"options": {"bins": 5}})
            assert asked.status_code == 202
        elif of == "rules":
            rules = {"rules": [{"rule": "not_null", "columns": ["id"]}]}
            assert world.call("PUT", f"{GROUP}/expectations", world.key("football"), json=rules).status_code == 200
            assert world.call("POST", f"{GROUP}/validations", world.key("football"), json={}).status_code == 202
        world.work()
        assert held
        assert set(held) == {0}

    def test_states_are_told_without_what_they_hold(self, world: World) -> None:
        create(world)
        world.work()
        asked: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            asked.append(statement)

        engine = world.container.database.engine
        event.listen(engine, "before_cursor_execute", note)
        assert len(statistics(world, "/states").json["items"]) == 1
        assert statistics(world, "?state=99").json["candidates"] == ["0"]
        event.remove(engine, "before_cursor_execute", note)
        lists = [each for each in asked if "FROM statistics" in each and "LIMIT" not in each]
        assert lists
        assert not any("content" in each for each in lists)

    def test_they_go_with_the_group(self, world: World) -> None:
        create(world)
        world.work()
        insert(world, [7], [1.0])
        world.call("DELETE", GROUP, world.key("football"))
        # The run that the insert had asked for finds nothing to look at, and says so.
        world.work()
        runs = world.call("GET", "/projects/football/runs", world.key("football")).json["items"]
        assert runs[0]["result"] == {"skipped": "It was deleted meanwhile."}
        with world.container.database.read() as session:
            assert session.scalar(select(func.count()).select_from(Statistics)) == 0

    def test_the_oldest_are_let_go(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(repository, "KEPT", 2)
        create(world)
        world.work()
        for number in range(3):
            insert(world, [10 + number], [1.0])
            world.work()
        assert [state["state"] for state in statistics(world, "/states").json["items"]] == [3, 2]
        gone = statistics(world, "?state=0")
        assert (gone.status_code, gone.json["candidates"]) == (404, ["3", "2"])


class TestAskedFor:
    def test_with_other_options_once(self, world: World) -> None:
        create(world)
        world.work()
        asked = world.call(
            "POST",
            f"{GROUP}/statistics",
            world.key("football"),
            json={"options": {"bins": 3, "correlations": False}},
        )
        assert (asked.status_code, asked.json["state"], asked.json["kind"]) == (202, "queued", "statistics")
        world.work()
        answer = statistics(world).json
        assert (answer["state"], answer["options"]["bins"], answer["content"]["correlations"]) == (0, 3, None)
        world.call("POST", f"{GROUP}/statistics", world.key("football"), json={})
        world.work()
        assert statistics(world).json["options"]["bins"] == 20

    def test_of_columns_that_are_not_there(self, world: World) -> None:
        create(world)
        asked = world.call(
            "POST", f"{GROUP}/statistics", world.key("football"), json={"options": {"columns": ["height"]}}
        )
        assert asked.status_code == 422
        assert "height" in asked.json["detail"]

    def test_nobody_saves_a_job_for_it(self, world: World) -> None:
        answer = world.call(
            "PUT", "/projects/football/jobs/mine", world.key("football"), json={"kind": "statistics", "arguments": {}}
        )
        assert answer.status_code == 422


class TestForWhom:
    def test_only_for_who_may_read_the_rows(self, world: World) -> None:
        create(world)
        world.work()
        browse = world.key("football", scopes=(Scope.FEATURESTORE_BROWSE,))
        assert statistics(world, key=browse).status_code == 403
        assert statistics(world, "/states", browse).status_code == 403
        assert statistics(world, key=world.key("rivals")).status_code == 404
        world.share("football", "rivals", ShareKind.FEATURE_STORE)
        assert statistics(world, key=world.key("rivals")).status_code == 200
        asked = world.call("POST", f"{GROUP}/statistics", world.key("rivals"), json={})
        assert asked.status_code == 403

    def test_a_viewer_reads_and_asks_for_none(self, world: World) -> None:
        create(world)
        world.work()
        world.member("football", "vic", Role.VIEWER)
        key = world.key("football", "vic")
        assert statistics(world, key=key).status_code == 200
        assert world.call("POST", f"{GROUP}/statistics", key, json={}).status_code == 403


class TestDrift:
    def test_two_commits_compared(self, world: World) -> None:
        create(world)
        world.work()
        insert(world, list(range(100, 400)), [float(90 + number % 9) for number in range(300)])
        world.work()
        question = {"old": {"feature_group": "players", "state": 0}, "new": {"feature_group": "players"}}
        answer = world.call("POST", "/projects/football/drift", world.key("football"), json=question)
        assert answer.status_code == 200, answer.json
        age = next(found for found in answer.json["columns"] if found["name"] == "age")
        assert age["changes"]["mean"] > 40
        same = {"old": {"feature_group": "players"}, "new": {"feature_group": "players"}}
        calm = world.call("POST", "/projects/football/drift", world.key("football"), json=same).json
        assert (calm["verdict"], {found["psi"] for found in calm["columns"]}) == ("stable", {0.0})

    def test_nothing_is_told_of_what_is_not_shared(self, world: World) -> None:
        create(world)
        world.work()
        question = {
            "old": {"feature_group": "players", "project": "football"},
            "new": {"feature_group": "players", "project": "football"},
        }
        answer = world.call("POST", "/projects/rivals/drift", world.key("rivals"), json=question)
        assert (answer.status_code, answer.json["type"]) == (404, "/problems/project-not-found")

    @pytest.mark.parametrize("side", [{}, {"feature_group": "a", "training_dataset": "b"}])
    def test_each_side_names_one_thing(self, world: World, side: dict[str, Any]) -> None:
        question = {"old": side, "new": {"feature_group": "players"}}
        answer = world.call("POST", "/projects/football/drift", world.key("football"), json=question)
        assert answer.status_code == 422


def test_a_training_dataset_has_its_own_after_each_write(world: World) -> None:
    create(world)
    world.work()
    path, key = "/projects/football/training-datasets", world.key("football")
    assert world.call("POST", path, key, json={"name": "ages", "query": {"features": ["age"]}}).status_code == 201
    assert world.work() == 1
    answer = world.call("GET", f"{path}/ages/versions/1/statistics", key)
    assert (answer.json["rows"], column(answer)["nulls"]) == (4, 1)
    rows = frame_request(pa.table({"age": [50.0, 51.0]}))
    assert world.call("POST", f"{path}/ages/versions/1/rows?mode=append", key, **rows).status_code == 200
    assert world.work() == 1
    later = world.call("GET", f"{path}/ages/versions/1/statistics", key)
    assert later.json["rows"] == 6
    assert later.json["state"] > answer.json["state"]
    world.call("DELETE", f"{path}/ages/versions/1", key)
    with world.container.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Statistics)) == 1


def test_none_outlive_a_group_that_is_deleted_while_they_are_stored(
    tmp_path: Path, postgres_url: str, local_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path / "data", postgres_url, local_warehouse, statistics=StatisticsSettings())
    world.projects("football")
    create(world)
    replace, deletions = repository.StatisticsRepository.replace, []

    def slowly(self: repository.StatisticsRepository, statistics: Statistics) -> None:
        deletion = threading.Thread(target=lambda: world.call("DELETE", GROUP, world.key("football")))
        deletions.append(deletion)
        deletion.start()
        deletion.join(1)
        replace(self, statistics)

    monkeypatch.setattr(repository.StatisticsRepository, "replace", slowly)
    world.work()
    deletions[0].join(20)
    assert world.call("GET", GROUP, world.key("football")).status_code == 404
    with world.container.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Statistics)) == 0
    world.container.database.engine.dispose()
