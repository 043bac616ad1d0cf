"""What a plan with labels becomes in Spark's SQL; tests/contract/test_spark_plans.py runs it."""

import pytest
from sqlglot import parse_one

from app.featurestore.query.lowering import to_sql
from app.featurestore.query.planner import plan
from tests.app.catalogs import attach, catalog, group

TIMED = {kind: group(f"{kind}_times", "budget", event_time="at", at=kind) for kind in ("timestamp", "date", "bigint")}
MICROSECONDS = {
    "timestamp": "UNIX_MICROS(s.`at`)",
    "date": "UNIX_DATE(s.`at`) * 86400000000",
    "bigint": "CAST(s.`at` AS BIGINT)",
}


@pytest.mark.parametrize("kind", TIMED)
@pytest.mark.parametrize("lookback", [None, 5])
def test_times_are_compared_as_numbers(kind: str, lookback: int | None) -> None:
    labels = {"team_id": "double", "when": "int" if kind == "bigint" else "timestamp"}
    made = plan(attach("budget", to=labels, at="when", lookback=lookback), catalog(TIMED[kind]))
    sql = to_sql(made, "spark")
    assert f"{MICROSECONDS[kind]} AS `time`" in sql
    assert ("<= 5" in sql) == (lookback is not None)
    assert "IGNORE NULLS OVER (PARTITION BY s.`key 0` ORDER BY s.`time`, s.`is label`, s.`order`" in sql
    assert parse_one(sql, dialect="spark").named_selects == ["team_id", "when", "budget"]


@pytest.mark.parametrize("lookback", [None, 5])
def test_what_was_known_is_the_greatest_that_was_visible(lookback: int | None) -> None:
    labels = {"team_id": "double", "when": "date"}
    asked = attach("budget", to=labels, at="when", as_known=True, lookback=lookback)
    sql = to_sql(plan(asked, catalog(TIMED["timestamp"])), "spark")
    assert "f.`written at` <= l.`time` AND (f.`removed at` IS NULL OR f.`removed at` > l.`time`)" in sql
    assert "MAX_BY(f.`values`, STRUCT(f.`time`, f.`order`))" in sql
    assert ("<= 5" in sql) == (lookback is not None)


def test_a_group_without_time_gives_what_was_written_last() -> None:
    made = plan(attach("city", to={"team_id": "double"}), catalog(group("cities", "city")))
    assert "MAX_BY(f.`values`, STRUCT(f.`order`))" in to_sql(made, "spark")
    prefixed = to_sql(made, "spark", prefix="mine__")
    assert "`mine__labels`" in prefixed
    assert "`mine__football_featurestore__cities_1`" in prefixed
