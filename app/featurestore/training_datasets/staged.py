"""Rows that another engine left in Parquet files, brought back into their order in bounded memory."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import reduce
from typing import BinaryIO, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.ports.cluster import ClusterFailedError
from infra.ports.storage import ObjectStore

_READ_ROWS: Final = 65_536
_FIRST: Final = -(1 << 63)
Number: TypeAlias = tuple[int, ...]
"""What a row is ordered by: the values of `n0`, `n1`, …"""


@dataclass(frozen=True)
class _File:
    """`least`: no row has a smaller `n0`."""

    path: str
    rows: int
    least: int


class StagedRows:
    """Files with columns `c0`, `c1`, … for those of `schema`, and `numbers` columns `n0`, … by which each is sorted.

    Only files whose rows overlap are open at a time. A cluster that sorts gives ranges that do not, hence one after the other.
    """

    def __init__(self, store: ObjectStore, folder: str, schema: pa.Schema, numbers: int) -> None:
        self._store = store
        self._schema = schema
        self._numbers = [f"n{index}" for index in range(numbers)]
        self._files = sorted((self._file(path) for path in _data_files(store, folder)), key=lambda file: file.least)

    @property
    def count(self) -> int:
        return sum(file.rows for file in self._files)

    def require_count(self, due: int | None) -> None:
        """One row for each label, and none besides. None: nobody knows how many there are."""
        if due is not None and self.count != due:
            raise ClusterFailedError(
                f"The cluster gave {self.count:,} rows where {due:,} are due.",
                hint="Try again; report it if it stays so.",
            )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every row once, in order; raises ClusterFailedError where two have one number or a file is not sorted."""
        for rows in _portioned(self._checked()):
            columns = [rows.column(f"c{index}").cast(each.type) for index, each in enumerate(self._schema)]
            yield from pa.Table.from_arrays(columns, schema=self._schema).combine_chunks().to_batches()

    def _checked(self) -> Iterator[pa.Table]:
        last: Number | None = None
        for rows in self._merged():
            last = _require_ascending(rows, self._numbers, last)
            yield rows

    def _merged(self) -> Iterator[pa.Table]:
        waiting, runs = list(reversed(self._files)), list[_Run]()
        try:
            while waiting or runs:
                if not runs:
                    runs = _open([self._opened(waiting.pop())])
                    continue
                bound = min(run.last for run in runs)
                if waiting and waiting[-1].least <= bound[0]:
                    runs += _open([self._opened(waiting.pop())])
                    continue
                # Nothing that is still to be read comes before the bound, and what ends there is used up: it goes on.
                yield _sorted([run.take(bound) for run in runs], self._numbers)
                runs = _open(runs)
        finally:
            for run in runs:
                run.close()

    def _opened(self, file: _File) -> "_Run":
        return _Run(self._store.open_input(file.path), len(self._schema), self._numbers)

    def _file(self, path: str) -> _File:
        with closing(self._store.open_input(path)) as source, pq.ParquetFile(source) as file:
            return _File(path, file.metadata.num_rows, _least(file.metadata, file.schema_arrow.names.index("n0")))


@dataclass
class _Run:
    """One file as it is read. `held` are rows that were read and not yet taken."""

    source: BinaryIO
    columns: int
    numbers: Sequence[str]
    held: pa.Table = field(init=False)

    def __post_init__(self) -> None:
        # What an older Spark writes as INT96 would else be nanoseconds, in which the year 3000 is none.
        self._file = pq.ParquetFile(self.source, coerce_int96_timestamp_unit="us")
        names = [*(f"c{index}" for index in range(self.columns)), *self.numbers]
        self._batches = self._file.iter_batches(batch_size=_READ_ROWS, columns=names)
        self.held = self._file.schema_arrow.empty_table().select(names)

    @property
    def last(self) -> Number:
        return _number(self.held, self.numbers, -1)

    def has_rows(self) -> bool:
        while self.held.num_rows == 0:
            following = next(self._batches, None)
            if following is None:
                return False
            self.held = pa.Table.from_batches([following])
        return True

    def take(self, bound: Number) -> pa.Table:
        """The rows up to the bound."""
        rows = pc.sum(_is_up_to(self.held, self.numbers, bound)).as_py() or 0
        taken, self.held = self.held.slice(0, rows), self.held.slice(rows)
        return taken

    def close(self) -> None:
        self._file.close()
        self.source.close()


def _portioned(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """As many rows at a time as the built-in engine gives, wherever files end: batches decide about the bytes of some formats."""
    held: pa.Table | None = None
    for table in tables:
        held = table if held is None else pa.concat_tables([held, table])
        while held.num_rows >= _READ_ROWS:
            yield held.slice(0, _READ_ROWS)
            held = held.slice(_READ_ROWS)
    if held is not None and held.num_rows:
        yield held


def _open(runs: Sequence[_Run]) -> list[_Run]:
    """Those that have more rows."""
    kept = []
    for run in runs:
        if run.has_rows():
            kept.append(run)
        else:
            run.close()
    return kept


def _sorted(portions: Sequence[pa.Table], numbers: Sequence[str]) -> pa.Table:
    filled = [portion for portion in portions if portion.num_rows]
    if len(filled) == 1:
        return filled[0]
    together = pa.concat_tables(filled)
    return together.take(pc.sort_indices(together, [(name, "ascending") for name in numbers]))


def _is_up_to(rows: pa.Table, numbers: Sequence[str], bound: Number) -> pa.ChunkedArray:
    """By the first number that differs."""
    name, *others = numbers
    smaller = pc.less(rows.column(name), bound[0])
    equal = pc.equal(rows.column(name), bound[0])
    return pc.or_(smaller, pc.and_(equal, _is_up_to(rows, others, bound[1:])) if others else equal)


def _require_ascending(rows: pa.Table, numbers: Sequence[str], last: Number | None) -> Number:
    """Returns the number of the last row."""
    first = _number(rows, numbers, 0)
    before, after = rows.slice(0, rows.num_rows - 1), rows.slice(1)
    is_ascending = [_ascends(before, after, numbers)] if after.num_rows else []
    if (last is not None and first <= last) or not all(pc.all(each).as_py() for each in is_ascending):
        raise ClusterFailedError(
            "The cluster gave a row twice, or rows that are not in order.", hint="Try again; report it if it stays so."
        )
    return _number(rows, numbers, -1)


def _ascends(before: pa.Table, after: pa.Table, numbers: Sequence[str]) -> pa.ChunkedArray:
    pairs = [(before.column(name), after.column(name)) for name in reversed(numbers)]
    return reduce(
        lambda rest, pair: pc.or_(pc.less(*pair), pc.and_(pc.equal(*pair), rest)), pairs[1:], pc.less(*pairs[0])
    )


def _number(rows: pa.Table, numbers: Sequence[str], at: int) -> Number:
    return tuple(rows.column(name)[at].as_py() for name in numbers)


def _least(metadata: pq.FileMetaData, column: int) -> int:
    groups = [metadata.row_group(index).column(column).statistics for index in range(metadata.num_row_groups)]
    known = [each.min for each in groups if each is not None and each.has_min_max]
    return min(known) if known and len(known) == len(groups) else _FIRST


def _data_files(store: ObjectStore, folder: str) -> list[str]:
    """Marks of the engine, and what its tasks left, begin with `_` or `.`."""
    paths = store.list_files(folder)
    return [path for path in paths if path.endswith(".parquet") and _is_data(path.removeprefix(f"{folder}/"))]


def _is_data(path: str) -> bool:
    return not any(segment[0] in "_." for segment in path.split("/"))
