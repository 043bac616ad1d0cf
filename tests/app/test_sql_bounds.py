"""Reading and translating SQL ends in time, whatever it is; what people write is not cut off."""

import time
from contextlib import suppress

import pytest

from app.featurestore.sql.reading import Dialect
from app.featurestore.sql.rendering import render
from app.featurestore.sql.statement import parse_statement
from infra.errors import QueryInvalidError, QueryRefusedError

OWN = "football_featurestore"
ANY = (None, *Dialect)
NAMES = ["DATE(", "NUMERIC(1,", "DECIMAL(", "TIMESTAMP(", "TIME(", "VARCHAR(", "STRUCT(", "OBJECT("]
# Of processor time: what else a machine is busy with is no fault of the text.
SECONDS = 2.0


def rendered(text: str, dialect: Dialect | None) -> str:
    return render(parse_statement(text, dialect), OWN)


def require_refusal(text: str, dialect: Dialect | None) -> None:
    started = time.process_time()
    with pytest.raises((QueryRefusedError, QueryInvalidError)) as refused:
        rendered(text, dialect)
    assert time.process_time() - started < SECONDS
    assert refused.value.hint


@pytest.mark.parametrize("dialect", ANY)
@pytest.mark.parametrize("depth", [24, 30])
@pytest.mark.parametrize("name", NAMES)
def test_readings_that_double_with_every_level(name: str, depth: int, dialect: Dialect | None) -> None:
    require_refusal(f"SELECT {name * depth}'2020-01-01'{')' * depth}", dialect)


@pytest.mark.parametrize("dialect", [Dialect.HIVE, Dialect.SPARK])
@pytest.mark.parametrize("text", ["SELECT CAST(x AS `{}`)", "SELECT /*+ {} */ 1", "SELECT dynamic_identifier('{}')"])
def test_texts_in_the_text_have_no_time_of_their_own(text: str, dialect: Dialect) -> None:
    require_refusal(text.format("DATE(" * 30 + "1" + ")" * 30), dialect)


@pytest.mark.parametrize(
    ("before", "after"),
    [("next_day(1,", ")"), ("strtok(1,", ",1)"), ("greatest(1,", ")"), ("months_between(1,", ")"), ("instr('a',", ")")],
)
def test_translations_that_double_with_every_level(before: str, after: str) -> None:
    started = time.process_time()
    with suppress(QueryRefusedError, QueryInvalidError):
        assert len(rendered(f"SELECT {before * 20}x{after * 20}", Dialect.HIVE)) < 1_000_000
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("dialect", ANY)
@pytest.mark.parametrize("joins", [16, 60, 99])
def test_joins_without_on_are_read_once(joins: int, dialect: Dialect | None) -> None:
    started = time.process_time()
    assert rendered("SELECT 1 FROM t_1 t0 " + " ".join(f"LEFT JOIN t_1 t{n}" for n in range(1, joins)), dialect)
    assert time.process_time() - started < SECONDS


def test_one_on_behind_many_joins() -> None:
    tables, keys = range(2, 60), " AND ".join(f"g_1.k=g_{n}.k" for n in range(2, 60))
    statement = parse_statement("SELECT 1 FROM g_1 " + " ".join(f"JOIN g_{n}" for n in tables) + f" ON {keys}")
    assert (statement.dialect, len(statement.tables)) == (Dialect.HIVE, 59)
    assert render(statement, OWN).count("ON TRUE") == 57


FEATURES = ", ".join(f"g_{n % 20 + 1}.f{n}" for n in range(100))
ORDINARY = [
    f"SELECT {FEATURES} FROM g_1 " + " ".join(f"JOIN g_{n} ON g_1.k = g_{n}.k AND g_1.l = g_{n}.l" for n in range(2, 21)),
    f"SELECT a FROM a_1 WHERE a IN ({', '.join(map(str, range(5000)))})",
    " UNION ALL ".join(["SELECT a, b FROM t_1"] * 100),
    f"SELECT {'(' * 30}1{')' * 30}",
    f"SELECT {', '.join(['greatest(date(a), date(b), to_date(c))'] * 300)} FROM t_1",
    f"SELECT {', '.join(['cast(coalesce(a, 0) AS decimal(10, 2))'] * 300)} FROM t_1",
    f"SELECT CASE {'WHEN a = 1 THEN 2 ' * 500}END FROM t_1",
    "SELECT date(timestamp(date(timestamp(date(a))))) FROM t_1",
]  # fmt: skip


@pytest.mark.parametrize("dialect", ANY)
@pytest.mark.parametrize("text", ORDINARY, ids=lambda text: text[:40])
def test_what_people_write_is_taken(text: str, dialect: Dialect | None) -> None:
    assert rendered(text, dialect)
