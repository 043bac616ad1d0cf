"""Hive's and Spark's SQL answers what Hive and Spark answer: the values are theirs, the engine is DuckDB."""

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from app.featurestore.sql.reading import Dialect
from app.featurestore.sql.rendering import render
from app.featurestore.sql.statement import parse_statement
from infra.errors import QueryRefusedError

BOTH = (Dialect.HIVE, Dialect.SPARK)
ROW = """
    TIMESTAMP '2024-05-05 13:04:05' AS ts, DATE '2024-05-05' AS d, 'hello' AS w, 2.7::DOUBLE AS f, 7 AS i, -7 AS j, 0 AS z,
    NULL::INT AS n, NULL::VARCHAR AS nt, [1, 2, 3] AS l, 'a,b,,c' AS s
"""


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(f"CREATE TABLE t_1 AS SELECT {ROW}")
        yield opened


VALUES = [
    # days
    ("dayofweek(ts)", 1), ("dayofweek(DATE '2024-05-04')", 7), ("extract(dayofweek FROM d)", 1), ("date_part('dow', ts)", 1),
    ("weekday(ts)", 6), ("dayofmonth(ts)", 5), ("dayofyear(d)", 126), ("weekofyear(d)", 18), ("last_day(d)", date(2024, 5, 31)),
    ("datediff('2024-05-05', '2024-05-01')", 4), ("datediff('2024-05-05 23:59:59', '2024-05-05 00:00:01')", 0),
    ("months_between('1997-02-28 10:30:00', '1996-10-30')", 3.94959677), ("months_between('2024-05-31', '2024-02-29')", 3.0),
    ("months_between('2024-05-05', '2024-06-05 07:00:00')", -1.0), ("months_between(n, d)", None),
    # patterns of dates
    ("date_format(ts, 'yyyy-MM-dd HH:mm:ss')", "2024-05-05 13:04:05"), ("date_format(ts, \"d.M.yy'T'h''a\")", "5.5.24T1'PM"),
    ("date_format(d, 'EEEE, EEE D')", "Sunday, Sun 126"), ("date_format(ts, 'SSS %m')", "000 %4"),
    ("from_unixtime(0)", "1970-01-01 00:00:00"), ("from_unixtime(86400, 'dd/MM/yyyy')", "02/01/1970"),
    ("unix_timestamp('02.01.1970', 'dd.MM.yyyy')", 86400), ("to_date('05/2024/02', 'MM/yyyy/dd')", date(2024, 5, 2)),
    # parts of texts
    ("substr(w, 0, 3)", "hel"), ("substr(w, z, 3)", "hel"), ("substring(w, 0)", "hello"), ("substr(w, i - 5, 2)", "el"),
    ("substr(w, -3, 2)", "ll"), ("substr(w, n, 2)", None), ("instr(w, 'l')", 3), ("locate('l', w)", 3), ("locate('l', w, 4)", 4),
    ("concat(w, nt)", None), ("concat_ws('-', w, nt, 'x')", "hello-x"), ("split(s, ',')", ["a", "b", "", "c"]),
    ("split('a1b2c', '[0-9]')", ["a", "b", "c"]), ("regexp_replace('aba', 'a', 'x')", "xbx"),
    ("regexp_replace('ab', '(a)(b)', '$2\\\\$$1')", "b$a"), ("regexp_extract('foothebar', 'foo(.*?)(bar)')", "the"),
    ("'a_b' LIKE 'a\\\\_b'", True), ("'axb' LIKE 'a\\\\_b'", False), ("'axb' NOT LIKE 'a\\\\_b'", True), ("w LIKE 'h_l%'", True),
    # numbers
    ("CAST(2.7 AS INT)", 2), ("CAST(2.5 AS BIGINT)", 2), ("CAST(-2.7 AS INT)", -2), ("CAST(1e2 AS INT)", 100),
    ("CAST(CAST(f AS INT) AS BIGINT)", 2), ("CAST(f AS INT) + CAST('12.9' AS INT)", 14), ("CAST(TRUE AS INT)", 1),
    ("round(2.5)", 3), ("round(-2.5)", -3), ("log(2, 8)", 3.0), ("i / 2", 3.5), ("j DIV 2", -3), ("j % 3", -1), ("i / z", None),
    ("size(l)", 3),
]  # fmt: skip


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(("expression", "value"), VALUES, ids=[expression for expression, _ in VALUES])
def test_values(connection: duckdb.DuckDBPyConnection, expression: str, value: object, dialect: Dialect) -> None:
    sql = render(parse_statement(f"SELECT {expression} AS x FROM t_1", dialect), "football_featurestore")
    assert connection.execute(sql).fetchall() == [(value,)]


def test_the_size_of_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    sizes = [
        connection.execute(render(parse_statement("SELECT size(NULL) FROM t_1", dialect), "x")).fetchall()
        for dialect in BOTH
    ]
    assert sizes == [[(-1,)], [(None,)]]


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    "expression",
    ["hash(w)", "skewness(i)", "kurtosis(i)", "histogram(i)", "dayname(ts)", "monthname(ts)"]
    + [f"date_format(ts, '{pattern}')" for pattern in ("u", "YYYY", "w", "Q", "k", "z", "DD", "yyy", 'yyyy-MM-dd "x')]
    + ["from_unixtime(0, 'u')", "unix_timestamp('1', 'u')", "to_date('1', 'u')", "to_unix_timestamp('1', 'u')"]
    + ["regexp_replace(w, 'l', '${name}')", "regexp_replace(w, 'l', '$11')"],
)
def test_what_would_answer_something_else_is_refused(expression: str, dialect: Dialect) -> None:
    with pytest.raises(QueryRefusedError, match="DuckDB's SQL") as refused:
        render(parse_statement(f"SELECT {expression} AS x FROM t_1", dialect), "football_featurestore")
    assert refused.value.hint
