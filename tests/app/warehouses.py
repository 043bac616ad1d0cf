"""A gateway on S3 whose projects have warehouses of their own, each reached in a role that can do nothing elsewhere."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from app.featurestore.warehouses.rules import RegisterWarehouse
from app.settings import ConnectorSettings
from tests.frames import frame_request, read_arrow
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.lab.sts import Sts, running_sts
from tests.world import World, make_world

EXTERNAL_ID = "of-{project}-alone"


class Lab:
    def __init__(self, world: World, store: SeaweedFs, sts: Sts) -> None:
        self.world = world
        self.store = store
        self.sts = sts
        self._buckets: dict[str, str] = {}

    def bucket(self, project: str) -> str:
        """With a role that reaches it and no other bucket."""
        if project not in self._buckets:
            name = self._buckets[project] = self.store.new_bucket()
            arns = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
            policy = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": arns}],
            }
            granted = self.store.client("sts").assume_role(
                RoleArn=ROLE_ARN, RoleSessionName="lab", Policy=json.dumps(policy)
            )["Credentials"]
            names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
            self.sts.of_role[self.role(project)] = {name: granted[name] for name in names}
            self.sts.trust[self.role(project)] = EXTERNAL_ID.format(project=project)
        return self._buckets[project]

    def role(self, project: str) -> str:
        return f"arn:aws:iam::123456789012:role/{project}-warehouse"

    def wanted(self, project: str, prefix: str = "features", **changes: Any) -> RegisterWarehouse:
        given = {
            "url": f"s3://{self.bucket(project)}/{prefix}".removesuffix("/"),
            "role_arn": self.role(project),
            "external_id": EXTERNAL_ID.format(project=project),
            "region": "us-east-1",
            "endpoint_url": self.store.endpoint_url,
        }
        return RegisterWarehouse(**{**given, **changes})

    def register(self, project: str, prefix: str = "features", **changes: Any) -> Any:
        return self.world.container.warehouses.register(
            self.world.operator, project, self.wanted(project, prefix, **changes)
        )

    def create(self, project: str, name: str = "g", value: str = "x") -> None:
        table = pa.table({"id": [1, 2], "secret": [value] * 2})
        path = f"/projects/{project}/feature-groups"
        made = self.world.call("POST", path, self.world.key(project), **frame_request(table, {"name": name}))
        assert made.status_code == 201, made.json

    def rows(self, project: str, name: str = "g", by: str | None = None) -> Any:
        path = f"/projects/{project}/feature-groups/{name}/versions/1/rows"
        return self.world.call("GET", path, self.world.key(by or project))

    def values(self, project: str, name: str = "g", by: str | None = None) -> list[str]:
        answer = self.rows(project, name, by)
        assert answer.status_code == 200, answer.json
        return list(read_arrow(answer.data).column("secret").to_pylist())

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        found = self.store.client().list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", [])]


def shorten_races(monkeypatch: pytest.MonkeyPatch) -> None:
    """SeaweedFS lets contestants wait for each other, a second and more a round; tests/infra/test_commit_races.py runs all."""
    monkeypatch.setattr("infra.storage.race.ROUNDS", 1)
    monkeypatch.setattr("infra.storage.race.RACERS", 2)


@contextmanager
def warehouse_lab(directory: Path, store: SeaweedFs, database_url: str | None = None, **settings: Any) -> Iterator[Lab]:
    """The gateway's own identity, with which it asks STS, has to be in the environment."""
    with running_sts({"AccessKeyId": "nobody", "SecretAccessKey": "nothing"}) as sts:
        connectors = ConnectorSettings(sts_region="us-east-1", sts_endpoint_url=sts.endpoint_url)
        world = make_world(directory, database_url, store.new_warehouse(), **{"connectors": connectors, **settings})
        world.projects("football", "venues", "rivals")
        try:
            yield Lab(world, store, sts)
        finally:
            world.container.database.engine.dispose()
