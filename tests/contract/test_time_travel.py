"""Time travel of a feature group through the real SDK, over a socket, on every pair of database and warehouse."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from hops.featurestore import errors
from hops.featurestore.connection import Connection
from tests.world import World

SALES = pa.table(
    {"shop": [1, 2, 3], "sold": [10.0, 20.0, 30.0], "at": pa.array([0, 1_500, 3_000], pa.timestamp("us", "UTC"))}
)


@pytest.fixture
def shops(any_world: World) -> Iterator[tuple[Connection, Connection, Connection]]:
    """Connections of football, of venues, with which it shares, and of rivals, with which it does not."""
    any_world.projects("football", "venues", "rivals")
    any_world.share("football", "venues")
    connections = tuple(any_world.connect(project) for project in ("football", "venues", "rivals"))
    yield connections  # type: ignore[misc]  # three of them
    for connection in connections:
        connection.close()


def test_a_group_is_read_compared_and_widened_through_time(shops: tuple[Connection, Connection, Connection]) -> None:
    football, venues, rivals = shops
    football.create_featuregroup(SALES, "sales", primary_key="shop")
    more = pa.table({"shop": [2, 4], "sold": [21.0, 40.0], "at": SALES["at"].slice(1)})
    football.insert_into_featuregroup(more, "sales", mode="upsert")
    football.append_features("sales", {"region": "STRING"}, descriptions={"region": "Where"})
    wide = pa.table({**{name: SALES[name].slice(0, 1) for name in SALES.column_names}, "region": ["north"]})
    football.insert_into_featuregroup(wide, "sales", mode="upsert")

    commits = football.get_commits("sales")
    assert [(commit.version, commit.operation, commit.member) for commit in commits] == [
        (3, "upsert", "ada"),
        (2, "append_features", "ada"),
        (1, "upsert", "ada"),
        (0, "create", "ada"),
    ]
    assert [(commit.rows_inserted, commit.rows_updated) for commit in commits] == [(0, 1), (0, 0), (1, 1), (3, 0)]

    first = football.get_featuregroup("sales", as_of=0, as_="pyarrow").sort_by("shop")
    assert first.select(SALES.column_names).equals(SALES)
    assert first["region"].null_count == 3
    for commit, sold in zip(commits, ([10, 21, 30, 40], [10, 21, 30, 40], [10, 21, 30, 40], [10, 20, 30]), strict=True):
        for state in (commit.version, commit.committed_at, datetime.fromisoformat(commit.committed_at)):
            rows = football.get_featuregroup("sales", as_of=state, columns=["shop", "sold"])
            assert sorted(rows["sold"]) == sold

    changed = football.changes_between("sales", 0, 3)
    assert list(changed.columns) == ["change", "shop", "sold", "at", "region"]
    assert [tuple(row) for row in changed[["change", "shop", "sold"]].itertuples(index=False)] == [
        ("update_before", 1, 10.0),
        ("update_after", 1, 10.0),
        ("update_before", 2, 20.0),
        ("update_after", 2, 21.0),
        ("insert", 4, 40.0),
    ]
    assert football.changes_between("sales", 3, 3).empty
    _require_walls(venues, rivals)


def _require_walls(venues: Connection, rivals: Connection) -> None:
    shared = venues.get_commits("sales", featurestore="football_featurestore")
    assert [(commit.version, commit.member, commit.key_id) for commit in shared[:1]] == [(3, None, None)]
    assert len(venues.get_featuregroup("sales", "football_featurestore", as_of=0)) == 3
    assert len(venues.changes_between("sales", 2, 3, featurestore="football_featurestore")) == 2
    with pytest.raises(errors.NotPermittedError):
        venues.append_features("sales", {"theirs": "INT"}, featurestore="football_featurestore")
    with pytest.raises(errors.FeatureStoreNotFoundError):
        rivals.get_commits("sales", featurestore="football_featurestore")


def test_states_that_never_were_say_what_there_is(shops: tuple[Connection, Connection, Connection]) -> None:
    football = shops[0]
    football.create_featuregroup(SALES, "sales", primary_key="shop")
    with pytest.raises(errors.NotFoundError, match="its newest is 0"):
        football.get_featuregroup("sales", as_of=5)
    with pytest.raises(errors.NotFoundError, match="the first that is known is version 0 of"):
        football.get_featuregroup("sales", as_of=datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(errors.InvalidInputError, match="2026-03-01T12:00:00Z for UTC"):
        football.get_featuregroup("sales", as_of="2026-03-01T12:00:00")
    assert len(football.get_featuregroup("sales", as_of=datetime.now(UTC) + timedelta(days=1))) == 3


def test_earlier_states_come_in_parts_as_they_come_in_a_stream(
    shops: tuple[Connection, Connection, Connection], any_world: World
) -> None:
    football = shops[0]
    football.create_featuregroup(SALES, "sales", primary_key="shop")
    football.append_features("sales", {"region": "STRING"})
    football.insert_into_featuregroup(SALES.append_column("region", pa.array(["n", "s", None])), "sales")
    asked = [(state, columns) for state in (0, 1, 2) for columns in (None, ["region", "shop"])]
    streamed = [football.get_featuregroup("sales", as_of=state, columns=columns) for state, columns in asked]
    any_world.container.parts._least_bytes = 0
    in_parts = [football.get_featuregroup("sales", as_of=state, columns=columns) for state, columns in asked]
    for one, other in zip(streamed, in_parts, strict=True):
        pd.testing.assert_frame_equal(one, other)
