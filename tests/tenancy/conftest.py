"""A gateway that AWS roles log in to, and the STS that it asks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.settings import LoginSettings
from infra.storage.location import Warehouse
from tests.lab.identity import IdentitySts, running_identity_sts
from tests.world import World, listening, make_world


@pytest.fixture
def sts() -> Iterator[IdentitySts]:
    with running_identity_sts() as running:
        yield running


@pytest.fixture
def make_keyless(tmp_path: Path, local_warehouse: Warehouse) -> Iterator[Callable[..., World]]:
    with ExitStack() as stack:

        def make(endpoint_url: str | None, url: str | None = None, **login: Any) -> World:
            options = {
                "server_id": "127.0.0.1",
                "regions": "eu-west-1,us-east-1",
                "endpoint_url": endpoint_url,
                **login,
            }
            made = make_world(tmp_path / "data", url, local_warehouse, login=LoginSettings(**options))
            world = stack.enter_context(listening(made))
            world.project("football")
            return world

        yield make


@pytest.fixture
def keyless(make_keyless: Callable[..., World], sts: IdentitySts) -> World:
    return make_keyless(sts.endpoint_url)
