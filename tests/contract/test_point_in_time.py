"""Labels of every kind get their features from a gateway on a socket: the same rows, whichever way they came."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from hops.featurestore.connection import Connection
from hops.featurestore.errors import FrameConversionError, InferJoinKeyError, InvalidInputError, LabelsInvalidError
from hops.featurestore.expressions import Join
from infra.storage.location import parse_warehouse
from tests.world import listening, make_world

FEATURES = ["budget", "shirt"]
EXPECTED = {"budget": [2.0, None, 4.0, None, None], "shirt": ["blue", "red", "red", None, "red"]}


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, number, hour, tzinfo=UTC)


LABELS = pa.table(
    {
        "team_id": [2, 1, 1, 9, 1],
        "at": pa.array([day(5), day(1, 23), day(9), day(9), None], pa.timestamp("us", "UTC")),
        "won": [True, False, True, False, True],
    }
)


@pytest.fixture(scope="module")
def football(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Three commits of budgets, a group of two keys, colours of a project that shares them, and labels."""
    directory = tmp_path_factory.mktemp("point_in_time")
    with listening(make_world(directory / "data", None, parse_warehouse(str(directory / "warehouse")))) as world:
        world.projects("football", "venues")
        own, venues = world.connect("football"), world.connect("venues")
        budgets = pd.DataFrame({"team_id": [1, 1, 2], "updated": [day(2), day(4), day(4)], "budget": [1.0, 3.0, 2.0]})
        own.create_featuregroup(budgets, "budgets", "team_id", event_time="updated")
        # The same moment again: of two rows of one time the one written last counts.
        again = pd.DataFrame({"team_id": [1, 2], "updated": [day(4), day(6)], "budget": [4.0, 5.0]})
        own.insert_into_featuregroup(again, "budgets")
        seasons = {"team": ["1", "1", "2"], "season": [1, 2, 1], "rank": [10, 20, 30]}
        own.create_featuregroup(seasons, "seasons", ["team", "season"])
        ticks = {"team_id": [1, 1, 2], "tick": [5, 9, 7], "price": [0.5, 0.9, 0.7]}
        own.create_featuregroup(ticks, "ticks", "team_id", event_time="tick")
        results = LABELS.append_column("match_id", pa.array(range(5)))
        own.create_featuregroup(results, "results", "match_id", event_time="at")
        venues.create_featuregroup({"team_id": [1, 2], "shirt": ["red", "blue"]}, "colours", "team_id")
        world.share("venues", "football")
        yield own
        own.close()
        venues.close()


def parquet(folder: Path) -> Path:
    pq.write_table(LABELS, folder / "labels.parquet", row_group_size=2)
    return folder / "labels.parquet"


def arrow(folder: Path) -> Path:
    pyarrow.feather.write_feather(LABELS, folder / "labels.arrow")
    return folder / "labels.arrow"


def csv(folder: Path) -> Path:
    LABELS.to_pandas().to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


SPINES: dict[str, Callable[[Path], Any]] = {
    "pandas": lambda _: LABELS.to_pandas(),
    "pandas of nanoseconds": lambda _: LABELS.to_pandas().astype({"at": "datetime64[ns, Europe/Berlin]"}),
    "pandas with a key as index": lambda _: LABELS.to_pandas().set_index("team_id"),
    "pandas of pyarrow types": lambda _: LABELS.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda _: pl.from_arrow(LABELS),
    "pyarrow": lambda _: LABELS,
    "dict": lambda _: LABELS.to_pydict(),
    "rows": lambda _: LABELS.to_pylist(),
    "stream": lambda _: pa.RecordBatchReader.from_batches(LABELS.schema, LABELS.to_batches(max_chunksize=2)),
    "parquet": parquet,
    "arrow": arrow,
    "csv": csv,
}


@pytest.mark.parametrize("kind", SPINES)
def test_every_label_gets_its_features(football: Connection, tmp_path: Path, kind: str) -> None:
    spine = SPINES[kind](tmp_path)
    answer = football.get_features(FEATURES, spine=spine, event_time="at", as_="pyarrow")
    assert sorted(answer.column_names) == sorted(["team_id", "at", "won", *FEATURES])
    assert answer.select(FEATURES).to_pydict() == EXPECTED
    assert answer["won"].to_pylist() == LABELS["won"].to_pylist()


@pytest.mark.parametrize("spine", ["results", "football_featurestore.results_1", "object"])
def test_labels_may_be_a_feature_group(football: Connection, spine: str) -> None:
    labels: Any = football.get_featuregroup_metadata("results") if spine == "object" else spine
    answer = football.get_features(FEATURES, spine=labels, as_="pyarrow").sort_by("match_id")
    assert answer.select(FEATURES).to_pydict() == EXPECTED
    assert set(answer.column_names) == {*LABELS.column_names, "match_id", *FEATURES}


@pytest.mark.parametrize("kind", ["pandas", "polars", "stream", "parquet", "results"])
def test_a_training_dataset_of_labels_is_what_get_features_answers(
    football: Connection, tmp_path: Path, kind: str
) -> None:
    name = kind.replace(" ", "_")
    spine, event_time = (kind, None) if kind == "results" else (SPINES[kind](tmp_path), "at")
    shares = {"train": 0.5, "test": 0.5}
    football.create_training_dataset(
        name, FEATURES, spine=spine, event_time=event_time, splits=shares, split_by="team_id", overwrite=True
    )
    parts = [football.get_training_dataset(name, as_="pyarrow", split=split) for split in shares]
    teams = [set(part["team_id"].to_pylist()) for part in parts]
    assert teams[0].isdisjoint(teams[1])
    order = [("at", "ascending"), ("team_id", "ascending")]
    kept = pa.concat_tables(parts).sort_by(order)
    expected = LABELS
    for feature in FEATURES:
        expected = expected.append_column(feature, pa.array(EXPECTED[feature]))
    assert kept.select(expected.column_names).to_pydict() == expected.sort_by(order).to_pydict()


def test_labels_may_be_what_is_being_read(football: Connection) -> None:
    with football.get_featuregroup("results", as_="reader") as results:
        answer = football.get_features(FEATURES, spine=results, event_time="at", as_="reader")
        with answer:
            assert answer.read_all().sort_by("match_id").select(FEATURES).to_pydict() == EXPECTED


def test_a_pandas_frame_comes_back_as_it_is_with_features_beside_it(football: Connection) -> None:
    spine = LABELS.to_pandas().assign(
        category=pd.Categorical(["a", "b", "a", "b", None]),
        took=pd.to_timedelta([1, 2, 3, 4, 5], unit="m"),
        naive=pd.date_range("2026-01-01", periods=5),
        local=pd.date_range("2026-01-01", periods=5, tz="Europe/Berlin"),
        mixed=[1, "two", {3}, None, object],
    )
    spine.index = pd.Index([7, 7, 3, 1, 2], name=None)
    answer = football.get_features(FEATURES, spine=spine, event_time="at")
    pd.testing.assert_frame_equal(answer[list(spine.columns)], spine)
    assert [None if pd.isna(shirt) else shirt for shirt in answer["shirt"]] == EXPECTED["shirt"]
    assert list(answer.columns) == [*spine.columns, *FEATURES]


def test_many_labels_keep_their_order(football: Connection) -> None:
    count = 150_000
    spine = pd.DataFrame({"n": range(count), "team_id": [n % 3 for n in range(count)], "at": day(9)})
    spine = spine.sample(frac=1.0, random_state=1)
    answer = football.get_features(["budget"], spine=spine, event_time="at")
    assert answer["n"].tolist() == spine["n"].tolist()
    expected = spine["team_id"].map({1: 4.0, 2: 5.0})
    pd.testing.assert_series_equal(answer["budget"], expected, check_names=False)


def test_no_labels_give_no_rows(football: Connection) -> None:
    for spine in (LABELS.slice(0, 0), LABELS.slice(0, 0).to_pandas()):
        answer = football.get_features(FEATURES, spine=spine, event_time="at")
        assert (len(answer), list(answer.columns)) == (0, [*LABELS.column_names, *FEATURES])


class TestLookback:
    @pytest.mark.parametrize(
        "options",
        [
            {"lookback": timedelta(days=1)},
            {"lookback": 86_400_000_000},
            {"lookback": {"budgets": timedelta(days=1)}},
            {"joins": {"budgets": Join(lookback=timedelta(days=1))}},
            {"joins": {"budgets_1": {"lookback": 86_400_000_000}}, "lookback": timedelta(0)},
        ],
    )
    def test_leaves_out_what_is_older(self, football: Connection, options: dict[str, Any]) -> None:
        answer = football.get_features(FEATURES, spine=LABELS, event_time="at", as_="pyarrow", **options)
        assert answer["budget"].to_pylist() == [2.0, None, None, None, None]
        assert answer["shirt"].to_pylist() == EXPECTED["shirt"], "a group without event time has no age"

    def test_is_counted_in_the_unit_of_the_times(self, football: Connection) -> None:
        spine = {"team_id": [1, 1, 1, 2], "tick": [4, 8, 12, 12]}
        for lookback, expected in (
            (None, [None, 0.5, 0.9, 0.7]),
            (3, [None, 0.5, 0.9, None]),
            (2, [None, None, None, None]),
        ):
            answer = football.get_features(["price"], spine=spine, event_time="tick", lookback=lookback, as_="pyarrow")
            assert answer["price"].to_pylist() == expected

    def test_is_in_the_explanation(self, football: Connection) -> None:
        told = football.explain(FEATURES, spine=LABELS, event_time="at", lookback=timedelta(hours=36))
        assert "not older than 1 day 12 hours" in repr(told)
        assert [group["lookback"] for group in told.groups] == [129_600_000_000, None]


class TestJoins:
    SPINE = pa.table({"home": ["1", "2", "1"], "year": [2, 1, 3], "rank": [0, 0, 0]})

    @pytest.mark.parametrize(
        "join",
        [
            Join(left_on=["home", "year"], right_on=["team", "season"], prefix="home_"),
            {"left_on": ("home", "year"), "right_on": ("team", "season"), "prefix": "home_"},
        ],
    )
    def test_with_other_names_and_a_prefix(self, football: Connection, join: Any) -> None:
        answer = football.get_features(["rank"], spine=self.SPINE, joins={"seasons": join}, as_="pyarrow")
        assert answer.to_pydict() == {**self.SPINE.to_pydict(), "home_rank": [20, 30, None]}

    def test_without_a_prefix_names_collide(self, football: Connection) -> None:
        joins = {"seasons": Join(["home", "year"], ["team", "season"])}
        for function in (football.get_features, football.explain):
            with pytest.raises(InvalidInputError) as refused:
                function(["rank"], spine=self.SPINE, joins=joins)
            assert "two columns 'rank': of the labels and of football_featurestore.seasons_1" in refused.value.detail
            assert refused.value.hint == 'Give one of them a prefix: joins={"seasons": {"prefix": "seasons_"}}.'

    def test_keys_that_are_missing_or_of_another_type(self, football: Connection) -> None:
        with pytest.raises(InferJoinKeyError, match="the labels have no column 'season'"):
            football.get_features(["rank"], spine={"team": ["1"], "year": [1]})
        with pytest.raises(InferJoinKeyError, match=r"'team' is a bigint, .* a string"):
            football.get_features(["rank"], spine={"team": [1], "season": [1]})

    def test_between_groups(self, football: Connection) -> None:
        joins = {"budgets": Join(left_on="team_id", right_on="team_id", how="left")}
        answer = football.get_features(["shirt", "budget"], joins=joins, as_="pyarrow")
        assert sorted(answer.to_pydict()["shirt"]) == ["blue", "blue", "red", "red", "red"]


def test_requested_keys_are_the_labels_own(football: Connection) -> None:
    answer = football.get_features(["season", "team_id", "shirt"], spine={"team_id": [2], "season": [7]}, as_="pyarrow")
    assert answer.to_pydict() == {"team_id": [2], "season": [7], "shirt": ["blue"]}


class TestTimes:
    def test_without_zone_are_refused_with_what_to_do(self, football: Connection) -> None:
        spine = LABELS.to_pandas()
        spine["at"] = spine["at"].dt.tz_localize(None)
        for function in (football.get_features, football.explain):
            with pytest.raises(LabelsInvalidError) as refused:
                function(FEATURES, spine=spine, event_time="at")
            assert 'labels["at"].dt.tz_localize("UTC")' in (refused.value.hint or "")
        spine["at"] = spine["at"].dt.tz_localize("UTC")
        football.get_features(FEATURES, spine=spine, event_time="at")

    def test_that_are_texts_are_refused_with_what_to_do(self, football: Connection) -> None:
        with pytest.raises(LabelsInvalidError, match="event time 'at' is a string") as refused:
            football.get_features(FEATURES, spine={"team_id": [1], "at": ["2026-01-05"]}, event_time="at")
        assert "pd.to_datetime" in (refused.value.hint or "")

    def test_that_are_not_named_are_missed(self, football: Connection) -> None:
        with pytest.raises(LabelsInvalidError, match="the labels name none to compare it with"):
            football.get_features(FEATURES, spine=LABELS)

    def test_of_another_zone_are_the_same_moments(self, football: Connection) -> None:
        spine = LABELS.to_pandas()
        spine["at"] = spine["at"].dt.tz_convert("America/New_York")
        answer = football.get_features(FEATURES, spine=spine, event_time="at")
        pd.testing.assert_frame_equal(answer[list(spine.columns)], spine)
        assert answer["budget"].tolist()[:1] == [2.0]

    def test_that_are_dates_are_midnights(self, football: Connection) -> None:
        spine = {"team_id": [1, 1], "at": [day(4).date(), day(3).date()]}
        answer = football.get_features(["budget"], spine=spine, event_time="at", as_="pyarrow")
        assert answer["budget"].to_pylist() == [4.0, 1.0]


def test_what_was_not_known_yet(football: Connection) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    spine = {"team_id": [1, 1], "at": [day(9), later]}
    answer = football.get_features(FEATURES, spine=spine, event_time="at", as_known=True, as_="pyarrow")
    assert answer.select(FEATURES).to_pylist() == [{"budget": None, "shirt": None}, {"budget": 4.0, "shirt": "red"}]


def test_earlier_states_of_one_group(football: Connection) -> None:
    answer = football.get_features(FEATURES, spine=LABELS, event_time="at", as_of={"budgets": 0}, as_="pyarrow")
    assert answer["budget"].to_pylist() == [2.0, None, 3.0, None, None]


def test_what_is_no_spine(football: Connection) -> None:
    with pytest.raises(FrameConversionError, match="int cannot be labels"):
        football.get_features(FEATURES, spine=5, event_time="at")
