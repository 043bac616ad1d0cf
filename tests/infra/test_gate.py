"""The gate alone, over every attempt and every rightful query there is."""

import duckdb
import pytest

from infra.engines.functions import FUNCTIONS, TABLE_FUNCTIONS
from infra.engines.gate import require_harmless
from infra.errors import QueryInvalidError, QueryRefusedError
from tests.security.escapes import HARMLESS, REFUSED, Attempt, attempts
from tests.security.legitimate import LEGITIMATE

TABLES = {"players", "matches"}
PLACES = {
    name: f"/somewhere/{name}"
    for name in (
        "secret",
        "secret_csv",
        "secret_json",
        "secret_parquet",
        "folder",
        "own",
        "foreign",
        "foreign_name",
        "url",
    )
}

REFUSED_FAMILIES = ("__internal_", "icu_", "pg_", "has_", "inet_", "st_", "variant_", "json_serialize_")
REFUSED_FUNCTIONS = set(
    """
    can_cast_implicitly cast_to_type col_description combine constant_or_null create_sort_key current_catalog
    current_connection_id current_database current_query current_query_id current_role current_schema current_schemas
    current_setting current_transaction_id current_user currval enum_code finalize format_pg_type format_type
    get_block_size get_type getvariable in_search_path is_histogram_other_bin json_deserialize_sql make_type
    map_to_pg_oid nextval obj_description parse_duckdb_log_message remap_struct replace_type session_user setseed
    shobj_description sleep_ms stats timetz_byte_comparable txid_current unpivot_list user vector_type version write_log
    """.split()  # noqa: SIM905 a list of them would take a line each
)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


@pytest.mark.parametrize("attempt", [one for one in attempts() if one.answers == REFUSED], ids=str)
def test_what_must_be_refused_is(connection: duckdb.DuckDBPyConnection, attempt: Attempt) -> None:
    with pytest.raises(QueryRefusedError):
        require_harmless(connection, attempt.sql.format(**PLACES), TABLES)


@pytest.mark.parametrize("sql", [sql for sql, _ in LEGITIMATE], ids=[sql[:60] for sql, _ in LEGITIMATE])
def test_what_may_be_asked_passes(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    require_harmless(connection, sql, TABLES)


def test_every_function_of_this_duckdb_has_been_judged(connection: duckdb.DuckDBPyConnection) -> None:
    """An upgrade that brings a function fails here until somebody has read what it does."""
    kinds = "('scalar', 'aggregate', 'macro')"
    found = connection.execute(f"SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN {kinds}")
    known = {name.lower() for (name,) in found.fetchall()}
    assert FUNCTIONS - known == {"grouping", "unlist", "unnest"}
    assert {name for name in known - FUNCTIONS if not name.startswith(REFUSED_FAMILIES)} == REFUSED_FUNCTIONS
    tables = connection.execute("SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'table'")
    assert {name for (name,) in tables.fetchall()} >= TABLE_FUNCTIONS


def test_no_allowed_name_means_something_else_in_another_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Functions may be called with a schema: then the name alone must say what is called."""
    found = connection.execute("SELECT DISTINCT function_name FROM duckdb_functions() WHERE schema_name <> 'main'")
    assert {name.lower() for (name,) in found.fetchall()} & FUNCTIONS == set()


def test_names_are_compared_without_case(connection: duckdb.DuckDBPyConnection) -> None:
    require_harmless(connection, "WITH A AS (FROM Players) SELECT UPPER(name) FROM a", TABLES)
    require_harmless(connection, 'SELECT * FROM "First One"', {"first one"})


def test_refusals_propose_what_there_is(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryRefusedError) as caught:
        require_harmless(connection, "SELECT * FROM nothing_like_it", {"B", "a"})
    assert caught.value.candidates == ("B", "a")
    with pytest.raises(QueryRefusedError) as caught:
        require_harmless(connection, "WITH recent AS (SELECT 1) SELECT * FROM recents", {"a"})
    assert caught.value.candidates == ("recent",)


def test_a_syntax_error_says_where(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryInvalidError, match=r"\(line 3, column 3\)"):
        require_harmless(connection, "SELECT 1\nFROM\n  )", TABLES)


def test_harmless_oddities_are_not_all_refused() -> None:
    assert sum(one.answers == HARMLESS for one in attempts()) > 10
