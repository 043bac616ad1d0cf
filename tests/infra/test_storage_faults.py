"""Stores that cut, refuse, or break the promise that commits rest on."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError

from infra.engines.process_engine import ProcessEngine
from infra.errors import NotFoundError, StorageUnavailableError
from infra.ports.engine import EngineQuery
from infra.ports.tables import Commit
from infra.storage.credentials import with_credentials
from infra.storage.local import LocalObjectStore
from infra.storage.location import S3Options, Warehouse, parse_warehouse
from infra.storage.s3 import S3ObjectStore
from infra.tables.backoff import refusal
from infra.tables.delta import DeltaTableStore
from tests.conformance.stores import SCHEMA, append, contents, rows_of, upsert
from tests.lab.proxy import Fault, FaultyProxy, faulty_proxy
from tests.lab.seaweedfs import SeaweedFs

AT = "project/table"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def proxy(seaweedfs: SeaweedFs) -> Iterator[FaultyProxy]:
    with faulty_proxy(seaweedfs.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def behind_proxy(s3_warehouse: Warehouse, proxy: FaultyProxy) -> Warehouse:
    assert s3_warehouse.s3 is not None
    return replace(s3_warehouse, s3=replace(s3_warehouse.s3, endpoint_url=proxy.endpoint_url))


def on_commits(proxy: FaultyProxy, fault: Fault, times: int) -> None:
    """The next `times` puts of a log entry meet the fault."""
    left = threading.Semaphore(times)

    def rule(method: str, path: str) -> Fault:
        is_commit = method == "PUT" and "_delta_log/0" in path
        return fault if is_commit and left.acquire(blocking=False) else Fault.NONE

    proxy.rule = rule


@pytest.mark.parametrize("times", [1, 20])
def test_a_commit_whose_answer_is_lost_is_found_and_not_repeated(
    behind_proxy: Warehouse, s3_warehouse: Warehouse, proxy: FaultyProxy, times: int
) -> None:
    store = DeltaTableStore(behind_proxy)
    store.create(AT, SCHEMA, partition_by=[], rows=None)
    on_commits(proxy, Fault.LOST_ANSWER, times)
    assert store.write(AT, append(rows_of((1, "a", 1.0)))) == Commit(1, 1, 0)
    assert proxy.faults >= 1
    assert len(contents(s3_warehouse, AT)) == 1


def test_an_upsert_whose_answer_is_lost_is_found(
    behind_proxy: Warehouse, s3_warehouse: Warehouse, proxy: FaultyProxy
) -> None:
    store = DeltaTableStore(behind_proxy)
    store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0)))
    on_commits(proxy, Fault.LOST_ANSWER, 20)
    assert store.write(AT, upsert(rows_of((1, "b", 1.0), (2, "b", 1.0)))) == Commit(1, 1, 1)
    assert [row["team"] for row in contents(s3_warehouse, AT)] == ["b", "b"]


def test_columns_whose_answer_is_lost_are_found(
    behind_proxy: Warehouse, s3_warehouse: Warehouse, proxy: FaultyProxy
) -> None:
    store = DeltaTableStore(behind_proxy)
    store.create(AT, SCHEMA, partition_by=[], rows=None)
    on_commits(proxy, Fault.LOST_ANSWER, 20)
    assert store.add_columns(AT, pa.schema([("more", pa.int64())])) == 1
    assert proxy.faults >= 1
    assert DeltaTableStore(s3_warehouse).snapshot(AT).schema.names == [*SCHEMA.names, "more"]


def test_columns_that_are_never_taken_are_unavailable(
    behind_proxy: Warehouse, s3_warehouse: Warehouse, proxy: FaultyProxy
) -> None:
    store = DeltaTableStore(behind_proxy, commit_deadline=1.0)
    store.create(AT, SCHEMA, partition_by=[], rows=None)
    on_commits(proxy, Fault.LOST_REQUEST, 1000)
    with pytest.raises(StorageUnavailableError):
        store.add_columns(AT, pa.schema([("more", pa.int64())]))
    assert DeltaTableStore(s3_warehouse).snapshot(AT).schema == SCHEMA


def test_a_creation_whose_answer_is_lost_is_found(
    behind_proxy: Warehouse, s3_warehouse: Warehouse, proxy: FaultyProxy
) -> None:
    on_commits(proxy, Fault.LOST_ANSWER, 20)
    store = DeltaTableStore(behind_proxy)
    assert store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0))) == Commit(0, 1, 0)
    assert len(contents(s3_warehouse, AT)) == 1


def test_a_commit_that_never_arrived_is_sent_again(
    behind_proxy: Warehouse, s3_warehouse: Warehouse, proxy: FaultyProxy
) -> None:
    store = DeltaTableStore(behind_proxy)
    store.create(AT, SCHEMA, partition_by=[], rows=None)
    on_commits(proxy, Fault.LOST_REQUEST, 1)
    assert store.write(AT, append(rows_of((1, "a", 1.0)))) == Commit(1, 1, 0)
    assert proxy.faults == 1
    assert len(contents(s3_warehouse, AT)) == 1


def test_a_store_that_never_takes_a_commit_is_unavailable(
    behind_proxy: Warehouse, s3_warehouse: Warehouse, proxy: FaultyProxy
) -> None:
    store = DeltaTableStore(behind_proxy, commit_deadline=1.0)
    store.create(AT, SCHEMA, partition_by=[], rows=None)
    on_commits(proxy, Fault.LOST_REQUEST, 1000)
    with pytest.raises(StorageUnavailableError):
        store.write(AT, append(rows_of((1, "a", 1.0))))
    assert contents(s3_warehouse, AT) == []


def test_a_store_that_is_away_is_unavailable(tmp_path: Path) -> None:
    away = parse_warehouse("s3://bucket/warehouse", S3Options("us-east-1", NOWHERE, "key", "secret"))
    tables, files = DeltaTableStore(away, commit_deadline=0.2), S3ObjectStore(away)
    with pytest.raises(StorageUnavailableError):
        tables.write(AT, append(rows_of((1, "a", 1.0))))
    with pytest.raises(StorageUnavailableError):
        tables.create(AT, SCHEMA, partition_by=[], rows=None)
    with pytest.raises(StorageUnavailableError):
        tables.version(AT)
    with pytest.raises(StorageUnavailableError):
        list(files.list_files("p"))
    with pytest.raises(StorageUnavailableError):
        files.probe()
    with pytest.raises(StorageUnavailableError):
        files.open_output("p/file").close()


def test_wrong_keys_are_an_unavailable_warehouse(s3_warehouse: Warehouse) -> None:
    assert s3_warehouse.s3 is not None
    wrong = replace(s3_warehouse, s3=replace(s3_warehouse.s3, secret_access_key="wrong"))
    with pytest.raises(StorageUnavailableError, match="refused"):
        S3ObjectStore(wrong).probe()
    with pytest.raises(StorageUnavailableError):
        S3ObjectStore(wrong).open_input("p/file")


def test_the_probe_refuses_a_store_that_ignores_conditions(careless_store: str) -> None:
    warehouse = parse_warehouse("s3://bucket/warehouse", S3Options("us-east-1", careless_store, "key", "secret"))
    with pytest.raises(StorageUnavailableError, match="If-None-Match"):
        S3ObjectStore(warehouse).probe()


def test_an_upload_that_fails_leaves_no_parts(
    behind_proxy: Warehouse, proxy: FaultyProxy, seaweedfs: SeaweedFs
) -> None:
    store = S3ObjectStore(behind_proxy)
    proxy.rule = lambda _method, path: Fault.LOST_REQUEST if "partNumber=2" in path else Fault.NONE

    def upload() -> None:
        with store.open_output("p/large") as file:
            file.write(bytes(33 << 20))

    with pytest.raises(StorageUnavailableError):
        upload()
    with pytest.raises(NotFoundError):
        store.open_input("p/large")
    left = seaweedfs.client().list_multipart_uploads(Bucket=behind_proxy.bucket, Prefix=behind_proxy.prefix)
    assert left.get("Uploads", []) == []


def test_a_directory_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = LocalObjectStore(tmp_path / "file")
    with pytest.raises(StorageUnavailableError):
        store.probe()
    with pytest.raises(StorageUnavailableError):
        store.open_output("p/file")
    with pytest.raises(NotFoundError):
        store.open_input("p/file")
    blocked = LocalObjectStore(tmp_path)
    with pytest.raises(StorageUnavailableError):
        blocked.open_output("file/below").close()
    assert list(blocked.list_files(".staging")) == []


def test_a_failed_read_of_the_engine_is_unavailable(
    s3_warehouse: Warehouse, proxy: FaultyProxy, tmp_path: Path
) -> None:
    assert s3_warehouse.s3 is not None
    tables = DeltaTableStore(s3_warehouse)
    tables.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0)))
    snapshot = tables.snapshot(AT)
    behind = replace(s3_warehouse, s3=replace(s3_warehouse.s3, endpoint_url=proxy.endpoint_url))
    proxy.rule = lambda _method, _path: Fault.LOST_REQUEST
    engine = ProcessEngine(behind, temp_directory=tmp_path)
    query = EngineQuery("SELECT id FROM t", {"t": snapshot}, pa.schema([("id", pa.int64())]))
    with pytest.raises(StorageUnavailableError), engine.execute(query):
        pass
    engine.close()


def test_keys_come_from_the_default_chain(
    s3_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = s3_warehouse.s3
    assert given is not None
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    chained = replace(s3_warehouse, s3=S3Options(endpoint_url=given.endpoint_url, region="us-east-1"))
    assert chained.s3 is not None
    with pytest.raises(StorageUnavailableError, match="No AWS credentials"):
        with_credentials(chained.s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", given.access_key_id or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given.secret_access_key or "")
    S3ObjectStore(chained).probe()
    tables = DeltaTableStore(chained)
    tables.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0)))
    engine = ProcessEngine(chained, temp_directory=tmp_path)
    query = EngineQuery("SELECT id FROM t", {"t": tables.snapshot(AT)}, pa.schema([("id", pa.int64())]))
    with engine.execute(query) as stream:
        assert [row for batch in stream for row in batch.to_pylist()] == [{"id": 1}]
    engine.close()


class _Careless(BaseHTTPRequestHandler):
    """Says yes to everything."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_DELETE = do_PUT  # noqa: N815 named by http.server

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def careless_store() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Careless) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_full_warehouse_is_told_so() -> None:
    error = DeltaError(
        "Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error 28)"
    )
    told = refusal(error)
    assert isinstance(told, StorageUnavailableError)
    assert told.detail == "The warehouse is full."


def test_half_written_files_are_swept_when_they_are_old(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    assert store.sweep(timedelta()) == 0
    staging = tmp_path / ".staging"
    staging.mkdir()
    for name, age in (("dead", 90_000), ("alive", 10)):
        (staging / name).touch()
        os.utime(staging / name, (time.time() - age,) * 2)
    (staging / "published-meanwhile").symlink_to(tmp_path / "gone")
    assert store.sweep(timedelta(hours=24)) == 1
    assert sorted(file.name for file in staging.iterdir()) == ["alive", "published-meanwhile"]
