"""A credential for one table opens nothing once it has ended: the store itself says so, and the SDK asks for another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from app.settings import ResultSettings, VendingSettings
from hops.featurestore import direct_files
from hops.featurestore.connection import Connection
from hops.featurestore.retries import RetryPolicy
from tests.app.vending import GROUP, made_by, switch
from tests.frames import frame_request
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs, aged
from tests.world import World, listening, make_world

ROWS = 5000
LIFE = 900


@pytest.fixture
def world(tmp_path: Path, seaweedfs: SeaweedFs) -> Iterator[World]:
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=seaweedfs.endpoint_url, from_bytes=1000)
    results = ResultSettings(parts_from_bytes=1000)
    world = make_world(tmp_path / "data", None, seaweedfs.new_warehouse(), vending=vending, results=results)
    world.project("football")
    rows = pa.table({"id": range(ROWS), "city": [f"city {number % 8}" for number in range(ROWS)]})
    frame = frame_request(rows, {"name": "g", "partition_by": ["city"]})
    assert world.call("POST", GROUP.partition("/g/")[0], world.key("football"), **frame).status_code == 201
    switch(world, "football")
    yield world
    world.container.database.engine.dispose()


def outcomes(seaweedfs: SeaweedFs, made: dict[str, Any], token: str) -> list[str]:
    """What listing the table, and reading the first entry of its log, come to with that token."""
    keys = {"AccessKeyId": made["access_key_id"], "SecretAccessKey": made["secret_access_key"], "SessionToken": token}
    client = seaweedfs.client_with(keys, retries={"max_attempts": 0})
    place = urlsplit(made["uri"])
    prefix = place.path.lstrip("/")
    calls = [
        lambda: client.list_objects_v2(Bucket=place.netloc, Prefix=prefix),
        lambda: client.get_object(Bucket=place.netloc, Key=f"{prefix}_delta_log/00000000000000000000.json"),
    ]
    return [_outcome(call) for call in calls]


def _outcome(call: Any) -> str:
    try:
        call()
    except ClientError as error:
        return f"{error.response['ResponseMetadata']['HTTPStatusCode']}"
    return "done"


def test_a_credential_that_ended_opens_nothing(world: World, seaweedfs: SeaweedFs) -> None:
    made = made_by(world)
    token = made["session_token"]
    assert outcomes(seaweedfs, made, token) == ["done", "done"]
    # The same in its last minute, so that it is the end that is refused, and not that the token was made anew.
    assert outcomes(seaweedfs, made, aged(token, LIFE - 60)) == ["done", "done"]
    assert set(outcomes(seaweedfs, made, aged(token, LIFE + 1))) <= {"400", "401", "403"}


def test_an_end_cannot_be_moved(world: World, seaweedfs: SeaweedFs) -> None:
    made = made_by(world)
    claims = jwt.decode(made["session_token"], options={"verify_signature": False})
    later = jwt.encode({**claims, "exp": claims["exp"] + 3600}, b"another key" * 4, algorithm="HS256")
    unsigned = jwt.encode({**claims, "exp": claims["exp"] + 3600}, None, algorithm="none")
    for token in (later, unsigned):
        assert set(outcomes(seaweedfs, made, token)) <= {"400", "401", "403"}


@pytest.fixture
def fs(world: World) -> Iterator[Connection]:
    with listening(world), world.connect("football") as connection:
        connection._transport.retries = RetryPolicy(sleep=lambda _: None)
        yield connection


def ended(made: Any) -> Any:
    return type(made)(**{**vars(made), "session_token": aged(made.session_token, LIFE + 1)})


def test_the_sdk_asks_for_another_when_one_ends_midway(fs: Connection) -> None:
    """A laptop that slept, or a clock that is wrong: the credential is over, and the SDK thinks that it is not."""
    with fs.get_featuregroup("g", as_="reader") as rows:
        found = rows.read_next_batch()["id"].to_pylist()
        files = rows._source._files  # type: ignore[attr-defined]
        assert files._issue == 1
        files._store = direct_files.open_store(ended(files._credentials))
        found += [each for batch in rows for each in batch["id"].to_pylist()]
    assert sorted(found) == list(range(ROWS))
    assert files._issue == 2


def test_the_sdk_reads_otherwise_where_the_first_has_ended(fs: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    original, given = direct_files.TableCredentials.from_json, []

    def from_json(answer: dict[str, Any]) -> Any:
        given.append(ended(original(answer)))
        return given[-1]

    monkeypatch.setattr(direct_files.TableCredentials, "from_json", from_json)
    rows = fs.get_featuregroup("g", as_="pyarrow")
    assert sorted(rows["id"].to_pylist()) == list(range(ROWS))
    assert given
