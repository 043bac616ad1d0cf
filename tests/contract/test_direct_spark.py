"""Spark reads a table by path with a vended credential, and no other table. Sail reads its credentials from its environment."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from app.settings import VendingSettings
from hops.featurestore.errors import NotSupportedError
from hops.featurestore.table_credentials import TableCredentials
from tests.frames import frame_request
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.world import World, listening, make_world

_READING = """
import json, sys, warnings
warnings.simplefilter("ignore")
from pysail.spark import SparkConnectServer
from pyspark.sql.connect.session import SparkSession

server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
session = SparkSession.builder.remote("sc://%s:%d" % server.listening_address).getOrCreate()

def read(uri):
    try:
        return sorted(row["city"] for row in session.read.format("delta").load(uri).collect())
    except Exception as error:
        return str(error)

if sys.argv[1] == "--query":
    from hops.featurestore.query_by_path import QueryByPath, TableByPath
    asked = json.loads(sys.argv[2])
    query = QueryByPath(asked["sql"], tuple(TableByPath(**each) for each in asked["tables"]), ())
    print(json.dumps(sorted(list(row) for row in query.frame(session, scheme="s3").collect())))
else:
    print(json.dumps([read(uri) for uri in sys.argv[1:]]))
session.stop()
server.stop()
"""


@pytest.fixture
def world(tmp_path: Path, seaweedfs: SeaweedFs) -> Iterator[World]:
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=seaweedfs.endpoint_url)
    world = make_world(tmp_path / "data", None, seaweedfs.new_warehouse(), vending=vending)
    world.projects("football")
    key = world.key("football")
    for name in ("ours", "other"):
        rows = frame_request(
            pa.table({"id": [1, 2], "city": [name, "Århus"]}), {"name": name, "partition_by": ["city"]}
        )
        assert world.call("POST", "/projects/football/feature-groups", key, **rows).status_code == 201
    assert world.call("PUT", "/projects/football/vending", key, json={"enabled": True}).status_code == 200
    with listening(world):
        yield world


def test_spark_reads_this_table_by_path_and_no_other(world: World, tmp_path: Path) -> None:
    with world.connect("football") as fs:
        made, other = (fs.get_featuregroup_credentials(name) for name in ("ours", "other"))
    rows, refused = _read(tmp_path, made, made.uri, other.uri)
    assert rows == ["ours", "Århus"]
    assert isinstance(refused, str)
    assert "403" in refused or "AccessDenied" in refused or "denied" in refused.lower(), refused


def test_a_plan_over_two_groups_by_path(world: World, tmp_path: Path) -> None:
    key, path = world.key("football"), "/projects/football/feature-groups"
    more = frame_request(pa.table({"id": [1, 2, 3], "size": [10, 20, 30]}), {"name": "sizes"})
    assert world.call("POST", path, key, **more).status_code == 201
    with world.connect("football") as fs:
        query = fs.get_features_by_path(["ours_1.city", "size"], join_key="id")
        # Rows that came after the plan are not in it.
        assert world.call("POST", f"{path}/sizes/versions/1/rows", key, **more).status_code == 200
        assert [table.table_version for table in query.tables] == [0, 0]
        [made] = query.credentials
        asked = json.dumps({"sql": query.sql, "tables": [vars(table) for table in query.tables]})
        assert query.spark_options() == made.spark_options()
        assert _read(tmp_path, made, "--query", asked) == [["ours", 10], ["Århus", 20]]


def test_what_no_program_can_read_by_path(world: World) -> None:
    asked = {"features": ["ours_1.city"], "labels": {"feature_group": "other", "given_back": ["id"]}}
    answer = world.call("POST", "/projects/football/queries/credentials", world.key("football"), json=asked)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
    assert "by path" in answer.json["detail"]


def test_many_groups_are_more_credentials_and_never_a_wider_one(world: World, seaweedfs: SeaweedFs) -> None:
    names = [f"g{number}" for number in range(8)]
    for name in names:
        rows = frame_request(pa.table({"id": [1], f"of_{name}": [name]}), {"name": name})
        assert world.call("POST", "/projects/football/feature-groups", world.key("football"), **rows).status_code == 201
    with world.connect("football") as fs:
        query = fs.get_features_by_path([f"of_{name}" for name in names], join_key="id")
        assert len(query.credentials) > 1
        with pytest.raises(NotSupportedError):
            query.spark_options()
        for number, made in enumerate(query.credentials):
            client = seaweedfs.client_with(
                {
                    "AccessKeyId": made.access_key_id,
                    "SecretAccessKey": made.secret_access_key,
                    "SessionToken": made.session_token,
                }
            )
            for table in query.tables:
                assert _lists(client, table.uri) == (table.credential == number)


def _lists(client: Any, uri: str) -> bool:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    try:
        return bool(client.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False


def _read(tmp_path: Path, made: TableCredentials, *asked: str) -> Any:
    """What another process reads, which has these credentials and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    reading = tmp_path / "reading.py"  # pyspark wants a main with a file
    reading.write_text(_READING)
    done = subprocess.run(
        [sys.executable, str(reading), *asked],
        env={**kept, **made.environment()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
