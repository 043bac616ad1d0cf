"""Labels: what of them is sent, and how features come to stand beside them. tests/contract/test_point_in_time.py has the rest."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from hops.featurestore.errors import (
    AnswerCutError,
    FeatureGroupNotFoundError,
    FeatureNotFoundError,
    FrameConversionError,
    InferJoinKeyError,
    InvalidInputError,
    LabelsInvalidError,
)
from hops.featurestore.expressions import Join
from hops.featurestore.metadata import FeatureGroup
from hops.featurestore.reader import RowReader
from tests.cloud_sdk.gateway import arrow_reply, json_reply, problem

QUERIES = "/projects/football/queries"
FRAME = pd.DataFrame(
    {
        "team_id": [2, 1, 1],
        "at": pd.to_datetime(["2026-01-02", "2026-01-01", None], utc=True),
        "won": [True, False, True],
    },
    index=pd.Index([30, 10, 30]),
)
TABLE = pa.Table.from_pandas(FRAME, preserve_index=False).replace_schema_metadata(None)
FEATURES = pa.table({"budget": [2.0, 1.0, None], "rank": pa.array([7, 8, None], pa.int64())})
WHOLE = pa.table([*TABLE.columns, *FEATURES.columns], names=[*TABLE.column_names, *FEATURES.column_names])
ASKED = ["budget", "rank"]


@pytest.fixture
def gateway(sdk_gateway):
    """Needs a key and a time of the labels, and answers two features."""
    sdk_gateway.on(
        "POST", f"{QUERIES}/explain", json_reply({"sql": "SELECT 1", "labels": {"columns": ["team_id", "at"]}})
    )
    sdk_gateway.on("POST", QUERIES, arrow_reply(FEATURES))
    return sdk_gateway


def test_of_a_frame_only_names_and_then_only_keys_and_times_are_sent(fs, gateway):
    fs.get_features(ASKED, spine=FRAME, event_time="at", as_known=True)
    explained, asked = gateway.asked[-2:]
    assert (explained.path, explained.table.num_rows) == (f"/api/v1{QUERIES}/explain", 0)
    assert explained.table.schema.names == ["team_id", "at", "won"]
    assert explained.command == {"features": ASKED, "as_known": True, "labels": {"event_time": "at"}}
    assert asked.table.to_pydict() == TABLE.select(["team_id", "at"]).to_pydict()
    assert asked.command == {"features": ASKED, "as_known": True, "labels": {"given_back": [], "event_time": "at"}}
    for each in (explained, asked):
        each.assert_intact()
        assert "Idempotency-Key" not in each.headers, "nothing is changed"


def test_pandas_labels_stay_what_they_are(fs, gateway):
    before = FRAME.copy()
    answer = fs.get_features(ASKED, spine=FRAME, event_time="at")
    assert list(answer.columns) == ["team_id", "at", "won", "budget", "rank"]
    pd.testing.assert_frame_equal(answer[list(FRAME.columns)], FRAME)
    assert answer["budget"].tolist()[:2] == [2.0, 1.0]
    assert str(answer["rank"].dtype) == "Int64"
    pd.testing.assert_frame_equal(FRAME, before)


def test_columns_of_any_type_stay_where_they_are(fs, gateway):
    odd = FRAME.assign(
        category=pd.Categorical([3, 1, 3]),
        word=pd.Categorical(["b", "a", "b"], ordered=True),
        took=pd.to_timedelta([1, 2, 3], unit="s"),
        naive=pd.to_datetime(["2026-01-01", "2026-01-02", None]),
        mixed=[1, "two", {3}],
        period=pd.period_range("2026-01", periods=3, freq="M"),
        many=[[1], [], None],
    )
    odd[5] = "a column whose name is a number"
    answer = fs.get_features(ASKED, spine=odd, event_time="at")
    pd.testing.assert_frame_equal(answer[list(odd.columns)], odd)
    assert gateway.last().table.column_names == ["team_id", "at"]
    named = odd.set_index("team_id")
    answer = fs.get_features(ASKED, spine=named, event_time="at")
    pd.testing.assert_frame_equal(answer[list(named.columns)], named)


def test_a_column_that_cannot_be_sent_is_named_where_it_is_missed(fs, gateway):
    broken = FRAME.assign(team_id=[1, "two", {3}])
    gateway.on("POST", f"{QUERIES}/explain", problem(422, "join-key-not-found"))
    with pytest.raises(FrameConversionError, match="Column 'team_id' cannot be converted"):
        fs.get_features(ASKED, spine=broken, event_time="at")
    for other in ({"as_": "pyarrow"}, {"spine": {"team_id": [1, "two", {3}]}}):
        with pytest.raises(FrameConversionError, match="Column 'team_id' cannot be converted"):
            fs.get_features(ASKED, **{"spine": broken, "event_time": "at", **other})


def test_a_column_that_cannot_be_sent_may_not_be_called_like_a_feature(fs, gateway):
    broken = FRAME.assign(budget=[1, "two", {3}])
    with pytest.raises(InvalidInputError, match="two columns 'budget'") as refused:
        fs.get_features(ASKED, spine=broken, event_time="at")
    assert "prefix" in refused.value.hint


def test_an_index_and_a_column_of_one_name_are_not_told_apart(fs, gateway):
    twice = FRAME.assign(mixed=[1, "two", {3}]).set_index(pd.Index([1, 2, 3], name="team_id"))
    with pytest.raises(FrameConversionError, match="name of an index level and of a column"):
        fs.get_features(ASKED, spine=twice, event_time="at")


def test_a_named_index_is_a_column_to_the_gateway(fs, gateway):
    named = FRAME.set_index("team_id")
    answer = fs.get_features(ASKED, spine=named, event_time="at")
    assert gateway.last().table.column_names == ["team_id", "at"]
    assert gateway.last().table["team_id"].to_pylist() == [2, 1, 1]
    pd.testing.assert_frame_equal(answer[list(named.columns)], named)
    assert list(answer.columns) == ["at", "won", *ASKED]
    levels = FRAME.set_index(["team_id", "at"])
    answer = fs.get_features(ASKED, spine=levels, event_time="at")
    pd.testing.assert_index_equal(answer.index, levels.index)


@pytest.mark.parametrize(
    "spine",
    [TABLE, TABLE.to_pydict(), TABLE.to_pylist(), pl.from_arrow(TABLE), TABLE.combine_chunks().to_batches()[0]],
    ids=["pyarrow", "dict", "rows", "polars", "batch"],
)
@pytest.mark.parametrize("container", ["pandas", "polars", "pyarrow", "numpy", "reader"])
def test_other_frames_become_what_is_asked_for(fs, gateway, spine, container):
    answer = fs.get_features(ASKED, spine=spine, event_time="at", as_=container)
    assert gateway.last().table.column_names == ["team_id", "at"]
    if container == "reader":
        with answer:
            answer = answer.read_all()
    if container == "numpy":
        assert answer.shape == (3, 5)
    else:
        assert list(getattr(answer, "column_names", None) or answer.columns) == WHOLE.column_names
    if container == "pyarrow":
        assert answer.to_pylist() == WHOLE.to_pylist()


def test_a_reader_is_the_same_kind_of_reader_for_all_labels(fs, gateway):
    with fs.get_features(ASKED, spine=FRAME, event_time="at", as_="reader") as rows:
        assert isinstance(rows, RowReader)
        assert rows.schema.names == WHOLE.column_names
        assert pl.DataFrame(rows).shape == (3, 5)
    assert rows.closed
    assert rows._source.table().num_rows == 0


def test_an_asked_key_comes_back_once(fs, gateway):
    gateway.on("POST", QUERIES, arrow_reply(pa.table({"team_id": [2, 1, 1], "budget": [2.0, 1.0, None]})))
    answer = fs.get_features(["team_id", "budget"], spine=FRAME, event_time="at")
    assert list(answer.columns) == ["team_id", "at", "won", "budget"]


def test_labels_that_need_nothing_are_counted_all_the_same(fs, gateway):
    gateway.on("POST", f"{QUERIES}/explain", json_reply({"sql": "", "labels": {"columns": []}}))
    fs.get_features(ASKED, spine=FRAME)
    assert (gateway.last().table.column_names, gateway.last().table.num_rows) == (["team_id"], 3)


@pytest.mark.parametrize("rows", [2, 4])
def test_as_many_rows_as_labels_or_none(fs, gateway, rows):
    gateway.on("POST", QUERIES, arrow_reply(pa.table({"budget": [1.0] * rows})))
    with pytest.raises(AnswerCutError, match=f"{rows} rows came back for 3 labels; none are returned"):
        fs.get_features(ASKED, spine=FRAME, event_time="at")


def test_a_refusal_is_told_before_rows_are_sent(fs, gateway):
    refusal = problem(
        422, "labels-invalid", "The labels' event time 'at' has no time zone, so that it names no moment."
    )
    gateway.on("POST", f"{QUERIES}/explain", refusal)
    with pytest.raises(LabelsInvalidError, match="names no moment"):
        fs.get_features(ASKED, spine=FRAME, event_time="at")
    assert gateway.last().path == f"/api/v1{QUERIES}/explain"


class TestGroups:
    @pytest.mark.parametrize(
        "spine",
        [
            "football_featurestore.results_2",
            FeatureGroup(
                name="results", version=2, project="football", featurestore="football_featurestore", features=()
            ),
        ],
    )
    def test_are_named_and_nothing_is_sent(self, fs, gateway, spine):
        gateway.on("POST", QUERIES, arrow_reply(WHOLE))
        assert fs.get_features(ASKED, spine=spine, event_time="at", as_="pyarrow").equals(WHOLE)
        asked = {
            "features": ASKED,
            "labels": {"feature_group": "football_featurestore.results_2", "event_time": "at"},
        }
        assert gateway.last().json == asked
        fs.explain(ASKED, spine=spine, event_time="at")
        assert gateway.last().json == asked

    def test_have_an_event_time_of_their_own(self, fs, gateway):
        fs.get_features(ASKED, spine="results")
        assert gateway.last().json["labels"] == {"feature_group": "results"}


class TestLabelsLargerThanMemory:
    @pytest.fixture(autouse=True)
    def _answered_whole(self, gateway):
        gateway.on("POST", QUERIES, arrow_reply(WHOLE))

    def _assert_sent_whole(self, gateway):
        assert gateway.count("POST", f"{QUERIES}/explain") == 0
        gateway.last().assert_intact()
        assert gateway.last().table.select(TABLE.column_names).to_pylist() == TABLE.to_pylist()
        assert gateway.last().command == {"features": ASKED, "labels": {"event_time": "at"}}

    def test_as_a_stream(self, fs, gateway):
        reader = pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches(max_chunksize=1))
        answer = fs.get_features(ASKED, spine=reader, event_time="at", as_="pyarrow")
        assert answer.equals(WHOLE)
        self._assert_sent_whole(gateway)

    def test_as_what_another_call_reads(self, fs, gateway):
        gateway.on("GET", "/projects/football/feature-groups/results/versions/1/rows", arrow_reply(TABLE))
        with (
            fs.get_featuregroup("results", as_="reader") as reader,
            fs.get_features(ASKED, spine=reader, event_time="at", as_="reader") as answer,
        ):
            assert answer.read_all().equals(WHOLE)
        self._assert_sent_whole(gateway)

    @pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather", ".csv"])
    def test_as_a_file(self, fs, gateway, tmp_path, suffix):
        path = tmp_path / f"labels{suffix}"
        if suffix == ".parquet":
            pq.write_table(TABLE, path, row_group_size=2)
        elif suffix == ".csv":
            TABLE.to_pandas().to_csv(path, index=False)
        else:
            pyarrow.feather.write_feather(TABLE, path)
        assert fs.get_features(ASKED, spine=path, event_time="at", as_="pyarrow").equals(WHOLE)
        self._assert_sent_whole(gateway)
        fs.explain(ASKED, spine=path, event_time="at")
        assert (gateway.last().table.num_rows, gateway.last().table.column_names) == (0, TABLE.column_names)

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("labels.parquet", b"no parquet", "labels.parquet"),
            ("labels.arrow", b"no arrow", "labels.arrow"),
            ("labels.csv", b"", "mpty"),
            ("labels.csv", b"team_id,at\n1,2\n1\n", "Expected 2 columns, got 1"),
            ("late.csv", b"team_id,at\n" + b"1,2\n" * 600_000 + b"one,2\n", "'one'"),
        ],
    )
    def test_files_that_cannot_be_read_are_refused(self, fs, gateway, tmp_path, name, content, said):
        (tmp_path / name).write_bytes(content)
        asked = len(gateway.asked)
        with pytest.raises(InvalidInputError, match=f"The labels '{name}' cannot be read") as refused:
            fs.get_features(ASKED, spine=tmp_path / name, event_time="at")
        assert said in refused.value.detail
        assert ("pandas.read_csv" if name.endswith("csv") else "complete") in refused.value.hint
        assert len(gateway.asked) == asked

    def test_a_parquet_that_is_damaged_in_the_middle_is_refused(self, fs, tmp_path):
        path = tmp_path / "labels.parquet"
        pq.write_table(pa.table({"team_id": list(range(100_000))}), path, use_dictionary=False)
        whole = bytearray(path.read_bytes())
        whole[4:2000] = b"\xff" * 1996
        path.write_bytes(whole)
        with pytest.raises(InvalidInputError, match="cannot be read"):
            fs.get_features(ASKED, spine=path, event_time="at")

    def test_files_that_there_are_not(self, fs, tmp_path):
        for call in (fs.get_features, fs.explain):
            with pytest.raises(InvalidInputError, match=r"There is no file '.*nope\.parquet'") as refused:
                call(ASKED, spine=tmp_path / "nope.parquet", event_time="at")
            assert str(Path.cwd()) in refused.value.hint

    def test_files_of_other_kinds_are_refused(self, fs, tmp_path):
        with pytest.raises(InvalidInputError, match=r"'labels\.xlsx' is no file of labels") as refused:
            fs.get_features(ASKED, spine=tmp_path / "labels.xlsx", event_time="at")
        assert ".parquet" in refused.value.candidates


MOMENT, NAIVE = datetime(2026, 1, 4, tzinfo=UTC), datetime(2026, 1, 3, 23, 59)  # noqa: DTZ001 that is the point


class TestTimesWithoutZone:
    @pytest.mark.parametrize("times", [[MOMENT, NAIVE], [NAIVE, MOMENT], [None, MOMENT, pd.NaT, pd.Timestamp(NAIVE)]])
    def test_are_not_read_as_utc_because_others_have_one(self, fs, gateway, times):
        columns = {"team_id": [1] * len(times), "at": times}
        frame = pd.DataFrame({**columns, "at": pd.Series(times, dtype=object)})
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        asked = len(gateway.asked)
        for spine in (frame, frame.set_index("at"), columns, rows, {**columns, "at": np.array(times, dtype=object)}):
            for call in (fs.get_features, fs.explain):
                with pytest.raises(InvalidInputError, match="event time 'at' has no time zone in some rows") as refused:
                    call(ASKED, spine=spine, event_time="at")
                assert "tzinfo" in refused.value.hint
        assert len(gateway.asked) == asked

    def test_are_nobodys_business_in_other_columns(self, fs, gateway):
        times = pd.Series([MOMENT, NAIVE, None], dtype=object)
        fs.get_features(ASKED, spine=FRAME.assign(seen=times.tolist()), event_time="at")
        assert gateway.last().table.column_names == ["team_id", "at"]

    def test_all_of_them_are_the_gateways_to_refuse(self, fs, gateway):
        fs.get_features(ASKED, spine={"team_id": [1, 2, 3], "at": [NAIVE, None, NAIVE]}, event_time="at")
        assert gateway.last().table.schema.field("at").type == pa.timestamp("us")

    def test_of_one_kind_are_sent(self, fs, gateway):
        other = datetime(2026, 1, 4, tzinfo=timezone(timedelta(hours=2)))
        fs.get_features(ASKED, spine={"team_id": [1, 2, 3], "at": [MOMENT, pd.NaT, other]}, event_time="at")
        assert gateway.last().table["at"].to_pylist() == [MOMENT, None, other]


class TestDurations:
    WEEKS = pa.table({"team_id": [1, 2, 3], "at": [1, 2, 3]})

    @pytest.mark.parametrize(
        "how",
        [{"lookback": timedelta(1)}, {"lookback": {"g": timedelta(1)}}, {"joins": {"g": {"lookback": timedelta(1)}}}],
    )
    def test_are_no_number_of_units(self, fs, gateway, tmp_path, how):
        pq.write_table(self.WEEKS, tmp_path / "labels.parquet")
        asked = len(gateway.asked)
        for spine in (self.WEEKS, self.WEEKS.to_pandas(), self.WEEKS.to_reader(), tmp_path / "labels.parquet"):
            for call in (fs.get_features, fs.explain):
                with pytest.raises(
                    InvalidInputError, match="'at' is a whole number, and how many of its units"
                ) as refused:
                    call(ASKED, spine=spine, event_time="at", **how)
                assert "a number" in refused.value.hint
        assert len(gateway.asked) == asked

    def test_of_moments_and_numbers_of_units_are_sent(self, fs, gateway):
        fs.get_features(ASKED, spine=self.WEEKS, event_time="at", lookback=5)
        assert gateway.last().command["lookback"] == 5
        fs.get_features(ASKED, spine=FRAME, event_time="at", lookback=timedelta(microseconds=5))
        assert gateway.last().command["lookback"] == 5


class TestInnerJoins:
    @pytest.mark.parametrize("how", [{"join_type": "inner"}, {"joins": {"g": Join(how="inner")}}])
    def test_drop_no_labels(self, fs, gateway, how):
        asked = len(gateway.asked)
        for spine in (FRAME, "results", Path("labels.parquet")):
            for call in (fs.get_features, fs.explain):
                with pytest.raises(InvalidInputError, match="never inner") as refused:
                    call(ASKED, spine=spine, **how)
                assert "dropna" in refused.value.hint
        assert len(gateway.asked) == asked
        fs.get_features(ASKED, spine=FRAME, event_time="at", join_type="left")
        gateway.on("POST", QUERIES, arrow_reply(WHOLE))
        fs.get_features(ASKED, **how)
        assert gateway.last().json == {
            "features": ASKED,
            **({"joins": {"g": {"how": "inner"}}} if "joins" in how else how),
        }


class TestHints:
    def test_a_text_that_is_a_path(self, fs, gateway):
        missing = problem(
            404, "feature-group-not-found", "There is no feature group 'l.parquet' that this key can read."
        )
        for path in (QUERIES, f"{QUERIES}/explain"):
            gateway.on("POST", path, missing)
        for call in (fs.get_features, fs.explain):
            with pytest.raises(FeatureGroupNotFoundError) as refused:
                call(ASKED, spine="l.parquet", event_time="at")
            assert 'pathlib.Path("l.parquet")' in refused.value.hint
            with pytest.raises(FeatureGroupNotFoundError) as refused:
                call(ASKED, spine="football_featurestore.results", event_time="at")
            assert refused.value.hint is None

    @pytest.mark.parametrize(("ids", "helped"), [([1, None, 3], True), ([1.5, None, 3], False)])
    def test_whole_numbers_with_gaps_are_floats_in_pandas(self, fs, gateway, ids, helped):
        detail = "The labels' 'team_id' is a double, teams_1's 'team_id' a bigint: they would never be equal."
        hint = "Make 'team_id' a bigint first."
        gateway.on("POST", f"{QUERIES}/explain", problem(422, "join-key-not-found", detail, hint=hint))
        spine = FRAME.assign(team_id=ids)
        for call in (fs.get_features, fs.explain):
            with pytest.raises(InferJoinKeyError) as refused:
                call(ASKED, spine=spine, event_time="at")
            assert ('labels["team_id"].astype("Int64")' in refused.value.hint) == helped
            with pytest.raises(InferJoinKeyError) as refused:
                call(ASKED, spine=pa.Table.from_pandas(spine), event_time="at")
            assert refused.value.hint == hint


class TestExplaining:
    def test_sends_no_row(self, fs, gateway):
        for spine in (FRAME, TABLE, pl.from_arrow(TABLE), TABLE.to_reader()):
            explained = fs.explain(ASKED, spine=spine, event_time="at", lookback=5)
            assert explained.labels == {"columns": ["team_id", "at"]}
            assert (gateway.last().table.num_rows, gateway.last().table.column_names) == (0, TABLE.column_names)
            assert gateway.last().command == {"features": ASKED, "lookback": 5, "labels": {"event_time": "at"}}

    @pytest.mark.usefixtures("gateway")
    def test_takes_no_row_from_a_stream(self, fs):
        reader = TABLE.to_reader()
        fs.explain(ASKED, spine=reader, event_time="at")
        assert reader.read_all().num_rows == 3


class TestWrongArguments:
    @pytest.mark.parametrize("spine", [5, [1, 2], [], object(), b"labels"])
    def test_what_is_no_labels(self, fs, gateway, spine):
        asked = len(gateway.asked)
        with pytest.raises(FrameConversionError, match="cannot be labels"):
            fs.get_features(ASKED, spine=spine, event_time="at")
        with pytest.raises(FrameConversionError):
            fs.explain(ASKED, spine=spine, event_time="at")
        assert len(gateway.asked) == asked

    @pytest.mark.parametrize(
        ("spine", "said"),
        [
            ([], "An empty list, which names no column,"),
            ([1, 2], "A list of int"),
            ([{"a": 1}, None], "A list of NoneType"),
        ],
    )
    def test_lists_are_of_rows(self, fs, spine, said):
        with pytest.raises(FrameConversionError, match=said) as refused:
            fs.get_features(ASKED, spine=spine, event_time="at")
        assert "each a dict" in refused.value.hint

    def test_a_time_of_no_labels(self, fs):
        for function in (fs.get_features, fs.explain):
            with pytest.raises(InvalidInputError, match="event_time= is about labels") as refused:
                function(ASKED, event_time="at")
            assert "spine=" in refused.value.hint

    def test_columns_of_one_name(self, fs):
        with pytest.raises(FrameConversionError, match="more than one column named 'a'"):
            fs.get_features(ASKED, spine=pa.table([[1], [2]], names=["a", "a"]))

    def test_what_the_gateway_does_not_know(self, fs, gateway):
        gateway.on("POST", QUERIES, problem(404, "feature-not-found", candidates=["budget"]))
        with pytest.raises(FeatureNotFoundError) as refused:
            fs.get_features(["budgit"], spine="results")
        assert refused.value.candidates == ("budget",)
