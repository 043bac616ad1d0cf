"""Training datasets that a cluster joins: rows, files and manifests are those that the gateway's own engine makes."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select

from app.checks import run_checks
from app.featurestore.locations.models import Location
from app.featurestore.query.expression import FeatureExpression
from app.featurestore.training_datasets.infos import CreateTrainingDataset
from app.featurestore.training_datasets.staged import StagedRows
from app.settings import ConnectorSettings, SparkSettings
from infra.storage.location import Warehouse
from tests.frames import frame_request, read_arrow
from tests.lab.spark import spark_server
from tests.world import World, make_world

pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.RETRIES_EXCEEDED.:UserWarning"),
]
DATASETS = "/projects/football/training-datasets"
GROUPS = "/projects/football/feature-groups"
TIME = pa.timestamp("us", "UTC")
DAY = 86_400_000_000
# What differs between two datasets of the same rows.
OWN = {"created_at", "engine", "label_file"}


@pytest.fixture(scope="module")
def remote() -> Iterator[str]:
    with spark_server() as address:
        yield address


def world_of(directory: Path, warehouse: Warehouse, remote: str, **settings: Any) -> World:
    spark = SparkSettings(remote=remote)  # type: ignore[arg-type]  # pydantic makes the secret
    world = make_world(directory, None, warehouse, spark=spark, **settings)
    world.project("football")
    return world


@pytest.fixture
def football(tmp_path: Path, local_warehouse: Warehouse, remote: str) -> Iterator[World]:
    made = world_of(tmp_path / "data", local_warehouse, remote)
    yield made
    made.container.database.engine.dispose()


def times(*days: float | None) -> pa.Array:
    return pa.array([None if day is None else int(day * DAY) for day in days], TIME)


def group(world: World, name: str, table: pa.Table, **command: Any) -> None:
    request = frame_request(table, {"name": name, **command})
    made = world.call("POST", GROUPS, world.key("football"), **request)
    assert made.status_code == 201, made.json


def insert(world: World, name: str, table: pa.Table, mode: str = "append") -> None:
    path = f"{GROUPS}/{name}/versions/1/rows?mode={mode}"
    made = world.call("POST", path, world.key("football"), **frame_request(table))
    assert made.status_code == 200, made.json


def create(world: World, frame: pa.Table | None = None, **command: Any) -> Any:
    command = {"name": "d", **command}
    request = {"json": command} if frame is None else frame_request(frame, command)
    return world.call("POST", DATASETS, world.key("football"), **request)


def manifest_of(world: World, name: str) -> dict[str, Any]:
    manifest: dict[str, Any] = world.call(
        "GET", f"{DATASETS}/{name}/versions/1/manifest", world.key("football")
    ).get_json()
    return manifest


def same(world: World, frame: pa.Table | None = None, **command: Any) -> pa.Table:
    """The rows, which both engines have made into the same files; what the cluster left is gone."""
    manifests = []
    for name in ("duckdb", "spark"):
        made = create(world, frame, **command, name=name, engine=name)
        assert made.status_code == 201, made.json
        manifest = manifest_of(world, name)
        assert manifest["engine"] == name
        manifests.append({key: value for key, value in manifest.items() if key not in OWN})
        del manifests[-1]["writes"][0]["at"]
    assert manifests[0] == manifests[1]
    require_nothing_staged(world)
    return rows_of(world, "spark")


def rows_of(world: World, name: str) -> pa.Table:
    answer = world.call("GET", f"{DATASETS}/{name}/versions/1/rows", world.key("football"))
    assert answer.status_code == 200
    return read_arrow(answer.data)


def require_nothing_staged(world: World) -> None:
    with world.container.database.read() as session:
        states = set(session.scalars(select(Location.state)))
        locations = set(session.scalars(select(Location.path)))
        projects = {path.partition("/")[0] for path in locations}
    assert states <= {"live"}
    store = world.container.store
    left = {"/".join(path.split("/")[:2]) for project in projects for path in store.list_files(project)}
    assert left <= locations


def labels(**columns: Any) -> pa.Table:
    return pa.table(
        {
            "team_id": pa.array([1, 2, None, 1, 3, 1], pa.int64()),
            "when": times(2, 5, 5, 3, 9, 30_000),
            "won": [True, False, True, None, True, False],
            **columns,
        }
    )


@pytest.fixture
def teams(football: World) -> World:
    """Rows of one team and time in several commits, partitions with and without a value, and a group without time."""
    kinds = {"primary_key": ["team_id"], "event_time": "ts", "partition_by": ["league"]}
    first = {"team_id": [1, 1, 2, 1], "ts": times(1, 3, 2, 3), "budget": [1.0, 2.0, 3.0, 4.0]}
    group(football, "teams", pa.table({**first, "league": ["a", "b", None, "b"]}), **kinds)
    insert(football, "teams", pa.table({"team_id": [1], "ts": times(1), "budget": [11.0], "league": ["a"]}))
    group(football, "cities", pa.table({"team_id": [1, 2, 2], "city": ["a", "b", "c"]}), primary_key=["team_id"])
    return football


def query(*features: str, **options: Any) -> dict[str, Any]:
    return {"features": list(features), **options}


def attached(*features: str, **options: Any) -> dict[str, Any]:
    return query(*features, labels={"event_time": "when"}, **options)


@pytest.mark.parametrize("how", [{}, {"lookback": DAY // 24}, {"as_known": True}], ids=str)
def test_labels_get_their_features_as_of_their_times(teams: World, how: dict[str, Any]) -> None:
    rows = same(teams, labels(), query=attached("budget", "league", "city", **how))
    assert rows.column_names == ["team_id", "when", "won", "budget", "league", "city"]
    assert rows["team_id"].to_pylist() == [1, 2, None, 1, 3, 1]
    budgets = [None, None, None, None, None, 4.0] if "as_known" in how else [11.0, 3.0, None, 4.0, None, 4.0]
    if "lookback" in how:
        budgets = [None, None, None, 4.0, None, None]
    assert rows["budget"].to_pylist() == budgets
    assert manifest_of(teams, "spark")["labels"] == ["won"]


@pytest.mark.parametrize("how", ["inner", "left"])
def test_joins_without_labels_are_in_the_order_in_which_rows_were_written(teams: World, how: str) -> None:
    group(teams, "grounds", pa.table({"team_id": [9, 2, 1, 2], "seats": [1, 2, 3, 4]}), primary_key=["team_id"])
    rows = same(teams, query=query("budget", "city", "seats", join_type=how))
    assert rows.num_rows >= 7


def test_a_feature_group_may_be_the_labels(teams: World) -> None:
    asked = query("city", labels={"feature_group": "teams_1"})
    assert sorted(same(teams, query=asked)["city"].to_pylist()) == ["a", "a", "a", "a", "c"]


def test_keys_may_be_of_several_columns(football: World) -> None:
    keys = {"team_id": [1, 1, 2, None], "season": ["x", "y", "x", "x"]}
    kinds = {"primary_key": ["team_id", "season"], "event_time": "ts"}
    group(football, "forms", pa.table({**keys, "ts": times(1, 1, None, 1), "form": [0.1, 0.2, 0.3, 0.4]}), **kinds)
    group(football, "ranks", pa.table({**keys, "rank": [1, 2, 3, 4]}), primary_key=["team_id", "season"])
    spine = labels(season=["y", "x", "x", "z", "x", "x"])
    rows = same(football, spine, query=attached("form", "rank"))
    assert rows["form"].to_pylist() == [0.2, None, None, None, None, 0.1]
    assert rows["rank"].to_pylist() == [2, 3, None, None, None, 1]


def every_type() -> pa.Table:
    """Each with nulls, with values at its ends and, where there is one, with a partition of it."""
    struct = pa.struct([("Name", pa.string()), ("tags", pa.list_(pa.int64()))])
    early = datetime(1500, 2, 28, 1, 2, 3, 456_789, tzinfo=UTC)
    return pa.table(
        {
            "id": pa.array([1, 2, 3], pa.int64()),
            "tiny": pa.array([-128, None, 127], pa.int8()),
            "small": pa.array([-32768, None, 32767], pa.int16()),
            "plain": pa.array([-(2**31), None, 2**31 - 1], pa.int32()),
            "big": pa.array([-(2**63), None, 2**63 - 1], pa.int64()),
            "single": pa.array([float("nan"), None, 1.5], pa.float32()),
            "double_": pa.array([float("inf"), None, -0.0], pa.float64()),
            "money": pa.array([Decimal("-0.01"), None, Decimal("123456789012345678901234567890123456.78")]),
            "flag": pa.array([True, None, False]),
            "text": pa.array(["", None, "\N{SNOWMAN}\n'\"`\\"]),
            "raw": pa.array([b"", None, b"\x00\xff"], pa.binary()),
            "day": pa.array([date(1500, 2, 28), None, date(9999, 12, 31)]),
            "at": pa.array([early, None, datetime(2300, 1, 1, tzinfo=UTC)], TIME),
            "items": pa.array([[], None, [1.5, None]], pa.list_(pa.float64())),
            "place": pa.array([{"Name": None, "tags": None}, None, {"Name": "x", "tags": [1, None]}], struct),
            "counts": pa.array([[], None, [("a", 1), ("b", None)]], pa.map_(pa.string(), pa.int64())),
            "moments": pa.array([[early], None, []], pa.list_(TIME)),
        }
    )


@pytest.mark.parametrize("is_attached", [False, True], ids=["alone", "attached"])
def test_every_type_arrives_as_it_was(football: World, is_attached: bool) -> None:
    table = every_type()
    group(football, "types", table, primary_key=["id"])
    names = [name for name in table.column_names if name != "id"]
    spine = pa.table({"id": [3, 1, 2, 1]}) if is_attached else None
    asked = query(*names, **({"labels": {}} if is_attached else {}))
    rows = same(football, spine, query=asked)
    expected = table.take(pa.array([2, 0, 1, 0])) if is_attached else table
    assert rows.select(names).cast(expected.select(names).schema).to_pylist().__repr__() == repr(
        expected.select(names).to_pylist()
    )


@pytest.mark.parametrize("name", ["tiny", "big", "flag", "text", "day"])
def test_partitions_of_every_type(football: World, name: str) -> None:
    table = every_type().set_column(9, "text", pa.array(["a", None, "b"]))
    group(football, "types", table.select(["id", name, "double_"]), primary_key=["id"], partition_by=[name])
    rows = same(football, pa.table({"id": [3, 1, 2, 7]}), query=query(name, "double_", labels={}))
    assert rows[name].to_pylist() == [*(table[name].to_pylist()[at] for at in (2, 0, 1)), None]


@pytest.mark.parametrize("data_format", ["parquet", "csv", "tsv", "tfrecords", "avro", "orc", "hdf5", "npy"])
def test_every_format_is_written(teams: World, data_format: str) -> None:
    names = ["budget"] if data_format == "npy" else ["team_id", "budget", "league"]
    assert same(teams, query=query(*names), data_format=data_format).num_rows == 5


@pytest.mark.parametrize(
    "splits",
    [
        {"shares": {"train": 0.5, "test": 0.5}, "seed": 3},
        {"shares": {"train": 0.5, "test": 0.5}, "by": "entity", "columns": ["team_id"]},
        {"shares": {"train": 0.5, "test": 0.5}, "by": "time", "columns": ["when"]},
    ],
    ids=str,
)
def test_splits_are_the_same(teams: World, splits: dict[str, Any]) -> None:
    same(teams, labels(), query=attached("budget"), splits=splits)


def test_labels_keep_their_order_in_however_many_partitions(football: World) -> None:
    count = 150_000
    ids = pa.array([(7 * at) % 1009 for at in range(count)], pa.int64())
    group(football, "teams", pa.table({"team_id": range(1000), "budget": range(1000)}), primary_key=["team_id"])
    rows = same(football, pa.table({"team_id": ids, "at": range(count)}), query=query("budget", labels={}))
    assert rows["at"].to_pylist() == list(range(count))
    assert rows["budget"].to_pylist() == [value if value < 1000 else None for value in ids.to_pylist()]


def test_it_works_on_s3(tmp_path: Path, s3_warehouse: Warehouse) -> None:
    options = s3_warehouse.s3
    assert options is not None
    environment = {
        "AWS_ACCESS_KEY_ID": str(options.access_key_id),
        "AWS_SECRET_ACCESS_KEY": str(options.secret_access_key),
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": str(options.endpoint_url),
        "AWS_ALLOW_HTTP": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
    }
    with spark_server(environment) as remote:
        world = world_of(tmp_path / "data", s3_warehouse, remote)
        group(world, "teams", pa.table({"team_id": [1, 2], "budget": [1.0, None]}), primary_key=["team_id"])
        rows = same(world, pa.table({"team_id": [2, 1, 3]}), query=query("budget", labels={}))
        assert rows["budget"].to_pylist() == [None, 1.0, None]
        world.container.database.engine.dispose()


def test_it_is_made_again_by_the_same_engine(teams: World) -> None:
    before = create(teams, labels(), query=attached("budget", "city"), engine="spark")
    assert before.status_code == 201
    insert(teams, "teams", pa.table({"team_id": [1], "ts": times(1), "budget": [99.0], "league": ["a"]}))
    again = teams.call("POST", f"{DATASETS}/d/versions/1/recreate", teams.key("football"), json={})
    assert (again.status_code, again.json["equal"]) == (201, True)
    made = teams.call("GET", f"{DATASETS}/d/versions/2/manifest", teams.key("football")).json
    assert made["engine"] == "spark"
    require_nothing_staged(teams)


def test_a_job_has_it_joined_by_the_cluster(teams: World) -> None:
    arguments = {"name": "d", "query": query("budget", "city"), "engine": "spark"}
    key = teams.key("football")
    job = {"kind": "training_dataset", "arguments": arguments}
    assert teams.call("PUT", "/projects/football/jobs/nightly", key, json=job).status_code == 200
    run = teams.call("POST", "/projects/football/jobs/nightly/runs", key, json={}).json
    assert teams.work() == 1
    ended = teams.call("GET", f"/projects/football/runs/{run['id']}", key).json
    assert ended["state"] == "succeeded", ended
    assert manifest_of(teams, "d")["engine"] == "spark"


def test_other_rows_come_from_no_engine(teams: World) -> None:
    create(teams, query=query("budget"), engine="spark")
    path = f"{DATASETS}/d/versions/1/rows?mode=overwrite"
    request = frame_request(pa.table({"budget": [1.0]}))
    assert teams.call("POST", path, teams.key("football"), **request).status_code == 200
    assert manifest_of(teams, "d")["engine"] is None


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ({"sql": {"query": "SELECT 1 AS x"}}, "Spark joins features"),
        ({"query": query("budget"), "engine": "flink"}, "There is no engine 'flink'"),
    ],
    ids=["sql", "another"],
)
def test_what_spark_does_not_do_is_refused(teams: World, command: dict[str, Any], says: str) -> None:
    answer = create(teams, **{"engine": "spark", **command})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
    assert says in answer.json["detail"]


def test_a_frame_needs_no_engine(football: World) -> None:
    answer = create(football, pa.table({"x": [1]}), engine="spark")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
    assert 'Leave out engine="spark"' in answer.json["hint"]


def test_a_gateway_without_cluster_says_so(world: World) -> None:
    world.project("football")
    group(world, "teams", pa.table({"team_id": [1]}), primary_key=["team_id"])
    answer = create(world, query=query("team_id"), engine="spark")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
    assert "OAST_SPARK__REMOTE" in answer.json["hint"]
    assert "spark" not in {check.name for check in run_checks(world.container)}


def test_names_of_files_that_spark_would_read_otherwise_are_refused(football: World) -> None:
    table = pa.table({"team_id": [1], "city": ["New York"]})
    group(football, "teams", table, primary_key=["team_id"], partition_by=["city"])
    answer = create(football, query=query("team_id", "city"), engine="spark")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
    assert "teams_1" in answer.json["detail"]
    require_nothing_staged(football)


@pytest.mark.parametrize("is_labels", [False, True], ids=["features", "labels"])
def test_groups_on_demand_are_refused_by_name(
    tmp_path: Path, local_warehouse: Warehouse, remote: str, is_labels: bool
) -> None:
    sales = tmp_path / "football" / "sales.db"
    sales.parent.mkdir()
    with closing(sqlite3.connect(sales)) as database:
        database.execute("CREATE TABLE tickets (team_id INTEGER, sold INTEGER)")
    settings = ConnectorSettings(sqlite_directory=tmp_path)
    world = world_of(tmp_path / "data", local_warehouse, remote, connectors=settings)
    key, connector = world.key("football"), {"engine": "sqlite", "path": "sales.db"}
    made = world.call(
        "POST", "/projects/football/connectors", key, json={"name": "sales", "kind": "JDBC", "options": connector}
    )
    assert made.status_code == 201, made.json
    tickets = {"name": "tickets", "kind": "ON_DEMAND", "connector": "sales", "query": "SELECT * FROM tickets"}
    assert world.call("POST", GROUPS, key, json=tickets).status_code == 201
    group(world, "teams", pa.table({"team_id": [1], "budget": [1.0]}), primary_key=["team_id"])
    asked = query("budget", labels={"feature_group": "tickets_1"}) if is_labels else query("budget", "sold")
    answer = create(world, query=asked, engine="spark")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
    assert "football_featurestore.tickets_1" in answer.json["detail"]
    require_nothing_staged(world)


def test_an_unreachable_cluster_is_unavailable(tmp_path: Path, local_warehouse: Warehouse) -> None:
    with closing(socket.socket()) as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"sc://127.0.0.1:{closed.getsockname()[1]}/;x-marker=hush"
        world = world_of(tmp_path / "data", local_warehouse, address)
        group(world, "teams", pa.table({"team_id": [1]}), primary_key=["team_id"])
        answer = create(world, query=query("team_id"), engine="spark")
        assert (answer.status_code, answer.json["code"]) == (503, "cluster-unreachable")
        assert "hush" not in answer.text
        assert "127.0.0.1" not in answer.text
        assert manifest_of(world, "d")["status"] == 404
        require_nothing_staged(world)
        (check,) = [check for check in run_checks(world.container) if check.name == "spark"]
        assert not check.passed


def test_doctor_tells_which_spark_answers(football: World) -> None:
    (check,) = [check for check in run_checks(football.container) if check.name == "spark"]
    assert check.passed
    assert check.detail.startswith("Spark ")


def test_an_address_that_is_none_is_told_without_repeating_it(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = world_of(tmp_path / "data", local_warehouse, "http://hush:15002")
    group(world, "teams", pa.table({"team_id": [1]}), primary_key=["team_id"])
    answer = create(world, query=query("team_id"), engine="spark")
    assert (answer.status_code, answer.json["code"]) == (422, "cluster-failed")
    assert "hush" not in answer.text


def test_a_table_that_is_not_all_there_is_no_dataset(football: World) -> None:
    """Some Sparks take an absent file for an empty one."""
    group(football, "teams", pa.table({"team_id": [1]}), primary_key=["team_id"])
    insert(football, "teams", pa.table({"team_id": [2]}))
    (context, project) = (football.context("football"), "football")
    retrieval = football.container.queries.retrieve_group(context, project, "teams", 1, ["team_id"])
    Path(retrieval.snapshots[0].files[0].uri).unlink()
    answer = create(football, query=query("team_id"), engine="spark")
    assert (answer.status_code, answer.json["code"]) == (422, "cluster-failed")
    assert str(football.directory.parent) not in answer.text
    require_nothing_staged(football)


def test_what_breaks_off_between_the_join_and_the_files_leaves_nothing(
    teams: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(StagedRows, "require_count", die)
    with pytest.raises(RuntimeError, match="killed"):
        teams.container.training_datasets.create(
            teams.context("football"),
            "football",
            CreateTrainingDataset("d", query=FeatureExpression(features=("budget",)), engine="spark"),
        )
    require_nothing_staged(teams)
