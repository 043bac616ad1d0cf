"""The SQL of plans with labels, in both dialects, as recorded in `snapshots/`.

That it is right is shown in `tests/property`. Here a change to it is seen. To record what it is now, once it is right:
`python -m tests.app.test_lowering`.
"""

from pathlib import Path
from typing import Final

import pytest

from app.featurestore.query.expression import FeatureExpression, JoinSpec
from app.featurestore.query.lowering import to_program, to_sql
from app.featurestore.query.planner import plan
from app.featurestore.query.plans import LogicalPlan
from tests.app.catalogs import attach, catalog, group

SNAPSHOTS: Final = Path(__file__).parent / "snapshots"
DIALECTS: Final = ("duckdb", "spark")
DAY: Final = 86_400_000_000
STORE = catalog(
    group("budgets", "budget", event_time="updated", team_id="bigint", updated="timestamp"),
    group("tables", "points", key=("team_id", "season"), event_time="day", team_id="int", season="string", day="date"),
    group("cities", "city", "size", team_id="bigint", city="string"),
    group("ticks", "price", event_time="tick", team_id="bigint", tick="bigint"),
)
GAMES = {"home": "bigint", "season": "string", "at": "timestamp", "won": "boolean"}
MINE = {"left_on": ("home",), "right_on": ("team_id",)}
ASKED: dict[str, FeatureExpression] = {
    "labels": attach(
        "budget",
        "points",
        "city",
        "size",
        to=GAMES,
        at="at",
        lookback=7 * DAY,
        joins={
            "budgets": JoinSpec(**MINE, prefix="home_"),
            "tables": JoinSpec(("home", "season"), ("team_id", "season"), lookback=0),
            "cities": JoinSpec(**MINE),
        },
    ),
    "as_known": attach(
        "budget",
        "points",
        "city",
        to={"team_id": "bigint", "season": "string", "at": "date"},
        at="at",
        as_known=True,
        joins={"budgets": JoinSpec(lookback=DAY)},
    ),
    "numbers": attach("price", to={"team_id": "smallint", "n": "int"}, at="n", lookback=100, given_back=("n",)),
}


def planned(name: str) -> LogicalPlan:
    return plan(ASKED[name], STORE)


def snapshot(name: str, dialect: str) -> Path:
    return SNAPSHOTS / f"{name}.{dialect}.sql"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ASKED)
def test_the_sql_is_as_recorded(name: str, dialect: str) -> None:
    assert to_sql(planned(name), dialect, pretty=True) + "\n" == snapshot(name, dialect).read_text()


@pytest.mark.parametrize("name", ASKED)
def test_what_runs_in_steps_is_what_is_shown_in_one_statement(name: str) -> None:
    program, shown = to_program(planned(name)), to_sql(planned(name))
    for step in program.steps:
        assert f'"{step.name}" AS ({step.sql})' in shown
    assert shown.endswith(program.sql)


def test_every_snapshot_is_of_a_plan() -> None:
    assert set(SNAPSHOTS.iterdir()) == {snapshot(name, dialect) for name in ASKED for dialect in DIALECTS}


if __name__ == "__main__":
    for name in ASKED:
        for dialect in DIALECTS:
            snapshot(name, dialect).write_text(to_sql(planned(name), dialect, pretty=True) + "\n")
