"""fs.sql through the real SDK, over a socket, on every pair of database and warehouse."""

from collections.abc import Iterator

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import hops.featurestore as fs
from hops.featurestore import default, errors
from hops.featurestore.connection import Connection
from tests.world import World

TEAMS = pd.DataFrame({"team_id": [1, 2, 3], "team_budget": [12957.0, 2403.5, 3390.5], "name": ["a", "b", None]})
PLAYERS = pd.DataFrame({"team_id": [1, 1, 2, 3], "age": [25, 30, 24, 26]})
ATTENDANCES = pd.DataFrame({"team_id": [1, 2], "average_attendance": [3271.5, 37.5]})
QUERY = (
    "SELECT t.team_id, sum(p.age) AS total, max(a.average_attendance) AS attendance FROM teams_features_1 t"
    " JOIN players_features_1 p USING (team_id)"
    " LEFT JOIN venues_featurestore.attendances_features_1 a USING (team_id) GROUP BY ALL ORDER BY ALL"
)


@pytest.fixture
def stadium(any_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Connection, Connection]]:
    """Connections of football, which is the module's own, and venues."""
    monkeypatch.setattr(default, "_current", [])
    any_world.projects("football", "venues")
    with any_world.connect("football") as football, any_world.connect("venues") as venues:
        default.use_connection(football)
        football.create_featuregroup(TEAMS, "teams_features", primary_key="team_id")
        football.create_featuregroup(PLAYERS, "players_features", primary_key=["team_id", "age"])
        venues.create_featuregroup(ATTENDANCES, "attendances_features", primary_key="team_id", partition_by=["team_id"])
        yield football, venues


def test_sql_over_several_projects(stadium: tuple[Connection, Connection]) -> None:
    football, venues = stadium
    with pytest.raises(errors.GatewayError) as absent:
        fs.sql(QUERY)
    assert (absent.value.code, absent.value.status) == ("featurestore-not-found", 404)
    football.accept_share(venues.offer_share("football").id)
    rows = fs.sql(QUERY)
    assert rows["team_id"].tolist() == [1, 2, 3]
    assert rows["total"].tolist() == [55, 24, 26]
    assert rows["total"].dtype == "int64"
    assert rows["attendance"].fillna(-1).tolist() == [3271.5, 37.5, -1]
    assert isinstance(fs.sql(QUERY, dataframe_type="polars"), pl.DataFrame)
    assert isinstance(fs.sql(QUERY, as_="pyarrow"), pa.Table)
    assert fs.sql("SELECT count(*) AS n FROM attendances_features_1", "venues_featurestore")["n"].tolist() == [2]
    explained = fs.explain_sql(QUERY)
    assert [table["grant"].split()[0] for table in explained.tables] == ["own", "own", "share"]
    assert "venues_featurestore.attendances_features_1" in str(explained)
    assert "<table>" in explained._repr_html_()
    hive = (
        "SELECT team_budget, age FROM players_features_1 JOIN teams_features_1 "
        "ON players_features_1.`team_id`=teams_features_1.`team_id`"
    )
    assert len(fs.sql(hive)) == len(fs.sql(hive, dialect="spark")) == 4
    both = fs.sql("SELECT * FROM teams_features_1 t JOIN teams_features_1 u ON t.team_id = u.team_id")
    assert list(both) == ["team_id", "team_budget", "name", "team_id_1", "team_budget_1", "name_1"]


def test_errors_have_classes_of_their_own(stadium: tuple[Connection, Connection]) -> None:
    with pytest.raises(errors.QueryInvalidError, match="Line 1, column") as invalid:
        fs.sql("SELECT FROM teams_features_1 WHERE")
    assert isinstance(invalid.value, errors.InvalidInputError)
    with pytest.raises(errors.QueryInvalidError, match="nothing"):
        fs.sql("SELECT nothing FROM teams_features_1")
    with pytest.raises(errors.QueryRefusedError, match="Only SELECT"):
        fs.sql("DROP TABLE teams_features_1")
    with pytest.raises(errors.FeatureGroupNotFoundError) as absent:
        fs.sql("SELECT * FROM teams_features")
    assert absent.value.candidates == ("teams_features_1",)
    with pytest.raises(errors.InvalidInputError, match="must be text"):
        fs.sql(["SELECT 1"])
    with pytest.raises(errors.InvalidInputError, match="no kind of frame"):
        fs.sql("SELECT 1", dataframe_type="excel")
    with pytest.raises(errors.NotSupportedError):
        fs.sql("SELECT 1", online=True)
