"""ORC files of others, stripe by stripe."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.orc as pa_orc

from infra.arrow_types import plain
from infra.ports.imports import NotReadable, Wanted


class ForeignOrc:
    """Implements `infra.ports.imports.ImportFormat`. A stripe is unpacked whole; writers keep them below some 250 MiB."""

    def schema(self, file: pa.Buffer, wanted: Wanted) -> pa.Schema:  # noqa: ARG002 the file has types of its own
        with _readable():
            source = pa_orc.ORCFile(pa.BufferReader(file))
            return pa.schema([pa.field(field.name, plain(field.type)) for field in source.schema])

    def batches(self, file: pa.Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 as above
        with _readable():
            source = pa_orc.ORCFile(pa.BufferReader(file))
            for stripe in range(source.nstripes):
                yield source.read_stripe(stripe)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise NotReadable(
            f"is no ORC file that can be read: {str(error)[:200]}",
            hint="It may be cut, or of another format. Times must lie between 1677 and 2262.",
        ) from error
