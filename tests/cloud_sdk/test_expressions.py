"""What is asked of the gateway, as JSON."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from hops.featurestore.errors import InvalidInputError
from hops.featurestore.expressions import Join, feature_expression, state_of

DAY = 86_400_000_000
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def asked(**options):
    expression = feature_expression(["x"], **options)
    assert expression.pop("features") == ["x"]
    return expression


def test_what_is_not_said_is_not_sent():
    nothing = {"join_key": (), "joins": {}, "lookback": {}, "as_known": False, "as_of": None, "join_type": None}
    assert asked() == asked(**nothing) == {}


def test_everything_that_is_said_is_sent():
    assert asked(
        featurestore="football_featurestore",
        featuregroups_version_dict={"teams": 1},
        join_key=("team_id", "season"),
        featuregroup="teams",
        version=2,
        join_type="left",
        joins={"teams": Join("home", ["team_id"], "left", "home_", timedelta(days=1))},
        lookback=5,
        as_known=True,
        as_of=3,
    ) == {
        "featurestore": "football_featurestore",
        "feature_group_versions": {"teams": 1},
        "join_key": ["team_id", "season"],
        "feature_group": "teams",
        "version": 2,
        "join_type": "left",
        "joins": {
            "teams": {
                "left_on": "home",
                "right_on": ["team_id"],
                "how": "left",
                "prefix": "home_",
                "lookback": DAY,
            }
        },
        "lookback": 5,
        "as_known": True,
        "as_of": 3,
    }


def test_a_join_may_be_a_dict():
    said = {"left_on": ("home", "season"), "lookback": 0}
    assert asked(joins={"teams": said}) == asked(joins={"teams": Join(**said)})
    assert asked(joins={"teams": said}) == {"joins": {"teams": {"left_on": ["home", "season"], "lookback": 0}}}
    assert asked(joins={"teams": {}}) == {"joins": {"teams": {}}}, "for the gateway to refuse, if it is no group"


@pytest.mark.parametrize(
    ("lookback", "ticks"),
    [
        (timedelta(days=7), 7 * DAY),
        (timedelta(microseconds=1), 1),
        (timedelta(0), 0),
        (timedelta.max, 86_399_999_999_999_999_999),
        (timedelta(days=-1), -DAY),
        (pd.Timedelta("1h"), DAY // 24),
        (np.timedelta64(7, "D"), 7 * DAY),
        (np.timedelta64(5, "us"), 5),
        (np.timedelta64(5_001, "ns"), 5),
        (np.int64(5), 5),
        (0, 0),
        (10**15, 10**15),
    ],
)
def test_a_lookback_is_exact(lookback, ticks):
    assert asked(lookback=lookback) == {"lookback": ticks}
    assert asked(lookback={"teams": lookback}) == {"joins": {"teams": {"lookback": ticks}}}


def test_lookbacks_by_group_go_with_their_joins():
    joins = {"teams": Join("home", lookback=1), "venues": {"prefix": "v_"}}
    assert asked(joins=joins, lookback={"teams": timedelta(days=1), "colours": None}) == {
        "joins": {
            "teams": {"left_on": "home", "lookback": DAY},
            "venues": {"prefix": "v_"},
            "colours": {"lookback": None},
        }
    }
    assert joins["venues"] == {"prefix": "v_"}, "what was given is left alone"


@pytest.mark.parametrize(
    ("as_of", "state"),
    [
        (0, 0),
        (np.int64(3), 3),
        ("3", "3"),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        (MOMENT, "2026-03-01T12:00:00+00:00"),
        (datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T12:00:00+02:00"),
        (pd.Timestamp("2026-03-01T12:00", tz="UTC"), "2026-03-01T12:00:00+00:00"),
        ({"teams": MOMENT, "venues": 0}, {"teams": "2026-03-01T12:00:00+00:00", "venues": 0}),
    ],
)
def test_states_of_tables(as_of, state):
    assert asked(as_of=as_of) == {"as_of": state}


def test_a_state_needs_a_zone():
    for as_of in (datetime(2026, 3, 1), {"teams": datetime(2026, 3, 1)}):  # noqa: DTZ001 that is the point
        with pytest.raises(InvalidInputError, match="has no time zone") as refused:
            asked(as_of=as_of)
        assert "tzinfo=timezone.utc" in refused.value.hint


@pytest.mark.parametrize("state", [1.5, True, timedelta(1), b"3", "tt", "", np.timedelta64(3, "ns")])
def test_other_states_are_refused(state):
    with pytest.raises(InvalidInputError, match="neither a version nor a time"):
        state_of(state)


@pytest.mark.parametrize(
    "lookback", [1.5, True, "7 days", [1], *(np.timedelta64(*age) for age in [(1, "M"), (1, "Y"), (1,), ("NaT", "us")])]
)
def test_other_lookbacks_are_refused(lookback):
    for options in ({"lookback": lookback}, {"lookback": {"g": lookback}}, {"joins": {"g": Join(lookback=lookback)}}):
        with pytest.raises(InvalidInputError, match="neither a timedelta nor a whole number"):
            asked(**options)


def test_other_joins_are_refused():
    with pytest.raises(InvalidInputError, match="A join has no 'on'") as refused:
        asked(joins={"teams": {"on": "team_id"}})
    assert refused.value.candidates == ("left_on", "right_on", "how", "prefix", "lookback")
    with pytest.raises(InvalidInputError, match="'team_id' says nothing about a join") as refused:
        asked(joins={"teams": "team_id"})
    assert 'Join(left_on="…")' in refused.value.hint
