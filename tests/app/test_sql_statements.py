# ruff: noqa: E501 - statements
"""Text to tables, and back to what the engine gets."""

import io
from contextlib import suppress

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.featurestore.sql.naming import ReadableTable, group_and_version, unknown_store, unknown_table
from app.featurestore.sql.reading import MAX_BYTES, Dialect
from app.featurestore.sql.rendering import render
from app.featurestore.sql.statement import MAX_TABLES, Statement, TableRef, parse_statement
from infra.errors import QueryInvalidError, QueryRefusedError
from infra.observability.logs import configure_logs

OWN = "football_featurestore"
D, H, S = Dialect.DUCKDB, Dialect.HIVE, Dialect.SPARK

TABLES: list[tuple[str, Dialect, list[str]]] = [
    # plain
    ("SELECT 1", D, []),
    ("SELECT * FROM teams_1", D, ["teams_1"]),
    ("select * from TEAMS_1;", D, ["teams_1"]),
    ('SELECT * FROM "Teams_1"', D, ["teams_1"]),
    ("SELECT * FROM 'teams_1'", D, ["teams_1"]),
    ("FROM teams_1", D, ["teams_1"]),
    ("FROM teams_1 SELECT a", D, ["teams_1"]),
    ("FROM t: teams_1", D, ["teams_1"]),
    ("TABLE teams_1", D, ["teams_1"]),
    ("(SELECT * FROM teams_1)", D, ["teams_1"]),
    ("((SELECT * FROM teams_1) LIMIT 1)", D, ["teams_1"]),
    ("SELECT * FROM (teams_1)", D, ["teams_1"]),
    ("SELECT teams_1.a FROM teams_1 t", D, ["teams_1"]),
    ("SELECT * FROM teams_1 AS t (a, b) TABLESAMPLE 10%", D, ["teams_1"]),
    # comments and texts name nothing
    ("SELECT 'FROM other_1' AS a -- FROM other_1\nFROM /* other_1, */ teams_1", D, ["teams_1"]),
    ("SELECT $$ FROM other_1 $$ FROM teams_1", D, ["teams_1"]),
    ("SELECT e'\\' FROM other_1 --' FROM teams_1", D, ["teams_1"]),
    ("SELECT 'a`b' FROM teams_1", D, ["teams_1"]),
    # several
    ("SELECT * FROM a_1, b_1 x, c_1 AS y", D, ["a_1", "b_1", "c_1"]),
    ("SELECT * FROM a_1 JOIN b_1 USING (k) LEFT JOIN c_1 ON a_1.k = c_1.k", D, ["a_1", "b_1", "c_1"]),
    ("SELECT * FROM a_1 CROSS JOIN b_1 NATURAL JOIN c_1", D, ["a_1", "b_1", "c_1"]),
    ("SELECT * FROM a_1 SEMI JOIN b_1 USING (k) ANTI JOIN c_1 USING (k)", D, ["a_1", "b_1", "c_1"]),
    ("SELECT * FROM a_1 ASOF JOIN b_1 ON a_1.k = b_1.k AND a_1.t >= b_1.t", D, ["a_1", "b_1"]),
    ("SELECT * FROM (a_1 JOIN b_1 USING (k))", D, ["a_1", "b_1"]),
    ("SELECT * FROM a_1 x JOIN a_1 y USING (k)", D, ["a_1"]),
    # subqueries everywhere
    ("SELECT (SELECT max(a) FROM b_1), a FROM a_1", D, ["b_1", "a_1"]),
    ("SELECT * FROM a_1 WHERE EXISTS (SELECT 1 FROM b_1 WHERE b_1.k = a_1.k)", D, ["a_1", "b_1"]),
    ("SELECT * FROM a_1 WHERE k IN (SELECT k FROM b_1)", D, ["a_1", "b_1"]),
    ("SELECT * FROM a_1 WHERE k IN (FROM b_1)", D, ["a_1", "b_1"]),
    ("SELECT * FROM a_1 WHERE k > ALL (SELECT k FROM b_1)", D, ["a_1", "b_1"]),
    ("SELECT * FROM (SELECT * FROM (SELECT * FROM a_1) x) y", D, ["a_1"]),
    ("SELECT * FROM a_1, LATERAL (SELECT * FROM b_1 WHERE b_1.k = a_1.k)", D, ["a_1", "b_1"]),
    ("SELECT [x FOR x IN l IF x > (SELECT min(v) FROM b_1)] FROM a_1", D, ["b_1", "a_1"]),
    ("SELECT CASE WHEN (SELECT true FROM b_1) THEN 1 END FROM a_1 ORDER BY (SELECT 1 FROM c_1) LIMIT (SELECT 1 FROM d_1)", D, ["b_1", "a_1", "c_1", "d_1"]),
    ("SELECT a, sum(b) OVER (PARTITION BY (SELECT 1 FROM b_1)) FROM a_1 GROUP BY (SELECT 1 FROM c_1) HAVING (SELECT true FROM d_1) QUALIFY (SELECT true FROM e_1)", D, ["b_1", "a_1", "c_1", "d_1", "e_1"]),
    ("SELECT list_transform(l, x -> x + (SELECT 1 FROM b_1)) FROM a_1", D, ["b_1", "a_1"]),
    ("SELECT array(SELECT a FROM b_1) FROM a_1", D, ["b_1", "a_1"]),
    ("SELECT * FROM a_1 JOIN b_1 ON a_1.k = (SELECT max(k) FROM c_1)", D, ["a_1", "b_1", "c_1"]),
    ("SELECT sum(a) FILTER (WHERE k IN (SELECT k FROM b_1)) FROM a_1", D, ["b_1", "a_1"]),
    ("SELECT DISTINCT ON ((SELECT 1 FROM b_1)) a FROM a_1", D, ["b_1", "a_1"]),
    # set operations
    ("SELECT * FROM a_1 UNION SELECT * FROM b_1 EXCEPT SELECT * FROM c_1", D, ["a_1", "b_1", "c_1"]),
    ("(SELECT * FROM a_1) INTERSECT (SELECT * FROM b_1 ORDER BY 1) LIMIT 3", D, ["a_1", "b_1"]),
    ("SELECT * FROM a_1 UNION ALL BY NAME FROM b_1", D, ["a_1", "b_1"]),
    # WITH
    ("WITH x AS (SELECT * FROM a_1) SELECT * FROM x JOIN b_1 USING (k)", D, ["a_1", "b_1"]),
    ("WITH x AS (SELECT * FROM a_1), y AS (SELECT * FROM x) SELECT * FROM Y", D, ["a_1"]),
    ("WITH A_1 AS (SELECT * FROM a_1) SELECT * FROM a_1", D, ["a_1"]),
    ("WITH x AS (SELECT * FROM y), y AS (SELECT 1) SELECT * FROM x", D, ["y"]),
    ("WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < (SELECT max(k) FROM a_1)) SELECT * FROM x", D, ["a_1"]),
    ("SELECT * FROM (WITH x AS (SELECT * FROM a_1) SELECT * FROM x) JOIN x USING (k)", D, ["a_1", "x"]),
    ("WITH x AS (SELECT 1) SELECT * FROM (WITH x AS (SELECT * FROM x) SELECT * FROM x)", D, []),
    ("WITH x AS (SELECT 1) SELECT * FROM football.x", D, ["football.x"]),
    ("WITH x AS MATERIALIZED (SELECT * FROM a_1) SELECT (SELECT count(*) FROM x), (WITH x AS (FROM b_1) SELECT count(*) FROM x)", D, ["a_1", "b_1"]),
    # functions that make rows
    ("SELECT * FROM range(3) r(i), generate_series(1, 2), unnest([1, 2]) u, json_each('{}')", D, []),
    ("SELECT * FROM a_1, unnest(a_1.l) u(v)", D, ["a_1"]),
    ("SELECT * FROM (VALUES (1, 'x')) v(a, b) JOIN a_1 USING (a)", D, ["a_1"]),
    # stores
    ("SELECT * FROM venues_featurestore.a_1", D, ["venues_featurestore.a_1"]),
    ('SELECT * FROM "VENUES_featurestore" . /* here */ A_1', D, ["venues_featurestore.a_1"]),
    ("SELECT * FROM a_1 JOIN v.a_1 b USING (k) JOIN w.a_1 c USING (k)", D, ["a_1", "v.a_1", "w.a_1"]),
    # Hive: by its quotes, or because only Hive has it
    ("SELECT `age` FROM `players_features_1`", H, ["players_features_1"]),
    ("SELECT * FROM `venues_featurestore`.`a_1`", H, ["venues_featurestore.a_1"]),
    ("SELECT team_budget, average_player_age FROM teams_features_1 JOIN players_features_1 JOIN season_scores_1 ON teams_features_1.`team_id`=players_features_1.`team_id` AND teams_features_1.`team_id`=season_scores_1.`team_id`", H, ["teams_features_1", "players_features_1", "season_scores_1"]),
    ("SELECT a FROM a_1 JOIN b_1 JOIN c_1 ON a_1.k=b_1.k AND a_1.k=c_1.k", H, ["a_1", "b_1", "c_1"]),
    ("SELECT a FROM a_1 JOIN b_1 WHERE a_1.k = b_1.k", H, ["a_1", "b_1"]),
    ("SELECT a, v FROM a_1 LATERAL VIEW explode(l) e AS v", H, ["a_1"]),
    ("SELECT a_1.a FROM a_1 LEFT SEMI JOIN b_1 ON a_1.k = b_1.k", H, ["a_1", "b_1"]),
    ("SELECT a FROM a_1 SORT BY a", H, ["a_1"]),
    ("SELECT 'it\\'s' FROM a_1", H, ["a_1"]),
    ('SELECT `a` AS "text" FROM a_1', H, ["a_1"]),
    # a JOIN with its ON at the end of two is DuckDB's too
    ("SELECT 1 FROM a_1 JOIN b_1 JOIN c_1 ON b_1.k = c_1.k ON a_1.k = b_1.k", D, ["a_1", "b_1", "c_1"]),
    ("SELECT 1 FROM a_1 JOIN b_1 ON true, c_1", D, ["a_1", "b_1", "c_1"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "dialect", "tables"), TABLES, ids=lambda value: str(value)[:60])
def test_tables(text: str, dialect: Dialect, tables: list[str]) -> None:
    statement = parse_statement(text)
    assert (statement.dialect, [ref.key for ref in statement.tables]) == (dialect, tables)


REFUSED = [
    "INSERT INTO a_1 VALUES (1)", "UPDATE a_1 SET a = 1", "DELETE FROM a_1", "DROP TABLE a_1", "CREATE TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1", "ALTER TABLE a_1 ADD COLUMN b INT", "TRUNCATE a_1", "MERGE INTO a_1 USING b_1 ON a_1.k = b_1.k WHEN MATCHED THEN DELETE",
    "COPY (SELECT 1) TO 'x'", "COPY a_1 FROM 'x'", "ATTACH 'x'", "DETACH x", "SET memory_limit = '1TB'", "RESET memory_limit",
    "PRAGMA table_info('a_1')", "CALL enable_logging()", "LOAD httpfs", "INSTALL httpfs", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1",
    "DESCRIBE a_1", "SUMMARIZE a_1", "SHOW TABLES", "USE x", "BEGIN", "COMMIT", "VACUUM", "CHECKPOINT", "EXECUTE x", "PREPARE x AS SELECT 1",
    "GRANT SELECT ON a_1 TO b", "VALUES (1)", "PIVOT a_1 ON b USING sum(c)", "UNPIVOT a_1 ON b, c", "1", "a_1", "(a_1)",
    "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE a_1", ";SELECT 1; -- x\nSELECT 2;",
    "WITH x AS (INSERT INTO a_1 VALUES (1) RETURNING *) SELECT * FROM x", "WITH x AS (DELETE FROM a_1 RETURNING *) SELECT * FROM x",
    "WITH x AS (CALL f()) SELECT 1",
    "SELECT * INTO x FROM a_1", "SELECT * FROM a_1 FOR UPDATE", "SELECT * FROM (DESCRIBE a_1)", "SELECT * FROM (SUMMARIZE a_1)",
    "SELECT * FROM a_1 PIVOT (sum(a) FOR b IN ('x'))", "SELECT * FROM (PIVOT a_1 ON b USING sum(c))", "SELECT * FROM a_1 UNPIVOT (v FOR n IN (a, b))",
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_parquet(['s3://x/y'])", "SELECT * FROM read_text('x')", "SELECT * FROM glob('*')",
    "SELECT * FROM query('SELECT 1')", "SELECT * FROM query_table('a_1')", "SELECT * FROM duckdb_settings()", "SELECT * FROM pragma_table_info('a_1')",
    "SELECT * FROM sniff_csv('x')", "SELECT * FROM a_1, LATERAL read_csv(a_1.path)", "SELECT * FROM a_1 WHERE k IN (SELECT k FROM read_csv('x'))",
    "SELECT * FROM a_1 AT (VERSION => 1)", "SELECT * FROM a_1 FOR SYSTEM_TIME AS OF '2020-01-01'", "SELECT * FROM a_1 VERSION AS OF 3", "SELECT * FROM ONLY a_1",
    "SELECT * FROM ROWS FROM (f())",
    "SELECT ?", "SELECT $1", "SELECT $name", "SELECT * FROM a_1 WHERE a = :x",
    "SELECT TRANSFORM(a) USING 'cat' FROM a_1", "SELECT a, v FROM `a_1` LATERAL VIEW json_tuple(j, 'x') t AS v",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_anything_but_one_select_over_groups_is_refused(text: str) -> None:
    with pytest.raises(QueryRefusedError) as refused:
        parse_statement(text)
    assert refused.value.hint


@pytest.mark.parametrize("dialect", [D, H, S])
@pytest.mark.parametrize("text", ["INSERT OVERWRITE TABLE a_1 SELECT 1", "FROM a_1 INSERT OVERWRITE TABLE b_1 SELECT *", "ADD JAR 'x'", "CACHE TABLE a_1"])  # fmt: skip
def test_no_dialect_lets_statements_through(text: str, dialect: Dialect) -> None:
    with pytest.raises((QueryRefusedError, QueryInvalidError)):
        parse_statement(text, dialect)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "no statement"),
        (";;", "no statement"),
        ("-- nothing", "no statement"),
        ("SELECT 'a", "has no end"),
        ('SELECT "a', "has no end"),
        ("SELECT a FRO a_1 x", "Line 1, column 14"),
        ("SELECT a\nFROM a_1\nWHRE b = 1", "Line 3, column 6, at 'b'"),
        ("SELECT (1", "column 9"),
        ("SELECT FROM WHERE", "Line 1"),
        ("SELECT * FROM a.b.c_1", "too many parts"),
        ('SELECT a FROM a_1 JOIN b_1 JOIN c_1 ON a_1."k" = b_1.k AND a_1.k = c_1.k', "A JOIN has no ON"),
        ('WITH "v.a_1" AS (SELECT 1) SELECT * FROM v.a_1', "gives the name"),
    ],
)
def test_what_makes_no_sense(text: str, detail: str) -> None:
    with pytest.raises(QueryInvalidError, match=detail) as refused:
        parse_statement(text)
    assert "sqlglot" not in refused.value.detail


def test_what_the_parser_stumbles_over() -> None:
    with pytest.raises(QueryInvalidError, match="cannot be read"):
        parse_statement("SELECT greatest() FROM a_1", H)


def test_double_quotes_are_not_taken_for_hives() -> None:
    """In Hive they are text: what DuckDB's grammar does not take must not become a comparison with a constant."""
    text = "SELECT \"a\" FROM a_1 WHERE b = 'it\\'s'"
    with pytest.raises(QueryInvalidError, match="has no end"):
        parse_statement(text)
    assert parse_statement(text, H).shape == "SELECT ? FROM a_1 WHERE b = ?"
    hive = parse_statement('SELECT a FROM a_1 WHERE b = "x"', H)
    assert render(hive, OWN) == "SELECT a FROM a_1 WHERE b = 'x'"


@pytest.mark.parametrize("condition", ['b = "b"', 'b <> "x"', 'upper(b) = "x"', 'b LIKE "x"', 'b IN ("x", "y")'])
def test_what_may_be_a_name_or_a_text_is_nobodys_guess(condition: str) -> None:
    text = f"SELECT a FROM a_1 WHERE {condition}"
    with pytest.raises(QueryInvalidError, match="is a name in DuckDB's SQL and a text in Hive's") as refused:
        parse_statement(text)
    assert "dialect" in str(refused.value.hint)
    assert [parse_statement(text, each).dialect for each in (D, H)] == [D, H]


@pytest.mark.parametrize(
    "condition",
    ["\"b\" = 'x'", '"b" = "c"', '"b" IN ("c", d)', 'a_1."b" = a_1."c"', 'b = "two words"', 'sum(a) = 3 OR 3 < "b"'],
)
def test_names_in_double_quotes_are_names(condition: str) -> None:
    assert parse_statement(f'SELECT "a" AS "b" FROM "a_1" WHERE {condition}').dialect is D


def test_what_is_hive_for_sure_may_have_double_quotes() -> None:
    statement = parse_statement('SELECT a FROM a_1 WHERE a = "x" SORT BY a')
    assert statement.dialect is H
    assert "'x'" in render(statement, OWN)


def test_the_dialect_can_be_said() -> None:
    text = "SELECT stddev(a) FROM a_1"
    assert [parse_statement(text, each).dialect for each in (D, H, S)] == [D, H, S]
    with pytest.raises(QueryInvalidError, match="read as duckdb"):
        parse_statement("SELECT `a` FROM a_1", D)


@pytest.mark.parametrize("depth", [60, 1000, 20_000])
@pytest.mark.parametrize("shape", ["({})", "(SELECT {})", "f({})", "[{}]", "CASE WHEN {} THEN 1 END", "CAST({} AS INT)"])  # fmt: skip
def test_nesting_without_end_is_refused_whatever_is_nested(shape: str, depth: int) -> None:
    before, after = shape.split("{}")
    with pytest.raises((QueryInvalidError, QueryRefusedError)):
        parse_statement("SELECT " + before * depth + "1" + after * depth)


def test_a_long_row_of_not_is_refused() -> None:
    with pytest.raises(QueryInvalidError, match="nested too deeply"):
        parse_statement("SELECT " + "NOT " * 1000 + "true")


def test_usual_nesting_is_taken() -> None:
    text = "SELECT " + "coalesce(" * 12 + "a" + ", 1)" * 12 + " FROM " + "(SELECT * FROM " * 12 + "a_1" + ") t" * 12
    assert [ref.key for ref in parse_statement(text).tables] == ["a_1"]


def test_size() -> None:
    values = ", ".join(str(number) for number in range(15_000))
    statement = parse_statement(f"SELECT a FROM a_1 WHERE a IN ({values})")
    assert render(statement, OWN) == statement.reading.text
    filler = " " * MAX_BYTES
    with pytest.raises(QueryRefusedError, match="100,008 bytes"):
        parse_statement(f"SELECT 1{filler}")
    with pytest.raises(QueryRefusedError, match="bytes"):
        parse_statement("SELECT '" + "é" * (MAX_BYTES // 2) + "'")


def test_long_chains() -> None:
    """Left-deep, not nested."""
    joined = "SELECT 1 FROM t_1 " + " ".join(f"JOIN t_{number} USING (k)" for number in range(2, MAX_TABLES + 1))
    assert len(parse_statement(joined).tables) == MAX_TABLES
    assert parse_statement("SELECT " + " + ".join(["1"] * 2000)).tables == ()
    assert parse_statement(" UNION ALL ".join(["SELECT 1"] * 1000)).tables == ()
    with pytest.raises(QueryRefusedError, match="101 tables"):
        parse_statement(joined + " JOIN t_101 USING (k)")


# What sqlglot would write otherwise is in here: `~`, string_agg, 1 IN [1], '^', lambdas, varchar(2).
VERBATIM = """
SELECT name ~ 'n1', name !~ 'n', name SIMILAR TO 'n.', 2 ^ 3 ^ 2, -2 ** 2, 7 // 2, 1 IN [1, 2], 'x'::VARCHAR(2) FROM a_1
SELECT string_agg(a, ',' ORDER BY b), list(a), group_concat(a), any_value(a), arg_max(a, b) FROM a_1
SELECT list_transform(l, x -> x + 1), [x FOR x IN l IF x > 1], struct_pack(x := 1), l[1:2], s.x, m['k'] FROM a_1
SELECT * EXCLUDE (a) REPLACE (b + 1 AS b), COLUMNS('c.*') FROM a_1 -- with a comment
SELECT b, sum(a) FROM a_1 GROUP BY ALL HAVING sum(a) > 1 QUALIFY row_number() OVER () = 1 ORDER BY ALL LIMIT 10%
SELECT interval '1 day' * 2, DATE '2024-01-01' + 1, ts AT TIME ZONE 'UTC', strftime(ts, '%Y') FROM a_1 USING SAMPLE 10
SELECT "A b", "x""y", 'it''s', E'\\n', $$a$$, 1_000, .5, 1e3 FROM "A_1"
WITH a_1 AS (SELECT * FROM a_1) SELECT * FROM a_1
SELECT football_featurestore.x FROM (SELECT {'x': 1} AS football_featurestore) t, a_1
""".strip().splitlines()


@pytest.mark.parametrize("text", VERBATIM)
def test_duckdbs_sql_stays_what_the_user_wrote(text: str) -> None:
    assert render(parse_statement(text), OWN) == text.partition(" -- ")[0]


RENDERED = [
    ("SELECT * FROM v.t_1", 'SELECT * FROM "v.t_1" AS t_1'),
    ('SELECT * FROM "V" . "T_1"', 'SELECT * FROM "v.t_1" AS "T_1"'),
    ("SELECT x.a FROM v.t_1 x", 'SELECT x.a FROM "v.t_1" x'),
    ("SELECT * FROM v.t_1 AS x(a, b)", 'SELECT * FROM "v.t_1" AS x(a, b)'),
    ("FROM x: v.t_1", 'FROM x: "v.t_1"'),
    ("TABLE v.t_1", 'TABLE "v.t_1"'),
    ("SELECT * FROM v.t_1 TABLESAMPLE 10%", 'SELECT * FROM "v.t_1" AS t_1 TABLESAMPLE 10%'),
    ("SELECT v.t_1.a, V.T_1.*, t_1.b FROM v.t_1", 'SELECT t_1.a, T_1.*, t_1.b FROM "v.t_1" AS t_1'),
    ("SELECT v.t_1.s.x, v.t_1.s.x.y FROM v.t_1", 'SELECT t_1.s.x, t_1.s.x.y FROM "v.t_1" AS t_1'),
    (f"SELECT {OWN}.t_1.a FROM t_1", "SELECT t_1.a FROM t_1"),
    (f"SELECT {OWN}.t_1.a, t_1.b FROM {OWN}.t_1", f'SELECT t_1.a, t_1.b FROM "{OWN}.t_1" AS t_1'),
    (f"SELECT 1 FROM t_1 WHERE EXISTS (FROM u_1 WHERE {OWN}.t_1.k = {OWN}.u_1.k)", "SELECT 1 FROM t_1 WHERE EXISTS (FROM u_1 WHERE t_1.k = u_1.k)"),
    ("SELECT 'ünï \N{PARTY POPPER}' AS \"é\",\r\n\tv.t_1.a FROM v.t_1", "SELECT 'ünï \N{PARTY POPPER}' AS \"é\",\r\n\tt_1.a FROM \"v.t_1\" AS t_1"),
    ("SELECT v.t_1.a FROM x_1 AS v, v.t_1", 'SELECT v.t_1.a FROM x_1 AS v, "v.t_1" AS t_1'),
    ("SELECT s.t_1.a FROM v.t_1", 'SELECT s.t_1.a FROM "v.t_1" AS t_1'),
    ("SELECT count(v.t_1.a) FILTER (WHERE v.t_1.b) FROM v.t_1 GROUP BY v.t_1.c", 'SELECT count(t_1.a) FILTER (WHERE t_1.b) FROM "v.t_1" AS t_1 GROUP BY t_1.c'),
    ("SELECT * FROM t_1 JOIN v.t_1 o USING (k) JOIN w.u_1 ON o.k = w.u_1.k", 'SELECT * FROM t_1 JOIN "v.t_1" o USING (k) JOIN "w.u_1" AS u_1 ON o.k = u_1.k'),
    ("SELECT `a` FROM `t_1` LIMIT 1", 'SELECT "a" FROM "t_1" LIMIT 1'),
    ("SELECT v.t_1.`a` FROM v.t_1", 'SELECT t_1."a" FROM "v.t_1" AS t_1'),
    ("SELECT v.`t_1`.s.x FROM v.t_1 AS t", 'SELECT "t_1".s.x FROM "v.t_1" AS t'),
    ("SELECT `a` FROM a_1 JOIN b_1 JOIN c_1 ON a_1.k=b_1.k AND a_1.k=c_1.k", 'SELECT "a" FROM a_1 JOIN b_1 ON TRUE JOIN c_1 ON a_1.k = b_1.k AND a_1.k = c_1.k'),
    ("SELECT `a` FROM a_1 ORDER BY a", 'SELECT "a" FROM a_1 ORDER BY a NULLS FIRST'),
    ("SELECT `a` FROM a_1 LEFT SEMI JOIN b_1 ON a_1.k = b_1.k", 'SELECT "a" FROM a_1 SEMI JOIN b_1 ON a_1.k = b_1.k'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sql"), RENDERED, ids=lambda value: str(value)[:60])
def test_names_of_other_stores_are_put_in(text: str, sql: str) -> None:
    assert render(parse_statement(text), OWN) == sql


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t_1 JOIN v.t_1 USING (k)",
        "SELECT v.t_1.a FROM w.t_1, v.t_1",
        "SELECT * FROM t_1 WHERE EXISTS (SELECT 1 FROM v.t_1 WHERE t_1.k = v.t_1.k)",
        "SELECT * FROM v.t_1 WHERE k IN (SELECT k FROM u_1 WHERE u_1.k = (SELECT max(k) FROM t_1))",
        "SELECT `a` FROM t_1 JOIN v.t_1",
    ],
)
def test_tables_of_one_name_need_aliases(text: str) -> None:
    with pytest.raises(QueryInvalidError, match="Two tables are called 't_1'") as refused:
        render(parse_statement(text), OWN)
    assert "t_1 AS a" in str(refused.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t_1 x JOIN v.t_1 USING (k)",
        "SELECT * FROM t_1 JOIN v.t_1 AS y USING (k)",
        "SELECT t_1.a FROM t_1 UNION ALL SELECT t_1.a FROM v.t_1",
        "WITH x AS (SELECT t_1.a FROM t_1) SELECT t_1.a, (SELECT max(a) FROM x) FROM v.t_1 AS t_1",
        f"SELECT * FROM t_1 x WHERE k IN (SELECT k FROM {OWN}.t_1) AND k IN (SELECT k FROM t_1)",
    ],
)
def test_tables_of_one_name_apart_do_not(text: str) -> None:
    assert "Two" not in render(parse_statement(text), OWN)


def test_hive_and_spark_keep_their_meaning() -> None:
    """Where DuckDB has a function or a cast of the same name that answers something else."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t_1 AS SELECT i::INT AS a, i + 0.7 AS f, nullif(i, 2) AS q FROM range(4) r(i)")
        connection.execute("CREATE TABLE u_1 AS SELECT (i + 0.7)::VARCHAR AS x, i AS n FROM range(4) r(i)")

        def run(text: str, dialect: Dialect) -> list[object]:
            rows = connection.execute(render(parse_statement(text, dialect), OWN)).fetchall()
            return [row[0] for row in rows]

        assert run("SELECT round(stddev(a), 4) FROM t_1", H) == [1.118]
        assert run("SELECT round(stddev(a), 4) FROM t_1", S) == [1.291]
        assert run("SELECT variance(a) FROM t_1", H) == [1.25]
        assert run("SELECT var_samp(a) * 3 FROM t_1", H) == [5.0]
        assert run("SELECT std(a) > 1.2 FROM t_1", S) == [True]
        assert run("SELECT percentile(a, 0.5) FROM t_1", H) == run("SELECT percentile(a, 0.5) FROM t_1", S) == [1.5]
        assert run("SELECT greatest(a, q) FROM t_1", H) == [0, 1, None, 3]
        assert run("SELECT least(a, q) FROM t_1", H) == [0, 1, None, 3]
        assert run("SELECT greatest(a, q) FROM t_1", S) == [0, 1, 2, 3]
        assert run("SELECT CAST(f AS INT) FROM t_1", H) == run("SELECT CAST(x AS BIGINT) FROM u_1", S) == [0, 1, 2, 3]
        assert run("SELECT CAST(-1.7 AS INT) + CAST('2.9' AS INT) + CAST(3 AS INT)", H) == [4]
        assert run("SELECT CAST('x' AS INT)", H) == [None]
        assert run("SELECT a FROM t_1 ORDER BY q", H) == [2, 0, 1, 3]
        assert run("SELECT split('a.b', '\\\\.')[1]", H) == ["b"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a, v FROM t_1 LATERAL VIEW OUTER explode(l) e AS v",
        "SELECT explode_outer(l) FROM `t_1`",
        "SELECT posexplode_outer(l) FROM `t_1`",
    ],
)
def test_what_would_lose_rows_is_not_translated(text: str) -> None:
    statement = parse_statement(text)
    with pytest.raises(QueryRefusedError, match="not translated") as refused:
        render(statement, OWN)
    assert "LEFT JOIN UNNEST" in str(refused.value.hint)


def test_what_has_no_counterpart_is_said() -> None:
    with pytest.raises(QueryInvalidError, match="no counterpart"):
        render(parse_statement("SELECT soundex(`a`) FROM t_1"), OWN)
    with pytest.raises(QueryInvalidError, match="no counterpart"):
        render(parse_statement("SELECT array_agg( order by a) FROM t_1", H), OWN)


def test_rendering_survives_what_parsing_took() -> None:
    """The parser goes through some chains in a loop, the writer by recursion."""
    chain = parse_statement("SELECT `a`" + " IN (1)" * 2000 + " FROM t_1")
    with pytest.raises(QueryInvalidError, match="nested too deeply"):
        render(chain, OWN)


def test_shape_has_no_values() -> None:
    text = "SELECT 'Ada', 42, 1.5, $$secret$$, e'x', 0xff FROM t_1 WHERE \"name\" = 'Grace'"
    shape = parse_statement(text).shape
    assert shape == 'SELECT ? , ? , ? , ? , ? , ? xff FROM t_1 WHERE "name" = ?'
    assert parse_statement('SELECT "Ada" FROM t_1 WHERE a = "Grace"', H).shape == "SELECT ? FROM t_1 WHERE a = ?"


def test_what_is_parsed_does_not_reach_the_log() -> None:
    stream = io.StringIO()
    configure_logs("info", stream)
    for text in ("CALL secret('Ada')", "SELECT json_extract(a, 'Ada~~[') FROM t_1", "SELECT a FROM t_1 FOR UPDATE"):
        try:
            statement = parse_statement(text)
        except QueryRefusedError:
            continue
        render(statement, OWN)
    hive = parse_statement("SELECT get_json_object(`a`, 'Ada~~[') FROM t_1")
    render(hive, OWN)
    assert stream.getvalue() == ""


WORDS = st.sampled_from(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "JOIN",
        "ON",
        "USING",
        "WITH",
        "AS",
        "RECURSIVE",
        "UNION",
        "ALL",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        ";",
        "*",
        "+",
        "-",
        "->",
        "=>",
        ":=",
        "::",
        "'",
        '"',
        "`",
        "$$",
        "--",
        "/*",
        "*/",
        "a",
        "b",
        "t_1",
        "v.t_1",
        "v",
        ".",
        "1",
        "'x'",
        '"y"',
        "`z`",
        "LATERAL",
        "VIEW",
        "explode",
        "unnest",
        "PIVOT",
        "FOR",
        "IN",
        "INSERT",
        "INTO",
        "VALUES",
        "CALL",
        "SHOW",
        "DESCRIBE",
        "CASE",
        "WHEN",
        "THEN",
        "END",
        "CAST",
        "INT",
        "STRUCT",
        "MAP",
        "ARRAY",
        "INTERVAL",
        "DAY",
        "OVER",
        "PARTITION",
        "BY",
        "ORDER",
        "GROUP",
        "FILTER",
        "EXCLUDE",
        "COLUMNS",
        "NULL",
        "NOT",
        "EXISTS",
        "TABLESAMPLE",
        "TABLE",
        "?",
        "$1",
        ":",
        "@",
        "#",
        "%",
        "percentile",
        "greatest",
        "stddev",
        "\\",
        "\n",
    ]
)


@settings(max_examples=400)
@given(st.lists(WORDS, max_size=25), st.sampled_from([None, D, H, S]))
def test_nonsense_is_refused_in_our_own_words(words: list[str], dialect: Dialect | None) -> None:
    for text in (" ".join(words), "SELECT " + " ".join(words)):
        try:
            statement = parse_statement(text, dialect)
            assert isinstance(statement, Statement)
            render(statement, OWN)
        except (QueryInvalidError, QueryRefusedError):
            continue


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_at_all(text: str) -> None:
    with suppress(QueryInvalidError, QueryRefusedError):
        render(parse_statement(f"SELECT {text}"), OWN)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("teams_1", ("teams", 1)),
        ("teams_features_12", ("teams_features", 12)),
        ("sales_2024_1", ("sales_2024", 1)),
        ("sales_2024", ("sales", 2024)),
        ("a_2000000000", ("a", 2_000_000_000)),
        ("a_2000000001", None),
        ("a_99999999999999999999", None),
        ("teams", None),
        ("teams_", None),
        ("teams_0", None),
        ("teams_01", None),
        ("teams_-1", None),
        ("_1", None),
        ("1_1", None),
        ("Teams_1", None),
        ("teams_1 ", None),
        ("teams_1\n", None),
        ("teams_\N{ARABIC-INDIC DIGIT ONE}", None),
        ("t\N{CYRILLIC SMALL LETTER IE}ams_1", None),
        ("venues.a_1", None),
        ("", None),
        ("a" * 63 + "_1", ("a" * 63, 1)),
        ("a" * 64 + "_1", None),
    ],
)
def test_name_and_version_of_a_table(name: str, meant: tuple[str, int] | None) -> None:
    assert group_and_version(name) == meant


def test_letters_that_only_look_alike_stay_apart() -> None:
    for letter in ("\N{KELVIN SIGN}eys_1", "\N{CYRILLIC SMALL LETTER A}_1", "\N{FULLWIDTH LATIN SMALL LETTER A}_1"):
        (ref,) = parse_statement(f'SELECT * FROM "{letter}"').tables
        assert ref.name == letter
        assert group_and_version(ref.name) is None


KNOWN = [
    ReadableTable("football_featurestore", "sales", 3),
    ReadableTable("football_featurestore", "sales_2024", 1),
    ReadableTable("football_featurestore", "teams", 1),
    ReadableTable("football_featurestore", "teams", 2),
    ReadableTable("venues_featurestore", "attendances", 1),
    ReadableTable("venues_featurestore", "teams", 1),
]


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("attendances_1", ["venues_featurestore.attendances_1"]),
        ("teams", ["teams_1", "teams_2", "venues_featurestore.teams_1"]),
        ("teams_3", ["teams_1", "teams_2", "venues_featurestore.teams_1"]),
        ("sales_2024", ["sales_3", "sales_2024_1"]),
        ("sales_2024_2", ["sales_2024_1"]),
        ("taems_1", ["teams_1", "teams_2"]),
        ("nothing_like_it_1", []),
    ],
)
def test_what_may_have_been_meant(name: str, candidates: list[str]) -> None:
    error = unknown_table(TableRef(None, name), OWN, KNOWN)
    assert (error.code, list(error.candidates)) == ("feature-group-not-found", candidates)
    assert error.detail == f"There is no table {name!r} in the feature store {OWN!r}."


def test_an_unknown_store_is_answered_with_the_known_ones() -> None:
    error = unknown_store("x" * 200, [f"store_{number}" for number in range(20)])
    assert len(error.candidates) == 8
    assert error.code == "featurestore-not-found"
    assert len(error.detail) < 150
