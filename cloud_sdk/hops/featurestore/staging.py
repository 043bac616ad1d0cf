"""Rows of a large insert, put into S3 past the gateway, which then reads, checks and commits them."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Deque, Dict, List, Optional, Tuple

from hops.featurestore.arguments import as_json
from hops.featurestore.direct_files import RenewedStore, read_credentials
from hops.featurestore.errors import FeatureStoreError, GatewayError
from hops.featurestore.extras import require
from hops.featurestore.frames import to_table
from hops.featurestore.progress import begin_progress
from hops.featurestore.table_credentials import TableCredentials
from hops.featurestore.threads import in_a_thread
from hops.featurestore.transport import Request, Transport, json_request
from hops.featurestore.upload import new_idempotency_key

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("hops")

STAGED = "application/vnd.oasthouse.staged+json"
_ASKED_FROM = 1 << 20  # bytes; the gateway says what is large, and it is not asked for what surely is not
_FILE_BYTES = 64 << 20  # of rows, before they are packed
_AT_ONCE = 3  # files; as many are in memory, packed
_ATTEMPTS = 4  # at one file


@dataclass(frozen=True)
class StagedRows:
    """What the gateway has to know to read them."""

    staging: str
    rows: int
    files: List[Dict[str, Any]]


def stage(transport: Transport, path: str, frame: Any) -> Tuple[Any, Optional[StagedRows], str]:
    """Put the rows into S3, where that pays and may be. The frame to send instead, where it does not; and why.

    Until the gateway is told of the files nothing has happened. Raises FrameConversionError.
    """
    table = to_table(frame)
    if table is None:
        return frame, None, "such a frame may be readable only once"
    table = table.replace_schema_metadata(None)  # nobody's business but its owner's
    why = _why_not(transport, table)
    if why is not None:
        return table, None, why
    begun, why = _begin(transport, path, table.nbytes)
    if begun is None:
        log.info("The rows go through the gateway: %s", why)
        return table, None, why
    try:
        return table, _Upload(transport, path, begun).put(table), why
    except require("pyarrow").ArrowException as error:
        # A null where the frame's own schema has none, say: that is for the gateway to judge.
        return table, None, f"Parquet cannot hold these rows: {str(error)[:300]}"
    except (FeatureStoreError, OSError) as error:
        transport.writes_directly = False
        reason = str(getattr(error, "detail", error))[:300]
        log.warning("S3 is not written directly from here: %s The rows go through the gateway.", reason)
        return table, None, f"S3 is not written directly from here: {reason}"


def staged_request(path: str, staged: StagedRows, query: Mapping[str, str]) -> Request:
    """The insert itself, once however often it is sent."""
    headers = {"Content-Type": STAGED, "Idempotency-Key": new_idempotency_key()}
    return Request("POST", path, query=query, headers=headers, body=as_json(vars(staged)).encode())


def _why_not(transport: Transport, table: pa.Table) -> Optional[str]:
    if not transport.writes_directly:
        return "S3 was out of reach from here before"
    if table.nbytes < _ASKED_FROM:
        return "the rows are few"
    return None if _survives(table.schema) else "Parquet has no form for a type of the frame"


def _survives(schema: pa.Schema) -> bool:
    """Whether types come out of a file as they went in: the gateway is to see what it would have been sent."""
    pa, pq = require("pyarrow"), require("pyarrow.parquet")
    try:
        kept = pq.read_schema(pa.BufferReader(_packed(schema.empty_table())))
    except (pa.ArrowException, NotImplementedError):
        return False
    return kept.names == schema.names and all(map(_is_same, kept.types, schema.types))


def _is_same(kept: pa.DataType, given: pa.DataType) -> bool:
    # Of a dictionary, the numbers and the text come out in another width, which nobody sees.
    is_dictionary = require("pyarrow").types.is_dictionary
    if is_dictionary(kept) and is_dictionary(given):
        return _narrow(kept.value_type) == _narrow(given.value_type)
    return bool(kept == given)


def _narrow(kind: pa.DataType) -> str:
    return str(kind).replace("large_", "")


def _packed(table: pa.Table) -> pa.Buffer:
    pa, pq = require("pyarrow"), require("pyarrow.parquet")
    sink = pa.BufferOutputStream()
    compression = "zstd" if pa.Codec.is_available("zstd") else "snappy"
    # Of older versions times in nanoseconds come out coarser.
    pq.write_table(table, sink, compression=compression, version="2.6", row_group_size=max(1, table.num_rows))
    return sink.getvalue()


def _begin(transport: Transport, path: str, size: int) -> Tuple[Optional[Mapping[str, Any]], str]:
    try:
        # Asked twice it is begun twice, and one of them is never used.
        answer = transport.json(json_request("POST", path, {"bytes": size}, repeatable=True))
    except GatewayError as error:  # an older gateway, or one that will say the same to the rows
        return None, error.detail
    return (answer if answer["mode"] == "direct" else None), answer["why"]


class _Upload(RenewedStore):
    def __init__(self, transport: Transport, path: str, begun: Mapping[str, Any]) -> None:
        super().__init__(transport)
        self._path = path
        self._staging = begun["staging"]
        self._first: Optional[Mapping[str, Any]] = begun["credential"]
        self._uri = begun["credential"]["uri"]
        self._progress = begin_progress(transport.shows_progress)

    def put(self, table: pa.Table) -> StagedRows:
        """All rows, in files of some megabytes; a few of those are the most in memory. Raises OSError or FeatureStoreError."""
        self._progress.expect(rows=table.num_rows, bytes_=table.nbytes)
        files: List[Dict[str, Any]] = []
        waiting: Deque[Future[Dict[str, Any]]] = deque()
        try:
            for number, start in enumerate(range(0, table.num_rows, self._rows_each(table))):
                part = table.slice(start, self._rows_each(table))
                # There is another way, which needs no patience: until the first is there.
                send = partial(self._send, number, _packed(part), part, 1 if number == 0 else _ATTEMPTS)
                waiting.append(in_a_thread(send))
                if number == 0 or len(waiting) == _AT_ONCE:
                    files.append(waiting.popleft().result())
            files += [each.result() for each in waiting]
        finally:
            self._progress.close()
        return StagedRows(self._staging, table.num_rows, files)

    @staticmethod
    def _rows_each(table: pa.Table) -> int:
        return int(max(1, table.num_rows * _FILE_BYTES // max(1, table.nbytes)))

    def _send(self, number: int, body: pa.Buffer, part: pa.Table, attempts: int) -> Dict[str, Any]:
        name, attempt, retries = f"{number:05}.parquet", 1, self._transport.retries
        started = retries.clock()
        while True:
            store, issue = self.current()
            try:
                with store.open_output_stream(f"{self._uri[len('s3://') :]}{name}") as sink:
                    sink.write(body)
                break
            except OSError:
                attempt += 1
                pause = retries.wait_before(attempt, None, started) if attempt <= attempts else None
                if pause is None:
                    raise
                log.warning("A file was not taken by S3. Trying again in %.1f s.", pause)
                self.renew(issue)
                retries.sleep(pause)
        self._progress.add(rows=part.num_rows, bytes_=part.nbytes)
        return {"name": name, "bytes": body.size, "sha256": hashlib.sha256(body).hexdigest()}

    def _ask(self) -> TableCredentials:
        first, self._first = self._first, None
        if first is None:
            request = json_request("POST", self._path, {"staging": self._staging}, repeatable=True)
            first = self._transport.json(request)["credential"]
        return read_credentials(self._transport, first)
