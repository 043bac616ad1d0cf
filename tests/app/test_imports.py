"""Feature groups imported from files and databases, as runs of the queue."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
import pyarrow.orc as pa_orc
import pyarrow.parquet as pq
import pytest

from app.featurestore.connectors.hopsfs import HopsfsKind
from app.featurestore.feature_groups.frames import MAX_COLUMNS
from app.featurestore.feature_groups.rules import MAX_FEATURES
from app.featurestore.jobs.log import StoredRunLog
from app.settings import ConnectorSettings, SecretSettings
from infra.database.unit_of_work import UnitOfWork
from infra.ports.imports import MOST_COLUMNS
from infra.storage.location import Warehouse
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.frames import read_arrow
from tests.lab.source import PASSWORD, READER, SourceDatabase
from tests.world import World, make_world

P = "/projects/football"
TEAMS = pa.table({"Team ID": [1, 2], "Budget": [1.5, None], "name": ["a", ""]})
ROWS = [{"team_id": 1, "budget": 1.5, "name": "a"}, {"team_id": 2, "budget": None, "name": ""}]


@dataclass
class Landing:
    """A gateway with a connector `landing`, and `put` for whoever brings files there."""

    world: World
    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]

    def parquet(self, path: str, table: pa.Table, **options: Any) -> None:
        sink = io.BytesIO()
        pq.write_table(table, sink, **options)
        self.put(path, sink.getvalue())

    def run(self, kind: str = "import_files", key: str | None = None, **arguments: Any) -> dict[str, Any]:
        """Save a job and do it; the run as it ended."""
        return finish(self.world, start(self.world, kind, key, **arguments))

    def rows(self, group: str = "teams", version: int = 1) -> list[dict[str, Any]]:
        return rows(self.world, group, version)

    def group(self, name: str = "teams") -> dict[str, Any]:
        answer = self.world.call("GET", f"{P}/feature-groups/{name}/versions/1", self.world.key("football"))
        return dict(answer.json) if answer.status_code == 200 else {}


def start(world: World, kind: str, key: str | None = None, **arguments: Any) -> str:
    key = key or world.key("football")
    body = {"kind": kind, "arguments": {"connector": "landing", "feature_group": "teams", **arguments}}
    saved = world.call("PUT", f"{P}/jobs/nightly", key, json=body)
    assert saved.status_code == 200, saved.json
    started = world.call("POST", f"{P}/jobs/nightly/runs", key, json={})
    assert started.status_code == 202, started.json
    return str(started.json["id"])


def finish(world: World, run_id: str) -> dict[str, Any]:
    world.work()
    return dict(world.call("GET", f"{P}/runs/{run_id}", world.key("football")).json)


def rows(world: World, group: str = "teams", version: int = 1) -> list[dict[str, Any]]:
    answer = world.call("GET", f"{P}/feature-groups/{group}/versions/{version}/rows", world.key("football"))
    assert answer.status_code == 200, answer.json
    found = read_arrow(answer.data).to_pylist()
    return sorted(found, key=lambda row: [(value is None, value) for value in row.values()])


def error_of(run: dict[str, Any], code: str = "source-file-invalid") -> str:
    assert run["state"] == "failed", run
    assert run["error"]["code"] == code, run["error"]
    return str(run["error"]["detail"])


def _twice() -> dict[str, bytes]:
    """Files with two columns that are called `a`."""
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    parquet, orc, avro = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pq.write_table(table, parquet)
    pa_orc.write_table(table, orc)
    columns = [{"name": "a", "type": "int"}, {"name": "b", "type": "int"}]
    fastavro.writer(avro, {"type": "record", "name": "r", "fields": columns}, [{"a": 1, "b": 2}])
    return {
        "parquet": parquet.getvalue(),
        "orc": orc.getvalue(),
        "avro": avro.getvalue().replace(b'"name": "b"', b'"name": "a"'),
    }


TWICE = _twice()
LIMITS = {"max_rows": 5_000, "max_bytes": 1 << 20, "max_files": 30}


@pytest.fixture
def landing(tmp_path: Path, local_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Landing]:
    """Files in a folder of the project's own; kind HOPSFS."""
    made = make_world(tmp_path / "data", None, local_warehouse, connectors=ConnectorSettings(**LIMITS))
    made.projects("football", "rivals")
    body = {"name": "landing", "kind": "HOPSFS", "options": {"dataset_name": "landing"}}
    assert made.call("POST", f"{P}/connectors", made.key("football"), json=body).status_code == 201
    project_id = made.context("football").principal.project_id
    assert project_id is not None
    kind = HopsfsKind(folders=None, project_id=lambda _name: project_id)  # type: ignore[arg-type]  # only its path is asked for
    root = Path(local_warehouse.url) / kind._path("football", {"dataset_name": "landing"})

    def put(path: str, body: bytes) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(body)

    yield Landing(made, put, lambda path: (root / path).unlink())
    made.container.database.engine.dispose()


def test_a_folder_becomes_a_feature_group(landing: Landing) -> None:
    landing.parquet("teams/part-0.parquet", TEAMS.slice(0, 1))
    landing.parquet("teams/part-1.parquet", TEAMS.slice(1))
    landing.put("teams/_SUCCESS", b"")
    landing.put("teams/.part-0.crc", b"x")
    landing.put("teams_$folder$", b"")
    run = landing.run(
        path="teams/",
        description="Teams",
        event_time=None,
        primary_key=["name"],
        features=[{"name": "budget", "description": "in millions"}, {"name": "team_id", "type": "bigint"}],
        tags={"source": "crm"},
        statistics={"clusters": False, "columns": ["budget"]},
    )
    assert (run["state"], run["stage"]) == ("succeeded", "writing"), run
    assert landing.rows() == ROWS
    group = landing.group()
    assert (group["primary_key"], group["description"], group["tags"]) == (["name"], "Teams", {"source": "crm"})
    assert group["jobs"] == ["nightly"]
    assert (group["created_by"], group["statistics"]["clusters"], group["statistics"]["columns"]) == (
        "ada",
        False,
        ["budget"],
    )
    assert {each["name"]: each["description"] for each in group["features"]}["budget"] == "in millions"
    log = landing.world.call("GET", f"{P}/runs/{run['id']}/log", landing.world.key("football")).json["items"]
    assert any("2 files" in line["text"] for line in log)
    assert any("2 rows with 3 columns" in line["text"] for line in log)


@pytest.mark.parametrize(
    ("name", "data_format"), [("x.csv", "csv"), ("x.tsv", "tsv"), ("x.json", "json"), ("x.jsonl", "jsonl")]
)
def test_text_in_a_single_file(landing: Landing, name: str, data_format: str) -> None:
    bodies = {
        "csv": b'Team ID,Budget,name\n1,1.5,a\n2,,""\n',
        "tsv": b'Team ID\tBudget\tname\n1\t1.5\ta\n2\t\t""\n',
        "json": b'{"Team ID": 1, "Budget": 1.5, "name": "a"}\n{"Team ID": 2, "name": ""}\n',
    }
    landing.put(f"in/{name}", bodies["json" if "json" in data_format else data_format])
    landing.put("in/other", b"not asked for")
    run = landing.run(path=f"in/{name}", data_format=data_format)
    assert run["state"] == "succeeded", run
    assert landing.rows() == ROWS


def test_the_whole_place(landing: Landing) -> None:
    landing.parquet("a.parquet", TEAMS)
    assert landing.run()["state"] == "succeeded"
    assert landing.rows() == ROWS


def test_nothing_but_a_header_makes_an_empty_group(landing: Landing) -> None:
    landing.put("x.csv", b"team_id,name\n")
    types = [{"name": "team_id", "type": "int"}, {"name": "name", "type": "string"}]
    assert landing.run(path="x.csv", data_format="csv", features=types)["state"] == "succeeded"
    assert landing.rows() == []
    assert "type" in str(landing.run(path="x.csv", data_format="csv", version=2)["error"])


def test_folders_are_columns(landing: Landing) -> None:
    for year, month, city, number in ((2019, "01", "New%20York", 1), (2020, "12", "__HIVE_DEFAULT_PARTITION__", 2)):
        landing.parquet(f"in/year={year}/Month={month}/city={city}/x.parquet", pa.table({"id": [number]}))
    run = landing.run(path="in", partition_by=["year"])
    assert run["state"] == "succeeded", run
    assert landing.rows() == [
        {"id": 1, "year": 2019, "month": 1, "city": "New York"},
        {"id": 2, "year": 2020, "month": 12, "city": None},
    ]
    types = {feature["name"]: feature["type"] for feature in landing.group()["features"]}
    assert types == {"id": "int" if types["id"] == "int" else "bigint", "year": "int", "month": "int", "city": "string"}
    below = landing.run(path="in/year=2019", feature_group="of_2019")
    assert below["state"] == "succeeded", below
    assert landing.rows("of_2019") == [{"id": 1, "month": 1, "city": "New York"}]


def test_a_folder_has_the_type_that_is_said(landing: Landing) -> None:
    landing.parquet("zip=00501/x.parquet", pa.table({"id": [1]}))
    landing.run(features=[{"name": "zip", "type": "string"}])
    assert landing.rows() == [{"id": 1, "zip": "00501"}]


def test_a_folder_and_a_column_must_agree(landing: Landing) -> None:
    landing.parquet("good/year=2019/x.parquet", pa.table({"id": [1], "year": [2019]}))
    assert landing.run(path="good")["state"] == "succeeded"
    assert landing.rows() == [{"id": 1, "year": 2019}]
    landing.parquet("bad/year=2019/x.parquet", pa.table({"id": [1, 2], "year": [2019, 2020]}))
    detail = error_of(landing.run(path="bad", version=2))
    assert "'bad/year=2019/x.parquet' holds in column 'year'" in detail


def test_files_of_unlike_folders_are_refused(landing: Landing) -> None:
    landing.parquet("year=2019/x.parquet", pa.table({"id": [1]}))
    landing.parquet("x.parquet", pa.table({"id": [1]}))
    assert "year=" in error_of(landing.run(), "invalid-input")


def test_columns_of_several_files_are_put_together(landing: Landing) -> None:
    landing.parquet(
        "1", pa.table({"id": pa.array([1], pa.int32()), "a": ["x"], "t": pa.array([0], pa.timestamp("ns"))})
    )
    landing.parquet(
        "2", pa.table({"b": [0.5], "ID": pa.array([2**40]), "t": pa.array([0], pa.timestamp("ms", "Europe/Paris"))})
    )
    landing.parquet("3", pa.table({"id": [3], "a": pa.array([None], pa.null())}))
    run = landing.run()
    assert run["state"] == "succeeded", run
    found = [{name: row[name] for name in ("id", "a", "b")} for row in landing.rows()]
    assert found == [
        {"id": 1, "a": "x", "b": None},
        {"id": 3, "a": None, "b": None},
        {"id": 2**40, "a": None, "b": 0.5},
    ]


def test_text_and_numbers_are_not_put_together(landing: Landing) -> None:
    landing.put("in/1.csv", b"id,code\n1,12\n")
    landing.put("in/2.csv", b"id,code\n2,A1\n")
    detail = error_of(landing.run(path="in", data_format="csv"))
    assert "'code' is int64 in 'in/1.csv' and string in 'in/2.csv'" in detail
    assert landing.group() == {}
    said = landing.run(path="in", data_format="csv", features=[{"name": "code", "type": "string"}])
    assert said["state"] == "succeeded", said
    assert [row["code"] for row in landing.rows()] == ["12", "A1"]


# what is wrong with files


def test_a_path_that_leads_nowhere_has_neighbours(landing: Landing) -> None:
    landing.parquet("sales/2019/teams.parquet", TEAMS)
    run = landing.run(path="sales/2019/teams.parqet")
    assert "'sales/2019/teams.parqet'" in error_of(run, "source-file-not-found")
    assert run["error"]["candidates"] == ["sales/2019/teams.parquet"]
    assert landing.run(path="seles/2019")["error"]["candidates"] == ["sales"]
    assert landing.run(path="sales/2018")["error"]["candidates"] == ["sales/2019"]


@pytest.mark.parametrize("data_format", ["parquet", "orc", "avro", "json"])
def test_a_broken_file_is_named_and_nothing_is_written(landing: Landing, data_format: str) -> None:
    landing.put("in/broken", b"id\n1\n")
    assert "'in/broken'" in error_of(landing.run(path="in", data_format=data_format))
    assert landing.group() == {}


def test_a_file_that_breaks_after_others_writes_nothing(landing: Landing) -> None:
    landing.put("in/1.csv", b"id,n\n1,1\n")
    assert landing.run(path="in", data_format="csv")["state"] == "succeeded"
    landing.put("in/2.csv", b"id,n\n1,1\n2\n")
    assert "'in/2.csv' has 1 values in row 2" in error_of(landing.run(path="in", data_format="csv", mode="append"))
    assert landing.rows() == [{"id": 1, "n": 1}]


def test_a_value_that_does_not_fit_the_group_is_named(landing: Landing) -> None:
    landing.put("in.csv", b"id,zip\n1,007\n")
    types = [{"name": "id", "type": "int"}, {"name": "zip", "type": "string"}]
    assert landing.run(path="in.csv", data_format="csv", features=types)["state"] == "succeeded"
    landing.put("in.csv", b"id,zip\n2,008\nx,9\n")
    run = landing.run(path="in.csv", data_format="csv", mode="append")
    assert "'in.csv' holds in column 'id', row 2, a value that is no int32" in error_of(run)
    landing.put("in.csv", b"id,zip\n2,008\n")
    assert landing.run(path="in.csv", data_format="csv", mode="append")["state"] == "succeeded"
    assert landing.rows() == [{"id": 1, "zip": "007"}, {"id": 2, "zip": "008"}]


@pytest.mark.parametrize(
    ("columns", "says"),
    [(["Team ID", "team_id"], "would both be the feature 'team_id'"), (["1st"], "'1st'"), (["a-b"], "'a-b'")],
)
def test_columns_that_name_no_feature(landing: Landing, columns: list[str], says: str) -> None:
    landing.parquet("x", pa.table({name: [1] for name in columns}))
    detail = error_of(landing.run())
    assert says in detail
    assert "'x'" in detail


@pytest.mark.parametrize("data_format", ["parquet", "orc", "avro"])
def test_of_two_columns_of_one_name_none_is_lost(landing: Landing, data_format: str) -> None:
    landing.put("teams/1", TWICE[data_format])
    run = landing.run(path="teams", data_format=data_format)
    assert "'teams/1': Columns 'a' and 'a' would both be the feature 'a'" in error_of(run)


def test_of_two_fields_of_one_name_none_is_lost(landing: Landing) -> None:
    record = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"])
    landing.parquet("teams/1.parquet", pa.table({"id": [1], "r": record}))
    landing.parquet("teams/2.parquet", pa.table({"id": [2], "r": [{"x": 1, "y": 2}]}))
    assert "'teams/1.parquet' has in column 'r' 2 fields that are called 'x'" in error_of(landing.run(path="teams"))


@pytest.mark.parametrize("levels", [40, 400])
def test_lists_within_lists_have_an_end(landing: Landing, levels: int) -> None:
    landing.put("deep.json", b'{"a": ' + b"[" * levels + b"1" + b"]" * levels + b"}")
    assert "more than 32 levels" in error_of(landing.run(path="deep.json", data_format="json"))
    landing.put("deep.json", b'{"a": ' + b'{"b": ' * levels + b"1" + b"}" * levels + b"}")
    assert "more than 32 levels" in error_of(landing.run(path="deep.json", data_format="json"))


def test_files_have_as_many_columns_together_as_a_group(landing: Landing) -> None:
    for number in range(3):
        names = [f"c{number}_{each}" for each in range(900)]
        landing.put(f"teams/{number}.csv", ",".join(names).encode() + b"\n")
    assert "'teams/2.csv' and those before it have more than 2,000 columns together" in error_of(
        landing.run(path="teams", data_format="csv")
    )
    assert MOST_COLUMNS == MAX_COLUMNS == MAX_FEATURES


def test_types_that_no_feature_has_are_named(landing: Landing) -> None:
    landing.parquet("x", pa.table({"id": [1], "at": pa.array([1], pa.time64("us"))}))
    assert "at" in error_of(landing.run(), "invalid-input")


def test_more_than_an_import_may_read(landing: Landing) -> None:
    landing.parquet("rows", pa.table({"id": range(5_001)}))
    assert "5,000 rows" in error_of(landing.run(path="rows"), "import-too-large")
    landing.parquet("bytes", pa.table({"id": [1, 2], "text": ["x" * (1 << 20)] * 2}))
    assert "1,048,576 bytes" in error_of(landing.run(path="bytes"), "import-too-large")
    for number in range(31):
        landing.put(f"many/{number}", b"")
    error_of(landing.run(path="many"), "source-files-too-large")


# modes


def test_a_schedule_writes_into_what_the_first_run_made(landing: Landing) -> None:
    landing.parquet("x", pa.table({"id": [1, 2], "n": [1, 2]}))
    results = []
    for mode in ("append", "append", "overwrite", "upsert"):
        run = landing.run(path="x", mode=mode, primary_key=["id"])
        assert run["state"] == "succeeded", run
        results.append((run["result"], len(landing.rows())))
    assert [count for _, count in results] == [2, 4, 2, 2]
    assert [result["rows_received"] for result, _ in results[1:]] == [2, 2, 2]
    assert landing.group()["jobs"] == ["nightly"]


def test_mode_create_makes_a_group_once(landing: Landing) -> None:
    landing.parquet("x", TEAMS)
    landing.run(path="x")
    assert "has a version 1 already" in error_of(landing.run(path="x"), "feature-group-exists")
    assert landing.rows() == ROWS


def test_a_group_that_is_another_one_is_left_alone(landing: Landing) -> None:
    landing.parquet("x", TEAMS)
    landing.run(path="x", primary_key=["team_id"])
    run = landing.run(path="x", mode="upsert", primary_key=["name"])
    assert "primary_key ['team_id']" in error_of(run, "import-target-differs")
    landing.parquet("x", pa.table({"team_id": [1]}))
    error_of(landing.run(path="x", mode="append"), "schema-mismatch")


def test_a_job_is_noted_with_a_group_that_was_there(landing: Landing) -> None:
    landing.parquet("x", TEAMS)
    landing.run(path="x")
    key = landing.world.key("football")
    landing.world.call("PATCH", f"{P}/feature-groups/teams/versions/1", key, json={"jobs": ["mine"]})
    assert landing.run(path="x", mode="append")["state"] == "succeeded"
    assert landing.group()["jobs"] == ["mine", "nightly"]


# once


class Crash(BaseException):
    """As if the process ended here."""


@pytest.mark.parametrize("mode", ["create", "append", "overwrite", "upsert"])
@pytest.mark.parametrize("meanwhile", ["the same", "other rows", "gone"])
def test_rows_are_written_once_whatever_dies(
    landing: Landing, mode: str, meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the commit of the table and the transaction of the database; and the source may be another afterwards."""
    table = pa.table({"id": [1, 2], "n": [1, 2]})
    landing.parquet("x", table)
    if mode != "create":
        assert landing.run(path="x", primary_key=["id"])["state"] == "succeeded"
        landing.parquet("x", pa.table({"id": [2, 3], "n": [20, 30]}))
    run_id = start(landing.world, "import_files", path="x", mode=mode)
    container = landing.world.container
    attempt = container.runs.take("dies", per_project=10)
    assert attempt is not None
    with monkeypatch.context() as patched:

        def dying(_self: UnitOfWork) -> None:
            raise Crash

        written = container.tables.write

        def write(*args: Any) -> Any:
            made = written(*args)
            patched.setattr(UnitOfWork, "commit", dying)
            return made

        created = container.tables.create

        def create(*args: Any, **options: Any) -> Any:
            made = created(*args, **options)
            patched.setattr(UnitOfWork, "commit", dying)
            return made

        patched.setattr(container.tables, "write", write)
        patched.setattr(container.tables, "create", create)
        with pytest.raises(Crash):
            container.execution.execute(attempt)
    container.runs.lost(attempt)
    if meanwhile == "gone" and mode != "create":
        landing.remove("x")
    elif meanwhile == "other rows" and mode != "create":
        landing.parquet("x", pa.table({"id": [9], "n": [9]}))
    run = finish(landing.world, run_id)
    assert (run["state"], run["attempt"]) == ("succeeded", 2), run
    found = [(row["id"], row["n"]) for row in landing.rows()]
    expected = {
        "create": [(1, 1), (2, 2)],
        "append": [(1, 1), (2, 2), (2, 20), (3, 30)],
        "overwrite": [(2, 20), (3, 30)],
        "upsert": [(1, 1), (2, 20), (3, 30)],
    }
    assert found == expected[mode]
    events = landing.world.call("GET", f"{P}/feature-groups/teams/versions/1/commits", landing.world.key("football"))
    assert len(events.json["items"]) == (1 if mode == "create" else 2)


def test_nothing_stays_on_the_workers_disk(landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While rows are read there is no name either: what is killed leaves nothing."""
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spool))
    seen: list[list[Path]] = []
    progress = StoredRunLog.progress

    def looking(self: StoredRunLog, stage: str, rows: int = 0, size: int = 0) -> None:
        seen.append(list(spool.iterdir()))
        progress(self, stage, rows, size)

    monkeypatch.setattr(StoredRunLog, "progress", looking)
    landing.parquet("x", TEAMS)
    assert landing.run(path="x")["state"] == "succeeded"
    assert len(seen) >= 4
    assert not any(seen)


# who, and what makes no sense


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        ("import_files", {"data_format": "xlsx"}, "xlsx"),
        ("import_files", {"mode": "merge"}, "mode"),
        ("import_files", {"path": "s3://bucket/x"}, "path"),
        ("import_files", {"query": "SELECT 1"}, "query"),
        ("import_files", {"feature_group": "No Name"}, "No Name"),
        ("import_files", {"version": 0}, "integers from 1"),
        ("import_files", {"features": [{"name": "a", "type": "nonsense"}]}, "nonsense"),
        ("import_files", {"features": [{"name": "a"}, {"name": "a"}]}, "twice"),
        ("import_files", {"features": [{"name": "a", "colour": "red"}]}, "features.0.colour"),
        ("import_files", {"tags": {"Not A Tag": "x"}}, "Not A Tag"),
        ("import_files", {"statistics": {"bins": 1}}, "bins"),
        ("import_files", {"statistics": {"colour": 1}}, "colour"),
        ("import_sql", {}, "query"),
        ("import_sql", {"query": "  "}, "query"),
        ("import_sql", {"query": "SELECT " + "1," * 11_000 + "1"}, "characters"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_save_no_job(
    landing: Landing, kind: str, arguments: dict[str, Any], says: str
) -> None:
    body = {"kind": kind, "arguments": {"connector": "landing", "feature_group": "teams", **arguments}}
    answer = landing.world.call("PUT", f"{P}/jobs/nightly", landing.world.key("football"), json=body)
    assert answer.status_code == 422, answer.json
    assert says in str(answer.json)


def test_connectors_are_those_of_the_project_itself(landing: Landing) -> None:
    landing.parquet("x", TEAMS)
    world = landing.world
    body = {"kind": "import_files", "arguments": {"connector": "landing", "feature_group": "teams"}}
    key = world.key("rivals")
    assert world.call("PUT", "/projects/rivals/jobs/theft", key, json=body).status_code == 200
    run_id = world.call("POST", "/projects/rivals/jobs/theft/runs", key, json={}).json["id"]
    world.work()
    run = world.call("GET", f"/projects/rivals/runs/{run_id}", key).json
    assert (run["error"]["code"], run["error"]["candidates"]) == ("connector-not-found", [])
    near = landing.run(connector="landnig")
    assert (near["error"]["code"], near["error"]["candidates"]) == ("connector-not-found", ["landing"])
    assert "runs no SQL" in error_of(landing.run("import_sql", query="SELECT 1"), "invalid-input")


def test_who_may_not_create_saves_no_import_and_who_may_not_insert_writes_none(landing: Landing) -> None:
    landing.parquet("x", TEAMS)
    world = landing.world
    viewer = world.key("football", world.member("football", "vic", Role.VIEWER))
    body = {"kind": "import_files", "arguments": {"connector": "landing", "feature_group": "teams", "mode": "append"}}
    assert world.call("PUT", f"{P}/jobs/nightly", viewer, json=body).json["code"] == "role-too-low"
    assert landing.run(path="x")["state"] == "succeeded"
    managing = world.key("football", scopes=(Scope.FEATURESTORE_BROWSE, Scope.FEATURESTORE_MANAGE))
    run = landing.run(path="x", mode="append", key=managing)
    if Scope.FEATURESTORE_WRITE not in world.container.authenticator.authenticate(managing).scopes:
        assert run["error"]["code"] == "scope-missing"
        assert landing.rows() == ROWS


# buckets and databases


@pytest.fixture
def bucket(
    tmp_path: Path, local_warehouse: Warehouse, seaweedfs: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Landing]:
    monkeypatch.setenv("OAST_SECRET_S3", '{"access_key_id": "admin", "secret_access_key": "adminsecret"}')
    made = make_world(
        tmp_path / "data",
        None,
        local_warehouse,
        secrets=SecretSettings(local="football=env:OAST_SECRET_S3"),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8", allow_http=True),
    )
    made.projects("football")
    name = seaweedfs.new_bucket()
    options = {"bucket": name, "prefix": "in", "endpoint_url": seaweedfs.endpoint_url}
    body = {"name": "landing", "kind": "S3", "options": options, "secret": "env:OAST_SECRET_S3"}
    created = made.call("POST", f"{P}/connectors", made.key("football"), json=body)
    assert created.status_code == 201, created.json
    client = seaweedfs.client()
    yield Landing(
        made,
        lambda path, body: client.put_object(Bucket=name, Key=f"in/{path}", Body=body),
        lambda path: client.delete_object(Bucket=name, Key=f"in/{path}"),
    )
    made.container.database.engine.dispose()


def test_from_a_bucket(bucket: Landing) -> None:
    bucket.parquet("teams/city=New York/a b.parquet", TEAMS)
    bucket.put("teams/_SUCCESS", b"")
    run = bucket.run(path="teams")
    assert run["state"] == "succeeded", run
    assert bucket.rows() == [{**row, "city": "New York"} for row in ROWS]
    missing = bucket.run(path="taems", version=2)
    assert (missing["error"]["code"], missing["error"]["candidates"]) == ("source-file-not-found", ["teams"])


@pytest.fixture
def database(
    tmp_path: Path, local_warehouse: Warehouse, source: SourceDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Landing]:
    monkeypatch.setenv("OAST_SECRET_DB", PASSWORD)
    made = make_world(
        tmp_path / "data",
        None,
        local_warehouse,
        secrets=SecretSettings(local="football=env:OAST_SECRET_DB"),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8", max_rows=100, deadline_seconds=20),
    )
    made.projects("football")
    place = {"host": "127.0.0.1", "port": source.port, "database": source.database, "user": READER}
    for name, kind, extra in (("landing", "REDSHIFT", {}), ("plain", "JDBC", {"engine": "postgresql"})):
        options = {"tls_mode": "disable", **place, **extra}
        body = {"name": name, "kind": kind, "options": options, "secret": "env:OAST_SECRET_DB"}
        created = made.call("POST", f"{P}/connectors", made.key("football"), json=body)
        assert created.status_code == 201, created.json
    source.execute(
        'CREATE TABLE teams (team_id int PRIMARY KEY, "Budget" numeric(10,2), seen timestamp)',
        "INSERT INTO teams VALUES (1, 2.50, '2020-01-01 10:00:00'), (2, NULL, NULL)",
    )
    yield Landing(made, lambda _path, _body: None, lambda _path: None)
    made.container.database.engine.dispose()


@pytest.mark.parametrize("connector", ["landing", "plain"])
def test_from_a_database(database: Landing, connector: str, source: SourceDatabase) -> None:
    query = "SELECT * FROM teams ORDER BY team_id"
    run = database.run("import_sql", connector=connector, query=query, primary_key=["team_id"], mode="upsert")
    assert run["state"] == "succeeded", run
    types = {feature["name"]: feature["type"] for feature in database.group()["features"]}
    assert types == {"team_id": "int", "budget": "decimal(10,2)", "seen": "timestamp"}
    source.execute('UPDATE teams SET "Budget" = 9 WHERE team_id = 2', "INSERT INTO teams VALUES (3, 1, NULL)")
    again = database.run("import_sql", connector=connector, query=query, mode="upsert")
    assert again["state"] == "succeeded", again
    assert [(row["team_id"], float(row["budget"])) for row in database.rows()] == [(1, 2.5), (2, 9.0), (3, 1.0)]


def test_a_query_of_no_rows(database: Landing) -> None:
    run = database.run("import_sql", query="SELECT * FROM teams WHERE team_id > 100")
    assert run["state"] == "succeeded", run
    assert database.rows() == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT nope FROM teams", "source-query-refused"),
        ("DELETE FROM teams", "invalid-input"),
        ("SELECT * FROM generate_series(1, 101) AS id", "engine-limit"),
        ('SELECT 1 AS "a-b"', "invalid-input"),
        ('SELECT 1 AS "A", 2 AS a', "invalid-input"),
    ],
)
def test_queries_that_give_no_group(database: Landing, query: str, code: str) -> None:
    error_of(database.run("import_sql", query=query), code)
    assert database.group() == {}


def test_two_imports_of_one_group_follow_each_other(landing: Landing) -> None:
    kinds = ("import_files", "import_sql")
    subjects = set()
    for kind in kinds:
        run_id = start(landing.world, kind, **({"query": "SELECT 1"} if kind == "import_sql" else {}))
        subjects.add(
            landing.world.call("GET", f"{P}/runs/{UUID(run_id)}", landing.world.key("football")).json["subject"]
        )
        landing.world.work()
    assert len(subjects) == 1


# rules


def rules(landing: Landing, *expected: dict[str, Any]) -> None:
    path, key = f"{P}/feature-groups/teams/versions/1/expectations", landing.world.key("football")
    assert landing.world.call("PUT", path, key, json={"rules": list(expected)}).status_code == 200


def validations(landing: Landing) -> list[dict[str, Any]]:
    answer = landing.world.call(
        "GET", f"{P}/feature-groups/teams/versions/1/validations", landing.world.key("football")
    )
    return list(answer.json["items"])


def test_rows_that_a_later_attempt_reads_are_held_against_the_rules_again(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt was let pass with other rows, and wrote nothing of them."""
    landing.parquet("x", pa.table({"id": [1], "n": [1]}))
    assert landing.run(path="x")["state"] == "succeeded"
    rules(landing, {"rule": "range", "column": "n", "max": 9})
    run_id = start(landing.world, "import_files", path="x", mode="append")
    container = landing.world.container
    attempt = container.runs.take("dies", per_project=10)
    assert attempt is not None

    def dying(*_: Any) -> Any:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(container.tables, "write", dying)
        with pytest.raises(Crash):
            container.execution.execute(attempt)
    container.runs.lost(attempt)
    landing.parquet("x", pa.table({"id": [2], "n": [1_000]}))
    error_of(finish(landing.world, run_id), "validation-failed")
    assert [row["n"] for row in landing.rows()] == [1]
    assert [(report["passed"], report["table_version"]) for report in validations(landing)] == [(False, None)]


def test_a_report_outlives_what_dies_after_the_commit(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    landing.parquet("x", pa.table({"id": [1], "n": [1]}))
    assert landing.run(path="x")["state"] == "succeeded"
    rules(landing, {"rule": "range", "column": "n", "max": 9})
    run_id = start(landing.world, "import_files", path="x", mode="append")
    container = landing.world.container
    attempt = container.runs.take("dies", per_project=10)
    assert attempt is not None
    written = container.tables.write

    def dying(*args: Any) -> Any:
        written(*args)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(container.tables, "write", dying)
        with pytest.raises(Crash):
            container.execution.execute(attempt)
    assert [(report["passed"], report["table_version"]) for report in validations(landing)] == [(True, None)]
    container.runs.lost(attempt)
    landing.remove("x")
    assert finish(landing.world, run_id)["state"] == "succeeded"
    assert [(report["passed"], report["table_version"]) for report in validations(landing)] == [(True, 1)]
