"""Files that no label can reach are not read; files that one might reach are."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.featurestore.query.pruning import NO_TIMES, TimeBounds, reachable
from app.featurestore.query.times import as_number, span_text, time_text
from infra.ports.tables import Bound, DataFile

DAY = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def file(name: str, *bounds: Bound) -> DataFile:
    return DataFile(name, 10, 1, {}, {"at": (bounds[0], bounds[-1])} if bounds else {})


def names(files: list[DataFile], bounds: TimeBounds, lookback: int | None = None) -> list[str]:
    return [each.uri for each in reachable(files, "at", bounds, lookback)]


def test_rows_after_the_last_label_reach_none() -> None:
    files = [file("before", 1, 4), file("around", 4, 6), file("at", 5, 9), file("after", 6, 9)]
    assert names(files, TimeBounds(2, 5)) == ["before", "around", "at"]


def test_rows_older_than_the_lookback_of_the_first_label_reach_none() -> None:
    files = [file("old", 1, 6), file("just", 1, 7), file("young", 8, 9)]
    assert names(files, TimeBounds(10, 12), 3) == ["just", "young"]
    assert names(files, TimeBounds(10, 12)) == ["old", "just", "young"]
    assert names([file("same", 10, 10), file("other", 9, 9)], TimeBounds(10, 10), 0) == ["same"]


def test_a_file_whose_times_nobody_noted_is_read() -> None:
    assert names([file("unknown"), file("after", 9, 9)], TimeBounds(1, 2)) == ["unknown"]


def test_labels_without_times_reach_nothing() -> None:
    assert names([file("unknown"), file("any", 1, 1)], NO_TIMES) == []


def test_dates_are_midnights_and_times_are_exact() -> None:
    noon = as_number(datetime(2026, 3, 1, 12, tzinfo=UTC))
    files = [
        file("day", date(2026, 3, 1)),
        file("next day", date(2026, 3, 2)),
        file("noon", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        file("after noon", datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)),
    ]
    assert names(files, TimeBounds(noon, noon)) == ["day", "noon"]


@pytest.mark.parametrize(
    ("bound", "number"),
    [
        (7, 7),
        (date(1970, 1, 2), DAY),
        (date(1969, 12, 31), -DAY),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), 253_402_300_799_999_999),
    ],
)
def test_times_as_numbers(bound: Bound, number: int) -> None:
    assert as_number(bound) == number


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_keeps_every_microsecond(moment: datetime) -> None:
    assert EPOCH + timedelta(microseconds=as_number(moment)) == moment
    assert datetime.fromisoformat(time_text(as_number(moment), "timestamp")) == moment


moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1960, 1, 1), max_value=datetime(1980, 1, 1))  # noqa: DTZ001 zoned by `timezones`
days = st.dates(min_value=date(1960, 1, 1), max_value=date(1980, 1, 1))


@given(
    files=st.lists(st.lists(moments, max_size=4) | st.lists(days, max_size=4), max_size=6),
    labels=st.lists(moments | days, max_size=4),
    lookback=st.none() | st.integers(0, 400 * DAY),
)
def test_no_row_that_a_label_would_get_is_lost(files: list[list[Any]], labels: list[Any], lookback: int | None) -> None:
    numbers = [as_number(label) for label in labels]
    bounds = TimeBounds(min(numbers), max(numbers)) if numbers else NO_TIMES
    written = [file(str(index), min(rows), max(rows)) for index, rows in enumerate(files) if rows]
    kept = names(written, bounds, lookback)
    for index, rows in enumerate(files):
        times = [as_number(row) for row in rows]
        ages = [label - time for label in numbers for time in times]
        if any(age >= 0 and (lookback is None or age <= lookback) for age in ages):
            assert str(index) in kept


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (1_471_087_800_000_000, "timestamp", "2016-08-13T11:30:00Z"),
        (1, "timestamp", "1970-01-01T00:00:00.000001Z"),
        (-DAY, "date", "1969-12-31"),
        (-5, "bigint", "-5"),
        (2**62, "timestamp", f"{2**62} microseconds since 1970"),
    ],
)
def test_times_for_people(number: int, kind: str, text: str) -> None:
    assert time_text(number, kind) == text


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (7 * DAY, "timestamp", "7 days"),
        (DAY, "date", "1 day"),
        (90 * 60_000_000, "timestamp", "1 hour 30 minutes"),
        (1_001_001, "timestamp", "1 second 1 millisecond 1 microsecond"),
        (0, "timestamp", "0 seconds"),
        (4_000 * DAY, "date", "4,000 days"),
        (7_000, "bigint", "7,000 units"),
    ],
)
def test_spans_for_people(number: int, kind: str, text: str) -> None:
    assert span_text(number, kind) == text
