"""Fixtures over real parts. A session-scoped part is started once per worker process, when a test first asks for it."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from infra.storage.location import Warehouse, parse_warehouse

if TYPE_CHECKING:  # imported on first use: moto and boto3 would cost every run a second
    from tests.lab.aws import Moto
    from tests.lab.postgres import Postgres
    from tests.lab.seaweedfs import SeaweedFs
    from tests.lab.source import SourceDatabase
    from tests.world import World


# How long an example takes is the machine's business, and who else is at work on it.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


def pytest_collection_finish() -> None:
    """What was imported stays: looking through it again and again for garbage took a quarter of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture(autouse=True)
def _process_as_found() -> Iterator[None]:
    """A gateway configures the process's logging, and a query how deep it may go; the next test must not inherit it."""
    depth = sys.getrecursionlimit()
    found = [(logger, logger.handlers[:]) for logger, _ in _LEVELS]
    _set_levels()  # a gateway of the whole module was made before this test
    yield
    for logger, handlers in found:
        logger.handlers = handlers
    _set_levels()
    sys.setrecursionlimit(depth)


_LEVELS = [(logger, logger.level) for logger in map(logging.getLogger, (None, "botocore"))]


def _set_levels() -> None:
    for logger, level in _LEVELS:
        logger.setLevel(level)


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFs]:
    from tests.lab.seaweedfs import running_seaweedfs

    with running_seaweedfs() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    from tests.lab.postgres import running_postgres

    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    from tests.lab.aws import running_moto

    with running_moto() as server:
        yield server


@pytest.fixture(scope="module")
def sail() -> Iterator[Any]:
    """The active Spark session; of each module anew, since stopping another one makes it inactive."""
    from tests.lab.spark import spark_session

    with spark_session() as session:
        yield session


@pytest.fixture
def local_warehouse(tmp_path: Path) -> Warehouse:
    return parse_warehouse(str(tmp_path / "warehouse"))


@pytest.fixture
def s3_warehouse(seaweedfs: SeaweedFs) -> Warehouse:
    return seaweedfs.new_warehouse()


@pytest.fixture(params=["local", "s3"])
def warehouse(request: pytest.FixtureRequest) -> Warehouse:
    """Each test runs once on a directory and once on S3."""
    return request.getfixturevalue(f"{request.param}_warehouse")


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A database of this test's own."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture
def source(postgres: Postgres) -> Iterator[SourceDatabase]:
    """Somebody's database, for this test alone, behind a port of this machine."""
    from tests.lab.source import source_database

    with source_database(postgres) as database:
        yield database


@pytest.fixture
def moto_endpoint(moto: Moto) -> str:
    """AWS control APIs without anything in them."""
    moto.reset()
    return moto.endpoint_url


@pytest.fixture
def world(tmp_path: Path, local_warehouse: Warehouse) -> Iterator[World]:
    """A gateway on the embedded defaults, called in process."""
    from tests.world import make_world

    made = make_world(tmp_path / "data", None, local_warehouse)
    yield made
    made.container.database.engine.dispose()


@pytest.fixture
def live_world(world: World) -> Iterator[World]:
    """The same on a socket."""
    from tests.world import listening

    with listening(world):
        yield world


@pytest.fixture(params=["sqlite-local", "sqlite-s3", "postgresql-local", "postgresql-s3"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """On a socket, once on every pair of database and warehouse."""
    from tests.world import listening, make_world

    database, warehouse = request.param.split("-")
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else None
    with listening(make_world(tmp_path / "data", url, request.getfixturevalue(f"{warehouse}_warehouse"))) as made:
        yield made
