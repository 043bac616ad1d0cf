"""SQL of users through HTTP: who reaches which table, and what comes back."""

import io
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.query.pinning import ON_DEMAND
from app.featurestore.sql.service import SqlQuery, SqlService
from app.featurestore.sql.tables import GroupTables, StoredTables
from app.settings import ConnectorSettings
from infra.errors import EngineLimitError, QueryRefusedError
from infra.observability.logs import configure_logs
from infra.ports.engine import QueryLimits, Rows
from infra.storage.location import Warehouse
from tenancy.actions import ShareKind
from tenancy.audit.models import AuditEvent
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.frames import frame_request, read_arrow
from tests.world import World, make_world

TEAMS = pa.table({"team_id": [1, 2, 3], "team_budget": [12957.0, 2403.5, None]})
PLAYERS = pa.table({"team_id": [1, 2, 3], "average_player_age": [25.5, 24.5, 26.0]})
SCORES = pa.table({"team_id": [3, 2, 1], "sum_position": [30, 20, 10]})
ATTENDANCES = pa.table({"team_id": [1, 2], "average_attendance": [3271, 38]})
SHARED = "SELECT sum(average_attendance) AS n FROM venues_featurestore.attendances_features_1"


@dataclass
class Asker:
    world: World

    def group(self, project: str, name: str, table: pa.Table, version: int = 1) -> None:
        made = self.world.call(
            "POST",
            f"/projects/{project}/feature-groups",
            self.world.key(project),
            **frame_request(table, {"name": name, "version": version}),
        )
        assert made.status_code == 201, made.get_data(as_text=True)

    def ask(self, query: str, project: str = "football", key: str | None = None, path: str = "sql", **more: Any) -> Any:
        return self.world.call(
            "POST", f"/projects/{project}/{path}", key or self.world.key(project), json={"query": query, **more}
        )

    def rows(self, query: str, project: str = "football", **more: Any) -> dict[str, list[Any]]:
        return self.table(query, project, **more).to_pydict()

    def table(self, query: str, project: str = "football", **more: Any) -> pa.Table:
        answer = self.ask(query, project, **more)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return read_arrow(answer.data)

    def refusal(self, query: str, project: str = "football", **more: Any) -> dict[str, Any]:
        answer = self.ask(query, project, **more)
        assert answer.status_code >= 400, query
        problem: dict[str, Any] = answer.get_json()
        return problem

    def explained(self, query: str, project: str = "football", **more: Any) -> dict[str, Any]:
        answer = self.ask(query, project, path="sql/explain", **more)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        explained: dict[str, Any] = answer.get_json()
        return explained


@pytest.fixture
def asker(world: World) -> Asker:
    world.projects("football", "venues", "rivals")
    asker = Asker(world)
    asker.group("football", "teams_features", TEAMS)
    asker.group("football", "players_features", PLAYERS)
    asker.group("venues", "attendances_features", ATTENDANCES)
    return asker


def test_select(asker: Asker) -> None:
    assert asker.rows("SELECT * FROM teams_features_1 ORDER BY team_id") == TEAMS.to_pydict()
    assert asker.rows("select TEAM_ID from Teams_Features_1 where team_budget > 3000") == {"team_id": [1]}
    assert asker.rows("SELECT count(*) AS n FROM teams_features_1 WHERE false") == {"n": [0]}
    assert asker.table("SELECT * FROM teams_features_1 WHERE false").schema.names == ["team_id", "team_budget"]
    assert asker.rows("SELECT 6 * 7 AS n") == {"n": [42]}
    assert asker.rows(
        "WITH old AS (SELECT team_id FROM players_features_1 WHERE average_player_age > 25) "
        "SELECT t.team_id, team_budget FROM teams_features_1 t JOIN old USING (team_id) "
        "UNION ALL SELECT 0, NULL ORDER BY 1"
    ) == {"team_id": [0, 1, 3], "team_budget": [None, 12957.0, None]}


def test_the_original_clients_joins(asker: Asker) -> None:
    """Letter by letter what they send for features of three groups."""
    asker.group("football", "season_scores_features", SCORES)
    text = (
        "SELECT team_budget, average_player_age, sum_position FROM players_features_1 JOIN season_scores_features_1 "
        "JOIN teams_features_1 ON players_features_1.`team_id`=season_scores_features_1.`team_id` "
        "AND players_features_1.`team_id`=teams_features_1.`team_id`"
    )
    expected = {(12957.0, 25.5, 10), (2403.5, 24.5, 20), (None, 26.0, 30)}
    for asked in (text, text.replace("`", "")):
        rows = asker.rows(asked)
        assert list(rows) == ["team_budget", "average_player_age", "sum_position"]
        assert set(zip(*rows.values(), strict=True)) == expected
        assert asker.explained(asked)["dialect"] == "hive"


def test_feature_stores_and_qualified_columns(asker: Asker) -> None:
    asker.world.share("venues", "football")
    asker.group("football", "attendances_features", pa.table({"team_id": [1], "capacity": [9]}))
    joined = asker.rows(
        "SELECT football_featurestore.teams_features_1.team_budget, venues_featurestore.attendances_features_1.*"
        " FROM teams_features_1 JOIN venues_featurestore.attendances_features_1"
        " ON teams_features_1.team_id = attendances_features_1.team_id ORDER BY ALL"
    )
    assert joined == {"team_budget": [2403.5, 12957.0], "team_id": [2, 1], "average_attendance": [38, 3271]}
    both = (
        "SELECT a.capacity, b.average_attendance FROM attendances_features_1 a "
        "JOIN venues_featurestore.attendances_features_1 b USING (team_id)"
    )
    assert asker.rows(both) == {"capacity": [9], "average_attendance": [3271]}
    nameless = both.replace(" a JOIN", " JOIN").replace(" b USING", " USING").replace("a.c", "c").replace("b.a", "a")
    assert asker.refusal(nameless)["code"] == "query-invalid"
    assert asker.rows("SELECT * FROM attendances_features_1", featurestore="venues_featurestore") == (
        ATTENDANCES.to_pydict()
    )
    assert asker.rows("SELECT capacity FROM attendances_features_1", featurestore="FOOTBALL_featurestore") == {
        "capacity": [9]
    }
    assert asker.refusal("SELECT 1", featurestore="nowhere_featurestore")["code"] == "featurestore-not-found"


def test_a_group_may_end_in_a_number(asker: Asker) -> None:
    asker.group("football", "sales_2024", pa.table({"a": [1]}))
    asker.group("football", "sales_2024", pa.table({"a": [2]}), version=2)
    asker.group("football", "sales", pa.table({"a": [3]}), version=2024)
    assert asker.rows("SELECT s.a, t.a AS b, u.a AS c FROM sales_2024_1 s, sales_2024_2 t, sales_2024 u") == {
        "a": [1],
        "b": [2],
        "c": [3],
    }


def test_versions_are_not_guessed(asker: Asker) -> None:
    asker.group("football", "teams_features", TEAMS, version=3)
    for name in ("teams_features", "teams_features_2", "teams_features_01"):
        problem = asker.refusal(f"SELECT * FROM {name}")
        assert (problem["status"], problem["code"]) == (404, "feature-group-not-found")
        assert problem["candidates"][:2] == ["teams_features_1", "teams_features_3"]


def test_a_table_elsewhere_is_named(asker: Asker) -> None:
    asker.world.share("venues", "football")
    problem = asker.refusal("SELECT * FROM attendances_features_1")
    assert problem["candidates"] == ["venues_featurestore.attendances_features_1"]


# Who may read


def _neutral(problem: dict[str, Any]) -> str:
    return re.sub(r"venues|nowhere", "<project>", str({**problem, "request_id": ""}))


def _require_absent(asker: Asker, project: str = "football") -> None:
    for path in ("sql", "sql/explain"):
        problem = asker.refusal(SHARED, project, path=path)
        absent = asker.refusal(SHARED.replace("venues", "nowhere"), project, path=path)
        assert (problem["status"], problem["code"]) == (404, "featurestore-not-found")
        assert _neutral(problem) == _neutral(absent)
        assert problem["candidates"] == [f"{project}_featurestore"]


def test_a_share_opens_and_closes_the_tables(asker: Asker) -> None:
    world = asker.world
    _require_absent(asker)
    offered = world.offer("venues", "football", ShareKind.FEATURE_STORE)
    _require_absent(asker)
    world.container.shares.accept(world.context("football"), "football", offered.id)
    assert asker.rows(SHARED) == {"n": [3309]}
    assert asker.explained(SHARED)["tables"][0]["grant"] == f"share {offered.id}"
    _require_absent(asker, "rivals")
    world.container.shares.end(world.context("venues"), "venues", offered.id)
    _require_absent(asker)


def test_an_expired_share_is_none(asker: Asker) -> None:
    world = asker.world
    world.share("venues", "football", expires_at=world.clock.now() + timedelta(hours=1))
    assert asker.rows(SHARED) == {"n": [3309]}
    world.clock.ahead = timedelta(hours=2)
    _require_absent(asker)


def test_a_share_of_training_datasets_opens_no_table(asker: Asker) -> None:
    asker.world.share("venues", "football", ShareKind.TRAINING_DATASETS)
    _require_absent(asker)


def test_a_share_is_not_passed_on(asker: Asker) -> None:
    asker.world.share("venues", "football")
    asker.world.share("football", "rivals")
    assert asker.rows("SELECT count(*) AS n FROM football_featurestore.teams_features_1", "rivals") == {"n": [3]}
    problem = asker.refusal(SHARED, "rivals")
    assert problem["candidates"] == ["rivals_featurestore", "football_featurestore"]


def test_what_was_pinned_before_the_share_ended_is_not_run_after_it(asker: Asker) -> None:
    """Every request asks anew; only what was already answered stays answered."""
    world = asker.world
    share = world.share("venues", "football")
    pinned = world.container.sql.pin(world.context("football"), "football", SqlQuery(SHARED))
    world.container.shares.end(world.context("venues"), "venues", share.id)
    with world.container.sql.run(pinned) as stream:
        assert [batch.to_pydict() for batch in stream] == [{"n": [3309]}]
    _require_absent(asker)


def test_the_question_is_asked_in_the_own_project(asker: Asker) -> None:
    world = asker.world
    for path in ("sql", "sql/explain"):
        own = asker.ask("SELECT 1", "venues", world.key("football"), path)
        absent = asker.ask("SELECT 1", "nowhere", world.key("football"), path)
        assert (own.status_code, own.get_json()["code"]) == (404, "project-not-found")
        assert _neutral(own.get_json()) == _neutral(absent.get_json())
    world.share("venues", "football")
    assert asker.ask("SELECT 1", "venues", world.key("football")).status_code == 403


def test_roles_and_scopes(asker: Asker) -> None:
    world = asker.world
    viewer = world.key("football", world.member("football", "vic", Role.VIEWER))
    assert asker.ask("SELECT * FROM teams_features_1", key=viewer).status_code == 200
    browsing = world.key("football", scopes=(Scope.FEATURESTORE_BROWSE,))
    assert asker.ask("SELECT * FROM teams_features_1", key=browsing).get_json()["code"] == "scope-missing"
    assert asker.ask("SELECT * FROM teams_features_1", key=browsing, path="sql/explain").status_code == 200
    reading = world.key("football", scopes=(Scope.FEATURESTORE_READ,))
    assert asker.ask("SELECT * FROM teams_features_1", key=reading).status_code == 200
    assert asker.ask("SELECT 1", key=reading, path="sql/explain").get_json()["code"] == "scope-missing"


SPELLINGS = [
    "attendances_features_1",
    "venues_featurestore.attendances_features_1",
    "VENUES_FEATURESTORE.ATTENDANCES_FEATURES_1",
    '"venues_featurestore"."attendances_features_1"',
    '"venues_featurestore.attendances_features_1"',
    "`venues_featurestore`.`attendances_features_1`",
    "`venues_featurestore.attendances_features_1`",
    "'venues_featurestore.attendances_features_1'",
    "venues_featurestore . /* x */ attendances_features_1",
    "venues_featurestore.\nattendances_features_1",
    "venues.attendances_features_1",
    "venues.venues_featurestore.attendances_features_1",
    "main.attendances_features_1",
    'main."venues_featurestore.attendances_features_1"',
    "memory.main.attendances_features_1",
    '"attendances_features_1"',
    '"venues_featurestore__attendances_features_1"',
    "venues_featurestore__attendances_features_1",
    "query_table('venues_featurestore.attendances_features_1')",
    "query('FROM attendances_features_1')",
    "(SELECT * FROM attendances_features_1)",
    "(TABLE attendances_features_1)",
    "(WITH x AS (FROM attendances_features_1) FROM x)",
    "football_featurestore.attendances_features_1",
    'football_featurestore."../venues/attendances_features_1"',
    '"attendances_features_1" AT (VERSION => 0)',
    "\N{FULLWIDTH LATIN SMALL LETTER V}enues_featurestore.attendances_features_1",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_reaches_anothers_table(asker: Asker, spelling: str) -> None:
    problem = asker.refusal(f"SELECT * FROM {spelling}")
    assert problem["status"] in (404, 422)
    for dialect in ("duckdb", "hive", "spark"):
        assert asker.refusal(f"SELECT * FROM {spelling}", dialect=dialect)["status"] in (404, 422)
    # A name of nothing at all is answered in the same words.
    absent = asker.refusal(
        f"SELECT * FROM {spelling}".replace("attendances", "nothingness").replace("venues", "nowhere")
    )
    told = str(absent["detail"]).replace("nothingness", "attendances").replace("nowhere", "venues")
    assert problem["detail"] == told
    assert "venues" not in str(problem.get("candidates", ""))


INSIDE = [
    "information_schema.tables", "duckdb_tables()", "duckdb_views()", "duckdb_settings()", "duckdb_secrets()",
    "duckdb_functions()",
    "sqlite_master", "pg_catalog.pg_class", "pg_tables", "pragma_database_list", "main.sqlite_master", "temp.sqlite_master",
    "partitions.teams_features_1", "system.main.duckdb_tables", "memory.main.teams_features_1", "main.teams_features_1",
    "alembic_version", "project", "api_key", '"file of the row"', "labels", "g0", "read_parquet('*')", "'*.parquet'",
    "glob('/**')",
]  # fmt: skip


@pytest.mark.parametrize("inside", INSIDE)
def test_nothing_of_the_inside_has_a_name(asker: Asker, inside: str) -> None:
    problem = asker.refusal(f"SELECT * FROM {inside}")
    assert problem["status"] in (404, 422)
    assert "/" not in problem["detail"].replace(inside, "")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT current_setting('temp_directory')",
        "SELECT getenv('PATH')",
        "SELECT pg_get_viewdef('teams_features_1')",
        'SELECT "write order" FROM teams_features_1',
        'SELECT "written at", * FROM teams_features_1',
        "SELECT filename FROM teams_features_1",
        "SELECT file_row_number FROM teams_features_1",
        "SELECT rowid FROM teams_features_1",
    ],
)
def test_what_the_engine_refuses_is_a_proper_answer(asker: Asker, query: str) -> None:
    problem = asker.refusal(query)
    assert (problem["status"], problem["retryable"]) == (422, False)
    assert problem["code"] in ("query-refused", "query-invalid")
    assert str(asker.world.directory.parent) not in str(problem)


@pytest.mark.parametrize(
    ("query", "code", "detail"),
    [
        ("SELEC 1", "query-invalid", "Line 1"),
        ("SELECT nothing FROM teams_features_1", "query-invalid", "nothing"),
        ("SELECT nothing(team_id) FROM teams_features_1", "query-refused", "nothing"),
        ("SELECT CAST('x' AS INT)", "query-invalid", "x"),
        ("SELECT 1; SELECT 2", "query-refused", "2 statements"),
        ("DROP TABLE teams_features_1", "query-refused", "DROP"),
        ("", "query-invalid", "no statement"),
    ],
)
def test_errors_say_what_is_wrong(asker: Asker, query: str, code: str, detail: str) -> None:
    problem = asker.refusal(query)
    assert (problem["status"], problem["code"]) == (422, code)
    assert detail in problem["detail"]
    assert "hint" in problem or "function" in problem["detail"]


def test_the_engines_word_comes_with_the_dialect(asker: Asker) -> None:
    for query in ("SELECT rich FROM teams_features_1", "SELECT nvl(team_budget, 0) FROM teams_features_1"):
        assert "read as duckdb" in asker.refusal(query)["hint"]


def test_the_body_is_checked(asker: Asker) -> None:
    for body in ({}, {"query": 1}, {"query": "SELECT 1", "dialect": "mysql"}, {"query": "SELECT 1", "limit": 5}):
        answer = asker.world.call("POST", "/projects/football/sql", asker.world.key("football"), json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid-input"), body
    assert asker.refusal("SELECT '\x00'")["code"] == "invalid-input"
    assert asker.refusal("SELECT " + "1 + " * 30_000 + "1")["code"] == "invalid-input"
    assert asker.refusal("SELECT '" + "ü" * 60_000 + "'")["code"] == "query-refused"


def test_large_and_odd_statements_are_run_or_refused(asker: Asker) -> None:
    values = ", ".join(map(str, range(12_000)))
    assert asker.rows(f"SELECT count(*) AS n FROM teams_features_1 WHERE team_id IN ({values})") == {"n": [3]}
    joins = " ".join(f"JOIN teams_features_1 t{number} USING (team_id)" for number in range(100))
    assert asker.rows(f"SELECT count(*) AS n FROM teams_features_1 {joins}") == {"n": [3]}
    assert asker.refusal("SELECT " + "(" * 3000 + "1" + ")" * 3000)["code"] == "query-invalid"
    assert asker.rows("SELECT '; DROP TABLE x; --' AS \"a;b--\" /* ' */ -- \"\nFROM teams_features_1 LIMIT 1") == {
        "a;b--": ["; DROP TABLE x; --"]
    }


# What comes back


def test_types_that_are_duckdbs_alone_come_back_as_plain_ones(asker: Asker) -> None:
    table = asker.table(
        "SELECT sum(team_id) AS total, 1::UHUGEINT AS whole, INTERVAL 90 MINUTE AS took, uuid()::UUID AS id, "
        "'a'::ENUM('a', 'b') AS kind, '101'::BIT AS bits, union_value(k := 1) AS either, TIME '10:30' AS at, "
        "list(team_id::HUGEINT ORDER BY team_id) AS ids, {'n': 1::HUGEINT, 'took': INTERVAL 1 DAY} AS parts, "
        "MAP {'k': 1::HUGEINT} AS pairs, row(1, 'x') AS nameless, 123456789012345678901::BIGNUM AS huge, NULL AS nothing "
        "FROM teams_features_1"
    )
    assert {field.name: str(field.type) for field in table.schema} == {
        "total": "int64",
        "whole": "int64",
        "took": "string",
        "id": "string",
        "kind": "string",
        "bits": "string",
        "either": "string",
        "at": "time64[us]",
        "ids": "list<l: int64>",
        "parts": "struct<n: int64, took: string>",
        "pairs": "map<string, int64>",
        "nameless": "struct<col1: int32, col2: string>",
        "huge": "string",
        "nothing": "int32",
    }
    (row,) = table.drop_columns(["id"]).to_pylist()
    assert row["total"] == 6
    assert (row["took"], row["bits"], row["either"], row["huge"]) == ("01:30:00", "101", "1", "123456789012345678901")
    assert (row["ids"], row["parts"]["took"], row["nameless"]) == ([1, 2, 3], "1 day", {"col1": 1, "col2": "x"})
    table.to_pandas()


def test_a_sum_beyond_64_bits_is_an_error_not_another_number(asker: Asker) -> None:
    asker.group("football", "large", pa.table({"a": [2**63 - 1, 2**63 - 1]}))
    problem = asker.refusal("SELECT sum(a) AS total FROM large_1")
    assert (problem["status"], problem["code"]) == (422, "query-invalid")
    assert asker.rows("SELECT sum(a)::VARCHAR AS total FROM large_1") == {"total": [str(2 * (2**63 - 1))]}


def test_column_names_are_made_distinct(asker: Asker) -> None:
    query = (
        "SELECT * FROM teams_features_1 t JOIN players_features_1 p ON t.team_id = p.team_id ORDER BY t.team_id DESC"
    )
    table = asker.table(query)
    assert table.column_names == ["team_id", "team_budget", "team_id_1", "average_player_age"]
    assert table["team_id"].to_pylist() == table["team_id_1"].to_pylist() == [3, 2, 1]
    assert asker.table("SELECT 1 AS a, 2 AS a_1, 3 AS a, 4 AS a").column_names == ["a", "a_1", "a_2", "a_3"]


def test_order_is_kept_whatever_is_made_of_the_columns(asker: Asker) -> None:
    query = "SELECT i, sum(i) OVER () AS total, hash(i) AS h FROM range(300000) r(i) ORDER BY h"
    hashes = asker.table(query)["h"].to_pylist()
    assert hashes == sorted(hashes)
    assert len(hashes) == 300_000


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_compression(asker: Asker, compression: str) -> None:
    path = f"sql?compression={compression}"
    answer = asker.ask("SELECT i FROM range(100000) r(i)", path=path)
    assert answer.content_type == "application/vnd.apache.arrow.stream"
    assert read_arrow(answer.data).num_rows == 100_000


def test_what_was_appended_meanwhile_is_read(asker: Asker) -> None:
    appended = asker.world.call(
        "POST",
        "/projects/football/feature-groups/teams_features/versions/1/rows",
        asker.world.key("football"),
        **frame_request(pa.table({"team_id": [4], "team_budget": [1.0]})),
    )
    assert appended.status_code == 200
    assert asker.rows("SELECT count(*) AS n FROM teams_features_1") == {"n": [4]}
    assert asker.explained("SELECT * FROM teams_features_1")["tables"][0]["table_version"] == 1


# Explain


def test_explain(asker: Asker) -> None:
    share = asker.world.share("venues", "football")
    explained = asker.explained(
        "SELECT t.team_budget FROM teams_features_1 t JOIN venues_featurestore.attendances_features_1 USING (team_id);"
    )
    sql = (
        "SELECT t.team_budget FROM teams_features_1 t "
        'JOIN "venues_featurestore.attendances_features_1" AS attendances_features_1 USING (team_id)'
    )
    assert explained["sql"] == sql
    assert explained["dialect"] == "duckdb"
    assert explained["tables"] == [
        {
            "table": "teams_features_1",
            "project": "football",
            "featurestore": "football_featurestore",
            "name": "teams_features",
            "version": 1,
            "table_version": 0,
            "files": 1,
            "grant": "own project",
        },
        {
            "table": "venues_featurestore.attendances_features_1",
            "project": "venues",
            "featurestore": "venues_featurestore",
            "name": "attendances_features",
            "version": 1,
            "table_version": 0,
            "files": 1,
            "grant": f"share {share.id}",
        },
    ]
    assert explained["text"].splitlines() == [
        "2 tables, read as duckdb",
        "├─ teams_features_1 is football_featurestore.teams_features_1 (table version 0, 1 file)",
        "│    allowed  own project",
        "└─ venues_featurestore.attendances_features_1 is venues_featurestore.attendances_features_1 (table version 0, 1 file)",
        f"     allowed  share {share.id}",
        "",
        sql,
    ]
    assert asker.explained("SELECT 1")["tables"] == []


# Limits, other sources, the log


def _service(world: World, tables_of: GroupTables | None = None, **limits: Any) -> SqlService:
    container = world.container
    return SqlService(
        database=container.database,
        authorizer=container.authorizer,
        tables_of=tables_of or container.sql._tables_of,
        engine=container.sql._engine,
        limits=QueryLimits(**limits),
    )


def _read(service: SqlService, world: World, query: str) -> list[dict[str, Any]]:
    with service.run(service.pin(world.context("football"), "football", SqlQuery(query))) as stream:
        return [row for batch in stream for row in batch.to_pylist()]


@pytest.mark.parametrize(
    ("limits", "query"),
    [
        ({"max_rows": 2}, "SELECT * FROM teams_features_1"),
        ({"max_bytes": 1000}, "SELECT i FROM range(10000) r(i)"),
        (
            {"deadline_seconds": 0.3},
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT count(*) AS n FROM t",
        ),
    ],
)
def test_limits(asker: Asker, limits: dict[str, Any], query: str) -> None:
    with pytest.raises(EngineLimitError):
        _read(_service(asker.world, **limits), asker.world, query)


def test_the_settings_are_the_limits(asker: Asker) -> None:
    settings = asker.world.container.settings.sql
    assert asker.world.container.sql._limits == QueryLimits(60.0, 10_000_000, 4 * 1024**3)
    assert settings.max_rows == 10_000_000


def test_rows_of_another_source_are_a_table_like_any_other(asker: Asker) -> None:
    """The seam for groups whose rows live in a foreign database."""
    rows = pa.table({"team_id": [1, 2], "rank": ["first", "second"]})

    def tables_of(group: FeatureGroup) -> Any:
        if group.name == "teams_features":
            return Rows(rows.schema, rows.to_reader)
        return asker.world.container.sql._tables_of(group)

    service = _service(asker.world, tables_of)
    query = "SELECT rank, average_player_age AS age FROM teams_features_1 JOIN players_features_1 USING (team_id) ORDER BY 1"
    assert _read(service, asker.world, query) == [{"rank": "first", "age": 25.5}, {"rank": "second", "age": 24.5}]
    explanation = service.explain(asker.world.context("football"), "football", SqlQuery(query))
    assert [(table.table_version, table.files) for table in explanation.tables] == [(None, None), (0, 1)]
    assert "teams_features_1 is football_featurestore.teams_features_1, read at its source" in explanation.text


def test_a_group_on_demand_is_joined_with_our_own(tmp_path: Path, local_warehouse: Warehouse) -> None:
    files = tmp_path / "sources" / "football"
    files.mkdir(parents=True)
    with closing(sqlite3.connect(files / "sales.db")) as database:
        database.execute("CREATE TABLE ranks (team_id BIGINT, rank TEXT)")
        database.executemany("INSERT INTO ranks VALUES (?, ?)", [(1, "first"), (2, "second")])
        database.commit()
    connectors = ConnectorSettings(sqlite_directory=files.parent)
    world = make_world(tmp_path / "data", None, local_warehouse, connectors=connectors)
    world.projects("football", "venues")
    asker = Asker(world)
    asker.group("football", "teams_features", TEAMS)
    made = {"name": "sales", "options": {"engine": "sqlite", "path": "sales.db"}}
    assert world.call("POST", "/projects/football/connectors", world.key("football"), json=made).status_code == 201
    group = {"name": "ranks", "kind": "ON_DEMAND", "connector": "sales", "query": "SELECT team_id, rank FROM ranks"}
    assert world.call("POST", "/projects/football/feature-groups", world.key("football"), json=group).status_code == 201
    world.share("football", "venues")
    query = (
        "SELECT rank, team_budget FROM football_featurestore.ranks_1 "
        "JOIN football_featurestore.teams_features_1 USING (team_id) ORDER BY rank"
    )
    for project in ("football", "venues"):
        assert asker.rows(query, project) == {"rank": ["first", "second"], "team_budget": [12957.0, 2403.5]}
    explained = asker.explained(query)["tables"][0]
    assert (explained["table_version"], explained["files"]) == (None, None)
    world.container.database.engine.dispose()


def test_a_group_on_demand_needs_a_way_to_its_source(asker: Asker) -> None:
    group = FeatureGroup(name="orders", kind=ON_DEMAND, features=[])
    tables = asker.world.container.sql._tables_of
    assert isinstance(tables, StoredTables)
    without = StoredTables(tables=tables._tables)
    with pytest.raises(QueryRefusedError, match="lives in another database"):
        without(group)

    class Source:
        def table(self, group: FeatureGroup, columns: list[str]) -> Rows:
            assert (group.name, columns) == ("orders", [])
            return Rows(pa.schema([]), lambda: pa.table({}).to_reader())

    assert isinstance(StoredTables(tables=tables._tables, on_demand=Source())(group), Rows)


def test_the_log_tells_who_ran_what_without_its_values(asker: Asker) -> None:
    world, log = asker.world, io.StringIO()
    configure_logs("info", log)
    asker.rows("SELECT team_id FROM teams_features_1 WHERE 'Ada Lovelace' <> 'x' AND team_budget > 3141592")
    text = log.getvalue()
    (line,) = [line for line in text.splitlines() if '"event": "sql"' in line]
    for told in (
        "ada",
        world.key_id(world.key("football")),
        "football_featurestore.teams_features_1",
        "duckdb",
        "digest",
    ):
        assert told in line
    assert "SELECT team_id FROM teams_features_1 WHERE ? <> ? AND team_budget > ?" in line
    assert "Lovelace" not in text
    assert "3141592" not in text
    configure_logs("debug", log)
    asker.rows("SELECT 'Ada Lovelace' AS name")
    assert "Ada Lovelace" in log.getvalue()


def test_reading_leaves_no_audit_event(asker: Asker) -> None:
    """As for every read: the audit records changes."""
    before = _events(asker.world)
    asker.rows("SELECT * FROM teams_features_1")
    assert _events(asker.world) == before


def _events(world: World) -> int:
    with world.container.database.read() as session:
        return session.scalar(select(func.count()).select_from(AuditEvent)) or 0


def test_dates_come_back_as_dates(asker: Asker) -> None:
    rows = asker.rows("SELECT TIMESTAMP '2024-01-01 10:00:00' AS plain, TIMESTAMPTZ '2024-01-01 10:00:00+02' AS zoned")
    assert rows["plain"] == [datetime(2024, 1, 1, 10)]  # noqa: DTZ001 as DuckDB gives it
    assert rows["zoned"][0].isoformat() == "2024-01-01T08:00:00+00:00"
