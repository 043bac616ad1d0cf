"""Migrations and models say the same, on both databases."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from app.readiness import find_schema_fault, migration_config
from infra.database.base import Base
from infra.database.engine import open_engine


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (
        f"sqlite:///{tmp_path}/test.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    )


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


def test_the_schema_is_what_the_models_say(url: str, engine: Engine) -> None:
    command.upgrade(migration_config(url), "head")
    assert find_schema_fault(engine) is None
    with engine.connect() as connection, warnings.catch_warnings():
        # Alembic cannot read partial indexes back from SQLite and says so.
        warnings.simplefilter("ignore")
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []


def test_up_and_down_and_up_again(url: str, engine: Engine) -> None:
    for revision in ("head", "base", "head"):
        (command.upgrade if revision == "head" else command.downgrade)(migration_config(url), revision)
    assert find_schema_fault(engine) is None


def test_an_empty_or_absent_database_is_noticed(engine: Engine) -> None:
    assert "oast db upgrade" in str(find_schema_fault(engine))
    unreachable = open_engine("postgresql://nobody@127.0.0.1:1/none")
    assert str(find_schema_fault(unreachable)).startswith("The database does not answer")
