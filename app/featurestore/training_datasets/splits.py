"""Which rows of a training dataset go into which split."""

import hashlib
import math
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infra.errors import InvalidInputError

RANDOM, ENTITY, TIME = "random", "entity", "time"
_WAYS: Final = (RANDOM, ENTITY, TIME)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MOST: Final = 20
_FULL: Final = float(2**64)
_Unit: TypeAlias = npt.NDArray[np.float64]
_Assign: TypeAlias = Callable[[pa.RecordBatch], _Unit]


@dataclass(frozen=True)
class Splits:
    """`shares` by name, which add up to 1.

    `by` random: each row by itself. `entity`: all rows with equal values in `columns` go the same way, the same in every
    dataset of the same `seed`. `time`: by the one column, the first split holds the earliest rows; equal times stay together.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    by: str = RANDOM
    columns: tuple[str, ...] = ()
    seed: int = 0

    @property
    def bounds(self) -> _Unit:
        """Where in 0 to 1 each split but the last ends."""
        return np.cumsum(list(self.shares.values()))[:-1]


def require_splits(splits: Splits, schema: pa.Schema) -> None:
    """Raises InvalidInputError unless these rows can be split like this."""
    if splits.by not in _WAYS:
        raise InvalidInputError(f"{splits.by[:40]!r} is no way to split.", candidates=_WAYS)
    wrong = [name for name in splits.shares if not _NAME.fullmatch(name)]
    if wrong or not 2 <= len(splits.shares) <= _MOST:
        raise InvalidInputError(
            f"{wrong[0][:40]!r} is no name of a split." if wrong else f"There are 2 to {_MOST} splits, or none.",
            hint='For example {"train": 0.8, "test": 0.2}.',
        )
    together = sum(splits.shares.values())
    if not all(share > 0 for share in splits.shares.values()) or not math.isclose(together, 1.0):
        raise InvalidInputError(f"The shares of the splits must be above 0 and add up to 1; these make {together:.6g}.")
    if not 0 <= splits.seed < 2**63:
        raise InvalidInputError("The seed is a whole number from 0 to 2^63 - 1.")
    _require_columns(splits, schema)


def _require_columns(splits: Splits, schema: pa.Schema) -> None:
    unknown = [name for name in splits.columns if name not in schema.names]
    if unknown:
        raise InvalidInputError(f"The rows have no column {unknown[0][:80]!r}.", candidates=schema.names[:20])
    expected = {RANDOM: not splits.columns, ENTITY: bool(splits.columns), TIME: len(splits.columns) == 1}
    if not expected[splits.by]:
        raise InvalidInputError("Split by entity names its columns, by time the one column, at random none.")
    nested = [name for name in splits.columns if pa.types.is_nested(schema.field(name).type)]
    if nested:
        raise InvalidInputError(f"{nested[0]!r} is an ARRAY, STRUCT or MAP, by which nothing is split.")
    if splits.by == TIME and not _is_time(schema.field(splits.columns[0]).type):
        raise InvalidInputError(f"{splits.columns[0]!r} is no TIMESTAMP, DATE or whole number.")


@contextmanager
def split_rows(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, splits: Splits
) -> Iterator[dict[str, Iterator[pa.RecordBatch]]]:
    """The rows of each split in their order. They wait on disk; in memory are the times to split by, eight bytes a row."""
    # Files without a name go with the process, whatever ends it.
    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as times:
        _store(batches, schema, spool, times, splits)
        assigner = _assigner(splits, times)
        yield {name: _rows_of(number, spool, splits, assigner) for number, name in enumerate(splits.shares)}


def _store(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, spool: IO[bytes], times: IO[bytes], splits: Splits
) -> None:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(pa.PythonFile(spool, "w"), schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
            if splits.by == TIME:
                times.write(_ticks(batch, splits.columns[0]).tobytes())


def _rows_of(
    number: int, spool: IO[bytes], splits: Splits, assigner: Callable[[], _Assign]
) -> Iterator[pa.RecordBatch]:
    assign = assigner()
    spool.seek(0)
    with pa.ipc.open_stream(pa.PythonFile(spool, "r")) as reader:
        for batch in reader:
            split = np.searchsorted(splits.bounds, assign(batch), side="right")
            yield batch.filter(pa.array(split == number))


def _assigner(splits: Splits, times: IO[bytes]) -> Callable[[], _Assign]:
    """Makes what gives each row its place between 0 and 1: from the start each time, the same each time."""
    if splits.by == ENTITY:
        return lambda: lambda batch: _place_of_entity(batch, splits)
    if splits.by == RANDOM:
        return lambda: _at_random(splits.seed)
    times.seek(0)
    last = _last_times(np.sort(np.fromfile(times, np.int64)), splits)
    # A row is beyond as many bounds as there are splits that ended before its time.
    middles = np.append(splits.bounds, 1.0) - np.diff(np.append(0.0, np.append(splits.bounds, 1.0))) / 2
    return lambda: lambda batch: middles[np.searchsorted(last, _ticks(batch, splits.columns[0]), side="left")]


def _at_random(seed: int) -> _Assign:
    generator = np.random.Generator(np.random.PCG64(seed))
    return lambda batch: generator.random(batch.num_rows)


def _place_of_entity(batch: pa.RecordBatch, splits: Splits) -> _Unit:
    places = np.zeros(batch.num_rows, np.uint64)
    for name in splits.columns:
        column = batch.column(name)
        # How Python writes a time depends on which zones are installed, and some it has not.
        column = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        coded = column.dictionary_encode(null_encoding="encode")
        values = np.array([_hash(_plain(value), splits.seed) for value in coded.dictionary.to_pylist()], np.uint64)
        places = (places * np.uint64(0x9E3779B97F4A7C15)) ^ values[coded.indices.to_numpy()]
    mixed = (places ^ (places >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    unit: _Unit = (mixed ^ (mixed >> np.uint64(27))) / _FULL
    return unit


def _plain(value: Any) -> Any:
    """One form of what is equal: 0.0 and -0.0, and a key that is a whole number here and came as 7.0 there."""
    is_whole = isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value)
    return int(value) if is_whole else value


def _hash(value: Any, seed: int) -> int:
    digest = hashlib.blake2b(repr(value).encode(), digest_size=8, salt=seed.to_bytes(8, "big"))
    return int.from_bytes(digest.digest(), "big")


def _last_times(times: npt.NDArray[np.int64], splits: Splits) -> npt.NDArray[np.int64]:
    """The last time of each split but the last one; `times` are sorted."""
    if len(times) == 0:
        return np.zeros(len(splits.bounds), np.int64)
    ends = np.clip(np.rint(splits.bounds * len(times)).astype(np.int64) - 1, 0, len(times) - 1)
    return times[ends]


def _ticks(batch: pa.RecordBatch, name: str) -> npt.NDArray[np.int64]:
    column = batch.column(name)
    if column.null_count:
        raise InvalidInputError(
            f"{name!r} has nulls, and nobody can say which split is theirs.",
            hint="Filter them out, or split at random.",
        )
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    ticks: npt.NDArray[np.int64] = pc.cast(column, pa.int64()).to_numpy()
    return ticks


def _is_time(column: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(column) or pa.types.is_date32(column) or pa.types.is_integer(column))
