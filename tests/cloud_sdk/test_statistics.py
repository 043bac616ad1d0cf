"""Statistics from a notebook: asked for, read, compared, against a gateway and its queue."""

import numpy as np
import pandas as pd
import pytest

from app.settings import StatisticsSettings
from hops.featurestore import default, errors
from hops.featurestore.errors import InvalidInputError, StatisticsMissingError
from hops.featurestore.statistics_options import statistics_options
from tests.cloud_sdk.background import working
from tests.world import listening, make_world

AGES = [17.0, 21.0, 34.0, None]
FRAME = pd.DataFrame({"id": [1, 2, 3, 4], "age": AGES, "name": ["ada", "bo", "bo", None]})
OPTIONS = {"descriptive": False, "columns": ["age"], "bins": 7, "correlation_method": "spearman", "cluster_count": 2}
STATS = {
    "descriptive_statistics": False, "stat_columns": ["age"], "num_bins": 7, "corr_method": "spearman", "num_clusters": 2,
}  # fmt: skip


@pytest.fixture
def world(tmp_path, local_warehouse):
    with listening(make_world(tmp_path / "data", None, local_warehouse, statistics=StatisticsSettings())) as made:
        made.projects("football", "rivals")
        yield made


@pytest.fixture
def live(world):
    import hops.featurestore as fs

    connection = world.connect("football")
    default.use_connection(connection)
    yield fs
    default.forget_connection()
    connection.close()


@pytest.fixture
def players(live, world):
    """A group whose first commit was looked at."""
    live.create_featuregroup(FRAME, "players", primary_key="id")
    world.work()
    return live


def more(count=400, low=60.0):
    random = np.random.default_rng(3)
    return pd.DataFrame({"id": range(100, 100 + count), "age": random.normal(low, 3, count), "name": ["cleo"] * count})


class TestReading:
    def test_what_was_computed_after_the_commit(self, players):
        found = players.get_featuregroup_statistics("players")
        assert (found.state, found.rows, found.options["bins"]) == (0, 4, 20)
        age = found.descriptive.loc["age"]
        assert (age["count"], age["nulls"], age["kind"], age["distinct"]) == (3, 1, "float", 3)
        assert age["mean"] == pytest.approx(24.0)
        assert age["50%"] == 21.0
        assert (found.descriptive.loc["name", "longest"], found.descriptive.loc["id", "max"]) == (3, 4)
        assert found.histograms["name"]["values"][0] == "bo"
        assert found.correlations.loc["age", "age"] == 1.0
        assert found.clusters["columns"] == ["id", "age"]
        assert repr(found).startswith(
            "Statistics of feature group players_1 in state 0: 4 rows, 3 features, computed at 20"
        )
        assert "<table" in found._repr_html_()
        assert found.to_dict()["content"]["rows"] == 4

    def test_names_of_the_original(self, players):
        found = players.get_featuregroup_statistics("players")
        pd.testing.assert_frame_equal(found.descriptive_stats, found.descriptive)
        pd.testing.assert_frame_equal(found.correlation_matrix, found.feature_correlations)
        assert found.feature_histograms == found.features_histogram == found.histograms
        assert found.cluster_analysis == found.clusters

    def test_of_an_earlier_state(self, players, world):
        players.insert_into_featuregroup(more(), "players")
        world.work()
        states = players.get_statistics_states("players")
        assert [(each.state, each.rows) for each in states] == [(1, 404), (0, 4)]
        assert players.get_featuregroup_statistics("players", state=0).rows == 4
        with pytest.raises(errors.StatisticsNotFoundError, match="1, 0"):
            players.get_featuregroup_statistics("players", state=9)
        with pytest.raises(InvalidInputError, match="no state"):
            players.get_featuregroup_statistics("players", state="first")

    def test_before_there_are_any(self, live):
        live.create_featuregroup(None, "empty", schema={"id": "BIGINT"})
        with pytest.raises(errors.StatisticsNotFoundError, match="update_featuregroup_stats"):
            live.get_featuregroup_statistics("empty")

    @pytest.mark.usefixtures("players")
    def test_through_a_share(self, world):
        with world.connect("rivals") as rivals:
            with pytest.raises(errors.FeatureStoreNotFoundError):
                rivals.get_featuregroup_statistics("players", "football_featurestore")
            world.share("football", "rivals")
            assert rivals.get_featuregroup_statistics("players", "football_featurestore").rows == 4
            with pytest.raises(errors.NotPermittedError):
                rivals.update_featuregroup_stats("players", featurestore="football_featurestore")


class TestAskedFor:
    def test_with_options_and_waited_for(self, players, world):
        with working(world):
            run = players.update_featuregroup_stats("players", **STATS, timeout=60)
        assert (run.kind, run.state, run.job) == ("statistics", "succeeded", None)
        found = players.get_featuregroup_statistics("players")
        assert {name: found.options[name] for name in OPTIONS} == OPTIONS
        assert list(found.histograms) == ["age"]
        assert (found.descriptive, found.descriptive_stats) == (None, None)
        assert found.skipped == {"clusters": "Clusters need two numeric columns, and there are 1."}

    def test_without_waiting(self, players):
        run = players.update_featuregroup_stats("players", wait=False)
        assert run.state == "queued"
        assert run.arguments["options"] is None

    def test_of_features_that_are_not_there(self, players):
        with pytest.raises(InvalidInputError, match="height"):
            players.update_featuregroup_stats("players", stat_columns=["height"])

    def test_those_of_the_group_hold_after_each_commit(self, live, world):
        made = live.create_featuregroup(FRAME, "players", **STATS)
        assert made.name == "players"
        world.work()
        assert live.get_featuregroup_statistics("players").options["bins"] == 7

    def test_of_one_insert(self, players, world):
        players.insert_into_featuregroup(more(), "players", num_bins=5, feature_correlation=np.False_)
        world.work()
        found = players.get_featuregroup_statistics("players")
        assert (found.rows, found.options["bins"], found.correlations) == (404, 5, None)

    def test_an_insert_whose_statistics_cannot_be_is_done_all_the_same(self, players):
        with pytest.warns(UserWarning, match="The rows were inserted"):
            result = players.insert_into_featuregroup(more(), "players", stat_columns="height")
        assert result.rows_inserted == 400
        assert len(players.get_featuregroup("players")) == 404

    def test_of_a_training_dataset(self, players, world):
        players.create_training_dataset("ages", ["age"])
        with pytest.raises(errors.StatisticsNotFoundError):
            players.get_training_dataset_statistics("ages")
        with working(world):
            players.update_training_dataset_stats("ages", timeout=60)
        found = players.get_training_dataset_statistics("ages")
        assert found.name == "training dataset ages_1"
        assert found.descriptive.loc["age", "nulls"] == 1


class TestBlocks:
    def test_one_that_was_not_asked_for_says_what_computes_it(self, live, world):
        live.create_featuregroup(FRAME, "players", feature_histograms=False)
        world.work()
        with pytest.raises(StatisticsMissingError, match=r"fs\.update_featuregroup_stats\('players'\)"):
            live.get_featuregroup_statistics("players").require_block("histograms")

    def test_one_that_was_skipped_says_why(self, live, world):
        live.create_featuregroup(FRAME[["id", "name"]], "names")
        world.work()
        with pytest.raises(StatisticsMissingError, match=r"two numeric columns.*\n.*stat_columns"):
            live.get_featuregroup_statistics("names").require_block("clusters")


class TestDrift:
    def test_the_latest_state_against_the_one_before(self, players, world):
        players.insert_into_featuregroup(more(low=20.0), "players", mode="overwrite")
        world.work()
        players.insert_into_featuregroup(more(low=60.0), "players", mode="overwrite")
        world.work()
        drift = players.compare_statistics("players")
        assert (drift.verdict, drift.drifted) == ("drifted", ["age"])
        assert drift.columns.index[0] == "age"
        assert drift.columns.loc["age", "psi"] > 1
        assert drift.columns.loc["age", "mean_change"] == pytest.approx(40, abs=1)
        assert "stability index" in drift.columns.loc["age", "reasons"]
        assert repr(drift) == "players_1 in state 1 → players_1: drifted (1 drifted, 2 stable)"
        assert "<table" in drift._repr_html_()
        assert players.compare_statistics("players", old=2, new=2).verdict == "stable"
        assert players.compare_statistics("players", new=1).to_dict()["only_in_old"] == []

    def test_against_another_version_or_a_training_dataset(self, players, world):
        players.create_featuregroup(FRAME.assign(height=1.0), "players", featuregroup_version=2)
        players.create_training_dataset("ages", ["players_2.height"])
        players.update_training_dataset_stats("ages", wait=False)
        world.work()
        assert players.compare_statistics("players", featuregroup_version=2, old_version=1).only_in_new == ("height",)
        against = players.compare_statistics("players", featuregroup_version=2, training_dataset="ages")
        assert (against.only_in_old, list(against.columns.index)) == ((), ["height"])
        with pytest.raises(InvalidInputError, match="leave out one"):
            players.compare_statistics("players", old_version=1, training_dataset="ages")

    @pytest.mark.usefixtures("players")
    def test_of_another_project(self, world):
        world.share("football", "rivals")
        with world.connect("rivals") as rivals:
            drift = rivals.compare_statistics("players", old=0, featurestore="football_featurestore")
        assert drift.verdict == "stable"

    def test_where_there_is_nothing_before(self, players):
        with pytest.raises(StatisticsMissingError, match="no earlier state"):
            players.compare_statistics("players")


@pytest.mark.parametrize(
    "columns",
    [pd.Index(["a", "b"]), np.array(["a", "b"]), pd.Series(["a", "b"]), ("a", "b"), iter(["a", "b"])],
    ids=lambda each: type(each).__name__,
)
def test_columns_may_come_as_pandas_has_them(columns):
    assert statistics_options(stat_columns=columns) == {"columns": ["a", "b"]}


def test_no_columns_are_all_of_them():
    assert statistics_options(stat_columns=pd.DataFrame().columns) is None
