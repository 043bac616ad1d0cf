"""Spark reads a table by path with a vended credential, and no other table. Sail reads its credentials from its environment."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from app.settings import VendingSettings
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
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    reading = tmp_path / "reading.py"  # pyspark wants a main with a file
    reading.write_text(_READING)
    done = subprocess.run(
        [sys.executable, str(reading), made.uri, other.uri],
        env={**kept, **made.environment()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows, refused = json.loads(done.stdout.splitlines()[-1])
    assert rows == ["ours", "Århus"]
    assert isinstance(refused, str)
    assert "403" in refused or "AccessDenied" in refused or "denied" in refused.lower(), refused
