"""Rows of a whole feature group out of its parts, several of which are fetched while one is read."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable, Deque, Iterator

from hops.featurestore.errors import AnswerCutError
from hops.featurestore.manifests import Manifest
from hops.featurestore.part_download import PartDownloads
from hops.featurestore.part_files import PartFile
from hops.featurestore.part_rows import PartRows
from hops.featurestore.progress import Progress
from hops.featurestore.transport import Transport

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 4  # downloads, and parts that wait to be read


class PartsSource:
    """Implements `hops.featurestore.reader.Source`. Rows are in the order of the manifest."""

    def __init__(self, transport: Transport, manifest: Manifest, progress: Progress) -> None:
        self._manifest = manifest
        self._progress = progress
        self._downloads = PartDownloads(transport, manifest, progress)
        self._waiting: Deque[Future[PartFile]] = deque()
        self._begun = 0
        progress.expect(rows=manifest.rows, bytes_=manifest.bytes)

    @property
    def schema(self) -> pa.Schema:
        return self._manifest.schema

    def start(self) -> None:
        """Wait for the first part. Raises StoreUnusableError if the parts cannot be had where the gateway says."""
        self._begin_downloads()
        if self._waiting:
            self._waiting[0].result()

    def batches(self) -> Iterator[pa.RecordBatch]:
        rows = 0
        for part in self._parts():
            for batch in part.batches():
                rows += batch.num_rows
                self._progress.add(rows=batch.num_rows)
                yield batch
        self._require(rows)

    def table(self) -> pa.Table:
        import pyarrow as pa

        tables = [self.schema.empty_table()]
        for part in self._parts():
            tables.append(part.table())
            self._progress.add(rows=tables[-1].num_rows)
        table = pa.concat_tables(tables)
        self._require(table.num_rows)
        return table

    def close(self) -> None:
        self._downloads.close()
        self._progress.close()
        self._waiting.clear()

    def _parts(self) -> Iterator[PartRows]:
        for part in self._manifest.parts:
            self._begin_downloads()
            with _closing(self._waiting.popleft().result()) as file:
                self._begin_downloads()
                yield PartRows(file.source(), part, self.schema)

    def _begin_downloads(self) -> None:
        while len(self._waiting) < AT_ONCE and self._begun < len(self._manifest.parts):
            self._waiting.append(_in_a_thread(self._downloads.fetch, self._begun))
            self._begun += 1

    def _require(self, rows: int) -> None:
        if rows != self._manifest.rows:
            raise AnswerCutError(f"{rows} rows arrived where {self._manifest.rows} are due; none are returned.")
        self.close()


@contextmanager
def _closing(file: PartFile) -> Iterator[PartFile]:
    try:
        yield file
    finally:
        file.close()


def _in_a_thread(fetch: Callable[[int], PartFile], number: int) -> Future[PartFile]:
    """A thread of its own for each part, which unlike a pool's never keeps the interpreter from ending."""
    future: Future[PartFile] = Future()

    def run() -> None:
        try:
            future.set_result(fetch(number))
        except BaseException as error:  # noqa: BLE001 raised where the part is waited for
            future.set_exception(error)

    threading.Thread(target=run, name=f"oasthouse part {number}", daemon=True).start()
    return future
