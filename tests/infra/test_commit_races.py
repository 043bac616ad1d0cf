"""Of many who create one object at once exactly one is let: commits rest on it, and a store that lets two is not used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import StorageUnavailableError
from infra.storage import race
from infra.storage.location import S3Options, Warehouse, parse_warehouse
from infra.storage.s3 import S3ObjectStore
from infra.tables.delta import DeltaTableStore
from infra.tables.options import storage_options
from tests.conformance.stores import SCHEMA, append, rows_of
from tests.lab.careless import Care, CarelessStore, careless_store
from tests.lab.seaweedfs import SeaweedFs

KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"


def _warehouse(store: CarelessStore, kms_key: str | None = None) -> Warehouse:
    options = S3Options("us-east-1", store.endpoint_url, "key", "secret", kms_key=kms_key)
    return parse_warehouse("s3://bucket/warehouse", options)


@pytest.mark.parametrize(
    ("care", "problem"),
    [
        (Care.IGNORES, "a second create"),
        (Care.LOOKS_FIRST, "writers at once"),
        (Care.WRITES_ALL_THE_SAME, "not that of the writer"),
        (Care.REFUSES_ALL, "0 created"),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Care) else "",
)
def test_a_store_that_does_not_keep_to_conditions_is_refused(care: Care, problem: str) -> None:
    with careless_store(care) as store:
        with pytest.raises(StorageUnavailableError, match=problem) as refusal:
            S3ObjectStore(_warehouse(store)).race()
        assert "conditional" in str(refusal.value.hint)
        assert store.objects == {}, "nothing stays behind"


def test_a_store_that_keeps_to_them_passes() -> None:
    with careless_store(Care.KEEPS) as store:
        S3ObjectStore(_warehouse(store)).race()
        puts = [headers for method, _, headers in store.sent if method == "PUT"]
        assert len(puts) == 2 + race.ROUNDS * (race.RACERS + 1)
        assert all(headers["if-none-match"] == "*" for headers in puts)
        assert store.objects == {}


def test_who_asks_whether_it_is_ready_starts_no_race() -> None:
    """That happens every few seconds."""
    with careless_store(Care.LOOKS_FIRST) as store:
        S3ObjectStore(_warehouse(store)).probe()
        assert sum(method == "PUT" for method, _, _ in store.sent) == 2


def test_seaweedfs_lets_one(seaweedfs: SeaweedFs) -> None:
    warehouse = seaweedfs.new_warehouse()
    S3ObjectStore(warehouse).race()
    left = seaweedfs.client().list_objects_v2(Bucket=warehouse.bucket, Prefix=f"{warehouse.prefix}/")
    assert left["KeyCount"] == 0


def test_everything_is_written_under_the_key() -> None:
    """Files of ours, those of delta-rs, and its commits."""
    with careless_store(Care.KEEPS) as store:
        warehouse = _warehouse(store, KEY)
        with S3ObjectStore(warehouse).open_output("p/file") as file:
            file.write(b"x")
        tables = DeltaTableStore(warehouse)
        tables.create("p/t", SCHEMA, partition_by=[], rows=None)
        tables.write("p/t", append(rows_of((1, "a", 1.0))))
        puts = [(path, headers) for method, path, headers in store.sent if method == "PUT"]
        assert {path.rpartition(".")[2] for path, _ in puts} >= {"json", "parquet"}
        for path, headers in puts:
            assert headers.get("x-amz-server-side-encryption") == "aws:kms", path
            assert headers.get("x-amz-server-side-encryption-aws-kms-key-id") == KEY, path


_COMMIT = """
import sys
from infra.storage.location import S3Options, parse_warehouse
from infra.tables.delta import DeltaTableStore
from tests.conformance.stores import SCHEMA, append, rows_of
warehouse = parse_warehouse("s3://bucket/warehouse", S3Options("us-east-1", sys.argv[1], "key", "secret"))
tables = DeltaTableStore(warehouse)
tables.create("p/t", SCHEMA, partition_by=[], rows=None)
tables.write("p/t", append(rows_of((1, "a", 1.0))))
"""


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_S3_ALLOW_UNSAFE_RENAME": "true"},
        {"AWS_S3_LOCKING_PROVIDER": "dynamodb", "AWS_DYNAMODB_LOCK_TABLE_NAME": "locks"},
        {"AWS_CONDITIONAL_PUT": "disabled"},
    ],
    ids=["unsafe-rename", "lock-table", "no-conditions"],
)
def test_the_environment_does_not_change_how_commits_are_made(variables: dict[str, str]) -> None:
    with careless_store(Care.KEEPS) as store:
        done = subprocess.run(
            [sys.executable, "-c", _COMMIT, store.endpoint_url],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        commits = [headers for method, path, headers in store.sent if method == "PUT" and "_delta_log/0" in path]
        assert len(commits) == 2
        assert all(headers.get("if-none-match") == "*" for headers in commits)
        assert not any("x-amz-copy-source" in headers for _, _, headers in store.sent)


def test_what_delta_is_told_is_whole(tmp_path: Path) -> None:
    options = storage_options(parse_warehouse("s3://bucket/warehouse", S3Options("us-east-1")))
    said = {"connect_timeout", "timeout", "max_retries", "retry_timeout", "pool_idle_timeout", "pool_max_idle_per_host"}
    assert said <= options.keys()
    assert (options["AWS_CONDITIONAL_PUT"], options["AWS_S3_ALLOW_UNSAFE_RENAME"]) == ("etag", "false")
    assert storage_options(parse_warehouse(str(tmp_path))) == {}
