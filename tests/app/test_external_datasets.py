"""Training datasets in a customer's own bucket: bytes there, metadata here, and nobody else's files touched."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from app.featurestore.locations.models import Location
from app.fsck import check_consistency
from app.settings import ConnectorSettings, SecretSettings, StatisticsSettings
from infra.errors import StorageUnavailableError
from infra.ports.formats import DataFormat
from infra.storage.location import Warehouse
from tenancy.actions import ShareKind
from tests.frames import frame_request, read_arrow
from tests.world import World, make_world

DATASETS = "/projects/football/training-datasets"


class Customer:
    """A bucket of somebody else, and a gateway that may write to it for project `football`."""

    def __init__(self, world: World, client: Any, bucket: str) -> None:
        self.world, self.client, self.bucket = world, client, bucket

    def keys(self) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return sorted(entry["Key"] for entry in listed)

    def put(self, key: str) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=b"not ours")

    def create(self, name: str = "ids", **command: Any) -> Any:
        body = {"name": name, "query": {"features": ["id", "value"]}, "sink": "lake", **command}
        return self.world.call("POST", DATASETS, self.world.key("football"), json=body)

    def call(self, method: str, path: str, project: str = "football", **options: Any) -> Any:
        return self.world.call(method, f"{DATASETS}{path}", self.world.key(project), **options)


@pytest.fixture
def customer(
    tmp_path: Path, local_warehouse: Warehouse, seaweedfs: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Customer]:
    keys = {"access_key_id": "admin", "secret_access_key": "adminsecret"}
    monkeypatch.setenv("OAST_SECRET_LAKE", json.dumps(keys))
    world = make_world(
        tmp_path / "data",
        None,
        local_warehouse,
        secrets=SecretSettings(local="football=env:OAST_SECRET_LAKE"),
        connectors=ConnectorSettings(allow_http=True, allowed_networks="127.0.0.0/8"),
        statistics=StatisticsSettings(),
    )
    world.projects("football", "rivals")
    bucket = seaweedfs.new_bucket()
    options = {"bucket": bucket, "prefix": "team", "endpoint_url": seaweedfs.endpoint_url}
    connector = {"name": "lake", "kind": "S3", "options": options, "secret": "env:OAST_SECRET_LAKE"}
    made = world.call("POST", "/projects/football/connectors", world.key("football"), json=connector)
    assert made.status_code == 201, made.json
    table = pa.table({"id": list(range(100)), "value": [float(number) for number in range(100)]})
    request = frame_request(table, {"name": "numbers"})
    assert world.call("POST", "/projects/football/feature-groups", world.key("football"), **request).status_code == 201
    yield Customer(world, seaweedfs.client(), bucket)
    world.container.database.engine.dispose()


def test_bytes_are_there_and_metadata_is_here(customer: Customer) -> None:
    made = customer.create(path="models/2030")
    assert made.status_code == 201, made.json
    assert (made.json["kind"], made.json["path"]) == ("EXTERNAL", f"s3://{customer.bucket}/team/models/2030")
    assert customer.keys() == [
        "team/models/2030/manifest.json",
        "team/models/2030/part-00000.parquet",
    ]
    body = customer.client.get_object(Bucket=customer.bucket, Key="team/models/2030/part-00000.parquet")["Body"].read()
    assert pq.read_table(pa.BufferReader(body))["id"].to_pylist() == list(range(100))
    rows = customer.call("GET", "/ids/versions/1/rows")
    assert read_arrow(rows.data)["value"].to_pylist() == [float(number) for number in range(100)]
    file = customer.call("GET", "/ids/versions/1/files/part-00000.parquet")
    assert file.data == body


def test_without_a_path_it_is_called_as_the_dataset(customer: Customer) -> None:
    customer.create(version=3, splits={"shares": {"train": 0.5, "test": 0.5}}, data_format="csv")
    assert customer.keys() == [
        "team/ids_3/manifest.json",
        "team/ids_3/test/part-00000.csv",
        "team/ids_3/train/part-00000.csv",
    ]


def test_delete_removes_what_we_wrote_and_nothing_else(customer: Customer) -> None:
    customer.create(path="models")
    for key in ("team/models/part-00001.parquet", "team/models/notes.txt", "team/models2/part-00000.parquet", "other"):
        customer.put(key)
    assert customer.call("DELETE", "/ids/versions/1").status_code == 204
    assert customer.keys() == [
        "other",
        "team/models/notes.txt",
        "team/models/part-00001.parquet",
        "team/models2/part-00000.parquet",
    ]


def test_where_files_are_nothing_is_written(customer: Customer) -> None:
    customer.put("team/models/somebody.txt")
    answer = customer.create(path="models")
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/sink-occupied")
    assert customer.keys() == ["team/models/somebody.txt"]
    assert customer.create(path="models/below").status_code == 201


def test_overwritten_at_another_path(customer: Customer) -> None:
    customer.create(path="first")
    again = customer.create(path="first", overwrite=True)
    assert (again.status_code, again.json["type"]) == (409, "/problems/sink-occupied")
    assert customer.create(path="second", overwrite=True).json["path"].endswith("/second")
    assert customer.keys() == ["team/second/manifest.json", "team/second/part-00000.parquet"]


def test_rows_there_are_not_changed_in_place(customer: Customer) -> None:
    customer.create()
    request = frame_request(pa.table({"id": [1], "value": [1.0]}))
    answer = customer.call("POST", "/ids/versions/1/rows?mode=append", **request)
    assert answer.status_code == 422
    assert "bucket of your own" in answer.json["detail"]


def test_the_projects_own_sink_is_the_default_place(customer: Customer) -> None:
    made = customer.create(sink="football_Training_Datasets")
    assert (made.status_code, made.json["kind"]) == (201, "INTERNAL")
    assert customer.keys() == []
    refused = customer.create("more", sink="football_Training_Datasets", path="x")
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ({"sink": "nowhere"}, 404),
        ({"sink": None, "path": "x"}, 422),
        ({"path": "../other"}, 422),
        ({"path": "a//b"}, 422),
        ({"path": "/a"}, 422),
        ({"path": "a/.."}, 422),
        ({"path": ""}, 201),
        ({"sink": "football_featurestore"}, 422),
    ],
)
def test_where_it_cannot_go(customer: Customer, command: dict[str, Any], status: int) -> None:
    assert customer.create(**command).status_code == status


def test_a_failure_half_way_leaves_nothing(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    data_format: DataFormat = customer.world.container.training_datasets._formats.load("csv")

    def breaks(*_: Any) -> int:
        raise StorageUnavailableError("gone")

    monkeypatch.setattr(type(data_format), "write", breaks)
    assert customer.create(data_format="csv").status_code == 503
    assert customer.keys() == []
    with customer.world.container.database.read() as session:
        assert session.scalars(select(Location).where(Location.connector_id.is_not(None))).all() == []


def test_what_a_killed_writer_left_is_cleared_and_no_more(customer: Customer) -> None:
    container = customer.world.container
    project_id = customer.world.context("football").principal.project_id
    assert project_id is not None
    with container.database.read() as session:
        sink = container.places.find_sink(session, project_id, "lake", "half")
    assert sink is not None
    location = container.locations.claim(project_id, sink.elsewhere)
    for key in ("part-00000.csv", "train/part-00000.csv", "labels.arrow", "theirs.csv", "deep/er/part-00000.csv"):
        customer.put(f"team/half/{key}")
    container.locations.abandon(location)
    assert customer.keys() == ["team/half/deep/er/part-00000.csv", "team/half/theirs.csv"]


def test_statistics_are_computed_of_it_too(customer: Customer) -> None:
    customer.create()
    customer.world.work()
    answer = customer.call("GET", "/ids/versions/1/statistics")
    assert answer.status_code == 200, answer.json
    assert answer.json["rows"] == 100


def test_a_connector_that_holds_a_dataset_stays(customer: Customer) -> None:
    customer.create()
    path, key = "/projects/football/connectors/lake", customer.world.key("football")
    refused = customer.world.call("DELETE", path, key)
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/connector-in-use")
    assert "ids_1" in refused.json["detail"]
    customer.call("DELETE", "/ids/versions/1")
    assert customer.world.call("DELETE", path, key).status_code == 204


def test_readers_through_a_share_learn_no_secret(customer: Customer) -> None:
    customer.create()
    customer.world.share("football", "rivals", ShareKind.TRAINING_DATASETS)
    rows = customer.call("GET", "/ids/versions/1/rows", "rivals")
    assert read_arrow(rows.data).num_rows == 100
    shown = customer.call("GET", "/ids/versions/1", "rivals").get_data(as_text=True)
    assert "adminsecret" not in shown


def test_another_project_cannot_write_through_it(customer: Customer) -> None:
    world = customer.world
    body = {"name": "mine", "sql": {"query": "SELECT 1 AS a"}, "sink": "lake"}
    answer = world.call("POST", "/projects/rivals/training-datasets", world.key("rivals"), json=body)
    assert (answer.status_code, answer.json["type"]) == (404, "/problems/connector-not-found")


def test_fsck_looks_there_too(customer: Customer) -> None:
    customer.create(path="models")
    assert check_consistency(customer.world.container, deep=True).findings == []
    customer.put("team/models/part-00000.parquet")
    report = check_consistency(customer.world.container, deep=True)
    assert [finding.detail for finding in report.findings] == ["its file part-00000.parquet was changed"]
    customer.client.delete_object(Bucket=customer.bucket, Key="team/models/part-00000.parquet")
    assert [f.detail for f in check_consistency(customer.world.container).findings] == [
        "its file part-00000.parquet is gone"
    ]


def test_a_bucket_that_is_gone_is_told_and_tried_again(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    customer.create()
    monkeypatch.setenv("OAST_SECRET_LAKE", json.dumps({"access_key_id": "admin", "secret_access_key": "wrong"}))
    (finding,) = check_consistency(customer.world.container).findings
    assert not finding.is_fault
    assert customer.call("DELETE", "/ids/versions/1").status_code == 204
    assert customer.keys() != []
    monkeypatch.setenv("OAST_SECRET_LAKE", json.dumps({"access_key_id": "admin", "secret_access_key": "adminsecret"}))
    assert customer.world.container.locations.purge() == 1
    assert customer.keys() == []
