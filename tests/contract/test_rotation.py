"""Keys and passwords are rotated while fifty clients are at work: nobody notices."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import boto3
import pytest

from app.settings import ConnectorSettings, SecretSettings
from hops.featurestore.connection import Connection, open_connection
from infra.storage.location import Warehouse
from tests.lab.aws import Moto
from tests.lab.source import PASSWORD, READER, SourceDatabase
from tests.world import World, listening, make_world

CLIENTS, ROTATIONS = 50, 3
ROLE = "Notebooks"
KEY_SECRET = f"hopsworks/project/football/role/{ROLE}"
DATABASE_SECRET = "oasthouse/football/sales"
CONNECTOR = "/projects/football/connectors"


@pytest.fixture
def world(
    tmp_path: Path, local_warehouse: Warehouse, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """On a socket; what calls AWS in this process is a notebook with a role, and the gateway too."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto_endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    role = {"RoleArn": f"arn:aws:iam::123456789012:role/{ROLE}", "RoleSessionName": "notebook"}
    assumed = boto3.client("sts").assume_role(**role)["Credentials"]
    for name, field in (
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
    ):
        monkeypatch.setenv(name, assumed[field])
    made = make_world(
        tmp_path / "data",
        None,
        local_warehouse,
        secrets=SecretSettings(aws_region="us-east-1", aws_endpoint_url=moto_endpoint),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8"),
    )
    made.projects("football")
    with listening(made):
        yield made


def _connect(world: World) -> Connection:
    return open_connection(
        world.address, "football", region_name="us-east-1", secrets_store="secretsmanager", quiet=True
    )


class Crowd:
    """Fifty clients that do one thing over and over, and keep what went wrong."""

    def __init__(self, work: Callable[[int], None]) -> None:
        self._work = work
        self._over = threading.Event()
        self._done = [0] * CLIENTS
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._running = [self._pool.submit(self._client, number) for number in range(CLIENTS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._running:
            each.result(120)
        self._pool.shutdown()

    @property
    def done(self) -> int:
        return sum(self._done)

    def go_on(self, more: int = 2) -> None:
        """Each of them does some more: no request is overtaken by two rotations, which come in months and not in seconds."""
        aim = [done + more for done in self._done]
        for _ in range(12_000):
            assert self.failures == []
            if all(done >= wanted for done, wanted in zip(self._done, aim, strict=True)):
                return
            self._over.wait(0.02)
        pytest.fail("the clients are stuck")

    def _client(self, number: int) -> None:
        while not self._over.is_set():
            try:
                self._work(number)
            except Exception as error:  # noqa: BLE001 every failure counts
                self.failures.append(f"{type(error).__name__}: {error}")
                return
            self._done[number] += 1


@pytest.mark.timeout(600)
def test_an_api_key_is_rotated_while_clients_connect(world: World, moto: Moto) -> None:
    secrets, keys = moto.client("secretsmanager"), world.container.api_keys
    key = world.key("football")
    secrets.create_secret(Name=KEY_SECRET, SecretString=json.dumps({"api-key": key}))
    held = _connect(world)  # has the first key to the end of its overlap
    seen = set()

    def work(number: int) -> None:
        connection = held if number == 0 else _connect(world)
        assert len(connection.get_storage_connectors()) == 3

    with Crowd(work) as crowd:
        crowd.go_on(1)
        for _ in range(2):
            seen.add(world.key_id(key))
            key = keys.rotate(world.operator, "football", world.key_id(key), timedelta(days=60)).key.reveal()
            secrets.put_secret_value(SecretId=KEY_SECRET, SecretString=json.dumps({"api-key": key}))
            crowd.go_on(1)
    assert crowd.failures == []
    assert crowd.done >= CLIENTS * 3
    for old in seen:
        keys.revoke(world.operator, "football", old)
    assert len(_connect(world).get_storage_connectors()) == 3


@pytest.mark.timeout(600)
def test_a_database_is_rotated_while_clients_read(world: World, moto: Moto, source: SourceDatabase) -> None:
    """First the secret, then the database: in between the previous version is right."""
    secrets = moto.client("secretsmanager")
    secrets.create_secret(Name=DATABASE_SECRET, SecretString=PASSWORD)
    place = {"host": "127.0.0.1", "port": source.port, "database": source.database, "user": READER}
    body = {
        "name": "sales",
        "options": {"engine": "postgresql", "tls_mode": "disable", **place},
        "secret": f"aws-sm:{DATABASE_SECRET}",
    }
    key = world.key("football")
    assert world.call("POST", CONNECTOR, key, json=body).status_code == 201
    connections = [world.connect("football", key) for _ in range(CLIENTS)]

    def work(number: int) -> None:
        assert connections[number].test_storage_connector("sales") > 0

    with Crowd(work) as crowd:
        crowd.go_on()
        for number in range(ROTATIONS):
            secrets.put_secret_value(SecretId=DATABASE_SECRET, SecretString=f"password{number}")
            crowd.go_on()
            source.execute(f"ALTER ROLE {READER} PASSWORD 'password{number}'")
            crowd.go_on()
    assert crowd.failures == []
    assert crowd.done >= CLIENTS * 4


def test_who_opens_a_connector_anew_at_that_moment(world: World, moto: Moto, source: SourceDatabase) -> None:
    """A gateway that starts while a database has not been told yet."""
    secrets = moto.client("secretsmanager")
    secrets.create_secret(Name=DATABASE_SECRET, SecretString=PASSWORD)
    secrets.put_secret_value(SecretId=DATABASE_SECRET, SecretString="next")
    place = {"host": "127.0.0.1", "port": source.port, "database": source.database, "user": READER}
    options: dict[str, Any] = {"engine": "postgresql", "tls_mode": "disable", **place}
    body = {"name": "sales", "options": options, "secret": f"aws-sm:{DATABASE_SECRET}"}
    assert world.call("POST", CONNECTOR, world.key("football"), json=body).status_code == 201
    answers = [world.call("POST", f"{CONNECTOR}/sales/test", world.key("football")).status_code for _ in range(5)]
    source.execute(f"ALTER ROLE {READER} PASSWORD 'next'")
    answers += [world.call("POST", f"{CONNECTOR}/sales/test", world.key("football")).status_code for _ in range(5)]
    assert answers == [200] * 10
