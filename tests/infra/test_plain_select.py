"""What comes out of SQL whose types nobody chose."""

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from infra.engines.plain_select import distinct, plain_select


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"python_enable_replacements": False}) as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


def answer(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return plain_select(connection, sql).to_arrow_reader(1000).read_all()


@pytest.mark.parametrize(
    ("expression", "arrow", "value"),
    [
        ("1::HUGEINT", "int64", 1),
        ("1::UHUGEINT", "int64", 1),
        ("sum(1)", "int64", 1),
        ("1::BIGNUM", "string", "1"),
        ("INTERVAL '1 month 2 days'", "string", "1 month 2 days"),
        ("'10:00:00+02'::TIMETZ", "string", "10:00:00+02"),
        ("'a'::ENUM('a', 'b')", "string", "a"),
        ("'10'::BIT", "string", "10"),
        ("union_value(k := 1)", "string", "1"),
        ("'00000000-0000-0000-0000-000000000001'::UUID", "string", "00000000-0000-0000-0000-000000000001"),
        ("[INTERVAL 1 DAY]", "list<l: string>", ["1 day"]),
        ("[1::HUGEINT, NULL]", "list<l: int64>", [1, None]),
        ("[1, 2]::HUGEINT[2]", "fixed_size_list<: int64>[2]", [1, 2]),
        ("MAP {'k': 1::HUGEINT}", "map<string, int64>", [("k", 1)]),
        ("row(1, 'x')", "struct<col1: int32, col2: string>", {"col1": 1, "col2": "x"}),
        ("{'a\"b': [1::HUGEINT]}", 'struct<a"b: list<l: int64>>', {'a"b': [1]}),
        ("NULL::HUGEINT", "int64", None),
    ],
)
def test_types(connection: duckdb.DuckDBPyConnection, expression: str, arrow: str, value: object) -> None:
    table = answer(connection, f"SELECT {expression} AS x")
    assert (str(table.schema.field("x").type), table.to_pylist()) == (arrow, [{"x": value}])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS a, 'x' AS b, 1.5 AS c, TRUE AS d, DATE '2024-01-01' AS e, 'b'::BLOB AS f, 1::UBIGINT AS g",
        "SELECT TIMESTAMP '2024-01-01' AS a, TIMESTAMPTZ '2024-01-01' AS b, TIME '10:00' AS c, '{}'::JSON AS d, [1] AS e",
        "FROM range(3)",
        "WITH x AS (SELECT 1 AS a) SELECT * FROM x ORDER BY a LIMIT 1",
    ],
)
def test_plain_answers_are_left_alone(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    expected = connection.execute(sql).to_arrow_reader(1000).read_all()
    assert answer(connection, sql).equals(expected)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(i) AS a, 1 AS b FROM range(3) r(i) -- a comment at the end",
        "FROM (SELECT sum(i) AS a, 1 AS b FROM range(3) r(i))",
        "(SELECT 3::HUGEINT AS a, 1 AS b) UNION (SELECT 3, 1) ORDER BY 1 LIMIT 5",
        'WITH "answer" AS (SELECT 3::HUGEINT AS c0) SELECT c0 AS a, 1 AS b FROM "answer"',
    ],
)
def test_whatever_the_statement_looks_like(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert answer(connection, sql).to_pylist() == [{"a": 3, "b": 1}]


def test_order_stays(connection: duckdb.DuckDBPyConnection) -> None:
    table = answer(connection, "SELECT hash(i) AS h, i::HUGEINT AS i FROM range(500000) r(i) ORDER BY h DESC")
    assert table["h"].to_pylist() == sorted(table["h"].to_pylist(), reverse=True)


def test_a_whole_number_beyond_64_bits_is_an_error(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.ConversionException, match="out of range"):
        answer(connection, "SELECT 170141183460469231731687303715884105727::HUGEINT AS x")


@pytest.mark.parametrize(
    ("names", "made"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a"], ["a", "a_1"]),
        (["a", "a", "a"], ["a", "a_1", "a_2"]),
        (["a", "a", "a_1", "a"], ["a", "a_2", "a_1", "a_3"]),
        (["a_1", "a", "a", "a_1"], ["a_1", "a", "a_2", "a_1_1"]),
        (["a", "A"], ["a", "A"]),
        ([], []),
    ],
)
def test_names(names: list[str], made: list[str]) -> None:
    assert distinct(names) == made
    assert len(set(made)) == len(made)


def test_names_with_quotes(connection: duckdb.DuckDBPyConnection) -> None:
    assert answer(connection, 'SELECT 1 AS "a""b", 2 AS "a""b"').column_names == ['a"b', 'a"b_1']
