"""An object store that serves parts with ranges, and the gateway's manifest of them."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from tests.cloud_sdk.gateway import Asked, Gateway, Reply

PARTS = "application/vnd.oasthouse.parts+json"
PINNED = "/projects/football/feature-groups/g/versions/1/parts/3"
ROWS = "/projects/football/feature-groups/g/versions/1/rows"

Fault = Callable[[Asked, Reply], Reply]


def parquet(table: pa.Table, **options) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()


class Store(Gateway):
    """Faults are taken one per request of a path, until there are no more."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.etag = '"one"'

    def answer(self, asked: Asked) -> Reply:
        if asked.path not in self.files:
            return super().answer(asked)
        self.asked.append(asked)
        reply = self._whole_or_range(asked)
        faults = self.faults.get(asked.path)
        return faults.pop(0)(asked, reply) if faults else reply

    def _whole_or_range(self, asked: Asked) -> Reply:
        data, headers = self.files[asked.path], {"ETag": self.etag, "Content-Type": "application/octet-stream"}
        match = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("Range", ""))
        if match is None:
            return Reply(200, data, headers)
        start = int(match[1])
        return Reply(206, data[start:], {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    def asked_for(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]


def cut(after: int) -> Fault:
    """Announce everything and hang up after so many bytes."""
    return lambda _asked, reply: Reply(reply.status, reply.body[:after], reply.headers, announced=len(reply.body))


def refuse(status: int) -> Fault:
    return lambda _asked, _reply: Reply(status, b"<Error/>")


@dataclass
class Parts:
    """Files of a group's table with the rows that they hold; `url` is where the store is."""

    store: Store
    url: str
    schema: pa.Schema
    listed: list[dict] = field(default_factory=list)

    def add(self, table: pa.Table, partition=None, data: bytes | None = None, **changes) -> str:
        """One more; its path."""
        path = f"/api/v1{PINNED}/{len(self.listed)}"
        data = parquet(table) if data is None else data
        self.store.files[path] = data
        part = {"url": self.url + path, "bytes": len(data), "rows": table.num_rows, "partition": partition or {}}
        self.listed.append({**part, **changes})
        return path

    def manifest(self, **changes) -> dict:
        return {
            "url": f"/api/v1{PINNED}",
            "table_version": 3,
            "schema": base64.b64encode(self.schema.serialize()).decode(),
            "rows": sum(part["rows"] for part in self.listed),
            "bytes": sum(part["bytes"] for part in self.listed),
            "parts": self.listed,
            "expires_at": None,
            "a_field_of_a_newer_gateway": 1,
            **changes,
        }
