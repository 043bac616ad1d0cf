"""A training dataset as batches that arrive while they are used, once for each epoch. Needs neither torch nor TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from hops.featurestore.arguments import column_list, is_whole, plain, shown
from hops.featurestore.containers import convert
from hops.featurestore.download import open_reader
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.extras import require
from hops.featurestore.transport import Request, Transport

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = ("arrow", "numpy", "pandas", "polars", "pyarrow")
NUMPY = "numpy"
_NUMBERS = {
    "tinyint": "int8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "float": "float32",
    "double": "float64",
    "boolean": "bool",
    "date": "datetime64[D]",
    "timestamp": "datetime64[us]",
}
_WITHOUT_NULLS = ("tinyint", "smallint", "int", "bigint", "boolean")


@dataclass(frozen=True)
class BatchColumn:
    """What a column of a "numpy" batch is. `dtype` as numpy calls it; None in `shape` is what differs between batches."""

    dtype: str
    shape: Tuple[Optional[int], ...] = (None,)


@dataclass(frozen=True)
class BatchPlan:
    """What is read, and how it is handed over."""

    path: str
    files: Sequence[str]
    columns: Sequence[str]
    content_hash: Optional[str]
    batch_rows: int
    container: str


class TrainingBatches:
    """Iterate over it as often as there are epochs: each time it begins again, in the same order, in constant memory.

    It holds to the rows that the dataset had when this was made: once others are written, iterating raises ConflictError
    rather than mix them. How many batches there will be is not known, so it has no length.

    In a process that was forked, as the workers of a torch DataLoader are, it opens a connection of its own. It cannot be
    pickled; where processes are spawned, make one in each.
    """

    def __init__(
        self,
        transport: Transport,
        plan: BatchPlan,
        signature: Mapping[str, BatchColumn],
        *,
        index: int = 0,
        count: int = 1,
    ) -> None:
        self._transport = transport
        self._plan = plan
        self._signature = signature
        self._index = index
        self._count = count

    @property
    def signature(self) -> Dict[str, BatchColumn]:
        """Of "numpy" batches, by column: for what wants to know before the first one, as TensorFlow's `from_generator` does."""
        return dict(self._signature)

    def shard(self, index: int, count: int) -> TrainingBatches:
        """The share of one of `count` workers: no row is in two shares, and none is in none. Shares can be shared on.

        Each worker reads its own files, where there are enough for all; else each reads all rows and keeps every
        `count`-th batch.
        """
        index, count = plain(index), plain(count)
        if not (is_whole(index) and is_whole(count) and 0 <= index < count):
            raise InvalidInputError(f"There is no share {shown(index)} of {shown(count)}.", hint="Shares count from 0.")
        return TrainingBatches(
            self._transport,
            self._plan,
            self._signature,
            index=self._index + self._count * index,
            count=self._count * count,
        )

    def __iter__(self) -> Iterator[Any]:
        plan = self._plan
        if len(plan.files) >= self._count:
            tables = _portions(self._rows(plan.files[self._index :: self._count]), plan.batch_rows)
        else:
            tables = islice(_portions(self._rows(plan.files), plan.batch_rows), self._index, None, self._count)
        for table in tables:
            yield self._handed(table)

    def _rows(self, files: Iterable[str]) -> Iterator[pa.RecordBatch]:
        for file in files:
            query: Dict[str, Any] = {"file": file}
            if self._plan.content_hash is not None:
                query["content_hash"] = self._plan.content_hash
            if self._plan.columns:
                query["columns"] = ",".join(self._plan.columns)
            with open_reader(self._transport, Request("GET", self._plan.path, query=query), progress=False) as reader:
                yield from reader

    def _handed(self, table: pa.Table) -> Any:
        if self._plan.container != NUMPY:
            return convert(table, self._plan.container)
        return {name: _array(table.column(name), self._signature[name]) for name in table.column_names}


def training_batches(
    transport: Transport,
    path: str,
    manifest: Mapping[str, Any],
    *,
    split: Optional[str],
    columns: Optional[Sequence[str]],
    batch_rows: int,
    container: str,
) -> TrainingBatches:
    batch_rows = plain(batch_rows)
    if container not in KINDS:
        raise InvalidInputError(f"{container!r} is no kind of batch.", candidates=KINDS)
    if not is_whole(batch_rows) or batch_rows < 1:
        raise InvalidInputError(f"batch_rows={shown(batch_rows)} is no number of rows: 1 or more.")
    types = {each["name"]: each["type"] for each in manifest["features"]}
    chosen = [columns] if isinstance(columns, str) else list(columns or ())
    column_list(chosen)
    unknown = [name for name in chosen if name not in types]
    if unknown:
        raise InvalidInputError(f"The training dataset has no feature {shown(unknown[0])}.", candidates=list(types))
    signature = {name: _column(name, types[name], manifest) for name in chosen or types}
    plan = BatchPlan(path, _files(manifest, split), chosen, manifest.get("content_hash"), batch_rows, container)
    return TrainingBatches(transport, plan, signature)


def _files(manifest: Mapping[str, Any], split: Optional[str]) -> List[str]:
    """Those with rows: an empty one would be somebody's whole share."""
    splits = list(dict.fromkeys(file["split"] for file in manifest["files"] if file.get("split") is not None))
    if split is not None and split not in splits:
        raise InvalidInputError(f"The training dataset has no split {shown(split)}.", candidates=splits)
    return [file["path"] for file in manifest["files"] if file["rows"] and split in (None, file.get("split"))]


def _column(name: str, kind: str, manifest: Mapping[str, Any]) -> BatchColumn:
    """Known beforehand, so that a column is the same in a batch with nulls as in one without."""
    if kind.startswith("array<"):
        element = _column(name, kind[6:-1], {"content_hash": "", "anomalies": ()})
        # Arrays of arrays may be of any lengths: numpy has no other number for them than "object".
        return BatchColumn(element.dtype if len(element.shape) == 1 else "object", (None, None))
    seen = manifest.get("anomalies", ())
    # Of an old dataset nobody knows.
    has_nulls = manifest.get("content_hash") is None or any(
        each["column"] == name and each["kind"] in ("nulls", "all-null") for each in seen
    )
    if kind in _WITHOUT_NULLS and has_nulls:
        return BatchColumn("float64")
    return BatchColumn(_NUMBERS.get(kind, "object"))


def _array(column: pa.ChunkedArray, told: BatchColumn) -> Any:
    pa = require("pyarrow")
    values = column.combine_chunks()
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if len(told.shape) > 1:
        return _arrays(values, told)
    if told.dtype == "float64" and not pa.types.is_floating(values.type):
        values = _floats(values)
    numbers = values.to_numpy(zero_copy_only=False)
    if told.dtype == "object":
        return numbers.astype(object)
    # Arrow's own memory cannot be written to, which torch warns of.
    return numbers.astype(told.dtype, copy=not numbers.flags.writeable)


def _arrays(values: pa.Array, told: BatchColumn) -> Any:
    """A matrix where every row has as many elements, else an array of arrays."""
    numpy, compute = require("numpy"), require("pyarrow.compute")
    lengths = compute.unique(compute.list_value_length(values)).to_pylist()
    if len(lengths) == 1 and lengths[0] and not values.flatten().null_count:
        flat = values.flatten().to_numpy(zero_copy_only=False)
        return flat.astype(told.dtype).reshape(len(values), lengths[0])
    ragged = numpy.empty(len(values), object)
    ragged[:] = [None if each is None else numpy.array(each) for each in values.to_pylist()]
    return ragged


def _floats(values: pa.Array) -> pa.Array:
    """True as 1, nulls as what becomes NaN."""
    pa, compute = require("pyarrow"), require("pyarrow.compute")
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    return compute.cast(values, pa.float64(), safe=False)


def _portions(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Tables of `rows` rows, however the rows arrive; the last one has what is left."""
    import pyarrow as pa

    pending: List[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        at = 0
        while at < batch.num_rows:
            piece = batch.slice(at, rows - held)
            pending.append(piece)
            at, held = at + piece.num_rows, held + piece.num_rows
            if held == rows:
                yield pa.Table.from_batches(pending)
                pending, held = [], 0
    if pending:
        yield pa.Table.from_batches(pending)
