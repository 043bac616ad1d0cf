"""Migrations and models say the same, on both databases."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

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


def test_rows_survive(url: str, engine: Engine) -> None:
    """SQLite rebuilds a table that others point at; nothing may get lost on the way, there and back."""
    command.upgrade(migration_config(url), "0001")
    project, group, feature = (uuid4() for _ in range(3))
    now = "2026-01-02 03:04:05+00:00"
    with engine.begin() as connection:
        for statement, values in (
            ("project VALUES (:a, 'football', '', :now, 'ada')", {"a": project.hex, "now": now}),
            (
                "feature_group VALUES (:a, :b, 'teams', 1, 'CACHED', '', 'x/y', NULL, '[]', :now, 'ada', :now, 0, 1)",
                {"a": group.hex, "b": project.hex, "now": now},
            ),
            ("feature VALUES (:a, :b, 0, 'team_id', 'bigint', '', 0, NULL)", {"a": feature.hex, "b": group.hex}),
        ):
            connection.execute(text(f"INSERT INTO {statement}"), values)
    for revision in ("head", "0001", "head"):
        (command.downgrade if revision == "0001" else command.upgrade)(migration_config(url), revision)
        with engine.connect() as connection:
            names = connection.execute(
                text("SELECT g.name, f.name FROM feature f JOIN feature_group g ON g.id = f.feature_group_id")
            )
            assert names.one() == ("teams", "team_id")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT connector_id, query FROM feature_group")).one() == (None, None)


def test_an_empty_or_absent_database_is_noticed(engine: Engine) -> None:
    assert "oast db upgrade" in str(find_schema_fault(engine))
    unreachable = open_engine("postgresql://nobody@127.0.0.1:1/none")
    assert str(find_schema_fault(unreachable)).startswith("The database does not answer")
