"""Earlier states of tables: how they are written, and which group they are of."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.featurestore.query.expression import AsOf
from app.featurestore.query.planner import plan, plan_group
from app.featurestore.query.time_travel import parse_as_of
from infra.errors import InvalidInputError
from tests.app.catalogs import ask, catalog, group

TEAMS = group("teams", "budget")
PLAYERS = group("players", "age")
NEWER = group("players", "height", version=2)
BOTH = catalog(TEAMS, PLAYERS, NEWER)
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("0", 0),
        ("17", 17),
        ("9" * 18, int("9" * 18)),
        ("2026-03-01T12:00:00Z", MOMENT),
        ("2026-03-01T13:00:00.000001+01:00", datetime(2026, 3, 1, 13, 0, 0, 1, timezone(timedelta(hours=1)))),
    ],
)
def test_a_state_is_a_version_or_a_moment(text: str, state: AsOf) -> None:
    assert parse_as_of(text) == state


@pytest.mark.parametrize("text", ["", "-1", "1.5", "yesterday", "9" * 19, "٣", "2026-13-01T00:00:00Z"])
def test_other_text_is_neither(text: str) -> None:
    with pytest.raises(InvalidInputError, match="neither a version of the table nor a time") as refused:
        parse_as_of(text)
    assert "2026-03-01T12:00:00Z" in (refused.value.hint or "")


@pytest.mark.parametrize(("text", "hour"), [("2026-03-01T12:00:00", 12), ("2026-03-01", 0)])
def test_a_time_without_zone_is_no_moment(text: str, hour: int) -> None:
    with pytest.raises(InvalidInputError, match="has no time zone") as refused:
        parse_as_of(text)
    assert f"Write 2026-03-01T{hour:02}:00:00Z for UTC" in (refused.value.hint or "")


def states(*features: str, as_of: object) -> list[AsOf | None]:
    return [source.as_of for source in plan(ask(*features, as_of=as_of), BOTH).sources]


def test_without_one_the_present_is_read() -> None:
    assert states("budget", "age", as_of=None) == [None, None]
    assert plan_group(TEAMS, (), 3).sources[0].as_of == 3


def test_a_moment_is_for_all_groups() -> None:
    assert states("budget", "age", as_of=MOMENT) == [MOMENT, MOMENT]


def test_a_version_is_for_one_group() -> None:
    assert states("budget", as_of=0) == [0]
    with pytest.raises(InvalidInputError) as refused:
        states("budget", "age", as_of=7)
    assert refused.value.detail == "as_of=7 is a version of one table, and 2 feature groups are read."
    assert refused.value.candidates == (TEAMS.label, PLAYERS.label)


def test_groups_may_each_have_their_own() -> None:
    assert states("budget", "age", as_of={"players": 2}) == [None, 2]
    assert states("budget", "age", as_of={"players_1": MOMENT, "football_featurestore.teams": 0}) == [0, MOMENT]
    assert states("height", "age", as_of={"players": MOMENT}) == [MOMENT, MOMENT], "a name may be of two versions"


def test_a_name_of_no_group_that_is_read_is_refused() -> None:
    with pytest.raises(
        InvalidInputError, match=r"as_of names 'players_2', which is none of the groups read\."
    ) as refused:
        states("budget", "age", as_of={"players_2": 1})
    assert refused.value.candidates == (TEAMS.label, PLAYERS.label)


def test_two_names_of_one_group_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"as_of names football_featurestore\.players_1 twice"):
        states("age", as_of={"players": 1, "players_1": 2})
