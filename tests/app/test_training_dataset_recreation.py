"""Training datasets made again from what their manifests say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import select

from app.featurestore.training_datasets.errors import NotReproducibleError
from app.featurestore.training_datasets.files import content_hash
from app.featurestore.training_datasets.models import TrainingDataset
from app.featurestore.training_datasets.recreation import require_same_groups
from app.settings import ConnectorSettings, SecretSettings
from infra.storage.location import Warehouse
from tenancy.actions import ShareKind
from tests.frames import arrow_bytes, frame_request, read_arrow
from tests.lab.source import PASSWORD, READER, SourceDatabase
from tests.world import World, make_world

DATASETS = "/projects/football/training-datasets"
GROUPS = "/projects/football/feature-groups"
TIME = pa.timestamp("us", "UTC")
TEAMS = pa.table({"team_id": [1, 2, 3], "budget": [1.5, None, 3.5]})
LABELS = pa.table({"team_id": [3, 1, 9], "at": pa.array([5, 6, 7], TIME), "won": [1, 0, 1]})


@pytest.fixture
def football(world: World) -> World:
    return _filled(world)


def _filled(world: World) -> World:
    world.projects("football", "venues")
    key = world.key("football")
    forms = pa.table({"team_id": [1, 2, 3], "measured": pa.array([1, 2, 3], TIME), "form": [0.1, 0.2, 0.3]})
    for table, command in (
        (TEAMS, {"name": "teams"}),
        (forms, {"name": "forms", "event_time": "measured", "primary_key": ["team_id"]}),
    ):
        assert world.call("POST", GROUPS, key, **frame_request(table, command)).status_code == 201
    return world


def _create(world: World, frame: pa.Table | None = None, project: str = "football", **command: Any) -> Any:
    command = {"name": "d", **command}
    request = {"json": command} if frame is None else frame_request(frame, command)
    made = world.call("POST", f"/projects/{project}/training-datasets", world.key(project), **request)
    assert made.status_code == 201, made.json
    return made.json


def _recreate(world: World, project: str = "football", **body: Any) -> Any:
    path = f"/projects/{project}/training-datasets/d/versions/1/recreate"
    headers = body.pop("headers", {})
    return world.call("POST", path, world.key(project), json=body, headers=headers)


def _manifest(world: World, version: int = 1, name: str = "d") -> Any:
    return world.call("GET", f"{DATASETS}/{name}/versions/{version}/manifest", world.key("football")).json


def _change_everything(world: World) -> None:
    key = world.key("football")
    more = pa.table({"team_id": [4, 1], "budget": [9.0, 9.0]})
    later = pa.table({"team_id": [1, 3], "measured": pa.array([4, 4], TIME), "form": [7.0, 7.0]})
    for name, table in (("teams", more), ("forms", later)):
        path = f"{GROUPS}/{name}/versions/1/rows?mode=overwrite"
        assert world.call("POST", path, key, **frame_request(table)).status_code == 200


SPLITS = {"shares": {"train": 0.5, "test": 0.5}, "seed": 3}
WAYS: dict[str, tuple[dict[str, Any], pa.Table | None]] = {
    "one group": ({"query": {"features": ["team_id", "budget"]}}, None),
    "joined": ({"query": {"features": ["budget", "form"]}, "splits": SPLITS}, None),
    "of a state": ({"query": {"features": ["team_id", "budget"], "as_of": 0}}, None),
    "labels sent": ({"query": {"features": ["form", "budget"], "labels": {"event_time": "at"}}}, LABELS),
    "labels of a group": ({"query": {"features": ["budget"], "labels": {"feature_group": "forms_1"}}}, None),
    "as known": (
        {"query": {"features": ["form"], "labels": {"event_time": "at", "given_back": ["won"]}, "as_known": True}},
        LABELS,
    ),
    "joins said": (
        {
            "query": {
                "features": ["teams.budget", "form"],
                "joins": {"teams": {"left_on": ["team_id"], "prefix": "x_"}},
                "labels": {"event_time": "at"},
                "lookback": 10**9,
            },
            "label": "won",
        },
        LABELS,
    ),
    "sql": ({"sql": {"query": "SELECT team_id, sum(budget) AS b FROM teams_1 GROUP BY 1 ORDER BY 1"}}, None),
    "sql of a dialect": (
        {"sql": {"query": "SELECT nvl(budget, 0.0) AS b FROM `teams_1` ORDER BY 1", "dialect": "hive"}},
        None,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_the_same_to_the_byte_whatever_its_groups_are_now(football: World, way: str) -> None:
    command, labels = WAYS[way]
    _create(football, labels, **command)
    before = _manifest(football)
    _change_everything(football)
    made = _recreate(football)
    assert made.status_code == 201, made.json
    assert (made.json["equal"], made.json["dataset"]["version"], made.json["code_changed"]) == (True, 2, [])
    assert made.json["content_hash"] == made.json["recorded_content_hash"] == content_hash(before["files"])
    after = _manifest(football, 2)
    told = {key: value for key, value in after.items() if key not in ("created_at", "writes")}
    assert told == {key: before[key] for key in told}
    bytes_of = [
        football.call("GET", f"{DATASETS}/d/versions/{n}/files/{before['files'][0]['path']}", football.key("football"))
        for n in (1, 2)
    ]
    assert bytes_of[0].data == bytes_of[1].data
    again = football.call("POST", f"{DATASETS}/d/versions/2/recreate", football.key("football"), json={"name": "e"})
    assert (again.json["equal"], again.json["dataset"]["name"], again.json["dataset"]["version"]) == (True, "e", 1)


@pytest.mark.parametrize("data_format", ["csv", "tsv", "tfrecords", "avro", "orc", "hdf5"])
def test_other_formats_are_the_same_too(football: World, data_format: str) -> None:
    _create(football, query={"features": ["team_id", "budget"]}, data_format=data_format)
    assert _recreate(football).json["equal"] is True


def test_what_is_not_the_same_is_said(football: World) -> None:
    _create(football, sql={"query": "SELECT random() AS x FROM teams_1"})
    made = _recreate(football).json
    assert made["equal"] is False
    assert made["content_hash"] != made["recorded_content_hash"]


def test_it_is_made_once_under_a_key(football: World) -> None:
    _create(football, query={"features": ["budget"]})
    headers = {"Idempotency-Key": "recreate-001"}
    first, again = (_recreate(football, headers=headers) for _ in range(2))
    assert first.json == again.json
    assert _recreate(football, version=2).json["code"] == "training-dataset-exists"
    assert _recreate(football).json["dataset"]["version"] == 3


def _refused(world: World, said: str, project: str = "football") -> None:
    refused = _recreate(world, project)
    assert (refused.status_code, refused.json["code"]) == (422, "training-dataset-not-reproducible"), refused.json
    assert said in refused.json["detail"], refused.json["detail"]


def test_a_frame_is_not_kept(football: World) -> None:
    _create(football, TEAMS)
    _refused(football, "made from a frame")


def test_rows_written_since_are_not_made_again(football: World) -> None:
    _create(football, query={"features": ["team_id", "budget"]})
    path = f"{DATASETS}/d/versions/1/rows?mode=append"
    assert football.call("POST", path, football.key("football"), **frame_request(TEAMS)).status_code == 200
    _refused(football, "rows were written to it since")


def test_a_group_that_is_gone_is_named(football: World) -> None:
    _create(football, query={"features": ["team_id", "budget"]})
    key = football.key("football")
    assert football.call("DELETE", f"{GROUPS}/teams/versions/1", key).status_code == 204
    _refused(football, "'teams' version 1 of 'football' is not as it was: it was deleted")
    assert football.call("POST", GROUPS, key, **frame_request(TEAMS, {"name": "teams"})).status_code == 201
    _refused(football, "what is called so now is another one")


def test_a_state_that_is_gone_is_named(football: World) -> None:
    _create(football, query={"features": ["team_id", "budget"]})
    with football.container.database.write() as uow:
        dataset = uow.session.scalar(select(TrainingDataset))
        assert dataset is not None
        (group,) = dataset.manifest["groups"]
        dataset.manifest = {**dataset.manifest, "groups": [{**group, "table_version": 7}]}
        uow.commit()
    _refused(football, "version 7 of its table is gone")


def test_a_share_that_ended_is_named(football: World) -> None:
    share = football.share("football", "venues", ShareKind.FEATURE_STORE)
    query = {"features": ["budget"], "featurestore": "football_featurestore"}
    _create(football, project="venues", query=query)
    assert _recreate(football, "venues").json["equal"] is True
    football.container.shares.end(football.context("football"), "football", share.id)
    _refused(football, "not shared any more", "venues")


@pytest.mark.parametrize(("name", "version"), [("rich", 1), ("teams", 2)])
def test_groups_that_came_later_are_not_looked_at(football: World, name: str, version: int) -> None:
    """Asked anew, the feature would be ambiguous, or that of the latest version."""
    _create(football, query={"features": ["budget"]})
    other, command = pa.table({"team_id": [1], "budget": [0.0]}), {"name": name, "version": version}
    assert football.call("POST", GROUPS, football.key("football"), **frame_request(other, command)).status_code == 201
    assert _recreate(football).json["equal"] is True


def test_a_group_of_ones_own_does_not_take_the_place_of_a_shared_one(football: World) -> None:
    """Asked anew, the own one would go first."""
    football.share("football", "venues", ShareKind.FEATURE_STORE)
    _create(football, project="venues", query={"features": ["budget"]})
    other = pa.table({"team_id": [1], "budget": [0.0]})
    groups = "/projects/venues/feature-groups"
    made = football.call("POST", groups, football.key("venues"), **frame_request(other, {"name": "teams"}))
    assert made.status_code == 201
    assert _recreate(football, "venues").json["equal"] is True


def test_reading_other_groups_than_recorded_is_refused() -> None:
    recorded, read = ([{"project": "football", "name": name, "version": 1}] for name in ("teams", "rich"))
    require_same_groups(recorded, recorded)
    with pytest.raises(NotReproducibleError, match=r"football\.rich_1 in place of football\.teams_1"):
        require_same_groups(recorded, read)


def test_the_labels_are_kept_beside_the_files_and_are_none_of_them(football: World) -> None:
    made = _create(football, LABELS, query={"features": ["form"], "labels": {"event_time": "at", "given_back": []}})
    manifest, key = _manifest(football), football.key("football")
    assert (manifest["label_file"]["path"], manifest["label_file"]["rows"]) == ("labels.arrow", 3)
    (kept,) = (football.directory.parent / "warehouse").glob("*/*/labels.arrow")
    assert read_arrow(kept.read_bytes()) == LABELS
    assert football.call("GET", f"{DATASETS}/d/versions/1/files/labels.arrow", key).status_code == 404
    assert made["bytes"] == sum(file["bytes"] for file in manifest["files"])
    assert football.call("DELETE", f"{DATASETS}/d/versions/1", key).status_code == 204
    assert not kept.exists()


def test_other_labels_than_those_that_came_are_not_taken_for_them(football: World) -> None:
    made = _create(football, LABELS, query={"features": ["form"], "labels": {"event_time": "at"}})
    others = LABELS.set_column(2, "won", pa.array([0, 0, 0]))
    (Path(made["path"]) / "labels.arrow").write_bytes(arrow_bytes(others))
    refused = _recreate(football)
    assert (refused.status_code, refused.json["code"]) == (503, "storage-unavailable")
    assert "labels.arrow" in refused.json["detail"]


def test_what_is_computed_of_it_stays_what_was_asked(football: World) -> None:
    wanted = {"descriptive": False, "correlations": False, "histograms": False, "clusters": False}
    _create(football, query={"features": ["budget"]}, statistics=wanted)
    _recreate(football)
    with football.container.database.read() as session:
        first, again = session.scalars(select(TrainingDataset.statistics).order_by(TrainingDataset.version))
    assert first == again
    assert wanted.items() <= first.items()


def test_the_order_of_many_joined_rows_is_the_same_each_time(football: World) -> None:
    """Enough rows for several threads, and many matches of a key, which a join gives in the order that threads find them."""
    key, chance, rows = football.key("football"), np.random.default_rng(5), 200_000
    for name in ("lefts", "rights"):
        for part in range(2):
            table = pa.table({"k": chance.integers(0, rows // 3, rows), f"{name}_value": chance.random(rows)})
            path = GROUPS if part == 0 else f"{GROUPS}/{name}/versions/1/rows?mode=append"
            command = {"name": name, "primary_key": ["k"]} if part == 0 else None
            assert football.call("POST", path, key, **frame_request(table, command)).status_code < 300
    _create(football, query={"features": ["lefts_value", "rights_value"]})
    made = [_recreate(football).json for _ in range(2)]
    assert [each["equal"] for each in made] == [True] * 2


def test_labels_are_found_again_on_every_warehouse_and_database(any_world: World) -> None:
    football = _filled(any_world)
    command, labels = WAYS["labels sent"]
    _create(football, labels, **command, splits=SPLITS)
    _change_everything(football)
    assert _recreate(football).json["equal"] is True


@pytest.fixture
def foreign(
    tmp_path: Path, local_warehouse: Warehouse, source: SourceDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """With a group on demand."""
    monkeypatch.setenv("OAST_SECRET_DB", PASSWORD)
    connectors = ConnectorSettings(allowed_networks="127.0.0.0/8", max_rows=1000, deadline_seconds=20)
    secrets = SecretSettings(local="football=env:OAST_SECRET_DB")
    world = make_world(tmp_path / "data", None, local_warehouse, secrets=secrets, connectors=connectors)
    _filled(world)
    source.execute("CREATE TABLE towns (team_id int PRIMARY KEY, town text)", "INSERT INTO towns VALUES (1, 'x')")
    place = {"host": "127.0.0.1", "port": source.port, "database": source.database, "user": READER}
    options = {"engine": "postgresql", "tls_mode": "disable", **place}
    connector = {"name": "sales", "options": options, "secret": "env:OAST_SECRET_DB"}
    group = {"name": "towns", "kind": "ON_DEMAND", "connector": "sales", "query": "SELECT team_id, town FROM towns"}
    for path, body in (("connectors", connector), ("feature-groups", group)):
        made = world.call("POST", f"/projects/football/{path}", world.key("football"), json=body)
        assert made.status_code == 201, made.json
    yield world
    world.container.database.engine.dispose()


def test_a_group_on_demand_has_no_states(foreign: World) -> None:
    _create(foreign, query={"features": ["budget", "town"]})
    _refused(foreign, "'towns' version 1 of 'football' is not as it was: it is on demand")
