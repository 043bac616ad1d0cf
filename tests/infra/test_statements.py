"""The user's query stays inside the parentheses that we put around it."""

import time

import pytest

from infra.errors import InvalidInputError
from infra.sources.statements import MYSQL, POSTGRESQL, REDSHIFT, SQLITE, Dialect

EVERY = pytest.mark.parametrize("dialect", [MYSQL, POSTGRESQL, REDSHIFT, SQLITE], ids=lambda each: each._name)


def require_refusal(dialect: Dialect, sql: str, detail: str) -> None:
    for refuse in (dialect.require_query, dialect.select):
        with pytest.raises(InvalidInputError, match=detail) as refused:
            refuse(sql)
        assert refused.value.hint or "statements" in detail


@EVERY
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 a) q UNION SELECT b INTO OUTFILE '/tmp/x' FROM (SELECT 1 b",
        "SELECT 1) AS q",
        "SELECT (1",
        "SELECT ')' AS a)",
        "SELECT 1 /* ( */)",
        "SELECT 1 -- (\n)",
    ],
)
def test_parentheses_that_do_not_match(dialect: Dialect, sql: str) -> None:
    require_refusal(dialect, sql, "parentheses do not match")


@EVERY
@pytest.mark.parametrize(
    "sql",
    ["SELECT 1 /*! ) q */", "SELECT 1 /*M! ) q */", "SELECT 1 -- x\r) AS q", "SELECT {# ) #} 1", "SELECT 1 --\x01 )\n"],
)
def test_comments_that_engines_read_differently(dialect: Dialect, sql: str) -> None:
    require_refusal(dialect, sql, "otherwise than the gateway|do not match")


@EVERY
def test_comments_in_comments(dialect: Dialect) -> None:
    require_refusal(dialect, "SELECT 1 /* /* */ ) */", "otherwise than the gateway|do not match")
    require_refusal(dialect, "SELECT 1 /* /* */", "otherwise than the gateway|has no end")


@EVERY
@pytest.mark.parametrize("sql", ["SELECT 'a", 'SELECT "a', "SELECT 1 'it\\'s ) '"])
def test_texts_without_end(dialect: Dialect, sql: str) -> None:
    require_refusal(dialect, sql, "has no end|backslashes")


@pytest.mark.parametrize("dialect", [MYSQL, REDSHIFT])
def test_whether_a_backslash_escapes_depends_on_the_server(dialect: Dialect) -> None:
    require_refusal(dialect, "SELECT 'a\\') q UNION SELECT ('b\\''", "backslashes")
    assert "'C:\\\\'" in dialect.select("SELECT 'C:\\\\' AS a")


@pytest.mark.parametrize("dialect", [POSTGRESQL, REDSHIFT], ids=lambda each: each._name)
def test_a_text_that_goes_on_in_the_next_line_is_escaped_as_its_beginning_was(dialect: Dialect) -> None:
    """PostgreSQL reads the second line with backslashes, too, and what follows as code."""
    require_refusal(dialect, "SELECT E'a'\n'b\\'' ) q UNION SELECT c FROM (SELECT ' -- '\n, 2", "otherwise|backslashes")
    require_refusal(dialect, "SELECT e'a' -- x\n 'b'", "otherwise")
    dialect.require_query("SELECT E'a\\n', 'b'\n'c'")


def test_a_dollar_sign_in_a_name_begins_no_text() -> None:
    with pytest.raises(InvalidInputError):
        POSTGRESQL.select("SELECT 1 AS a$x$ ) q UNION (SELECT 1 AS b$x$")


@EVERY
@pytest.mark.parametrize(
    "sql", ["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE a", ";SELECT 1", "SELECT 1;;SELECT 2; -- x"]
)
def test_several_statements(dialect: Dialect, sql: str) -> None:
    require_refusal(dialect, sql, "statements")


@EVERY
@pytest.mark.parametrize("sql", ["", ";", "-- nothing", "/* nothing */;"])
def test_no_statement(dialect: Dialect, sql: str) -> None:
    require_refusal(dialect, sql, "there is none")


@EVERY
@pytest.mark.parametrize("end", [";", "; -- x", " ; /* x */", ";;", " -- x", "\n;\n-- x\n-- y\n"])
def test_an_end_with_comments_is_an_end(dialect: Dialect, end: str) -> None:
    dialect.require_query(f"SELECT 1 AS a{end}")
    assert dialect.select(f"SELECT 1 AS a{end}") == "SELECT * FROM (\nSELECT 1 AS a\n) AS oast_source"


@EVERY
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ')' AS a, '(' AS b",
        "SELECT count(*) FROM t WHERE a IN (1, (2)) -- done (",
        "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
        "SELECT 'it''s' AS a /* ) */, 2 AS b",
        "SELECT 1 AS a -- ; (\r\n, 2 AS b",
    ],
)
def test_queries_stay_as_they_are(dialect: Dialect, sql: str) -> None:
    dialect.require_query(sql)
    assert dialect.select(sql).startswith(f"SELECT * FROM (\n{sql.partition(' -- done')[0]}\n)")


@EVERY
def test_looking_early_takes_no_time(dialect: Dialect) -> None:
    started = time.process_time()  # of this process alone, whatever else runs
    dialect.require_query("SELECT " + "DATE(" * 30 + "'2020-01-01'" + ")" * 30)
    assert time.process_time() - started < 2
