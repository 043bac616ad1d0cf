"""ORC files of others, some rows at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pyarrow as pa
import pyarrow.orc as pa_orc

from infra.arrow_types import plain
from infra.formats.gathering import gathered
from infra.ports.imports import NotReadable, Wanted

# Few, because one value of a dictionary may be a megabyte and stand in every row.
_ROWS_AT_ONCE: Final = 128
_BATCH_BYTES: Final = 4 << 20


class ForeignOrc:
    """Implements `infra.ports.imports.ImportFormat`.

    Read as a dataset, the only way to Arrow that goes through a stripe in pieces: unpacked, one may be of any size.
    """

    def schema(self, file: pa.Buffer, wanted: Wanted) -> pa.Schema:  # noqa: ARG002 the file has types of its own
        with _readable():
            source = pa_orc.ORCFile(pa.BufferReader(file))
            return pa.schema([pa.field(field.name, plain(field.type)) for field in source.schema])

    def batches(self, file: pa.Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with _readable():
            rows = 0
            for table in gathered(_scanned(file), schema, _BATCH_BYTES):
                rows += table.num_rows
                yield from table.combine_chunks().to_batches()
            said = pa_orc.ORCFile(pa.BufferReader(file)).nrows
            if rows != said:
                raise NotReadable(f"holds {rows:,} rows and says that it has {said:,}.")


def _scanned(file: pa.Buffer) -> Iterator[pa.RecordBatch]:
    import pyarrow.dataset as ds  # noqa: PLC0415 it brings pandas along

    scanner = ds.Scanner.from_fragment(
        ds.OrcFileFormat().make_fragment(file),
        batch_size=_ROWS_AT_ONCE,
        batch_readahead=0,
        fragment_readahead=0,
        use_threads=False,
    )
    for batch in scanner.to_batches():
        batch.validate(full=True)  # texts, too: nobody has looked whether they are any
        yield batch


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise NotReadable(
            f"is no ORC file that can be read: {str(error)[:200]}",
            hint="It may be cut, or of another format. Times must lie between 1677 and 2262.",
        ) from error
