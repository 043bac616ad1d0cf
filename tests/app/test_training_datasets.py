"""Training datasets over the API."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from app.web.arrow import StreamBrokenOffError
from tenancy.principals import Role
from tests.frames import frame_request, read_arrow
from tests.world import World

DATASETS = "/projects/football/training-datasets"


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    key = world.key("football")
    for name, table in {
        "teams": pa.table({"team_id": [1, 2, 3], "budget": [1.5, None, 3.5], "city": ["a", "", None]}),
        "games": pa.table({"game_id": [1], "moves": [[1, 2]]}),
    }.items():
        made = world.call("POST", "/projects/football/feature-groups", key, **frame_request(table, {"name": name}))
        assert made.status_code == 201
    return world


def _groups(manifest: Any) -> list[dict[str, Any]]:
    """Without their ids, which nobody knows beforehand."""
    return [{key: value for key, value in group.items() if key != "id"} for group in manifest["groups"]]


def _create(world: World, **command: Any) -> Any:
    body = {"name": "dataset", "query": {"features": ["team_id", "budget", "city"]}, **command}
    return world.call("POST", DATASETS, world.key("football"), json=body)


@pytest.mark.parametrize("data_format", ["parquet", "csv", "tsv", "tfrecords", "avro", "orc", "hdf5"])
def test_files_are_as_the_manifest_says(football: World, data_format: str) -> None:
    made = _create(football, data_format=data_format)
    assert (made.status_code, made.json["rows"]) == (201, 3)
    path, key = f"{DATASETS}/dataset/versions/1", football.key("football")
    manifest = football.call("GET", f"{path}/manifest", key).json
    (file,) = manifest["files"]
    content = football.call("GET", f"{path}/files/{file['path']}", key).data
    assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    assert made.json["bytes"] == file["bytes"]
    assert _groups(manifest) == [{"project": "football", "name": "teams", "version": 1, "table_version": 0}]
    rows = read_arrow(football.call("GET", f"{path}/rows", key).data)
    assert rows.to_pydict() == {"team_id": [1, 2, 3], "budget": [1.5, None, 3.5], "city": ["a", "", None]}


def test_a_frame_becomes_a_dataset(football: World) -> None:
    table = pa.table({"x": [1.0, 2.0], "label": ["a", "b"]})
    made = football.call(
        "POST", DATASETS, football.key("football"), **frame_request(table, {"name": "own", "data_format": "csv"})
    )
    assert (made.status_code, made.json["features"]) == (
        201,
        [{"name": "x", "type": "double"}, {"name": "label", "type": "string"}],
    )
    manifest = football.call("GET", f"{DATASETS}/own/versions/1/manifest", football.key("football")).json
    assert (manifest["groups"], manifest["query"]) == ([], None)


@pytest.mark.parametrize(
    ("command", "status", "code"),
    [
        ({"data_format": "petastorm"}, 422, "invalid-input"),
        ({"data_format": "npy"}, 422, "invalid-input"),
        ({"query": None}, 422, "invalid-input"),
        ({"query": {"features": ["nope"]}}, 404, "feature-not-found"),
        ({"query": {"features": []}}, 422, "invalid-input"),
        ({"query": {"features": ["moves"]}, "data_format": "csv"}, 422, "invalid-input"),
        ({"name": "Bad"}, 422, "name-not-valid"),
        ({"version": 0}, 422, "invalid-input"),
    ],
)
def test_what_makes_no_dataset_is_refused_and_leaves_nothing(
    football: World, command: dict[str, Any], status: int, code: str
) -> None:
    root = football.directory.parent / "warehouse"
    before = sorted(root.rglob("*.*"))
    answer = _create(football, **command)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert football.call("GET", DATASETS, football.key("football")).json["items"] == []
    assert sorted(root.rglob("*.*")) == before


def test_a_version_stays_unless_it_is_overwritten(football: World) -> None:
    first = _create(football).json
    again = _create(football)
    assert (again.status_code, again.json["code"]) == (409, "training-dataset-exists")
    replaced = _create(football, overwrite=True, query={"features": ["team_id"]}, data_format="csv").json
    assert replaced["id"] != first["id"]
    assert replaced["path"] != first["path"]
    read = football.call("GET", f"{DATASETS}/dataset/versions/1/rows", football.key("football"))
    assert read_arrow(read.data).column_names == ["team_id"]
    assert not list((football.directory.parent / "warehouse").glob(f"*/{first['path'].rpartition('/')[2]}/*"))
    assert _create(football, version=2).json["version"] == 2
    listed = football.call("GET", f"{DATASETS}?name=dataset", football.key("football")).json["items"]
    assert [dataset["version"] for dataset in listed] == [1, 2]


def test_only_files_of_the_manifest_can_be_read(football: World) -> None:
    _create(football)
    path, key = f"{DATASETS}/dataset/versions/1/files", football.key("football")
    for wrong in ("manifest.json", "part-00001.parquet", "..", "%2e%2e%2fmanifest.json", "..%2f..%2fsecrets"):
        answer = football.call("GET", f"{path}/{wrong}", key)
        assert answer.status_code in (404, 405), wrong
    assert football.call("GET", f"{path}/manifest.json", key).json["candidates"] == ["part-00000.parquet"]


def test_a_dataset_does_not_change_with_its_groups(football: World) -> None:
    _create(football)
    key = football.key("football")
    more = pa.table({"team_id": [4], "budget": [0.0], "city": ["d"]})
    football.call("POST", "/projects/football/feature-groups/teams/versions/1/rows", key, **frame_request(more))
    assert read_arrow(football.call("GET", f"{DATASETS}/dataset/versions/1/rows", key).data).num_rows == 3


def test_deleting_and_overwriting_is_for_the_maker_or_an_owner(football: World) -> None:
    _create(football)
    football.member("football", "sam", Role.DATA_SCIENTIST)
    sams, path = football.key("football", "sam"), f"{DATASETS}/dataset/versions/1"
    assert football.call("DELETE", path, sams).json["code"] == "not-creator"
    body = {"name": "dataset", "query": {"features": ["team_id"]}, "overwrite": True}
    assert football.call("POST", DATASETS, sams, json=body).json["code"] == "not-creator"
    assert football.call("DELETE", path, football.key("football")).status_code == 204
    missing = football.call("GET", path, sams)
    assert (missing.status_code, missing.json["code"]) == (404, "training-dataset-not-found")
    assert football.call("POST", DATASETS, sams, json=body).status_code == 201


def test_creation_is_idempotent(football: World) -> None:
    body = {"name": "dataset", "query": {"features": ["team_id"]}}
    headers = {"Idempotency-Key": "create-001"}
    first, again = (
        football.call("POST", DATASETS, football.key("football"), json=body, headers=headers) for _ in range(2)
    )
    assert first.json == again.json
    assert again.headers["Idempotent-Replay"] == "true"


def test_an_empty_dataset_keeps_its_schema(football: World) -> None:
    empty = pa.table({"x": pa.array([], pa.float64())})
    made = football.call("POST", DATASETS, football.key("football"), **frame_request(empty, {"name": "empty"}))
    assert (made.status_code, made.json["rows"]) == (201, 0)
    read = read_arrow(football.call("GET", f"{DATASETS}/empty/versions/1/rows", football.key("football")).data)
    assert read.schema == pa.schema([("x", pa.float64())])


def test_many_rows_become_several_parts(football: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.featurestore.training_datasets.files.ROWS_PER_PART", 700)
    table = pa.table({"x": list(range(2000))})
    football.call("POST", DATASETS, football.key("football"), **frame_request(table, {"name": "parts"}))
    path, key = f"{DATASETS}/parts/versions/1", football.key("football")
    files = football.call("GET", f"{path}/manifest", key).json["files"]
    assert [(file["path"], file["rows"]) for file in files] == [
        ("part-00000.parquet", 700),
        ("part-00001.parquet", 700),
        ("part-00002.parquet", 600),
    ]
    assert read_arrow(football.call("GET", f"{path}/rows", key).data)["x"].to_pylist() == list(range(2000))


def test_labels_of_a_group_are_recorded_with_its_version(football: World) -> None:
    key = football.key("football")
    moment = pa.array([1_000_000, 3_000_000], pa.timestamp("us", "UTC"))
    groups = {
        "matches": pa.table({"team_id": [1, 2], "kickoff": moment, "won": [True, False]}),
        "forms": pa.table({"team_id": [1, 2], "measured": moment, "form": [0.5, 0.25]}),
    }
    for name, time in (("matches", "kickoff"), ("forms", "measured")):
        command = {"name": name, "event_time": time}
        made = football.call("POST", "/projects/football/feature-groups", key, **frame_request(groups[name], command))
        assert made.status_code == 201
    query = {"features": ["form"], "labels": {"feature_group": "matches_1"}}
    body = {"name": "with_labels", "query": query}
    made = football.call("POST", "/projects/football/training-datasets", key, json=body)
    assert (made.status_code, made.json["rows"]) == (201, 2)
    manifest = football.call("GET", "/projects/football/training-datasets/with_labels/versions/1/manifest", key).json
    assert [(group["name"], group["table_version"]) for group in manifest["groups"]] == [("forms", 0), ("matches", 0)]
    homeless = {"name": "homeless", "query": {"features": ["form"], "labels": {"event_time": "kickoff"}}}
    refused = football.call("POST", "/projects/football/training-datasets", key, json=homeless)
    assert (refused.status_code, refused.json["type"]) == (422, "/problems/invalid-input")


def test_features_are_attached_to_labels_that_come_as_a_frame(football: World) -> None:
    key = football.key("football")
    moments = [pa.array([day], pa.timestamp("us", "UTC")) for day in (1_000_000, 3_000_000)]
    first, second = (pa.table({"team_id": [1], "measured": at, "form": [at[0].value / 1e6]}) for at in moments)
    command = {"name": "forms", "event_time": "measured", "primary_key": ["team_id"]}
    assert (
        football.call("POST", "/projects/football/feature-groups", key, **frame_request(first, command)).status_code
        == 201
    )
    football.call("POST", "/projects/football/feature-groups/forms/versions/1/rows", key, **frame_request(second))
    labels = pa.table(
        {"team_id": [1, 1, 9, 1], "at": pa.array([3, 2, 2, 0], pa.timestamp("s", "UTC")), "won": [1, 0, 1, 0]}
    )
    query = {"features": ["form"], "labels": {"event_time": "at", "given_back": ["won"]}}
    made = football.call("POST", DATASETS, key, **frame_request(labels, {"name": "attached", "query": query}))
    assert (made.status_code, made.json["rows"]) == (201, 4)
    read = read_arrow(football.call("GET", f"{DATASETS}/attached/versions/1/rows", key).data)
    assert read.to_pydict() == {"won": [1, 0, 1, 0], "form": [3.0, 1.0, None, None]}
    manifest = football.call("GET", f"{DATASETS}/attached/versions/1/manifest", key).json
    assert _groups(manifest) == [{"project": "football", "name": "forms", "version": 1, "table_version": 1}]
    assert manifest["query"]["labels"]["event_time"] == "at"


def test_sql_becomes_a_dataset(football: World) -> None:
    key = football.key("football")
    sql = "SELECT city, count(*) AS n, sum(budget) AS budget, TIMESTAMP '2024-01-01' AS at FROM teams_1 GROUP BY ALL ORDER BY ALL"
    made = football.call("POST", DATASETS, key, json={"name": "counted", "sql": {"query": sql}})
    assert (made.status_code, made.json["rows"]) == (201, 3)
    assert [(each["name"], each["type"]) for each in made.json["features"]] == [
        ("city", "string"),
        ("n", "bigint"),
        ("budget", "double"),
        ("at", "timestamp"),
    ]
    read = read_arrow(football.call("GET", f"{DATASETS}/counted/versions/1/rows", key).data)
    assert read.select(["city", "n", "budget"]).to_pydict() == {
        "city": ["", "a", None],
        "n": [1, 1, 1],
        "budget": [None, 1.5, 3.5],
    }
    manifest = football.call("GET", f"{DATASETS}/counted/versions/1/manifest", key).json
    assert (manifest["sql"], manifest["query"]) == (sql, None)
    assert _groups(manifest) == [{"project": "football", "name": "teams", "version": 1, "table_version": 0}]


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT * FROM nothing_1", 404, "feature-group-not-found"),
        ("SELECT * FROM '/etc/passwd'", 404, "feature-group-not-found"),
        ("DROP TABLE teams_1", 422, "query-refused"),
        ("SELECT TIME '12:00' AS t FROM teams_1", 422, "invalid-input"),
        ("SELECT city::INT AS n FROM teams_1", 422, "query-invalid"),
        ('SELECT budget AS "Not A Name" FROM teams_1', 422, "invalid-input"),
    ],
)
def test_sql_that_makes_no_dataset_leaves_nothing(football: World, sql: str, status: int, code: str) -> None:
    key = football.key("football")
    answer = football.call("POST", DATASETS, key, json={"name": "counted", "sql": {"query": sql}})
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert football.call("GET", f"{DATASETS}/counted/versions/1", key).status_code == 404
    assert not list((football.directory.parent / "warehouse").rglob("manifest.json"))


def test_rows_come_from_one_place(football: World) -> None:
    key, query = football.key("football"), {"features": ["team_id"]}
    both = {"name": "d", "query": query, "sql": {"query": "SELECT 1 AS one"}}
    frame = frame_request(pa.table({"x": [1]}), {"name": "d", "sql": {"query": "SELECT 1 AS one"}})
    for request in ({"json": both}, {"json": {"name": "d"}}, frame):
        answer = football.call("POST", DATASETS, key, **request)
        assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
        assert "send one of them" in answer.json["detail"]


@pytest.mark.parametrize("data_format", ["parquet", "csv", "tfrecords"])
@pytest.mark.parametrize("query", ["", "?columns=city"])
def test_a_file_with_fewer_rows_than_the_manifest_says_is_noticed(
    football: World, data_format: str, query: str
) -> None:
    """All rows or an error: one that somebody cut, or replaced by another, is not handed out as if it were whole."""
    key, file = football.key("football"), f"part-00000.{data_format}"
    whole = Path(_create(football, data_format=data_format).json["path"]) / file
    fewer = pa.table({"team_id": [1], "budget": [1.5], "city": ["a"]})
    made = football.call("POST", DATASETS, key, **frame_request(fewer, {"name": "other", "data_format": data_format}))
    rows = f"{DATASETS}/dataset/versions/1/rows{query}"
    assert read_arrow(football.call("GET", rows, key).data).num_rows == 3
    whole.write_bytes((Path(made.json["path"]) / file).read_bytes())
    with pytest.raises(StreamBrokenOffError, match="storage-unavailable"):
        football.call("GET", rows, key)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": "Bad!"}, "name-not-valid"),
        ({"version": 0}, "invalid-input"),
        ({"data_format": "petastorm"}, "invalid-input"),
        ({"engine": "spark"}, "invalid-input"),
        ({"engine": "flink"}, "invalid-input"),
    ],
    ids=str,
)
def test_a_job_that_could_never_make_its_dataset_is_refused_when_it_is_saved(
    football: World, wrong: dict[str, Any], code: str
) -> None:
    path, key = "/projects/football/jobs/nightly", football.key("football")
    arguments = {"name": "nightly", "query": {"features": ["team_id"]}}
    job = {"kind": "training_dataset", "arguments": {**arguments, **wrong}}
    refused = football.call("PUT", path, key, json=job)
    assert (refused.status_code, refused.json["code"]) == (422, code), refused.json
    assert football.call("PUT", path, key, json={**job, "arguments": arguments}).status_code == 200
