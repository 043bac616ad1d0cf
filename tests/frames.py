"""Frames as bytes, with the headers that prove them whole."""

import base64
import hashlib
import json
from typing import Any

import pyarrow as pa

from app.featurestore.feature_groups.frames import ARROW_STREAM


def arrow_bytes(table: pa.Table, command: dict[str, Any] | None = None, compression: str | None = "lz4") -> bytes:
    if command is not None:
        table = table.replace_schema_metadata({"oasthouse": json.dumps(command)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=1000)
    return sink.getvalue().to_pybytes()


def frame_headers(body: bytes, rows: int) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {"Content-Type": ARROW_STREAM, "Content-Digest": f"sha-256=:{digest}:", "X-Row-Count": str(rows)}


def frame_request(table: pa.Table, command: dict[str, Any] | None = None) -> dict[str, Any]:
    """Options of a request that sends `table`."""
    body = arrow_bytes(table, command)
    return {"data": body, "headers": frame_headers(body, table.num_rows)}


def read_arrow(body: bytes) -> pa.Table:
    return pa.ipc.open_stream(body).read_all()
