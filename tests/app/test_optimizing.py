"""Many small files become few, and nothing else changes."""

from typing import Any

import pyarrow as pa
import pytest

from infra.errors import ConflictError
from infra.ports.tables import Write, WriteMode
from tests.frames import frame_request, read_arrow
from tests.world import World

GROUP = "/projects/football/feature-groups/players/versions/1"


@pytest.fixture
def scattered(world: World) -> World:
    """A group of twelve commits, in which two rows have one key and one time."""
    world.projects("football", "rivals")
    table = pa.table({"id": [0], "at": [7], "place": ["b c"], "value": [0.0]})
    command = {"name": "players", "event_time": "at", "partition_by": ["place"]}
    key = world.key("football")
    world.call("POST", "/projects/football/feature-groups", key, **frame_request(table, command))
    for number in range(1, 12):
        rows = pa.table({"id": [number % 6], "at": [7], "place": ["b c"], "value": [float(number)]})
        assert world.call("POST", f"{GROUP}/rows", key, **frame_request(rows)).status_code == 200
    return world


def optimize(world: World, group: str = "players") -> dict[str, Any]:
    key = world.key("football")
    job = {"kind": "optimize", "arguments": {"feature_group": group}}
    assert world.call("PUT", "/projects/football/jobs/tidy", key, json=job).status_code == 200
    run = world.call("POST", "/projects/football/jobs/tidy/runs", key, json={}).json["id"]
    world.work()
    return dict(world.call("GET", f"/projects/football/runs/{run}", key).json)


def latest_values(world: World) -> list[Any]:
    """Of rows with equal key and time the one written later counts."""
    labels = pa.table({"id": list(range(6)), "at": [8] * 6})
    command = {"features": ["players.value"], "labels": {"event_time": "at"}}
    answer = world.call("POST", "/projects/football/queries", world.key("football"), **frame_request(labels, command))
    assert answer.status_code == 200, answer.json
    return read_arrow(answer.data)["value"].to_pylist()


def test_rows_order_and_the_past_stay(scattered: World) -> None:
    key = scattered.key("football")
    rows = read_arrow(scattered.call("GET", f"{GROUP}/rows", key).data)
    values = latest_values(scattered)
    assert values == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    run = optimize(scattered)
    assert run["state"] == "succeeded", run["error"]
    assert run["result"] == {"files_before": 12, "files_after": 1, "table_version": 12}
    assert read_arrow(scattered.call("GET", f"{GROUP}/rows", key).data) == rows
    assert latest_values(scattered) == values
    before = read_arrow(scattered.call("GET", f"{GROUP}/rows?as_of=3", key).data)
    assert before.num_rows == 4
    commit = scattered.call("GET", f"{GROUP}/commits", key).json["items"][0]
    assert (commit["operation"], commit["member"]) == ("optimize", "ada")
    changes = read_arrow(scattered.call("GET", f"{GROUP}/changes?from=11", key).data)
    assert changes.num_rows == 0


def test_what_is_tidy_is_left_alone(scattered: World) -> None:
    optimize(scattered)
    again = optimize(scattered)
    assert again["result"]["table_version"] is None
    log = scattered.call("GET", f"/projects/football/runs/{again['id']}/log", scattered.key("football")).json["items"]
    assert log[0]["text"] == "Nothing to gain: the table has 1 files."


def test_a_write_meanwhile_counts_for_more(scattered: World) -> None:
    tables = scattered.container.tables
    location = next(iter({path.rsplit("/", 1)[0] for path in _logs(scattered)})).removesuffix("/_delta_log")
    schema = tables.snapshot(location).schema
    late = Write(
        WriteMode.OVERWRITE, lambda: pa.RecordBatchReader.from_batches(schema, []), "request", 10, only_after=10
    )
    with pytest.raises(ConflictError, match="at version 11, not 10"):
        tables.write(location, late)
    assert tables.version(location) == 11


def _logs(world: World) -> list[str]:
    project = str(world.context("football").principal.project_id)
    return [path for path in world.container.store.list_files(project) if "/_delta_log/" in path]


def test_a_group_that_is_not_there(scattered: World) -> None:
    assert optimize(scattered, "nobody")["error"]["code"] == "feature-group-not-found"
