"""Training datasets in a folder that a connector leads to: they keep apart, and clearing up one never reaches another."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from app.featurestore.locations.models import LocationState
from tests.frames import frame_request, read_arrow
from tests.world import World

PROJECT = "/projects/football"
DATASETS = f"{PROJECT}/training-datasets"


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    table = pa.table({"id": [1, 2, 3], "value": [1.0, 2.0, 3.0]})
    for path, request in (
        ("feature-groups", frame_request(table, {"name": "numbers"})),
        ("connectors", {"json": _folder("folder")}),
        ("connectors", {"json": _folder("beside")}),
    ):
        assert world.call("POST", f"{PROJECT}/{path}", world.key("football"), **request).status_code == 201
    return world


def _folder(name: str, dataset_name: str = "models") -> dict[str, Any]:
    return {"name": name, "kind": "HOPSFS", "options": {"dataset_name": dataset_name}}


def _create(world: World, path: str, name: str = "d", **command: Any) -> Any:
    body = {"name": name, "query": {"features": ["id", "value"]}, "sink": "folder", "path": path, **command}
    return world.call("POST", DATASETS, world.key("football"), json=body)


def _ids(world: World, name: str = "d") -> Any:
    rows = world.call("GET", f"{DATASETS}/{name}/versions/1/rows", world.key("football"))
    return read_arrow(rows.data)["id"].to_pylist()


def _project_id(world: World) -> UUID:
    found = world.context("football").principal.project_id
    assert found is not None
    return found


def _claim(world: World, path: str, sink: str = "folder") -> str:
    """As a writer does who is at work still, or died."""
    project_id, container = _project_id(world), world.container
    with container.database.read() as session:
        found = container.places.find_sink(session, project_id, sink, path)
    assert found is not None
    return container.locations.claim(project_id, found.elsewhere)


@pytest.mark.parametrize("sink", ["folder", "beside"])
@pytest.mark.parametrize("path", ["models", "models/train", "models/train/deep"])
def test_where_somebody_writes_nobody_else_does(football: World, path: str, sink: str) -> None:
    """Else whoever fails would clear up the files of both."""
    claimed = _claim(football, "models/train", sink)
    refused = _create(football, path)
    assert (refused.status_code, refused.json["code"]) == (409, "sink-occupied"), refused.json
    football.container.locations.abandon(claimed)
    assert _create(football, path).status_code == 201
    assert _ids(football) == [1, 2, 3]


@pytest.mark.parametrize("path", ["models/trainer", "model", "Models/train", "models2/train"])
def test_neighbours_are_no_trouble(football: World, path: str) -> None:
    claimed = _claim(football, "models/train")
    assert _create(football, path).status_code == 201
    football.container.locations.abandon(claimed)
    assert _ids(football) == [1, 2, 3]


def test_no_dataset_lies_inside_another(football: World) -> None:
    assert _create(football, "models").status_code == 201
    refused = _create(football, "models/below", "e")
    assert (refused.status_code, refused.json["code"]) == (409, "sink-occupied")


def test_what_could_not_be_removed_yet_does_not_take_its_successor_along(football: World) -> None:
    """The owner removed the files of a deleted dataset by hand and writes another one there: its names are the same."""
    container, location = football.container, _claim(football, "models")
    with container.database.write() as uow:
        container.locations.mark(uow.session, location, LocationState.DOOMED, ["part-00000.parquet"])
        uow.commit()
    assert _create(football, "models").status_code == 201
    assert container.locations.purge() == 0
    assert _ids(football) == [1, 2, 3]


def test_deleting_leaves_what_is_only_called_like_our_files(football: World) -> None:
    """A dataset without labels has no file of labels."""
    folder = Path(_create(football, "models").json["path"])
    for name in ("labels.arrow", "notes.txt", "part-00001.parquet"):
        (folder / name).write_text("theirs")
    path = f"{DATASETS}/d/versions/1"
    assert football.call("DELETE", path, football.key("football")).status_code == 204
    assert sorted(file.name for file in folder.iterdir()) == ["labels.arrow", "notes.txt", "part-00001.parquet"]


def test_labels_are_removed_with_the_rest(football: World) -> None:
    labels = pa.table({"id": [1, 3], "at": pa.array([5, 6], pa.timestamp("us", "UTC"))})
    query = {"features": ["value"], "labels": {"event_time": "at"}}
    command = {"name": "d", "query": query, "sink": "folder", "path": "models"}
    made = football.call("POST", DATASETS, football.key("football"), **frame_request(labels, command))
    folder = Path(made.json["path"])
    assert (folder / "labels.arrow").exists()
    football.call("DELETE", f"{DATASETS}/d/versions/1", football.key("football"))
    assert not list(folder.rglob("*.*"))


@pytest.mark.parametrize("path", [".staging", "a/.b", "_hidden", "...", "=x", "a/", "a//b", "%2e%2e", "a\n", "é"])
def test_paths_that_readers_pass_over_or_that_escape_are_refused(football: World, path: str) -> None:
    refused = _create(football, path)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid-input")


def test_a_connector_does_not_move_away_from_its_datasets(football: World) -> None:
    """Deleting one would else remove what is called like its files at the new place."""
    key, path = football.key("football"), f"{PROJECT}/connectors/folder"
    _create(football, "models")
    moved = {"options": {"dataset_name": "others"}}
    refused = football.call("PATCH", path, key, json=moved)
    assert (refused.status_code, refused.json["code"]) == (409, "connector-in-use")
    assert "d_1" in refused.json["detail"]
    assert football.call("PATCH", path, key, json={"description": "Models."}).status_code == 200
    assert _ids(football) == [1, 2, 3]
    assert football.call("DELETE", f"{DATASETS}/d/versions/1", key).status_code == 204
    assert football.call("PATCH", path, key, json=moved).status_code == 200
