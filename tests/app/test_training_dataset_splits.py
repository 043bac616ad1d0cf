"""Training datasets in splits."""

from itertools import chain, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from app.featurestore.training_datasets.splits import Splits, require_splits, split_rows
from infra.errors import InvalidInputError
from tests.frames import frame_request, read_arrow
from tests.world import World

DATASETS = "/projects/football/training-datasets"
TIME = pa.timestamp("us", "UTC")
ROWS = 20_000
CHANCE = np.random.default_rng(1)
TABLE = pa.table(
    {
        "row": pa.array(range(ROWS)),
        "team": pa.array(CHANCE.integers(0, 400, ROWS)),
        "city": pa.array([None if n % 11 == 0 else f"city {n % 7}" for n in range(ROWS)]),
        "at": pa.array(CHANCE.integers(-300, 300, ROWS), TIME),
        "day": pa.array(CHANCE.integers(0, 9, ROWS).astype(np.int32), pa.date32()),
        "number": pa.array(CHANCE.integers(0, 3, ROWS).astype(np.int16)),
    }
)
SHARES = {"train": 0.7, "validation": 0.2, "test": 0.1}


def divided(splits: Splits, table: pa.Table = TABLE, batch: int = 777) -> dict[str, pa.Table]:
    require_splits(splits, table.schema)
    with split_rows(table.to_batches(batch), table.schema, splits) as rows_of:
        return {name: pa.Table.from_batches(batches, table.schema) for name, batches in rows_of.items()}


@pytest.mark.parametrize(
    "splits",
    [
        Splits(SHARES),
        Splits(SHARES, seed=3),
        Splits(SHARES, "entity", ("team",)),
        Splits(SHARES, "entity", ("team", "city"), seed=7),
        Splits(SHARES, "time", ("at",)),
        Splits(SHARES, "time", ("day",)),
        Splits(SHARES, "time", ("number",)),
    ],
    ids=lambda splits: f"{splits.by} {splits.columns}",
)
def test_every_row_is_in_one_split_in_its_order(splits: Splits) -> None:
    parts = divided(splits)
    assert list(parts) == list(SHARES)
    rows = [part["row"].to_pylist() for part in parts.values()]
    assert sorted(chain.from_iterable(rows)) == list(range(ROWS))
    assert all(each == sorted(each) for each in rows)
    assert parts == divided(splits, batch=5_000)


@pytest.mark.parametrize(
    ("splits", "within"),
    [(Splits(SHARES), 0.02), (Splits(SHARES, "entity", ("team",)), 0.08), (Splits(SHARES, "time", ("at",)), 0.01)],
)
def test_shares_are_about_as_asked(splits: Splits, within: float) -> None:
    found = {name: part.num_rows / ROWS for name, part in divided(splits).items()}
    assert all(abs(found[name] - share) < within for name, share in SHARES.items()), found


@pytest.mark.parametrize("columns", [("team",), ("city",), ("city", "team")])
def test_no_entity_is_in_two_splits(columns: tuple[str, ...]) -> None:
    parts = divided(Splits(SHARES, "entity", columns))
    entities = [{tuple(row.values()) for row in part.select(columns).to_pylist()} for part in parts.values()]
    assert sum(map(len, entities)) == len(set.union(*entities))


def test_an_entity_goes_the_same_way_in_every_dataset_of_a_seed() -> None:
    splits = Splits({"train": 0.5, "test": 0.5}, "entity", ("team",), seed=3)
    ways = [set(part["team"].to_pylist()) for part in divided(splits).values()]
    fewer = [set(part["team"].to_pylist()) for part in divided(splits, TABLE.slice(15_000)).values()]
    assert fewer[0] <= ways[0]
    assert fewer[1] <= ways[1]
    assert divided(Splits(splits.shares, "entity", ("team",), seed=4)) != divided(splits)


@pytest.mark.parametrize("seed", range(6))
def test_equal_values_are_one_entity_however_they_are_written(seed: int) -> None:
    splits = Splits({"train": 0.5, "test": 0.5}, "entity", ("key",), seed)
    zeros = divided(splits, pa.table({"key": [0.0, -0.0] * 5}))
    assert sorted(part.num_rows for part in zeros.values()) == [0, 10]
    keys = pa.array(range(200))
    ways = [
        [int(key) for key in divided(splits, pa.table({"key": keys.cast(kind)}))["train"]["key"].to_pylist()]
        for kind in (pa.int64(), pa.int16(), pa.float64(), pa.decimal128(30, 2))
    ]
    assert ways == [ways[0]] * 4
    assert 0 < len(ways[0]) < 200


def test_times_beyond_pythons_split_like_others() -> None:
    times = pa.array([2**62, -(2**62), None, 0] * 5).cast(TIME)
    parts = divided(Splits({"train": 0.5, "test": 0.5}, "entity", ("at",)), pa.table({"at": times}))
    entities = [set(part["at"].cast(pa.int64()).to_pylist()) for part in parts.values()]
    assert sorted(map(str, entities[0] | entities[1])) == sorted(map(str, {2**62, -(2**62), None, 0}))
    assert not entities[0] & entities[1]


@pytest.mark.parametrize(
    "column", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))]
)
def test_nested_values_are_no_entities(column: pa.Array) -> None:
    with pytest.raises(InvalidInputError, match="'key' is an ARRAY, STRUCT or MAP"):
        require_splits(Splits(SHARES, "entity", ("key",)), pa.table({"key": column}).schema)


@pytest.mark.parametrize("column", ["at", "day", "number"])
def test_earlier_rows_are_in_earlier_splits(column: str) -> None:
    parts = [part[column].to_pylist() for part in divided(Splits(SHARES, "time", (column,))).values()]
    spans = [(min(times), max(times)) for times in parts if times]
    assert all(last < first for (_, last), (first, _) in pairwise(spans))


@pytest.mark.parametrize("by", ["random", "entity", "time"])
def test_of_no_rows_every_split_is_empty(by: str) -> None:
    columns = {"random": (), "entity": ("team",), "time": ("at",)}[by]
    parts = divided(Splits(SHARES, by, columns), TABLE.slice(0, 0))
    assert [part.num_rows for part in parts.values()] == [0, 0, 0]


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (Splits(SHARES, "moon"), "is no way to split"),
        (Splits(SHARES, seed=-1), "seed"),
        (Splits({"train": 1.0}), "There are 2 to 20 splits"),
        (Splits({}), "There are 2 to 20 splits"),
        (Splits({"train": 0.5, "../x": 0.5}), "is no name of a split"),
        (Splits({"train": 0.5, "test": 0.4}), "add up to 1"),
        (Splits({"train": 1.5, "test": -0.5}), "above 0"),
        (Splits({"train": float("nan"), "test": 0.5}), "above 0"),
        (Splits(SHARES, "entity", ("nope",)), "no column 'nope'"),
        (Splits(SHARES, "entity"), "names its columns"),
        (Splits(SHARES, columns=("team",)), "at random none"),
        (Splits(SHARES, "time", ("at", "day")), "the one column"),
        (Splits(SHARES, "time", ("city",)), "is no TIMESTAMP"),
    ],
)
def test_what_makes_no_splits_is_refused(splits: Splits, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        require_splits(splits, TABLE.schema)


def test_a_row_without_time_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="has nulls"):
        divided(Splits(SHARES, "time", ("at",)), pa.table({"at": pa.array([1, None], TIME)}))


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    return world


def _create(world: World, table: pa.Table, **command: Any) -> Any:
    return world.call("POST", DATASETS, world.key("football"), **frame_request(table, {"name": "d", **command}))


@pytest.mark.parametrize("data_format", ["parquet", "tfrecords", "csv"])
def test_splits_are_folders_and_read_one_by_one(football: World, data_format: str) -> None:
    key, path, table = football.key("football"), f"{DATASETS}/d/versions/1", TABLE.select(["row", "team"])
    splits = {"shares": {"train": 0.75, "test": 0.25}, "by": "entity", "columns": "team", "seed": 5}
    made = _create(football, table, splits=splits, data_format=data_format)
    assert (made.status_code, made.json["rows"]) == (201, ROWS)
    manifest = football.call("GET", f"{path}/manifest", key).json
    assert manifest["splits"] == {**splits, "columns": ["team"]}
    assert [(file["path"], file["split"]) for file in manifest["files"]] == [
        (f"{name}/part-00000.{data_format}", name) for name in ("train", "test")
    ]
    train, test, both = (
        read_arrow(football.call("GET", f"{path}/rows{query}", key).data)
        for query in ("?split=train", "?split=test", "")
    )
    assert [train.num_rows, test.num_rows] == [file["rows"] for file in manifest["files"]]
    assert both == pa.concat_tables([train, test])
    content = football.call("GET", f"{path}/files/train/part-00000.{data_format}", key)
    assert len(content.data) == manifest["files"][0]["bytes"]


def test_a_split_that_there_is_not(football: World) -> None:
    key = football.key("football")
    assert _create(football, TABLE.slice(0, 9), splits={"shares": SHARES}).status_code == 201
    answer = football.call("GET", f"{DATASETS}/d/versions/1/rows?split=trian", key)
    assert (answer.status_code, answer.json["candidates"]) == (422, list(SHARES))
    assert _create(football, TABLE.slice(0, 9), name="whole").status_code == 201
    assert football.call("GET", f"{DATASETS}/whole/versions/1/rows?split=train", key).status_code == 422


def test_refused_splits_leave_nothing(football: World) -> None:
    made = _create(football, TABLE, splits={"shares": {"train": 0.5, "test": 0.6}})
    assert (made.status_code, made.json["code"]) == (422, "invalid-input")
    assert not list((football.directory.parent / "warehouse").rglob("part-*"))
