"""A role of AWS connects without a stored key: end to end, over sockets, against an STS that verifies signatures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import LoginSettings
from infra.storage.location import Warehouse
from tests.keyless import use_role
from tests.lab.identity import ACCOUNT, IdentitySts, running_identity_sts
from tests.world import World, listening, make_world


@pytest.fixture
def sts() -> Iterator[IdentitySts]:
    with running_identity_sts() as running:
        yield running


@pytest.fixture
def keyless(tmp_path: Path, local_warehouse: Warehouse, sts: IdentitySts) -> Iterator[World]:
    login = LoginSettings(server_id="127.0.0.1", regions="eu-west-1,us-east-1", endpoint_url=sts.endpoint_url)
    with listening(make_world(tmp_path / "data", None, local_warehouse, login=login)) as world:
        world.project("football")
        yield world


def test_a_bound_role_connects(keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch) -> None:
    from hops.featurestore.connection import open_connection

    path = "/projects/football/role-bindings"
    made = keyless.call(
        "POST", path, keyless.key("football"), json={"role_arn": f"arn:aws:iam::{ACCOUNT}:role/Notebooks"}
    )
    assert made.status_code == 201, made.json
    use_role(monkeypatch, sts.role("Notebooks"))
    with open_connection(keyless.address, "football", secrets_store="iam", quiet=True) as connection:
        assert connection.identity.member == "ada"
        assert connection.get_featuregroups() == []
    listed = keyless.call("GET", path, keyless.key("football")).json["items"]
    assert listed[0]["role_unique_id"].startswith("AROA")
