"""Training datasets as batches, from a gateway with a real one behind it."""

import multiprocessing
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import hops.featurestore as fs
from hops.featurestore import default
from hops.featurestore.errors import InvalidInputError, TrainingDatasetChangedError
from hops.featurestore.training_batches import BatchColumn
from tests.world import World

ROWS = 2_500
TABLE = pa.table(
    {
        "row": pa.array(range(ROWS)),
        "budget": pa.array([None if n % 7 == 0 else n / 2 for n in range(ROWS)]),
        "city": pa.array([None if n % 5 == 0 else f"city {n % 9}" for n in range(ROWS)]),
        "rank": pa.array([None if n == 2_400 else n for n in range(ROWS)], pa.int16()),
        "home": pa.array([n % 2 == 0 for n in range(ROWS)]),
        "sold_out": pa.array([None if n == 2_400 else True for n in range(ROWS)]),
        "at": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * ROWS, pa.timestamp("us", "UTC")),
        "day": pa.array([date(2024, 1, 1)] * ROWS),
        "place": pa.array([[n, n + 0.5] for n in range(ROWS)], pa.list_(pa.float32())),
        "moves": pa.array([[n] * (n % 3) for n in range(ROWS)]),
    }
)


@pytest.fixture
def connected(live_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """With parts of 700 rows, so that 2,500 are four files."""
    monkeypatch.setattr("app.featurestore.training_datasets.files.ROWS_PER_PART", 700)
    live_world.project("football")
    with live_world.connect("football") as connection:
        default.use_connection(connection)
        fs.create_training_dataset("td", TABLE)
        yield live_world
        default.forget_connection()


def rows_of(batches: Any) -> list[int]:
    return list(chain.from_iterable(batch["row"].to_pylist() for batch in batches))


@pytest.mark.usefixtures("connected")
class TestBatches:
    def test_each_epoch_begins_again_with_batches_of_the_size_asked_for(self) -> None:
        batches = fs.iter_training_dataset("td", batch_rows=400)
        for _ in range(2):
            tables = list(batches)
            assert [table.num_rows for table in tables] == [400] * 6 + [100]
            assert pa.concat_tables(tables).equals(TABLE)
        assert not hasattr(batches, "__len__")

    @pytest.mark.parametrize("container", ["arrow", "pandas", "polars", "numpy"])
    def test_kinds_of_batches(self, container: str) -> None:
        kinds = {"arrow": pa.Table, "pandas": pd.DataFrame, "polars": pl.DataFrame, "numpy": dict}
        first = next(iter(fs.iter_training_dataset("td", as_=container, columns=["row", "budget"])))
        assert isinstance(first, kinds[container])
        assert [list(first[name])[1] for name in ("row", "budget")] == (
            [pa.scalar(1), pa.scalar(0.5)] if container == "arrow" else [1, 0.5]
        )

    def test_more_columns_than_go_into_an_address_are_refused_before_they_are_sent(self) -> None:
        many = [f"column_{number}" for number in range(300)]
        for ask in (fs.get_training_dataset, fs.iter_training_dataset):
            with pytest.raises(InvalidInputError, match="names 300 columns"):
                ask("td", columns=many)
        few = ["row", "city"]
        assert list(fs.get_training_dataset("td", columns=few)) == few

    def test_arrays_of_arrays_are_objects(self) -> None:
        deep = [[[1, 2], [3]], [[4], []], None]
        fs.create_training_dataset("deep", pa.table({"deep": pa.array(deep), "text": [["a"], ["b"], ["c"]]}))
        batches = fs.iter_training_dataset("deep", as_="numpy", batch_rows=2)
        assert batches.signature["deep"] == BatchColumn("object", (None, None))
        first, second = batches
        assert [[list(inner) for inner in row] for row in first["deep"]] == deep[:2]
        assert second["deep"].tolist() == [None]
        assert first["text"].tolist() == [["a"], ["b"]]

    def test_arrays_are_what_the_signature_says_in_every_batch(self) -> None:
        batches = fs.iter_training_dataset("td", as_="numpy", batch_rows=300)
        assert batches.signature == {
            "row": BatchColumn("int64"),
            "budget": BatchColumn("float64"),
            "city": BatchColumn("object"),
            "rank": BatchColumn("float64"),
            "home": BatchColumn("bool"),
            "sold_out": BatchColumn("float64"),
            "at": BatchColumn("datetime64[us]"),
            "day": BatchColumn("datetime64[D]"),
            "place": BatchColumn("float32", (None, None)),
            "moves": BatchColumn("int64", (None, None)),
        }
        last: dict[str, Any] = {}
        for last in batches:
            told = {name: each for name, each in batches.signature.items() if name != "moves"}
            assert {name: last[name].dtype for name in told} == {
                name: np.dtype(each.dtype) for name, each in told.items()
            }
            assert {name: last[name].ndim for name in told} == {name: len(each.shape) for name, each in told.items()}
            assert all(last[name].flags.writeable for name in last)
        assert last["rank"][:2].tolist() == pytest.approx([np.nan, 2401], nan_ok=True)
        assert last["sold_out"][:2].tolist() == pytest.approx([np.nan, 1.0], nan_ok=True)
        assert last["city"][:2].tolist() == [None, "city 7"]
        assert last["place"][0].tolist() == [2400, 2400.5]
        assert [each.tolist() for each in last["moves"][:3]] == [[], [2401], [2402, 2402]]

    @pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
    def test_shares_are_everything_once(self, count: int) -> None:
        whole = fs.iter_training_dataset("td", batch_rows=100)
        shares = [rows_of(whole.shard(index, count)) for index in range(count)]
        assert all(shares)
        assert sorted(chain.from_iterable(shares)) == list(range(ROWS))
        assert all(earlier < later for share in shares for earlier, later in pairwise(share))

    @pytest.mark.parametrize("counts", [(2, 2), (2, 3)])
    def test_shares_are_shared_on(self, counts: tuple[int, int]) -> None:
        whole = fs.iter_training_dataset("td", batch_rows=100)
        shares = [
            rows_of(whole.shard(node, counts[0]).shard(worker, counts[1]))
            for node in range(counts[0])
            for worker in range(counts[1])
        ]
        assert sorted(chain.from_iterable(shares)) == list(range(ROWS))

    def test_one_split(self) -> None:
        fs.create_training_dataset("split", TABLE, splits={"train": 0.8, "test": 0.2}, data_format="parquet")
        train, test = (rows_of(fs.iter_training_dataset("split", split=name)) for name in ("train", "test"))
        assert len(test) < len(train)
        assert sorted(train + test) == list(range(ROWS))
        with pytest.raises(InvalidInputError, match="no split 'tset'"):
            fs.iter_training_dataset("split", split="tset")

    def test_rows_written_meanwhile_are_not_mixed_in(self) -> None:
        batches = fs.iter_training_dataset("td", batch_rows=700)
        running = iter(batches)
        next(running)
        fs.insert_into_training_dataset(TABLE.slice(1), "td")
        with pytest.raises(TrainingDatasetChangedError, match="Other rows were written"):
            list(running)
        with pytest.raises(TrainingDatasetChangedError):
            list(batches)
        assert rows_of(fs.iter_training_dataset("td")) == list(range(1, ROWS))
        fs.insert_into_training_dataset(TABLE, "td")
        assert rows_of(batches) == list(range(ROWS)), "what it was made for is there again"

    def test_forked_workers_have_connections_of_their_own(self) -> None:
        batches = fs.iter_training_dataset("td", batch_rows=50)
        next(iter(batches))
        fork = multiprocessing.get_context("fork")
        found = fork.SimpleQueue()
        workers = [
            fork.Process(target=lambda index: found.put(rows_of(batches.shard(index, 4))), args=(index,))
            for index in range(4)
        ]
        for worker in workers:
            worker.start()
        shares = [found.get() for _ in workers]
        for worker in workers:
            worker.join(30)
        assert sorted(chain.from_iterable(shares)) == list(range(ROWS))

    def test_nothing_is_a_dataset_too(self) -> None:
        fs.create_training_dataset("empty", TABLE.slice(0, 0))
        batches = fs.iter_training_dataset("empty", as_="numpy")
        assert list(batches) == list(batches.shard(1, 3)) == []
        assert list(batches.signature) == TABLE.column_names

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"as_": "reader"}, "no kind of batch"),
            ({"batch_rows": 0}, "no number of rows"),
            ({"batch_rows": "many"}, "no number of rows"),
            ({"columns": ["rwo"]}, "no feature 'rwo'"),
        ],
    )
    def test_what_makes_no_batches(self, arguments: dict[str, Any], said: str) -> None:
        with pytest.raises(InvalidInputError, match=said):
            fs.iter_training_dataset("td", **arguments)

    @pytest.mark.parametrize("share", [(2, 2), (-1, 2), (0, 0), (0.5, 2)])
    def test_shares_that_there_are_not(self, share: tuple[Any, Any]) -> None:
        with pytest.raises(InvalidInputError, match="no share"):
            fs.iter_training_dataset("td").shard(*share)


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("container", ["pandas", "polars", "arrow", "pyarrow", "numpy", "reader"])
def test_a_dataset_is_read_as_any_kind_of_frame(container: str) -> None:
    read = fs.get_training_dataset("td", dataframe_type=container, columns=["row", "budget"])
    table = read.read_all() if container == "reader" else read
    rows = table[:, 0] if container == "numpy" else table["row"]
    assert (rows.to_pylist() if isinstance(rows, pa.ChunkedArray) else list(rows)) == list(range(ROWS))
    assert fs.get_training_dataset_features_list("td") == TABLE.column_names
    assert fs.get_training_dataset_path("td")
