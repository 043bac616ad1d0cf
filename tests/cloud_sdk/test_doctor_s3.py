"""What `fs.doctor` finds in S3: a real store with real session policies, and stores that are out of reach."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import hops.featurestore as fs_module
from app.settings import ResultSettings, VendingSettings
from hops.featurestore import diagnosis_s3
from hops.featurestore.diagnosis import Check, Diagnosis
from tests.cloud_sdk.gateway import json_reply, page, problem
from tests.cloud_sdk.test_destinations import blank  # noqa: F401 - fixture
from tests.cloud_sdk.test_doctor import by_name, ready  # noqa: F401 - fixture
from tests.frames import frame_request
from tests.infra.fake_server import fake_server
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.world import World, listening, make_world

GROUP = {"name": "teams", "version": 1, "project": "football", "featurestore": "football_featurestore", "features": []}
PATH = "/projects/football/feature-groups"
CREDENTIALS = {
    "uri": "s3://bucket/warehouse/teams", "level": "read", "region": "us-east-1", "endpoint_url": "http://127.0.0.1:1",
    "expires_at": "2099-01-01T00:00:00Z", "access_key_id": "AKIA", "secret_access_key": "canary-of-the-doctor",
    "session_token": "canary-of-the-doctor",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, seaweedfs: SeaweedFs) -> Iterator[World]:
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=seaweedfs.endpoint_url, from_bytes=1)
    results = ResultSettings(parts_from_bytes=100_000)
    directory = tmp_path_factory.mktemp("doctor")
    made = make_world(directory / "data", None, seaweedfs.new_warehouse(), vending=vending, results=results)
    made.projects("football", "rivals", "venues")
    with listening(made):
        yield made


def _create(world: World, project: str, name: str, rows: int = 10) -> None:
    table = pa.table({"id": np.arange(rows), "value": np.random.default_rng(1).random(rows)})
    path = f"/projects/{project}/feature-groups"
    made = world.call("POST", path, world.key(project), **frame_request(table, {"name": name}))
    assert made.status_code == 201, made.json


def _examined(world: World, project: str) -> Diagnosis:
    path = world.directory / f"{project}.key"
    path.touch(mode=0o600)
    path.write_text(world.key(project))
    return fs_module.doctor(world.address, project, secrets_store="local", api_key_file=str(path))


def _found(diagnosis: Diagnosis) -> tuple[Check, Check]:
    return by_name(diagnosis)["s3"], by_name(diagnosis)["prefix"]


def test_a_credential_reads_its_table_and_nothing_else(world: World, seaweedfs: SeaweedFs) -> None:
    s3, prefix = _found(_examined(world, "football"))
    assert (s3.state, s3.found) == ("skipped", "football has no feature group with a table")
    assert prefix.found.endswith("football has no feature group with a table")
    _create(world, "football", "teams")
    s3, _ = _found(_examined(world, "football"))
    assert s3.state == "skipped"
    assert "gives this key no credential" in s3.found
    assert "so large that it comes in files" in s3.found
    on = {"enabled": True}
    assert world.call("PUT", "/projects/football/vending", world.key("football"), json=on).status_code == 200
    for expected in ("with no neighbour", "with one"):
        diagnosis = _examined(world, "football")
        s3, prefix = _found(diagnosis)
        assert diagnosis.ok, diagnosis
        assert "with a credential for teams_1" in s3.found, expected
        assert prefix.found.startswith("6 of 6 attempts outside of s3://"), expected
        _create(world, "football", f"zz_{expected.replace(' ', '_')}")
    assert not _left(world, seaweedfs)


def _bucket(world: World) -> str:
    return str(world.container.settings.warehouse.url).removeprefix("s3://").partition("/")[0]


def _left(world: World, seaweedfs: SeaweedFs) -> list[str]:
    listed = seaweedfs.client().get_paginator("list_objects_v2").paginate(Bucket=_bucket(world))
    return [each["Key"] for one in listed for each in one.get("Contents", ()) if "oast-doctor" in each["Key"]]


def test_a_credential_that_is_held_to_nothing(
    world: World, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a store gives it that ignores session policies: here it is the administrator's."""
    _create(world, "rivals", "teams")
    on = {"enabled": True}
    assert world.call("PUT", "/projects/rivals/vending", world.key("rivals"), json=on).status_code == 200
    take, options = diagnosis_s3.take_credentials, seaweedfs.options

    def of_anything(*asked: Any) -> Any:
        keys = {"access_key_id": options.access_key_id, "secret_access_key": options.secret_access_key}
        return replace(take(*asked), **keys, session_token="")

    monkeypatch.setattr(diagnosis_s3, "take_credentials", of_anything)
    s3, prefix = _found(_examined(world, "rivals"))
    assert s3.state == "ok"
    assert prefix.state == "failed"
    for what in ("reads beside", "reads above", "lists above", "lists the bucket", "writes into", "writes beside"):
        assert what in prefix.found
    assert "oast project vending rivals off" in prefix.fix
    assert not _left(world, seaweedfs)


def test_a_credential_that_writes_and_cannot_delete(
    world: World, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it wrote stays, and is not taken for refused."""
    _create(world, "rivals", "written")
    on = {"enabled": True}
    assert world.call("PUT", "/projects/rivals/vending", world.key("rivals"), json=on).status_code == 200
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"], "Resource": ["*"]}
    made = seaweedfs.client("sts").assume_role(
        RoleArn=ROLE_ARN,
        RoleSessionName="writer",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )["Credentials"]
    take = diagnosis_s3.take_credentials

    def of_a_writer(*asked: Any) -> Any:
        keys = {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}
        return replace(take(*asked), **keys, session_token=made["SessionToken"])

    monkeypatch.setattr(diagnosis_s3, "take_credentials", of_a_writer)
    _, prefix = _found(_examined(world, "rivals"))
    assert prefix.state == "failed"
    assert "writes into" in prefix.found
    for left in _left(world, seaweedfs):
        seaweedfs.client().delete_object(Bucket=_bucket(world), Key=left)


def test_without_credentials_a_signed_address_is_fetched(world: World) -> None:
    _create(world, "venues", "large", rows=50_000)
    s3, prefix = _found(_examined(world, "venues"))
    assert s3.state == "ok", s3
    assert "fetches 1024 bytes of large_1 from 127.0.0.1:" in s3.found
    assert prefix.state == "skipped"
    assert "gives this key no credential" in prefix.found
    assert "X-Amz" not in f"{s3} {prefix}"


def test_a_key_that_lists_nothing(blank, ready, sdk_url, sdk_key_file):  # noqa: F811
    ready.on("GET", PATH, problem(403, "scope-missing", "The key has no scope for it."))
    s3, prefix = _found(fs_module.doctor(sdk_url, "football", api_key_file=str(sdk_key_file)))
    assert [s3.state, prefix.state] == ["skipped", "skipped"]
    assert "The key has no scope for it." in s3.found
    assert "The key has no scope for it." in prefix.found


def test_rows_may_not_be_read(blank, ready, sdk_url, sdk_key_file):  # noqa: F811
    ready.on("GET", PATH, page(GROUP))
    for method, what in (("POST", "credentials"), ("GET", "rows")):
        ready.on(method, f"{PATH}/teams/versions/1/{what}", problem(403, "not-permitted", "Not with this role."))
    s3, _ = _found(fs_module.doctor(sdk_url, "football", api_key_file=str(sdk_key_file)))
    assert (s3.state, "Not with this role." in s3.found) == ("skipped", True)


@pytest.mark.parametrize("way", ["credential", "address"])
def test_a_store_that_is_not_reached(blank, ready, sdk_url, sdk_key_file, way):  # noqa: F811
    ready.on("GET", PATH, page(GROUP))
    if way == "credential":
        ready.on("POST", f"{PATH}/teams/versions/1/credentials", json_reply(CREDENTIALS))
    else:
        ready.on("GET", f"{PATH}/teams/versions/1/rows", _manifest("http://127.0.0.1:1/b/k?X-Amz-Signature=canary"))
    diagnosis = fs_module.doctor(sdk_url, "football", api_key_file=str(sdk_key_file))
    s3, prefix = _found(diagnosis)
    assert s3.state == "failed"
    assert "127.0.0.1" in s3.found
    assert "gateway endpoint for S3" in s3.fix
    assert prefix.state == "skipped"
    assert "canary" not in repr(diagnosis)


def _manifest(url):
    import base64

    schema = base64.b64encode(pa.schema([("id", pa.int64())]).serialize().to_pybytes()).decode()
    part = {"url": url, "bytes": 10, "rows": 1, "partition": {}}
    body = {"url": "/api/v1/x", "table_version": 1, "schema": schema, "rows": 1, "bytes": 10, "parts": [part]}
    return json_reply(body, **{"Content-Type": "application/vnd.oasthouse.parts+json"})


def test_files_that_the_gateway_hands_out_are_not_of_s3(blank, ready, sdk_url, sdk_key_file):  # noqa: F811
    ready.on("GET", PATH, page(GROUP))
    ready.on("GET", f"{PATH}/teams/versions/1/rows", _manifest("/api/v1/projects/football/parts/1"))
    s3, _ = _found(fs_module.doctor(sdk_url, "football", api_key_file=str(sdk_key_file)))
    assert (s3.state, s3.found.endswith("the gateway hands files out itself")) == ("skipped", True)


def test_a_store_that_is_silent_is_given_up(blank, ready, sdk_url, sdk_key_file, monkeypatch):  # noqa: F811
    monkeypatch.setattr(diagnosis_s3, "_SECONDS", 1.0)
    over = threading.Event()
    with fake_server(lambda _: over.wait(60)) as port:
        ready.on("GET", PATH, page(GROUP))
        silent = {**CREDENTIALS, "endpoint_url": f"http://127.0.0.1:{port}"}
        ready.on("POST", f"{PATH}/teams/versions/1/credentials", json_reply(silent))
        started = time.monotonic()
        diagnosis = fs_module.doctor(sdk_url, "football", api_key_file=str(sdk_key_file))
        took = time.monotonic() - started
        over.set()
    assert _found(diagnosis)[0].state == "failed"
    assert took < 20
    assert by_name(diagnosis)["spark"].state != "failed"
