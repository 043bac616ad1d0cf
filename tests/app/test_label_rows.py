"""Frames as labels: read whole, numbered, their times exact."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.featurestore.feature_groups.frames import (
    ARROW_STREAM,
    PARQUET,
    BodyTruncatedError,
    Frame,
    FrameTooLargeError,
    RowCountMismatchError,
    Upload,
)
from app.featurestore.query.errors import LabelsInvalidError
from app.featurestore.query.expression import FeatureExpression, LabelsSpec
from app.featurestore.query.label_rows import LabelRows, with_columns_of
from app.featurestore.query.plans import Labels
from app.featurestore.query.pruning import NO_TIMES, TimeBounds
from infra.ports.engine import WRITE_ORDER
from tests.frames import arrow_bytes

FrameOf = Callable[..., Frame]
DAY = 86_400_000_000


@pytest.fixture
def frame_of(tmp_path: Path) -> FrameOf:
    def make(
        table: pa.Table, *, rows: int | None = None, limit: int = 10**6, cut: int = 0, parquet: bool = False
    ) -> Frame:
        path = tmp_path / "frame"
        if parquet:
            pq.write_table(table, path)
        else:
            body = arrow_bytes(table)
            path.write_bytes(body[: len(body) - cut])
        counted = table.num_rows if rows is None else rows
        return Frame(Upload(path, PARQUET if parquet else ARROW_STREAM, counted, limit))

    return make


def times(*moments: Any, kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"at": pa.array(moments, kind or pa.timestamp("us", "UTC"))})


def labels(event_time: str | None = "at", **columns: str) -> Labels:
    return Labels(columns or {"at": "timestamp"}, event_time, ())


def read(rows: LabelRows) -> list[dict[str, Any]]:
    return rows.rows.batches().read_all().to_pylist()


def test_rows_are_numbered_across_batches_each_time_they_are_read(frame_of: FrameOf) -> None:
    ids = list(range(2500))
    rows = LabelRows(frame_of(pa.table({"id": ids, "unread": ids})), labels(None, id="bigint"))
    assert rows.count == 2500
    assert rows.rows.schema == pa.schema([("id", pa.int64()), (WRITE_ORDER, pa.int64())])
    for _ in range(2):
        table = rows.rows.batches().read_all()
        assert table.to_pydict() == {"id": ids, WRITE_ORDER: ids}
    assert rows.bounds == NO_TIMES


@pytest.mark.parametrize("parquet", [False, True])
def test_bounds_are_the_first_and_the_last_time(frame_of: FrameOf, parquet: bool) -> None:
    moments = [None, datetime(1970, 1, 2, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC), None]
    rows = LabelRows(frame_of(times(*moments), parquet=parquet), labels())
    assert rows.bounds == TimeBounds(-DAY, DAY)


def test_bounds_over_several_batches(frame_of: FrameOf) -> None:
    numbers = [*range(1500, 2500), *range(1000), *[None] * 1000]
    rows = LabelRows(frame_of(times(*numbers, kind=pa.int64())), labels(at="bigint"))
    assert rows.bounds == TimeBounds(0, 2499)


@pytest.mark.parametrize("moments", [[], [None, None]])
def test_labels_without_a_time_have_no_bounds(frame_of: FrameOf, moments: list[None]) -> None:
    rows = LabelRows(frame_of(times(*moments)), labels())
    assert (rows.count, rows.bounds) == (len(moments), NO_TIMES)


def test_dates_count_from_their_midnight_in_utc(frame_of: FrameOf) -> None:
    rows = LabelRows(frame_of(times(date(1970, 1, 3), kind=pa.date32())), labels(at="date"))
    assert rows.bounds == TimeBounds(2 * DAY, 2 * DAY)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "-05:30"])
@pytest.mark.parametrize(
    ("nanoseconds", "microseconds"), [(1_999, 1), (2_000, 2), (-1, -1), (-1_000, -1), (-1_001, -2)]
)
def test_times_finer_than_a_microsecond_go_down(
    frame_of: FrameOf, zone: str, nanoseconds: int, microseconds: int
) -> None:
    """Not towards 1970: a label just before a row must not be made one just after it."""
    column = pa.array([nanoseconds], pa.timestamp("ns", zone))
    for values in (column, column.dictionary_encode()):
        rows = LabelRows(frame_of(pa.table({"at": values})), labels())
        assert rows.bounds == TimeBounds(microseconds, microseconds)
        assert rows.rows.batches().read_all()["at"].cast(pa.int64()).to_pylist() == [microseconds]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_coarser_times_stay_what_they_are(frame_of: FrameOf, unit: str) -> None:
    moment = datetime(1931, 5, 1, 12, 30, tzinfo=UTC)
    rows = LabelRows(frame_of(times(moment, kind=pa.timestamp(unit, "America/New_York"))), labels())
    assert read(rows) == [{"at": moment, WRITE_ORDER: 0}]


def test_an_hour_that_a_zone_has_twice(frame_of: FrameOf) -> None:
    both = [datetime(2025, 10, 26, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    rows = LabelRows(frame_of(times(*both, kind=pa.timestamp("ns", "Europe/Berlin"))), labels())
    assert [row["at"] for row in read(rows)] == both


def test_columns_take_the_types_that_were_planned(frame_of: FrameOf) -> None:
    table = pa.table(
        {
            "nulls": pa.nulls(2),
            "category": pa.array(["a", "b"]).dictionary_encode(),
            "small": pa.array([1, 2], pa.uint8()),
            "unread": pa.array([1, 2], pa.duration("s")),
        }
    )
    planned = labels(None, nulls="bigint", category="string", small="smallint")
    assert read(LabelRows(frame_of(table), planned)) == [
        {"nulls": None, "category": "a", "small": 1, WRITE_ORDER: 0},
        {"nulls": None, "category": "b", "small": 2, WRITE_ORDER: 1},
    ]


def test_structs_are_given_back_as_they_are_stored(frame_of: FrameOf) -> None:
    table = pa.table(
        {"place": pa.array([{"town": "a", "size": 1}], pa.struct([("town", pa.string()), ("size", pa.uint8())]))}
    )
    rows = LabelRows(frame_of(table), labels(None, place="struct<town:string,size:smallint>"))
    assert rows.rows.schema.field("place").type == pa.struct([("town", pa.string()), ("size", pa.int16())])


class TestRefusals:
    def test_a_field_whose_name_looks_like_a_type(self, frame_of: FrameOf) -> None:
        """Read as text, its struct would have two fields."""
        table = pa.table({"place": pa.array([{"a:int,b": "x"}])})
        kind = with_columns_of(frame_of(table), expression()).labels.columns["place"]
        with pytest.raises(LabelsInvalidError, match="cannot be given back"):
            LabelRows(frame_of(table), labels(None, place=kind))

    def test_a_frame_that_is_cut(self, frame_of: FrameOf) -> None:
        with pytest.raises(BodyTruncatedError):
            frame_of(times(datetime(2026, 1, 1, tzinfo=UTC)), cut=8)

    def test_rows_that_are_missing(self, frame_of: FrameOf) -> None:
        with pytest.raises(RowCountMismatchError):
            LabelRows(frame_of(times(None), rows=2), labels())

    def test_too_many_bytes(self, frame_of: FrameOf) -> None:
        with pytest.raises(FrameTooLargeError):
            LabelRows(frame_of(times(*[None] * 100), limit=500), labels())

    def test_values_that_do_not_fit(self, frame_of: FrameOf) -> None:
        with pytest.raises(LabelsInvalidError, match=r"Values of the labels' 'id' do not fit\.") as refused:
            LabelRows(frame_of(pa.table({"id": pa.array([2**63], pa.uint64())})), labels(None, id="bigint"))
        assert refused.value.errors[0]["field"] == "id"

    def test_types_that_cannot_be_given_back(self, frame_of: FrameOf) -> None:
        table = pa.table({"took": pa.array([1], pa.duration("ns"))})
        with pytest.raises(LabelsInvalidError) as refused:
            LabelRows(frame_of(table), labels(None, took="duration[ns]"))
        assert refused.value.detail == "The labels' column 'took' is a duration[ns], which cannot be given back."

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["id", "ID"], "have a column 'ID' beside 'id'"),
            (["Write Order"], "have a column 'Write Order' beside 'write order'"),
            ([WRITE_ORDER], "have a column 'write order' beside 'write order'"),
            ([""], "have a column '', which SQL cannot name"),
        ],
    )
    def test_names_that_sql_does_not_tell_apart(self, frame_of: FrameOf, names: list[str], message: str) -> None:
        table = pa.table([pa.array([1])] * len(names), names=names)
        with pytest.raises(LabelsInvalidError, match=message):
            LabelRows(frame_of(table), labels(None, **dict.fromkeys(names, "bigint")))


def expression(event_time: str | None = None, feature_group: str | None = None) -> FeatureExpression:
    return FeatureExpression(("x",), labels=LabelsSpec(event_time=event_time, feature_group=feature_group))


def test_the_columns_of_a_frame_are_those_of_the_labels(frame_of: FrameOf) -> None:
    table = pa.table(
        {
            "id": pa.array([1], pa.uint32()),
            "nothing": pa.nulls(1),
            "took": pa.array([1], pa.duration("ns")),
            "naive": pa.array([1], pa.timestamp("ns")),
            "at": pa.array([1], pa.timestamp("s", "UTC")),
        }
    )
    made = with_columns_of(frame_of(table), expression("at")).labels
    assert made == LabelsSpec(
        {"id": "bigint", "nothing": "void", "took": "duration[ns]", "naive": "timestamp", "at": "timestamp"}, "at"
    )


@pytest.mark.parametrize("encoded", [False, True])
def test_an_event_time_without_zone_is_no_moment(frame_of: FrameOf, encoded: bool) -> None:
    column = pa.array([1], pa.timestamp("us"))
    frame = frame_of(pa.table({"at": column.dictionary_encode() if encoded else column}))
    with pytest.raises(LabelsInvalidError) as refused:
        with_columns_of(frame, expression("at"))
    assert refused.value.detail == "The labels' event time 'at' has no time zone, so that it names no moment."
    assert 'labels["at"] = labels["at"].dt.tz_localize("UTC")' in (refused.value.hint or "")
    with_columns_of(frame, expression("other"))


def test_a_frame_is_the_labels_or_nothing(frame_of: FrameOf) -> None:
    frame = frame_of(times())
    with pytest.raises(LabelsInvalidError, match="nothing says that it is the labels"):
        with_columns_of(frame, FeatureExpression(("x",)))
    with pytest.raises(LabelsInvalidError, match="a frame or a feature group, not both"):
        with_columns_of(frame, expression(feature_group="results"))
