"""Commits, changes, earlier states and appended features: what is asked, and what is made of the answer."""

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from hops.featurestore import errors
from hops.featurestore.errors import InvalidInputError
from tests.cloud_sdk.answers import group
from tests.cloud_sdk.gateway import arrow_reply, json_reply, page, problem

GROUP = "/projects/football/feature-groups/teams_features/versions/1"
TABLE = pa.table({"team_id": [1, 2]})
COMMIT = {
    "version": 3, "committed_at": "2026-03-01T12:00:00.123000+00:00", "operation": "upsert",
    "rows_inserted": 1, "rows_updated": 2, "rows_deleted": 0, "member": "ada", "key_id": "k7", "a_field_of_a_newer_gateway": 1,
}  # fmt: skip


def test_commits(fs, sdk_gateway):
    of_others = {**COMMIT, "version": 2, "member": None, "key_id": None, "rows_deleted": None}
    sdk_gateway.on("GET", f"{GROUP}/commits", page(COMMIT, of_others))
    first, second = fs.get_commits("teams_features")
    assert (first.version, first.operation, first.member) == (3, "upsert", "ada")
    assert (first.rows_inserted, first.rows_updated, first.rows_deleted) == (1, 2, 0)
    assert (second.member, second.key_id, second.rows_deleted) == (None, None, None)
    assert "upsert" in repr(first)


MOMENT = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("state", "asked"),
    [(0, "0"), (3, "3"), ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"), (MOMENT, "2026-03-01T12:00:00+01:00")],
)
def test_a_state_is_asked_for_as_it_is_given(fs, sdk_gateway, state, asked):
    sdk_gateway.on("GET", f"{GROUP}/rows", arrow_reply(TABLE))
    sdk_gateway.on("GET", f"{GROUP}/changes", arrow_reply(TABLE))
    assert list(fs.get_featuregroup("teams_features", as_of=state)["team_id"]) == [1, 2]
    assert sdk_gateway.last().query["as_of"] == asked
    assert fs.changes_between("teams_features", state, 9, as_="pyarrow") == TABLE
    assert (sdk_gateway.last().query["from"], sdk_gateway.last().query["to"]) == (asked, "9")
    fs.changes_between("teams_features", 0, state)
    assert (sdk_gateway.last().query["from"], sdk_gateway.last().query["to"]) == ("0", asked)


@pytest.mark.parametrize("state", [MOMENT.replace(tzinfo=None), 1.5, True])
def test_what_names_no_state_is_refused_before_anything_is_asked(fs, sdk_gateway, state):
    before = len(sdk_gateway.asked)
    for call in (
        lambda: fs.get_featuregroup("teams_features", as_of=state),
        lambda: fs.changes_between("teams_features", state, 1),
        lambda: fs.changes_between("teams_features", 1, state),
    ):
        with pytest.raises(InvalidInputError):
            call()
    assert len(sdk_gateway.asked) == before


def test_a_time_without_zone_shows_how_to_give_one(fs):
    with pytest.raises(InvalidInputError, match="no time zone") as refused:
        fs.get_featuregroup("teams_features", as_of=MOMENT.replace(tzinfo=None))
    assert "tzinfo=timezone.utc" in str(refused.value)


def test_append_features(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{GROUP}/features", json_reply(group(features=("team_id", "wins", "losses"))))
    made = fs.append_features("teams_features", {"wins": "INT", "losses": "INT"}, descriptions={"wins": "so far"})
    assert [feature.name for feature in made.features] == ["team_id", "wins", "losses"]
    assert sdk_gateway.last().json == {
        "features": [{"name": "wins", "type": "INT", "description": "so far"}, {"name": "losses", "type": "INT"}]
    }


def test_appending_is_sent_again_when_the_answer_is_lost(fs, sdk_gateway):
    lost = problem(503, "storage-unavailable", retryable=True)
    sdk_gateway.on("POST", f"{GROUP}/features", lost, json_reply(group()))
    assert fs.append_features("teams_features", {"wins": "INT"}).name == "teams_features"
    assert sdk_gateway.count("POST", f"{GROUP}/features") == 2


def test_appending_what_is_there_as_something_else(fs, sdk_gateway):
    refusal = problem(409, "feature-exists", "Feature 'wins' is there as int, not double.", hint="A new version.")
    sdk_gateway.on("POST", f"{GROUP}/features", refusal)
    with pytest.raises(errors.FeatureExistsError, match="as int, not double"):
        fs.append_features("teams_features", {"wins": "DOUBLE"})
    with pytest.raises(InvalidInputError, match="losses"):
        fs.append_features("teams_features", {"wins": "INT"}, descriptions={"losses": "?"})
