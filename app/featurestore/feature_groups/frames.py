"""Uploaded frames: read from disk as often as needed, checked whole before anything is written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from infra.arrow_sizes import message_sizes, rows_at_once, viewed_bytes
from infra.errors import ErrorKind, FrameInvalidError, InvalidInputError, TooLargeError

ARROW_STREAM = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
COMMAND_KEY = b"oasthouse"
MAX_COLUMNS = 2_000
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_LARGEST_BATCH = 512 << 20


class BodyTruncatedError(FrameInvalidError):
    """Fewer bytes arrived than were announced, or the frame stops before its end."""

    code = "body-truncated"
    title = "The body is incomplete"


class RowCountMismatchError(InvalidInputError):
    """The frame does not hold as many rows as its sender says."""

    code = "row-count-mismatch"
    kind = ErrorKind.MALFORMED
    title = "The row count is wrong"


class FrameTooLargeError(TooLargeError):
    """More columns or more uncompressed bytes than the gateway takes."""

    code = "frame-too-large"
    title = "The frame is too large"


@dataclass(frozen=True)
class Upload:
    """A body received whole: on disk, of the digest its sender gave. `rows` is what the sender counted.

    `more` are further files of the same frame, where it came as several; Parquet only.
    """

    path: Path
    media_type: str
    rows: int
    max_expanded_bytes: int
    more: tuple[Path, ...] = ()


class Frame:
    """An upload as a table. `schema` carries no metadata; `command` is the sender's JSON about the frame, or None."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._is_parquet = upload.media_type == PARQUET
        if not self._is_parquet:
            _require_end_of_stream(upload.path)
        with _readable():
            schema = self._parquet_schema() if self._is_parquet else self._arrow_schema()
            if len(schema) > MAX_COLUMNS:
                raise FrameTooLargeError(f"The frame has {len(schema)} columns; {MAX_COLUMNS} is the most.")
            duplicates = sorted({name for name in schema.names if schema.names.count(name) > 1})
            if duplicates:
                raise FrameInvalidError(f"The frame has more than one column called {duplicates[0]!r}.")
        self.command: bytes | None = (schema.metadata or {}).get(COMMAND_KEY)
        self.schema: pa.Schema = schema.remove_metadata()

    @property
    def has_rows(self) -> bool:
        """As its sender counted."""
        return self._upload.rows > 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows from the start; raises FrameInvalidError where they cannot be read."""
        with _readable():
            yield from self._parquet_batches() if self._is_parquet else self._arrow_batches()

    def checked(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass `batches` on while counting; raises at the end where rows differ from what the sender counted."""
        rows = expanded = 0
        for batch in batches:
            rows += batch.num_rows
            expanded += batch.nbytes
            self._require_within(expanded)
            yield batch
        if rows != self._upload.rows:
            raise RowCountMismatchError(f"The frame holds {rows:,} rows, its sender counted {self._upload.rows:,}.")

    def _parquet_schema(self) -> pa.Schema:
        first: pa.Schema | None = None
        expanded = 0
        for path in self._paths:
            with pq.ParquetFile(path) as source:
                groups = map(source.metadata.row_group, range(source.metadata.num_row_groups))
                expanded += sum(group.total_byte_size for group in groups)
                self._require_within(expanded)
                schema = source.schema_arrow
            if first is not None and not schema.equals(first):
                raise FrameInvalidError("The files of the frame differ in their columns.")
            first = schema
        return first

    @property
    def _paths(self) -> tuple[Path, ...]:
        return (self._upload.path, *self._upload.more)

    def _require_expandable(self) -> None:
        """By what the stream says of itself, before anything of it is unpacked."""
        total = 0
        for size in message_sizes(self._upload.path):
            if size > _LARGEST_BATCH:
                raise FrameTooLargeError(
                    f"The frame has a batch of {size:,} bytes uncompressed; {_LARGEST_BATCH:,} is the most.",
                    hint="Write it in batches of fewer rows.",
                )
            total += size
            self._require_within(total)

    def _require_within(self, expanded: int) -> None:
        if expanded > self._upload.max_expanded_bytes:
            raise FrameTooLargeError(
                f"The frame holds more than {self._upload.max_expanded_bytes:,} bytes uncompressed.",
                hint="Insert it in several parts.",
            )

    def _arrow_schema(self) -> pa.Schema:
        self._require_expandable()
        with pa.OSFile(str(self._upload.path)) as source, pa.ipc.open_stream(source) as reader:
            return reader.schema

    def _arrow_batches(self) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self._upload.path)) as source, pa.ipc.open_stream(source) as reader:
            viewed = 0
            for batch in reader:
                # Checking text looks at what each view shows, and a thousand can show the same megabytes.
                viewed += sum(viewed_bytes(column) for column in batch.columns)
                self._require_within(viewed)
                # Offsets that point outside their buffers would crash the process later on.
                batch.validate(full=True)
                yield batch.replace_schema_metadata(None)
            if source.tell() != source.size():
                raise FrameInvalidError("There are bytes after the end of the Arrow stream.")

    def _parquet_batches(self) -> Iterator[pa.RecordBatch]:
        # Texts stay dictionaries as they are in the file: one long value may stand for many.
        texts = [field.name for field in self.schema if _is_text_or_bytes(field.type)]
        for path in self._paths:
            with pq.ParquetFile(path, read_dictionary=texts) as source:
                for number in range(source.num_row_groups):
                    size = rows_at_once(source.metadata.row_group(number))
                    for batch in source.iter_batches(size, row_groups=[number]):
                        batch.validate(full=True)
                        yield batch.replace_schema_metadata(None)


@contextmanager
def _readable() -> Iterator[None]:
    """Turns Arrow's errors about the bytes into ours."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise FrameInvalidError(f"The frame cannot be read: {str(error)[:300]}") from error


def _is_text_or_bytes(column: pa.DataType) -> bool:
    return bool(pa.types.is_string(column) or pa.types.is_binary(column))


def _require_end_of_stream(path: Path) -> None:
    # Cut at a batch boundary, a stream reads as a shorter table without any error; only its end mark tells.
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(_END_OF_STREAM)))
        if file.read() != _END_OF_STREAM:
            raise BodyTruncatedError(
                "The Arrow stream has no end mark.", hint="Close the stream writer before sending, and send all of it."
            )
