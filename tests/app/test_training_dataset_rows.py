"""Other rows in a training dataset, and some of its rows."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select

from app.featurestore.training_datasets.models import TrainingDataset
from infra.errors import StorageUnavailableError
from tenancy.actions import ShareKind
from tenancy.principals import Role
from tests.frames import frame_request, read_arrow
from tests.world import World

DATASETS = "/projects/football/training-datasets"
PATH = f"{DATASETS}/d/versions/1"
FIRST = pa.table({"team": [1, 2, 3], "budget": [1.5, None, 3.5]})
SECOND = pa.table({"budget": [4.5, 5.5], "team": [4, 5]})


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    return world


def _create(world: World, table: pa.Table = FIRST, **command: Any) -> Any:
    made = world.call("POST", DATASETS, world.key("football"), **frame_request(table, {"name": "d", **command}))
    assert made.status_code == 201, made.json
    return made.json


def _insert(world: World, table: pa.Table = SECOND, mode: str = "append", **options: Any) -> Any:
    request = frame_request(table)
    headers = {**request.pop("headers"), **options.pop("headers", {})}
    key = options.pop("key", None) or world.key("football")
    return world.call("POST", f"{PATH}/rows?mode={mode}", key, headers=headers, **request)


def _rows(world: World, query: str = "") -> pa.Table:
    return read_arrow(world.call("GET", f"{PATH}/rows{query}", world.key("football")).data)


def _manifest(world: World) -> Any:
    return world.call("GET", f"{PATH}/manifest", world.key("football")).json


def _locations(world: World) -> list[str]:
    """Of datasets, as the warehouse has them."""
    return sorted(found.parent.name for found in (world.directory.parent / "warehouse").glob("*/*/manifest.json"))


@pytest.mark.parametrize("data_format", ["parquet", "csv", "tfrecords", "avro", "orc", "hdf5"])
def test_appended_rows_come_after_those_there(football: World, data_format: str) -> None:
    made = _create(football, data_format=data_format)
    inserted = _insert(football)
    assert (inserted.status_code, inserted.json["rows"], inserted.json["revision"]) == (200, 5, made["revision"] + 1)
    assert inserted.json["id"] == made["id"]
    assert inserted.headers["ETag"] == '"2"'
    assert _rows(football).to_pydict() == {"team": [1, 2, 3, 4, 5], "budget": [1.5, None, 3.5, 4.5, 5.5]}
    manifest = _manifest(football)
    assert [file["path"] for file in manifest["files"]] == [f"part-0000{n}.{data_format}" for n in (0, 1)]
    assert [(write["mode"], write["rows"], write["by"]) for write in manifest["writes"]] == [
        ("create", 3, "ada"),
        ("append", 2, "ada"),
    ]
    assert inserted.json["bytes"] == sum(file["bytes"] for file in manifest["files"])
    assert _locations(football) == [inserted.json["path"].rpartition("/")[2]], "the old files are gone"


def test_overwriting_puts_rows_in_place_of_those_there(football: World) -> None:
    made = _create(football)
    hashed = _manifest(football)["content_hash"]
    assert _insert(football, mode="overwrite").json["rows"] == 2
    assert _rows(football).to_pydict() == {"team": [4, 5], "budget": [4.5, 5.5]}
    manifest = _manifest(football)
    assert [write["mode"] for write in manifest["writes"]] == ["create", "overwrite"]
    assert manifest["anomalies"] == [], "the null was in rows that are gone"
    assert manifest["created_at"] == made["created_at"] or manifest["created_at"] < manifest["writes"][1]["at"]
    assert manifest["content_hash"] != hashed


def test_anomalies_tell_which_write_they_are_of(football: World) -> None:
    _create(football)
    _insert(football, pa.table({"team": [9, 9], "budget": pa.array([None, None], pa.float64())}))
    assert [(each["column"], each["kind"], each["write"]) for each in _manifest(football)["anomalies"]] == [
        ("budget", "nulls", 0),
        ("team", "constant", 1),
        ("budget", "all-null", 1),
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pa.table({"team": [1]}), {"budget": "is missing from the frame"}),
        (SECOND.append_column("city", [["a", "b"]]), {"city": "is no feature of the group"}),
        (pa.table({"team": ["x"], "budget": [1.0]}), {"team": "has another type"}),
    ],
)
@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_rows_of_another_shape_are_refused(football: World, table: pa.Table, said: dict[str, str], mode: str) -> None:
    _create(football)
    refused = _insert(football, table, mode)
    assert (refused.status_code, refused.json["code"]) == (422, "schema-mismatch")
    assert {each["field"]: each["message"] for each in refused.json["errors"]} == said
    assert "new version of the training dataset" in refused.json["hint"]
    assert _rows(football).num_rows == 3
    assert len(_locations(football)) == 1


def test_an_insert_happens_once_under_a_key(football: World) -> None:
    _create(football)
    first, again = (_insert(football, headers={"Idempotency-Key": "insert-001"}) for _ in range(2))
    assert first.json == again.json
    assert again.headers["Idempotent-Replay"] == "true"
    assert _rows(football).num_rows == 5


def test_a_write_that_fails_leaves_the_old_rows(football: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _create(football)

    def full(*_: Any) -> None:
        raise StorageUnavailableError("The warehouse takes no more bytes just now.")

    with monkeypatch.context() as patched:
        patched.setattr("app.featurestore.training_datasets.files.DatasetFiles.write_manifest", full)
        assert _insert(football).status_code == 503
    assert _rows(football).num_rows == 3
    assert len(_locations(football)) == 1


def test_a_file_that_was_changed_is_not_carried_on(football: World) -> None:
    made = _create(football)
    (part,) = (football.directory.parent / "warehouse").glob(f"*/{made['path'].rpartition('/')[2]}/part-*")
    part.write_bytes(part.read_bytes()[:-1] + b"X")
    refused = _insert(football)
    assert (refused.status_code, refused.json["code"]) == (503, "storage-unavailable")
    assert "part-00000.parquet" in refused.json["detail"]
    assert _manifest(football)["rows"] == 3


def test_who_comes_second_is_told(football: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other write is there between the first one's files and its last step."""
    from app.featurestore.training_datasets.files import DatasetFiles

    _create(football)
    written = DatasetFiles.write_manifest
    others: list[Any] = []

    def overtaken(files: DatasetFiles, manifest: Any) -> None:
        written(files, manifest)
        if not others:
            others.append(None)
            others.append(_insert(football, pa.table({"team": [7], "budget": [7.0]})))

    monkeypatch.setattr(DatasetFiles, "write_manifest", overtaken)
    late = _insert(football)
    assert others[1].status_code == 200
    assert (late.status_code, late.json["code"]) == (409, "training-dataset-changed")
    assert _rows(football)["team"].to_pylist() == [1, 2, 3, 7]
    assert len(_locations(football)) == 1


def test_new_rows_go_the_recorded_way_into_splits(football: World) -> None:
    teams = pa.table({"team": [n % 40 for n in range(400)], "row": list(range(400))})
    splits = {"shares": {"train": 0.7, "test": 0.3}, "by": "entity", "columns": ["team"], "seed": 4}
    _create(football, teams.slice(0, 200), splits=splits)
    before = {name: set(_rows(football, f"?split={name}")["team"].to_pylist()) for name in splits["shares"]}
    assert _insert(football, teams.slice(200)).status_code == 200
    after = {name: _rows(football, f"?split={name}") for name in splits["shares"]}
    assert {name: set(table["team"].to_pylist()) for name, table in after.items()} == before
    assert sorted(chain.from_iterable(table["row"].to_pylist() for table in after.values())) == list(range(400))
    assert [file["path"] for file in _manifest(football)["files"]] == [
        f"{name}/part-0000{n}.parquet" for name in ("train", "test") for n in (0, 1)
    ]
    assert _rows(football) == pa.concat_tables(after.values())


def test_splits_by_time_take_no_later_rows(football: World) -> None:
    splits = {"shares": {"train": 0.5, "test": 0.5}, "by": "time", "columns": ["team"]}
    _create(football, splits=splits)
    refused = _insert(football)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid-input")
    assert "split by time" in refused.json["detail"]
    assert _insert(football, mode="overwrite").status_code == 200
    assert _rows(football, "?split=train")["team"].to_pylist() == [4]


def test_inserting_is_for_the_maker_or_an_owner(football: World) -> None:
    _create(football)
    football.member("football", "sam", Role.DATA_SCIENTIST)
    for mode in ("append", "overwrite"):
        assert _insert(football, mode=mode, key=football.key("football", "sam")).json["code"] == "not-creator"
    assert _insert(football, mode="upsert").status_code == 422
    assert football.call("POST", f"{PATH}/rows", football.key("football"), json={}).status_code == 415


def test_no_rows_may_be_appended(football: World) -> None:
    _create(football)
    assert _insert(football, SECOND.slice(0, 0)).json["rows"] == 3
    assert len(_manifest(football)["files"]) == 1


FORMATS = ["parquet", "csv", "tsv", "tfrecords", "avro", "orc", "hdf5", "npy"]


@pytest.mark.parametrize("data_format", FORMATS)
def test_some_columns_of_one_file(football: World, data_format: str) -> None:
    _create(football, data_format=data_format)
    _insert(football)
    read = _rows(football, f"?file=part-00001.{data_format}&columns=budget")
    assert read.to_pydict() == {"budget": [4.5, 5.5]}
    assert _rows(football, "?columns=budget,team").column_names == ["budget", "team"]


def test_columns_and_files_that_there_are_not(football: World) -> None:
    _create(football)
    key = football.key("football")
    unknown = football.call("GET", f"{PATH}/rows?columns=bugdet", key)
    assert (unknown.status_code, unknown.json["candidates"]) == (422, ["team", "budget"])
    missing = football.call("GET", f"{PATH}/rows?file=part-00007.csv", key)
    assert (missing.status_code, missing.json["code"]) == (404, "training-file-not-found")


def test_a_reader_may_insist_on_the_content_it_knows(football: World) -> None:
    _create(football)
    query = f"?content_hash={_manifest(football)['content_hash']}"
    assert _rows(football, query).num_rows == 3
    _insert(football)
    answer = football.call("GET", f"{PATH}/rows{query}", football.key("football"))
    assert (answer.status_code, answer.json["code"]) == (409, "training-dataset-changed")


def test_a_dataset_from_before_writes_were_recorded(football: World) -> None:
    _create(football)
    fresh = ("writes", "anomalies", "content_hash", "code_versions", "labels", "fixed", "label_file", "sql_options")
    with football.container.database.write() as uow:
        dataset = uow.session.scalar(select(TrainingDataset))
        assert dataset is not None
        dataset.manifest = {key: value for key, value in dataset.manifest.items() if key not in fresh}
        uow.commit()
    key = football.key("football")
    assert (_manifest(football)["writes"], _manifest(football)["content_hash"]) == ([], None)
    for said in ("before this was recorded", "rows were written"):
        refused = football.call("POST", f"{PATH}/recreate", key, json={})
        assert (refused.status_code, refused.json["code"]) == (422, "training-dataset-not-reproducible")
        assert said in refused.json["detail"]
        assert _insert(football).status_code == 200
    assert [write["mode"] for write in _manifest(football)["writes"]] == ["append", "append"]
    assert _rows(football).num_rows == 7


def test_of_writes_at_once_each_is_there_whole_or_not_at_all(any_world: World) -> None:
    """On both databases and both warehouses: who was overtaken is told, and may try again."""
    any_world.project("football")
    _create(any_world)

    def write(number: int) -> int:
        return int(_insert(any_world, pa.table({"team": [number] * 10, "budget": [0.5] * 10})).status_code)

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(write, range(100, 108)))
    assert set(statuses) <= {200, 409}
    written = {number for number, status in zip(range(100, 108), statuses, strict=True) if status == 200}
    assert written
    teams = _rows(any_world)["team"].to_pylist()
    assert teams[:3] == [1, 2, 3]
    assert sorted(teams[3:]) == sorted(number for number in written for _ in range(10))
    assert len(_manifest(any_world)["writes"]) == 1 + len(written)


def test_who_reads_through_a_share_is_not_told_who_wrote(football: World) -> None:
    _create(football)
    _insert(football)
    football.project("venues")
    football.share("football", "venues", ShareKind.TRAINING_DATASETS)
    manifest = football.call("GET", f"{PATH}/manifest", football.key("venues")).json
    assert [sorted(write) for write in manifest["writes"]] == [["at", "mode", "rows"]] * 2
    assert manifest["content_hash"] == _manifest(football)["content_hash"]
    assert football.call("POST", f"{PATH}/recreate", football.key("venues"), json={}).status_code == 403
