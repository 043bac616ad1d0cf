"""A password that is rotated while connectors are used: Secrets Manager by moto, a real PostgreSQL whose logins are counted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from app.settings import ConnectorSettings, SecretSettings
from infra.storage.location import Warehouse
from tests.lab.aws import Moto
from tests.lab.relay import Relay, relay
from tests.lab.seaweedfs import SeaweedFs
from tests.lab.source import PASSWORD, READER, SourceDatabase
from tests.world import World, make_world

ROOT = "/projects/football/connectors"
NAME = "oasthouse/football/db"


@pytest.fixture
def world(
    tmp_path: Path, local_warehouse: Warehouse, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    made = make_world(
        tmp_path / "data",
        None,
        local_warehouse,
        secrets=SecretSettings(aws_region="us-east-1", aws_endpoint_url=moto_endpoint),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8", allow_http=True),
    )
    made.projects("football")
    yield made
    made.container.database.engine.dispose()


@pytest.fixture
def counted(source: SourceDatabase) -> Iterator[Relay]:
    """One connection is one login."""
    with relay(source.socket_path) as made:
        yield made


@pytest.fixture
def secrets(moto: Moto, moto_endpoint: str) -> Any:
    client = moto.client("secretsmanager")
    client.create_secret(Name=NAME, SecretString=json.dumps({"password": PASSWORD}))
    return client


def _rotate(secrets: Any, password: str) -> None:
    secrets.put_secret_value(SecretId=NAME, SecretString=json.dumps({"password": password}))


def _connector(world: World, source: SourceDatabase, counted: Relay) -> None:
    place = {"host": "127.0.0.1", "port": counted.port, "database": source.database, "user": READER}
    body = {
        "name": "sales",
        "options": {"engine": "postgresql", "tls_mode": "disable", **place},
        "secret": f"aws-sm:{NAME}#password",
    }
    assert world.call("POST", ROOT, world.key("football"), json=body).status_code == 201


def _test(world: World, name: str = "sales") -> Any:
    answer = world.call("POST", f"{ROOT}/{name}/test", world.key("football"))
    return answer.status_code if answer.status_code == 200 else answer.json["code"]


def test_a_password_is_rotated(world: World, source: SourceDatabase, counted: Relay, secrets: Any) -> None:
    _connector(world, source, counted)
    assert _test(world) == 200
    _rotate(secrets, "second")
    source.execute(f"ALTER ROLE {READER} PASSWORD 'second'")
    before = counted.accepted
    assert [_test(world) for _ in range(3)] == [200] * 3
    assert counted.accepted - before == 4, "one refused, then the new one from the cache"
    source.execute("CREATE TABLE teams (team_id bigint)", "INSERT INTO teams VALUES (1), (2)")
    _rotate(secrets, "third")
    source.execute(f"ALTER ROLE {READER} PASSWORD 'third'")
    group = {"name": "teams", "version": 1, "kind": "ON_DEMAND", "connector": "sales", "query": "SELECT * FROM teams"}
    made = world.call("POST", "/projects/football/feature-groups", world.key("football"), json=group)
    assert made.status_code == 201
    _rotate(secrets, "fourth")
    source.execute(f"ALTER ROLE {READER} PASSWORD 'fourth'")
    rows = world.call("GET", "/projects/football/feature-groups/teams/versions/1/rows", world.key("football"))
    assert rows.status_code == 200, rows.get_data(as_text=True)


def test_a_database_that_was_not_told_yet(
    world: World, source: SourceDatabase, counted: Relay, secrets: Any, caplog: pytest.LogCaptureFixture
) -> None:
    _connector(world, source, counted)
    _rotate(secrets, "second")
    with structlog.testing.capture_logs() as lines:
        assert [_test(world) for _ in range(4)] == [200] * 4
    lags = [line for line in lines if line.get("rotation_lag")]
    assert lags
    assert lags[0]["reference"] == f"aws-sm:{NAME}#password"
    assert counted.accepted == 5, "the new one was refused once, not each time"
    source.execute(f"ALTER ROLE {READER} PASSWORD 'second'")
    assert _test(world) == 200


def test_a_wrong_password_is_not_tried_without_end(
    world: World, source: SourceDatabase, counted: Relay, secrets: Any
) -> None:
    _connector(world, source, counted)
    assert _test(world) == 200
    source.execute(f"ALTER ROLE {READER} PASSWORD 'unknown'")
    before = counted.accepted
    assert _test(world) == "source-login-refused"
    assert counted.accepted - before == 1, "nothing newer, nothing older"
    _rotate(secrets, "second")
    before = counted.accepted
    assert _test(world) == "source-login-refused"
    assert counted.accepted - before == 2, "the first, the second; the previous one is the first again"
    before = counted.accepted
    assert [_test(world) for _ in range(5)] == ["source-login-refused"] * 5
    assert counted.accepted - before == 5


def test_keys_of_a_bucket_are_rotated(world: World, moto: Moto, secrets: Any, seaweedfs: SeaweedFs) -> None:
    right = json.dumps({"access_key_id": "admin", "secret_access_key": "adminsecret"})
    wrong = json.dumps({"access_key_id": "admin", "secret_access_key": "withdrawn"})
    secrets.create_secret(Name="oasthouse/football/bucket", SecretString=wrong)
    warehouse = seaweedfs.new_warehouse()
    assert warehouse.s3 is not None
    options = {"bucket": warehouse.bucket, "region": "us-east-1", "endpoint_url": warehouse.s3.endpoint_url}
    body = {"name": "lake", "kind": "S3", "options": options, "secret": "aws-sm:oasthouse/football/bucket"}
    assert world.call("POST", ROOT, world.key("football"), json=body).status_code == 201
    assert _test(world, "lake") == "bucket-access-refused"
    secrets.put_secret_value(SecretId="oasthouse/football/bucket", SecretString=right)
    assert _test(world, "lake") == 200
    reader = world.container.places._connectors
    with world.container.database.read() as session:
        project = world.context("football").principal.project_id
        assert project is not None
        lake = reader.find(session, project, "lake")
    secrets.put_secret_value(SecretId="oasthouse/football/bucket", SecretString=wrong)
    assert list(reader.store(lake).list_files("nothing")) == [], "the cached one is right yet"
    with reader.store(lake).open_output("a/b") as file:
        file.write(b"x")
    assert [entry.path for entry in reader.source(lake).list_files("a")] == ["a/b"]
