"""What all comparisons run on."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.property.running import duckdb_session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.fixture(scope="module")
def duck(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB joins few labels by trying row after row, and more than 64, or what a test says, by sorting."""
    with duckdb_session() as connection:
        connection.execute(f"SET asof_loop_join_threshold = {getattr(request, 'param', 64)}")
        yield connection
