"""Joined features as Spark frames: the gateway plans, Spark reads the warehouse, and the rows are the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from hops.featurestore.connection import Connection
from infra.storage.location import S3Options, parse_warehouse
from tests.lab.spark import spark_session
from tests.world import World, listening, make_world

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with spark_session() as session:
        yield session


def world_of(directory: Path, *, direct_reads: bool) -> World:
    warehouse = parse_warehouse(str(directory / "warehouse"), S3Options())
    world = make_world(directory, None, warehouse, warehouse_settings={"direct_reads": direct_reads})
    world.project("football")
    return world


def times(*days: str) -> Any:
    return pd.to_datetime(list(days), utc=True)


@pytest.fixture(params=[True, False], ids=["direct", "through the gateway"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    with listening(world_of(tmp_path, direct_reads=request.param)) as world, world.connect("football") as connection:
        teams = {"team_id": [1, 1, 2, 1], "ts": times("2026-01-01", "2026-01-03", "2026-01-02", "2026-01-03")}
        connection.create_featuregroup(
            pd.DataFrame({**teams, "budget": [1.0, 2.0, 3.0, 4.0], "league": ["a", "b", "a", "b"]}),
            "teams",
            "team_id",
            event_time="ts",
            partition_by="league",
        )
        late = {"team_id": [1], "ts": times("2026-01-01"), "budget": [11.0], "league": ["a"]}
        connection.insert_into_featuregroup(pd.DataFrame(late), "teams")
        connection.create_featuregroup(
            pd.DataFrame({"team_id": [1, 2, 2], "city": ["a", "b", "c"]}), "cities", "team_id"
        )
        yield connection


def labels() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "team_id": pd.array([1, 2, None, 1, 3, 1], dtype="Int64"),
            "when": times("2026-01-02", "2026-01-05", "2026-01-05", "2026-01-03", "2026-01-09", "2036-01-01"),
        }
    )


def rows_of(frame: Any) -> list[dict[str, Any]]:
    table = frame.toArrow() if hasattr(frame, "toArrow") else frame
    return table.cast(pa.schema([pa.field(each.name, _plain(each.type)) for each in table.schema])).to_pylist()


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", "UTC") if pa.types.is_timestamp(kind) else kind


ASKED = ["budget", "league", "city"]


@pytest.mark.parametrize("how", [{}, {"lookback": pd.Timedelta(hours=1).to_pytimedelta()}, {"as_known": True}], ids=str)
def test_labels_get_the_same_features_from_both_engines(
    connection: Connection, spark: Any, how: dict[str, Any]
) -> None:
    options = {"spine": labels(), "event_time": "when", **how}
    answer = rows_of(connection.get_features(ASKED, as_="pyarrow", **options))
    assert rows_of(connection.get_features(ASKED, as_="spark", **options)) == answer
    assert [row["budget"] for row in answer][-1] == (None if "lookback" in how else 4.0)


def test_a_spark_frame_may_be_the_labels(connection: Connection, spark: Any) -> None:
    mine = spark.createDataFrame(pa.Table.from_pandas(labels(), preserve_index=False))
    frame = connection.get_features(["budget"], as_="spark", spine=mine, event_time="when")
    assert [row["budget"] for row in rows_of(frame)] == [11.0, 3.0, None, 4.0, None, 4.0]


def test_a_feature_group_may_be_the_labels_and_a_join_needs_none(connection: Connection, spark: Any) -> None:
    for options in ({"spine": "teams_1"}, {}):
        names = ["city"] if options else ["budget", "city"]
        answers = [connection.get_features(names, as_=kind, **options) for kind in ("spark", "pyarrow")]
        spark_rows, rows = (sorted(map(str, rows_of(answer))) for answer in answers)
        assert spark_rows == rows
        assert len(rows) == (5 if options else 6)


def test_a_stranger_gets_no_plan(tmp_path: Path) -> None:
    world = world_of(tmp_path, direct_reads=True)
    world.project("rivals")
    with listening(world), world.connect("football") as mine:
        mine.create_featuregroup(pd.DataFrame({"id": [1], "secret": [7.0]}), "hidden", "id")
        path = "/projects/{}/queries/spark"
        asked = {"features": ["secret"]}
        own = world.call("POST", path.format("football"), world.key("football"), json=asked)
        assert own.json["tables"][0]["files"]
        theirs = world.call("POST", path.format("rivals"), world.key("rivals"), json=asked)
        absent = world.call("POST", path.format("rivals"), world.key("rivals"), json={"features": ["absent"]})
        assert (theirs.status_code, theirs.json["type"]) == (absent.status_code, absent.json["type"])
        assert "hidden" not in theirs.text
        foreign = world.call("POST", path.format("football"), world.key("rivals"), json=asked)
        assert foreign.status_code == 404
