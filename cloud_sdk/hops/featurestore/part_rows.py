"""One downloaded part → rows of exactly the manifest's schema."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, wait
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional

from hops.featurestore.errors import AnswerCutError
from hops.featurestore.manifests import Part
from hops.featurestore.threads import in_a_thread

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 65_536


class PartUnreadableError(AnswerCutError):
    """No Parquet, or its bytes cannot be had."""


def gather(read_into: Callable[[Dict[int, pa.Table]], None], at_once: int, schema: pa.Schema) -> pa.Table:
    """The parts that some threads put in under their numbers, in order. Raises the first that one of them raises."""
    import pyarrow as pa

    tables: Dict[int, pa.Table] = {}
    readers = [in_a_thread(lambda: read_into(tables)) for _ in range(at_once)]
    for reader in wait(readers, return_when=FIRST_EXCEPTION).done:
        reader.result()
    return pa.concat_tables([schema.empty_table(), *(tables[number] for number in sorted(tables))])


class PartRows:
    """A Parquet file of `schema`'s rows. Raises AnswerCutError unless it is one and holds as many rows as its part says.

    `pre_buffer` is for sources far away: what is wanted of one group of rows is read at once.
    """

    def __init__(self, source: pa.NativeFile, part: Part, schema: pa.Schema, *, pre_buffer: bool = False) -> None:
        import pyarrow.parquet as pq

        self._part = part
        self._schema = schema
        with _readable():
            self._file: Any = pq.ParquetFile(source, pre_buffer=pre_buffer)
        stored = self._file.schema_arrow.names
        self._columns = [name for name in schema.names if name in stored and name not in part.partition]
        if self._file.metadata.num_rows != part.rows:
            raise AnswerCutError(
                f"A part holds {self._file.metadata.num_rows} rows where {part.rows} are due; none are returned."
            )

    def close(self) -> None:
        """Lets go of the source, whoever still holds this."""
        self._file = None

    @property
    def row_groups(self) -> int:
        return int(self._file.metadata.num_row_groups)

    def table(self, group: Optional[int] = None) -> pa.Table:
        """Of one group of rows, or of all of them."""
        import pyarrow as pa

        groups = range(self.row_groups) if group is None else [group]
        with _readable():
            read = self._file.read_row_groups(list(groups), columns=self._columns) if self._columns else None
            rows = sum(self._file.metadata.row_group(each).num_rows for each in groups)
            columns = [self._column(field, read, rows) for field in self._schema]
            return pa.Table.from_arrays(columns, schema=self._schema)

    def batches(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for read, rows in self._stored_batches():
            with _readable():
                columns = [self._column(field, read, rows) for field in self._schema]
                batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
            yield batch

    def _stored_batches(self) -> Iterator[Any]:
        if self._columns:
            batches = self._file.iter_batches(BATCH_ROWS, columns=self._columns)
            while True:
                with _readable():
                    batch = next(batches, None)
                if batch is None:
                    return
                yield batch, batch.num_rows
        # Nothing asked for is in the file; there still are as many rows.
        for start in range(0, self._part.rows, BATCH_ROWS):
            yield None, min(BATCH_ROWS, self._part.rows - start)

    def _column(self, field: pa.Field, read: Any, rows: int) -> Any:
        import pyarrow as pa

        if field.name in self._columns:
            column = read.column(self._columns.index(field.name))
            return column if column.type.equals(field.type) else column.cast(field.type)
        text = self._part.partition.get(field.name)
        if text is None:
            return pa.nulls(rows, field.type)
        return pa.repeat(_value(text, field.type), rows)


@contextmanager
def _readable() -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise PartUnreadableError(f"A part cannot be read ({error}); no rows are returned.") from None


def _value(text: str, kind: pa.DataType) -> Any:
    """A partition's value, which the table's log holds as text: a text, an integer, a date or a truth value."""
    import pyarrow as pa

    if pa.types.is_date(kind):
        return pa.scalar(date.fromisoformat(text), kind)  # pyarrow before 12 casts no text to a date
    return pa.scalar(text).cast(kind)
