"""Rows of a whole feature group, read from its files in S3 past the gateway."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from contextlib import closing
from typing import TYPE_CHECKING, Callable, Dict, Generator, Iterator, Optional, Tuple, TypeVar

from hops.featurestore.direct_files import DirectFiles
from hops.featurestore.errors import AnswerCutError, FeatureStoreError
from hops.featurestore.manifests import Manifest
from hops.featurestore.part_download import StoreUnusableError
from hops.featurestore.part_rows import PartRows, PartUnreadableError, gather
from hops.featurestore.progress import Progress
from hops.featurestore.threads import in_a_thread
from hops.featurestore.transport import Transport

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("hops")

_AT_ONCE = 4  # files of a table
_ATTEMPTS = 4  # at one piece

_T = TypeVar("_T")


class DirectSource:
    """Implements `hops.featurestore.reader.Source`. Rows are in the order of the manifest; only columns asked for are read."""

    def __init__(self, transport: Transport, manifest: Manifest, progress: Progress) -> None:
        self._manifest = manifest
        self._progress = progress
        self._retries = transport.retries
        self._files = DirectFiles(transport, manifest.credentials or "")
        self._closed = threading.Event()
        self._taking = threading.Lock()
        self._taken = 0
        progress.expect(rows=manifest.rows, bytes_=manifest.bytes)

    @property
    def schema(self) -> pa.Schema:
        return self._manifest.schema

    def start(self) -> None:
        """Open the first file. Raises StoreUnusableError, with the reason, if it cannot be read from here."""
        if not self._manifest.parts:
            return
        try:
            # There are other ways, which need no patience.
            self._opened(0, lambda rows: rows.row_groups, attempts=1)
        except (FeatureStoreError, OSError) as error:
            raise StoreUnusableError(str(getattr(error, "detail", error))) from None

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """One group of rows is read while the one before is given out; two are the most in memory."""
        rows, pieces = 0, self._pieces()
        waiting = self._begin(pieces)
        while waiting is not None:
            table = waiting.result()
            waiting = self._begin(pieces)
            for batch in table.to_batches():
                rows += batch.num_rows
                yield batch
        self._require(rows)

    def table(self) -> pa.Table:
        table = gather(self._read_into, _AT_ONCE, self.schema)
        self._require(table.num_rows)
        return table

    def close(self) -> None:
        """What is being read now is read to its end, and then forgotten."""
        self._closed.set()
        self._progress.close()

    def _read_into(self, tables: Dict[int, pa.Table]) -> None:
        while True:
            with self._taking:
                number, self._taken = self._taken, self._taken + 1
            if number >= len(self._manifest.parts):
                return
            tables[number] = self._opened(number, lambda rows: rows.table())
            self._count(number, tables[number].num_rows)

    def _pieces(self) -> Iterator[Tuple[int, int]]:
        for number in range(len(self._manifest.parts)):
            groups: int = self._opened(number, lambda rows: rows.row_groups)
            yield from ((number, group) for group in range(groups))

    def _begin(self, pieces: Iterator[Tuple[int, int]]) -> Optional[Future[pa.Table]]:
        piece = next(pieces, None)
        return None if piece is None else in_a_thread(lambda: self._piece(*piece))

    def _piece(self, number: int, group: int) -> pa.Table:
        table = self._opened(number, lambda rows: rows.table(group))
        self._count(number, table.num_rows)
        return table

    def _opened(self, number: int, work: Callable[[PartRows], _T], *, attempts: int = _ATTEMPTS) -> _T:
        """What `work` makes of a file. What fails is tried again, with other credentials; none of it was given out yet."""
        part, attempt, started = self._manifest.parts[number], 1, self._retries.clock()
        while True:
            if self._closed.is_set():
                raise FeatureStoreError("The download was closed.")
            store, issue = self._files.current()
            try:
                source = self._files.open(store, part)
                with closing(PartRows(source, part, self.schema, pre_buffer=True)) as rows:
                    return work(rows)
            except (PartUnreadableError, OSError) as error:
                failure = AnswerCutError(f"A file in S3 cannot be read ({_brief(error)}); no rows are returned.")
            attempt += 1
            pause = self._retries.wait_before(attempt, None, started) if attempt <= attempts else None
            if pause is None:
                raise failure
            log.warning("%s Trying again in %.1f s.", failure.detail, pause)
            self._files.renew(issue)
            self._retries.sleep(pause)

    def _count(self, number: int, rows: int) -> None:
        part = self._manifest.parts[number]
        self._progress.add(rows=rows, bytes_=part.bytes * rows // max(1, part.rows))

    def _require(self, rows: int) -> None:
        if rows != self._manifest.rows:
            raise AnswerCutError(f"{rows} rows arrived where {self._manifest.rows} are due; none are returned.")
        self.close()


def _brief(error: Exception) -> str:
    return str(getattr(error, "detail", error))[:300]
