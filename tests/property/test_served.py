"""Point-in-time joins as a user has them: over HTTP, from tables of several commits, on every pair of database and warehouse."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from hops.featurestore.connection import Connection
from tests.property.brute_force import Label, Row, matches
from tests.world import World

LABELS, ROWS, CUSTOMERS = 50_000, 10_000, 400
START = datetime(2026, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TWO_MINUTES = timedelta(minutes=2)


@pytest.fixture
def shop(any_world: World) -> Iterator[Connection]:
    any_world.project("football")
    with any_world.connect("football") as connection:
        yield connection


def customers(chance: np.random.Generator, count: int) -> pl.Series:
    """One in a hundred is not known."""
    numbers = pl.Series("customer", chance.integers(0, CUSTOMERS, count))
    return numbers.set(pl.Series(chance.random(count) < 0.01), None)


def moments(chance: np.random.Generator, count: int) -> pl.Series:
    """Of 10 000 different seconds around the turn of a day, so that many are equal."""
    seconds = pl.Series(chance.integers(0, 10_000, count) * 1_000_000).cast(pl.Duration("us"))
    return (seconds + START.replace(hour=23, tzinfo=None)).dt.replace_time_zone("UTC").alias("at")


def visits(chance: np.random.Generator) -> pl.DataFrame:
    values = pl.Series("spent", chance.normal(size=ROWS)).set(pl.Series(chance.random(ROWS) < 0.1), None)
    return pl.DataFrame([customers(chance, ROWS), moments(chance, ROWS), values])


def limits(chance: np.random.Generator) -> pl.DataFrame:
    days = pl.Series("day", [date(2025, 12, 31) + timedelta(days=int(each)) for each in chance.integers(0, 3, ROWS)])
    countries = pl.Series("country", chance.choice(["at", "be", "ch"], ROWS))
    return pl.DataFrame(
        [customers(chance, ROWS), countries, days, pl.Series("credit", chance.integers(0, 10**6, ROWS))]
    )


def profiles(chance: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame([customers(chance, ROWS), pl.Series("segment", chance.choice(["new", "old", "odd"], ROWS))])


def plain(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def as_of(labels: pl.DataFrame, rows: pl.DataFrame, by: list[str], time: str, lookback: timedelta) -> pl.DataFrame:
    """As Polars joins; rows are given in the order in which they were written."""
    last = rows.drop_nulls([*by, time]).unique([*by, time], keep="last", maintain_order=True).sort(time)
    joined = labels.sort("at").join_asof(
        last, left_on="at", right_on=time, by=by, tolerance=lookback, check_sortedness=False, coalesce=False
    )
    # A label without a customer has a key that no row has.
    return joined.sort("n").drop(time if time != "at" else "at_right")


def test_fifty_thousand_labels_get_what_polars_gives_them(shop: Connection) -> None:
    chance = np.random.default_rng(7)
    written = {"visits": [visits(chance) for _ in range(3)], "limits": [limits(chance) for _ in range(2)]}
    written["profiles"] = [profiles(chance) for _ in range(2)]
    keys = {"visits": ("customer", "at"), "limits": (["customer", "country"], "day"), "profiles": ("customer", None)}
    for name, (key, event_time) in keys.items():
        first, *more = map(plain, written[name])
        shop.create_featuregroup(first, name, key, event_time=event_time)
        for each in more:
            shop.insert_into_featuregroup(each, name)
    countries = pl.Series("country", chance.choice(["at", "be", "xx"], LABELS))
    numbers = pl.Series("n", range(LABELS))
    labels = pl.DataFrame([customers(chance, LABELS), countries, moments(chance, LABELS), numbers])

    answer = shop.get_features(
        ["spent", "credit", "segment"],
        as_="polars",
        spine=plain(labels),
        event_time="at",
        lookback=TWO_MINUTES,
        joins={"limits": {"lookback": timedelta(days=1)}},
    )

    rows = {name: pl.concat(frames) for name, frames in written.items()}
    wanted = as_of(labels, rows["visits"], ["customer"], "at", TWO_MINUTES)
    of_day = rows["limits"].with_columns(pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    wanted = as_of(wanted, of_day, ["customer", "country"], "day", timedelta(days=1))
    last = rows["profiles"].drop_nulls("customer").unique("customer", keep="last", maintain_order=True)
    wanted = wanted.join(last, on="customer", how="left", maintain_order="left")
    assert_frame_equal(answer, wanted.select(answer.columns), check_exact=True)
    assert 0.2 < wanted["spent"].null_count() / LABELS < 0.8


def test_labels_around_commits_get_what_was_there_then(shop: Connection) -> None:
    """Three states of one table: rows, more rows, and all of them replaced."""
    states = [[(1, 0, 0), (1, 10, 1), (2, 5, 2)], [(1, 10, 3), (2, 4, 4), (1, 20, 5)], [(1, 0, 6), (2, 5, 7)]]
    for version, rows in enumerate(states):
        columns = {name: [row[index] for row in rows] for index, name in enumerate(("customer", "second", "order"))}
        at = [START + timedelta(seconds=second) for second in columns.pop("second")]
        frame = pa.table({**columns, "at": pa.array(at, pa.timestamp("us", "UTC"))})
        if version == 0:
            shop.create_featuregroup(frame, "visits", "customer", event_time="at")
        else:
            shop.insert_into_featuregroup(frame, "visits", mode="append" if version == 1 else "overwrite")
    commits = sorted(datetime.fromisoformat(each.committed_at) for each in shop.get_commits("visits"))
    assert len(set(commits)) == 3
    times = sorted({commit + step for commit in commits for step in (-MICROSECOND, timedelta(), MICROSECOND)})
    sent = [(customer, time) for time in times for customer in (2, 1, 3)]
    labels = pa.table({"customer": [each[0] for each in sent], "now": pa.array([each[1] for each in sent])})

    answer = shop.get_features(["order"], as_="pyarrow", spine=labels, event_time="now", as_known=True)

    written = [microseconds(commit) for commit in commits]
    rows = [
        Row((customer,), microseconds(START) + second * 1_000_000, order, written[version], removed)
        for version, (state, removed) in enumerate(zip(states, (written[2], written[2], None), strict=True))
        for customer, second, order in state
    ]
    found = matches([Label((each[0],), microseconds(each[1])) for each in sent], rows, timed=True, as_known=True)
    assert answer.column("order").to_pylist() == [None if row is None else row.order for row in found]
    assert {row.order for row in found if row is not None} == {1, 2, 5, 6, 7}


def microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
