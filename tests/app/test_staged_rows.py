"""Rows that an engine left in several files come back in their order, once each."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.featurestore.training_datasets import staged
from app.featurestore.training_datasets.staged import StagedRows
from infra.ports.cluster import ClusterFailedError
from infra.storage.local import LocalObjectStore

TIME = pa.timestamp("us", "UTC")


class Watched(io.FileIO):
    def __init__(self, path: str, closed: Callable[[], None]) -> None:
        super().__init__(path)
        self._closed = closed

    def close(self) -> None:
        super().close()
        self._closed()


def write(directory: Path, name: str, numbers: list[tuple[int, ...]], **options: Any) -> None:
    columns = {f"n{at}": pa.array([number[at] for number in numbers], pa.int64()) for at in range(2)}
    values = pa.array([f"{number}" for number in numbers], pa.string())
    (directory / "rows").mkdir(exist_ok=True)
    pq.write_table(pa.table({"c0": values, **columns}), directory / "rows" / name, **options)


def read(directory: Path, schema: pa.Schema | None = None) -> list[Any]:
    schema = schema or pa.schema([("name", pa.string())])
    rows = StagedRows(LocalObjectStore(directory), "rows", schema, 2)
    return [value for batch in rows.batches() for value in batch.column(0).to_pylist()]


@settings(max_examples=60)
@given(
    numbers=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=60),
    files=st.integers(1, 5),
    has_statistics=st.booleans(),
    at_once=st.integers(1, 9),
    data=st.data(),
)
def test_however_rows_were_dealt(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: set[tuple[int, int]],
    files: int,
    has_statistics: bool,
    at_once: int,
    data: st.DataObject,
) -> None:
    directory = tmp_path_factory.mktemp("dealt")
    dealt: list[list[tuple[int, int]]] = [[] for _ in range(files)]
    for number in sorted(numbers):
        dealt[data.draw(st.integers(0, files - 1))].append(number)
    for name, rows in enumerate(dealt):
        write(directory, f"part-{name}.parquet", rows, row_group_size=7, write_statistics=has_statistics)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staged, "_READ_ROWS", at_once)
        assert read(directory) == [f"{number}" for number in sorted(numbers)]


def test_marks_of_the_engine_are_no_rows(tmp_path: Path) -> None:
    write(tmp_path, "part-0.parquet", [(0, 0)])
    for name in ("_committed.parquet", ".part-0.parquet"):
        (tmp_path / "rows" / name).write_bytes(b"?")
    (tmp_path / "rows" / "_SUCCESS").touch()
    assert read(tmp_path) == ["(0, 0)"]


@pytest.mark.parametrize(
    "files",
    [[[(0, 0)], [(0, 0)]], [[(0, 1), (0, 0)]], [[(1, 0), (0, 9)]], [[(0, 0), (0, 0)]]],
    ids=["twice", "falling", "falling first", "twice in one"],
)
def test_rows_twice_or_out_of_order_are_an_error(tmp_path: Path, files: list[list[tuple[int, int]]]) -> None:
    for name, rows in enumerate(files):
        write(tmp_path, f"part-{name}.parquet", rows)
    with pytest.raises(ClusterFailedError, match="a row twice, or rows that are not in order"):
        read(tmp_path)


def test_a_file_is_open_only_as_long_as_it_is_needed(tmp_path: Path) -> None:
    for at in range(20):
        write(tmp_path, f"part-{19 - at}.parquet", [(at, 0), (at, 1)])
    open_, most = set[str](), [0]

    class Store(LocalObjectStore):
        def open_input(self, path: str) -> Any:
            open_.add(path)
            most.append(len(open_))
            return Watched(self.uri(path), lambda: open_.discard(path))

    rows = StagedRows(Store(tmp_path), "rows", pa.schema([("name", pa.string())]), 2)
    assert rows.count == 40
    assert sum(batch.num_rows for batch in rows.batches()) == 40
    assert max(most) == 1
    assert not open_


def test_older_timestamps_are_read_as_what_they_are(tmp_path: Path) -> None:
    moments = pa.array([-(10**15), None, 32_503_680_000_000_000], pa.timestamp("us"))
    table = pa.table({"c0": moments, "n0": pa.array([0, 1, 2]), "n1": pa.array([0, 0, 0])})
    (tmp_path / "rows").mkdir()
    pq.write_table(table, tmp_path / "rows" / "a.parquet", use_deprecated_int96_timestamps=True)
    assert read(tmp_path, pa.schema([("at", TIME)])) == moments.cast(TIME).to_pylist()


def test_the_number_of_rows_is_insisted_on(tmp_path: Path) -> None:
    write(tmp_path, "part-0.parquet", [(0, 0)])
    rows = StagedRows(LocalObjectStore(tmp_path), "rows", pa.schema([("name", pa.string())]), 2)
    rows.require_count(None)
    rows.require_count(1)
    with pytest.raises(ClusterFailedError, match="gave 1 rows where 2 are due"):
        rows.require_count(2)
