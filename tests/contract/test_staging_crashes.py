"""kill -9 of a client while it uploads and of a gateway while it commits: an insert is there whole and once, or not at all."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
import urllib3
from sqlalchemy import select

from app.featurestore.locations.models import Location
from app.fsck import check_consistency
from app.settings import VendingSettings
from hops import featurestore
from hops.featurestore import staging
from infra.ports.vending import STAGING_PREFIX
from tests.frames import frame_request, read_arrow
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.served import Served, served
from tests.world import World, listening, make_world

ROWS = 400_000
_UPLOADING = """
import sys, time
import pyarrow as pa
from hops import featurestore
from hops.featurestore import staging

staging._FILE_BYTES = 1 << 20
original = staging._Upload._send

def send(self, number, *rest):
    if number == 2:
        print("two are there", flush=True)
        time.sleep(60)
    return original(self, number, *rest)

staging._Upload._send = send
address, key_file = sys.argv[1:]
connection = featurestore.connect(address, "football", secrets_store="local", api_key_file=key_file, quiet=True)
connection.insert_into_featuregroup(pa.table({"id": range(1_000_000)}), "g")
"""


@pytest.fixture
def world(tmp_path: Path, seaweedfs: SeaweedFs) -> Iterator[World]:
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=seaweedfs.endpoint_url, from_bytes=1000)
    made = make_world(tmp_path / "data", None, seaweedfs.new_warehouse(), vending=vending)
    made.projects("football")
    key = made.key("football")
    group = frame_request(pa.table({"id": [-1]}), {"name": "g"})
    assert made.call("POST", "/projects/football/feature-groups", key, **group).status_code == 201
    assert made.call("PUT", "/projects/football/vending", key, json={"enabled": True}).status_code == 200
    with listening(made):
        yield made


def _staged(world: World) -> list[str]:
    with world.container.database.read() as session:
        places = [path for path in session.scalars(select(Location.path)) if f"/{STAGING_PREFIX}" in path]
    return [path for place in places for path in world.container.store.list_files(place)]


def test_a_client_that_is_killed_while_it_uploads(world: World, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.touch(0o600)
    key_file.write_text(world.key("football"))
    command = [sys.executable, "-c", _UPLOADING, world.address, str(key_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "two are there\n"
        client.send_signal(signal.SIGKILL)
    path = "/projects/football/feature-groups/g/versions/1"
    rows = read_arrow(world.call("GET", f"{path}/rows", world.key("football")).data)
    assert rows["id"].to_pylist() == [-1]
    assert len(_staged(world)) >= 1
    assert check_consistency(world.container, deep=True).findings == []
    world.clock.ahead = timedelta(hours=25)
    world.container.locations.purge()
    assert _staged(world) == []
    assert check_consistency(world.container, deep=True).findings == []


class _Sender(threading.Thread):
    """Asks for the staged insert again and again until it is acknowledged, as the SDK does."""

    def __init__(self, gateway: Served, key: str, request: Any) -> None:
        super().__init__()
        self._gateway, self._key, self._request = gateway, key, request
        self.answers: list[int] = []

    def run(self) -> None:
        headers = {"Authorization": f"ApiKey {self._key}", **self._request.headers}
        url = self._gateway.address + self._request.target
        while 200 not in self.answers:
            try:
                answer = urllib3.request(
                    "POST", url, body=self._request.body, headers=headers, retries=False, timeout=20
                )
                self.answers.append(answer.status)
            except urllib3.exceptions.HTTPError:
                self.answers.append(0)
            threading.Event().wait(0.2)


@pytest.mark.timeout(300)
def test_a_gateway_that_is_killed_while_it_commits(tmp_path: Path, seaweedfs: SeaweedFs) -> None:
    with served(tmp_path, **_settings(seaweedfs)) as gateway:
        connection, key = _connected(gateway, tmp_path)
        connection.create_featuregroup(None, "g", schema={"id": "bigint", "value": "double"})
        path = "/projects/football/feature-groups/g/versions/1"
        table = pa.table({"id": range(ROWS), "value": [0.5] * ROWS})
        _, staged, why = staging.stage(connection._session.transport, f"{path}/staged-inserts", table)
        assert staged is not None, why
        sender = _Sender(gateway, key, staging.staged_request(f"{path}/rows", staged, {"mode": "append"}))
        sender.start()
        for moment in ("count(*)", "count(pinned)"):  # it has come; its rows are about to be written
            _wait_for_insert(tmp_path / "data" / "oasthouse.db", moment)
            gateway.signal(signal.SIGKILL)
            gateway.start()
        sender.join(90)
        stored = connection.get_featuregroup("g", as_="pyarrow")["id"].to_pylist()
        assert sender.answers[-1] == 200
        assert 0 in sender.answers, "the kills hit something"
    assert sorted(stored) == list(range(ROWS))


def _wait_for_insert(database: Path, moment: str) -> None:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        for _ in range(20_000):
            if connection.execute(f"SELECT {moment} FROM idempotency_record WHERE answer IS NULL").fetchone()[0]:
                return
            threading.Event().wait(0.002)
    raise AssertionError("The insert never came so far.")


def _settings(seaweedfs: SeaweedFs) -> dict[str, str]:
    options = seaweedfs.options
    return {
        "OAST_WAREHOUSE__URL": seaweedfs.new_warehouse().url,
        "OAST_WAREHOUSE__REGION": options.region or "",
        "OAST_WAREHOUSE__ENDPOINT_URL": seaweedfs.endpoint_url,
        "OAST_WAREHOUSE__ACCESS_KEY_ID": options.access_key_id or "",
        "OAST_WAREHOUSE__SECRET_ACCESS_KEY": options.secret_access_key or "",
        "OAST_VENDING__ROLE": ROLE_ARN,
        "OAST_VENDING__ENDPOINT_URL": seaweedfs.endpoint_url,
        "OAST_VENDING__FROM_BYTES": "0",
    }


def _connected(gateway: Served, directory: Path) -> tuple[featurestore.Connection, str]:
    gateway.oast("project", "vending", "football", "on", "--as", "ada")
    scopes = [text for scope in ("featurestore", "project", "data:vend") for text in ("--scope", scope)]
    key = gateway.oast("key", "create", "football", "--member", "ada", *scopes)["key"]
    path = directory / f"{uuid4().hex}.key"
    path.touch(0o600)
    path.write_text(key)
    return (
        featurestore.connect(gateway.address, "football", secrets_store="local", api_key_file=str(path), quiet=True),
        key,
    )
