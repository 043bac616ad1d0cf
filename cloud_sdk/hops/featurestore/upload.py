"""A frame → the body of a request, with everything the gateway checks it by."""

from __future__ import annotations

import base64
import hashlib
import io
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Iterator, Optional, cast

from hops.featurestore.arguments import as_json
from hops.featurestore.download import ARROW_STREAM
from hops.featurestore.frames import to_record_batches
from hops.featurestore.transport import Request, json_request

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 16 * 1024 * 1024  # bytes; a larger body waits in a temporary file
_ROWS_PER_BATCH = 65_536
_COMMAND = "oasthouse"


@contextmanager
def frame_request(
    path: str,
    frame: Any,
    *,
    command: Optional[Mapping[str, Any]] = None,
    query: Optional[Mapping[str, str]] = None,
    repeatable_by_key: bool = True,
) -> Iterator[Request]:
    """A POST of the frame that can be sent again as it is: same bytes, same `Idempotency-Key`.

    Without `repeatable_by_key` it has no such key: it changes nothing, and can be sent again anyway. `command` travels in
    the Arrow schema. The body is deleted on leaving. Raises FrameConversionError.
    """
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, prefix="oasthouse-") as spool:
        body = cast("IO[bytes]", spool)
        sink = _HashingSink(body)
        rows = _write(to_record_batches(frame), sink, command)
        headers = {
            "Content-Type": ARROW_STREAM,
            "Content-Length": str(sink.size),
            "Content-Digest": f"sha-256=:{base64.b64encode(sink.sha256.digest()).decode()}:",
            "X-Row-Count": str(rows),
        }
        if repeatable_by_key:
            headers["Idempotency-Key"] = new_idempotency_key()
        yield Request("POST", path, query=query or {}, headers=headers, body=body, repeatable=not repeatable_by_key)


def command_request(path: str, command: Mapping[str, Any]) -> Request:
    """A POST of JSON that makes something, once however often it is sent."""
    return json_request("POST", path, command, headers={"Idempotency-Key": new_idempotency_key()})


def new_idempotency_key() -> str:
    return str(uuid.uuid4())


def _write(reader: pa.RecordBatchReader, sink: Any, command: Optional[Mapping[str, Any]]) -> int:
    import pyarrow as pa

    # Replaced, not added to: what else a frame's metadata holds (of pandas, say) is nobody's business but its owner's.
    schema = reader.schema.with_metadata({_COMMAND: as_json(command)} if command is not None else None)
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    rows = 0
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        for batch in _parts(reader):
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
            rows += batch.num_rows
    return rows


def _parts(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Small batches: the gateway holds a few of them in memory, however large the frame."""
    for batch in reader:
        for start in range(0, batch.num_rows, _ROWS_PER_BATCH):
            yield batch.slice(start, _ROWS_PER_BATCH)


class _HashingSink(io.RawIOBase):
    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self.size = 0
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return self._target.write(data)
