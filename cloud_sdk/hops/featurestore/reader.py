"""Rows as they arrive, for what does not fit into memory."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generator, Iterator, Optional, Protocol, Type

from hops.featurestore.errors import FeatureStoreError, NotSupportedError

if TYPE_CHECKING:
    import pyarrow as pa


class Source(Protocol):
    """Where rows come from: `streams.StreamSource`, `parts.PartsSource` or `TableSource`. Read once, as batches or as a table."""

    @property
    def schema(self) -> pa.Schema: ...

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """Raises AnswerCutError in place of the end if rows are missing."""

    def table(self) -> pa.Table: ...

    def close(self) -> None: ...


class TableSource:
    """Implements `Source` with rows that are in memory anyway."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @property
    def schema(self) -> pa.Schema:
        return self._table.schema

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        yield from self._table.to_batches()

    def table(self) -> pa.Table:
        return self._table

    def close(self) -> None:
        self._table = self._table.schema.empty_table()


class RowReader:
    """Reads like a `pyarrow.RecordBatchReader`, in constant memory, once.

    Where the rows break off it raises AnswerCutError, never ends early. Polars, DuckDB and others take it as it is, by
    `__arrow_c_stream__`; so does `fs.create_featuregroup`. Close it, or use it in `with`: closing it before the end makes the
    gateway stop the query.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._batches = source.batches()
        self._closed = False

    @property
    def schema(self) -> pa.Schema:
        return self._source.schema

    @property
    def closed(self) -> bool:
        return self._closed

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        return self.read_next_batch()

    def read_next_batch(self) -> pa.RecordBatch:
        """Raises StopIteration after the last one."""
        if self._closed:
            raise FeatureStoreError("This reader was closed.", hint="Ask for another one.")
        try:
            return next(self._batches)
        except StopIteration:
            raise
        except BaseException:
            # Asked again, the rows would seem to be at their end.
            self.close()
            raise

    def read_all(self) -> pa.Table:
        """What was not read yet."""
        import pyarrow as pa

        return pa.Table.from_batches(list(self), self.schema)

    def read_pandas(self) -> Any:
        """What was not read yet."""
        from hops.featurestore.containers import convert

        return convert(self.read_all(), "pandas")

    def to_reader(self) -> pa.RecordBatchReader:
        """The same rows as pyarrow's own class, for what takes no other; keep this object to close it."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self.schema, self)

    def __arrow_c_stream__(self, requested_schema: Optional[object] = None) -> object:
        reader: Any = self.to_reader()
        if not hasattr(reader, "__arrow_c_stream__"):
            raise NotSupportedError("This pyarrow cannot hand rows over.", hint='Run:  pip install "pyarrow>=14"')
        return reader.__arrow_c_stream__(requested_schema)

    def close(self) -> None:
        """Gives back at once what waits to be read."""
        self._closed = True
        self._source.close()
        with suppress(ValueError):  # another thread is reading at this moment
            self._batches.close()

    def __enter__(self) -> RowReader:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
