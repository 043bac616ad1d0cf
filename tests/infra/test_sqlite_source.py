"""SQLite as a source: a file that nobody can write through, or leave."""

import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from infra.errors import EngineLimitError, GatewayError, InvalidInputError
from infra.ports.sources import (
    ColumnNotSupportedError,
    SourceLimits,
    SourceUnreachableError,
    SourceValueError,
    SqlTarget,
)
from infra.sources.sqlite import SqliteSource
from infra.sources.sqlite_types import declared_type, stored_type
from tests.infra.sources import PLENTY, read, schema_of

LITTLE = SourceLimits(max_rows=1000, max_bytes=1 << 20, deadline_seconds=0.5)
TARGET = SqlTarget("sqlite", "football/teams.db")
UTC_TIME = pa.timestamp("us", tz="UTC")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "sources"
    (place / "football").mkdir(parents=True)
    _fill(
        place / "football" / "teams.db",
        "CREATE TABLE teams (id INTEGER PRIMARY KEY, name VARCHAR(20), fine BOOLEAN, day DATE, at TIMESTAMP, m DECIMAL(10,2), "
        "r REAL, x BLOB, z)",
        "INSERT INTO teams VALUES (1, 'é', 1, '2020-02-29', '2020-01-01 10:00:00', 1.25, 2, x'00ff', 'z'), "
        "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "
        "(3, '', 0, '2020-01-01', '2020-01-01T12:00:00.5+02:00', 1, 2.5, x'', 'y'), "
        "(4, '', 0, NULL, '2020-01-01', 1, 1, x'', 'y')",
        "CREATE TABLE odd (day DATE, flag BOOLEAN, r REAL, blank, mixed)",
        "INSERT INTO odd VALUES ('0000-00-00', 7, 'text', NULL, 1), (5, 'yes', 1, NULL, 'one')",
    )
    return place


@pytest.fixture
def source(directory: Path) -> SqliteSource:
    return SqliteSource(directory)


def _fill(path: Path, *statements: str) -> Path:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def test_types_and_values(source: SqliteSource) -> None:
    source.test(TARGET, PLENTY)
    query = "SELECT *, id + 1 AS next, count(*) OVER () AS n, 0.5 + id AS half FROM teams"
    described = source.describe(TARGET, query, PLENTY)
    assert dict(zip(described.names, described.types, strict=True)) == {
        "id": pa.int64(),
        "name": pa.string(),
        "fine": pa.bool_(),
        "day": pa.date32(),
        "at": UTC_TIME,
        "m": pa.float64(),
        "r": pa.float64(),
        "x": pa.binary(),
        "z": pa.string(),
        "next": pa.int64(),
        "n": pa.int64(),
        "half": pa.float64(),
    }
    one, two, three, four = read(source, TARGET, query, described).to_pylist()
    assert (one["name"], one["fine"], one["day"], one["x"], one["next"]) == (
        "é",
        True,
        date(2020, 2, 29),
        b"\x00\xff",
        2,
    )
    assert {name for name, value in two.items() if value is None} == {"name", "fine", "day", "at", "m", "r", "x", "z"}
    assert one["at"] == datetime(2020, 1, 1, 10, tzinfo=UTC)
    assert three["at"] == datetime(2020, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC)
    assert four["at"] == datetime(2020, 1, 1, tzinfo=UTC)


def test_only_the_columns_asked_for_and_the_first_rows(source: SqliteSource) -> None:
    found = read(source, TARGET, "SELECT * FROM teams ORDER BY id;", pa.schema({"name": pa.string()}), first=1)
    assert found.to_pydict() == {"name": ["é"]}


@pytest.mark.parametrize("column", ["blank", "mixed"])
def test_a_column_without_a_type_is_named(source: SqliteSource, column: str) -> None:
    with pytest.raises(ColumnNotSupportedError, match=column):
        source.describe(TARGET, f"SELECT {column} FROM odd", PLENTY)


def test_expressions_over_no_rows_have_no_type(source: SqliteSource) -> None:
    with pytest.raises(ColumnNotSupportedError):
        source.describe(TARGET, "SELECT id + 1 AS a FROM teams WHERE id > 99", PLENTY)


@pytest.mark.parametrize(
    ("column", "kind"), [("day", pa.date32()), ("flag", pa.bool_()), ("r", pa.float64()), ("mixed", pa.int64())]
)
def test_a_value_that_no_feature_has_is_refused(source: SqliteSource, column: str, kind: pa.DataType) -> None:
    with pytest.raises(SourceValueError, match=column):
        read(source, TARGET, f"SELECT {column} FROM odd", pa.schema({column: kind}))


ATTACKS = [
    "INSERT INTO teams (id) VALUES (9)",
    "DELETE FROM teams",
    "SELECT 1 AS a; DROP TABLE teams",
    "ATTACH '{file}' AS stolen",
    "VACUUM INTO '{file}'",
    "CREATE TABLE stolen (a)",
    "CREATE TEMP TABLE stolen (a)",
    "PRAGMA query_only = OFF",
    "SELECT load_extension('{file}') AS a",
    "SELECT writefile('{file}', 'x') AS a",
    "SELECT readfile('/etc/passwd') AS a",
    "SELECT fts3_tokenizer('simple') AS a",
    "SELECT file AS a FROM pragma_database_list",
    "SELECT 1 AS a) AS q; ATTACH '{file}' AS stolen; --",
    "SELECT 1 AS a /*",
    "WITH x AS (SELECT 1 AS a) INSERT INTO teams SELECT a FROM x",
    "SELECT zeroblob(2000000000) AS a",
]


@pytest.mark.parametrize("query", ATTACKS)
def test_it_only_reads(source: SqliteSource, directory: Path, tmp_path: Path, query: str) -> None:
    file = tmp_path / "stolen"
    before = (directory / "football" / "teams.db").read_bytes()
    query = query.format(file=file)
    for attempt in (source.describe, lambda *a: read(source, a[0], a[1], schema_of("a"), a[2])):
        with pytest.raises(InvalidInputError) as refusal:
            attempt(TARGET, query, PLENTY)
        assert str(tmp_path) not in f"{refusal.value.detail}{refusal.value.hint}"
    assert not file.exists()
    assert (directory / "football" / "teams.db").read_bytes() == before
    assert sorted(found.name for found in (directory / "football").iterdir()) == ["teams.db"]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.db",
        "football/../../secret.db",
        "football/../rivals/theirs.db",
        "football/link.db",
        "football",
        "football/absent.db",
        "football/teams.db?mode=rwc",
        "football/teams.db#x",
        "/etc/passwd",
        "football/own.db",
    ],
)
def test_no_other_file_is_opened(directory: Path, path: str) -> None:
    secret = _fill(directory.parent / "secret.db", "CREATE TABLE secrets (a)")
    (directory / "rivals").mkdir()
    _fill(directory / "rivals" / "theirs.db", "CREATE TABLE secrets (a)")
    own = _fill(directory / "football" / "own.db", "CREATE TABLE secrets (a)")
    (directory / "football" / "link.db").symlink_to(secret)
    source = SqliteSource(directory, (own, directory / "nowhere.db"))
    before = {found.name for found in directory.rglob("*")}
    with pytest.raises(SourceUnreachableError):
        source.test(SqlTarget("sqlite", path), PLENTY)
    assert {found.name for found in directory.rglob("*")} == before


def test_without_a_directory_there_are_no_files() -> None:
    with pytest.raises(SourceUnreachableError, match="no database file"):
        SqliteSource(None).test(TARGET, PLENTY)


def test_what_is_no_database(directory: Path, source: SqliteSource) -> None:
    (directory / "football" / "teams.db").write_bytes(b"no database, but long enough to look like one" * 100)
    with pytest.raises(SourceUnreachableError, match="NOTADB"):
        source.test(TARGET, PLENTY)


ENDLESS = "WITH RECURSIVE x(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM x)"


def test_a_slow_query_is_stopped(source: SqliteSource) -> None:
    with pytest.raises(EngineLimitError, match=r"within 0\.5 s"):
        read(source, TARGET, f"{ENDLESS} SELECT max(a) AS a FROM x", schema_of("a"), LITTLE)
    with pytest.raises(EngineLimitError):
        source.describe(TARGET, f"{ENDLESS} SELECT max(a) AS a FROM x", LITTLE)


def test_too_many_rows(source: SqliteSource) -> None:
    with pytest.raises(EngineLimitError, match="more than 1,000 rows"):
        read(source, TARGET, f"{ENDLESS} SELECT a FROM x", schema_of("a"), LITTLE)


def test_text_that_is_no_text(source: SqliteSource) -> None:
    with pytest.raises(GatewayError):
        read(source, TARGET, "SELECT CAST(x'ff' AS TEXT) AS a", pa.schema({"a": pa.string()}))


def test_declared_types() -> None:
    assert declared_type("UNSIGNED BIG INT") == pa.int64()
    assert declared_type("NATIVE CHARACTER(70)") == pa.string()
    assert declared_type("DOUBLE PRECISION") == pa.float64()
    assert declared_type("datetime") == UTC_TIME
    assert declared_type("") is None
    assert stored_type([1, 2.5, None]) == pa.float64()
    assert stored_type([b"x"]) == pa.binary()
