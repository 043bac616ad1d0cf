"""Rows of a whole feature group out of its parts, several of which are fetched while one is read."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Deque, Dict, Generator, Iterator, Optional, Tuple

from hops.featurestore.errors import AnswerCutError
from hops.featurestore.manifests import Manifest
from hops.featurestore.part_download import PartDownloads
from hops.featurestore.part_files import PartFile
from hops.featurestore.part_rows import PartRows, gather
from hops.featurestore.progress import Progress
from hops.featurestore.threads import in_a_thread
from hops.featurestore.transport import Transport

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 4  # downloads, and parts that wait to be read
_READ_AT_ONCE = 2  # by one alone the last columns of each part keep all cores but one waiting


class PartsSource:
    """Implements `hops.featurestore.reader.Source`. Rows are in the order of the manifest."""

    def __init__(self, transport: Transport, manifest: Manifest, progress: Progress) -> None:
        self._manifest = manifest
        self._progress = progress
        self._downloads = PartDownloads(transport, manifest, progress)
        self._waiting: Deque[Future[PartFile]] = deque()
        self._begun = self._taken = 0
        self._taking = threading.Lock()
        progress.expect(rows=manifest.rows, bytes_=manifest.bytes)

    @property
    def schema(self) -> pa.Schema:
        return self._manifest.schema

    def start(self) -> None:
        """Wait for the first part. Raises StoreUnusableError if the parts cannot be had where the gateway says."""
        self._begin_downloads()
        if self._waiting:
            self._waiting[0].result()

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        rows = 0
        while (taken := self._next()) is not None:
            with self._rows(*taken) as part:
                for batch in part.batches():
                    rows += batch.num_rows
                    self._progress.add(rows=batch.num_rows)
                    yield batch
        self._require(rows)

    def table(self) -> pa.Table:
        table = gather(self._read_into, _READ_AT_ONCE, self.schema)
        self._require(table.num_rows)
        return table

    def close(self) -> None:
        self._downloads.close()
        self._progress.close()
        self._waiting.clear()

    def _read_into(self, tables: Dict[int, pa.Table]) -> None:
        while (taken := self._next()) is not None:
            number, part = taken
            with self._rows(number, part) as rows:
                tables[number] = rows.table()
            self._progress.add(rows=tables[number].num_rows)

    @contextmanager
    def _rows(self, number: int, part: Future[PartFile]) -> Iterator[PartRows]:
        file = part.result()
        try:
            with closing(PartRows(file.source(), self._manifest.parts[number], self.schema)) as rows:
                yield rows
        finally:
            self._downloads.forget(file)

    def _next(self) -> Optional[Tuple[int, Future[PartFile]]]:
        """The part to read now, while as many as before are fetched; None after the last one."""
        with self._taking:
            self._begin_downloads()
            if not self._waiting:
                return None
            self._taken += 1
            part = self._waiting.popleft()
            self._begin_downloads()
            return self._taken - 1, part

    def _begin_downloads(self) -> None:
        while len(self._waiting) < AT_ONCE and self._begun < len(self._manifest.parts):
            self._waiting.append(in_a_thread(partial(self._downloads.fetch, self._begun)))
            self._begun += 1

    def _require(self, rows: int) -> None:
        if rows != self._manifest.rows:
            raise AnswerCutError(f"{rows} rows arrived where {self._manifest.rows} are due; none are returned.")
        self.close()
