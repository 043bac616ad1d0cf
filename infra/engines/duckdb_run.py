"""One query on its way: a worker fills a small queue, the caller empties it, a watcher holds the deadline."""

import queue
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import duckdb
import pyarrow as pa

from infra.engines.duckdb_session import SessionLimits, define_tables, open_session
from infra.errors import EngineLimitError, GatewayError, InvalidInputError, StorageUnavailableError
from infra.ports.engine import EngineQuery
from infra.storage.location import Warehouse

_QUEUED_BATCHES: Final = 2
_ROWS_PER_BATCH: Final = 65_536
_INTERRUPT_EVERY: Final = 0.02
_GRACE: Final = 0.25
_CLOSE_WAIT: Final = 5.0

_Item: TypeAlias = pa.RecordBatch | GatewayError | None
"""A batch, the error that ended the query, or None after the last batch."""


class DuckDbRun:
    """Implements `infra.ports.engine.BatchStream`."""

    def __init__(
        self, query: EngineQuery, *, warehouse: Warehouse, limits: SessionLimits, temp_directory: Path, deadline: float
    ) -> None:
        self._query = query
        self._warehouse = warehouse
        self._limits = limits
        self._temp_directory = temp_directory
        self._deadline = deadline
        self._items: queue.Queue[_Item] = queue.Queue(_QUEUED_BATCHES)
        self._first: _Item = None
        self._stopped = threading.Event()
        self._worked = threading.Event()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.finished = threading.Event()

    @property
    def schema(self) -> pa.Schema:
        return self._query.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        item, self._first = self._first, None
        while item is not None:
            if isinstance(item, GatewayError):
                raise item
            yield item
            item = self._next()

    def require_first(self) -> None:
        """Wait for the first batch or the end; an error until then is raised here."""
        self._first = self._next()
        if isinstance(self._first, GatewayError):
            raise self._first

    def close(self) -> None:
        """Cancel what still runs and wait until its slot is free again."""
        self._stopped.set()
        self._drain()
        self.finished.wait(_CLOSE_WAIT)

    def watch(self) -> None:
        """Runs in the pool until the query ends. DuckDB loses an interrupt that meets no running statement: repeat it."""
        self._stopped.wait(self._remaining)
        while not self._worked.wait(_INTERRUPT_EVERY):
            if (connection := self._connection) is not None:
                with suppress(duckdb.Error):  # closed a moment ago
                    connection.interrupt()

    def work(self) -> None:
        """Runs in the pool."""
        try:
            self._finish(self._failure())
        finally:
            self._worked.set()
            self._stopped.set()

    def _failure(self) -> GatewayError | None:
        try:
            self._temp_directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._temp_directory, ignore_cleanup_errors=True) as spill:
                self._stream(Path(spill))
        except GatewayError as error:
            return error
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            return self._translated(error)
        except Exception as error:  # noqa: BLE001 the caller waits for an answer, whatever went wrong here
            failure = GatewayError("The query engine failed.")
            failure.__cause__ = error
            return failure
        return None

    def _stream(self, spill: Path) -> None:
        with open_session(self._warehouse, self._limits, spill) as connection:
            self._connection = connection
            try:
                define_tables(connection, self._warehouse, self._query)
                reader = connection.execute(self._query.sql).to_arrow_reader(_ROWS_PER_BATCH)
                for batch in reader:
                    if batch.num_rows and not self._put(batch.cast(self._query.schema)):
                        return
            finally:
                self._connection = None
                self._worked.set()

    def _put(self, item: _Item) -> bool:
        """False when nobody wants more."""
        if self._stopped.is_set() or self._is_late:
            return False
        try:
            self._items.put(item, timeout=self._remaining)
        except queue.Full:
            return False
        return not self._stopped.is_set()

    def _finish(self, failure: GatewayError | None) -> None:
        if self._is_late and not isinstance(failure, EngineLimitError):
            failure = self._too_late()
        if not self._put(failure):
            # Only this thread puts, so after draining there is room: the last word is never lost to a slow reader.
            self._drain()
            self._items.put(failure)

    def _next(self) -> _Item:
        try:
            return self._items.get(timeout=self._remaining + _GRACE)
        except queue.Empty:
            # DuckDB has not let go yet; its slot stays taken until it does, but the caller has waited long enough.
            return self._too_late()

    def _drain(self) -> None:
        try:
            while True:
                self._items.get_nowait()
        except queue.Empty:
            return

    @property
    def _remaining(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    @property
    def _is_late(self) -> bool:
        return self._remaining == 0.0

    def _too_late(self) -> EngineLimitError:
        return EngineLimitError("The query did not finish in time.", hint="Ask for fewer rows or columns.")

    def _translated(self, error: Exception) -> GatewayError:
        failure: GatewayError
        match error:
            case duckdb.InterruptException():
                failure = self._too_late()
            case duckdb.OutOfMemoryException():
                failure = EngineLimitError("The query needs more memory than it may have.")
            case duckdb.IOException() | duckdb.HTTPException() | OSError():
                failure = StorageUnavailableError("The warehouse could not be read.", retry_after=5)
            case duckdb.DataError() | pa.ArrowInvalid():
                failure = InvalidInputError(f"The data does not fit the query: {error}")
            case _:
                failure = GatewayError("The query engine refused the query.")
        failure.__cause__ = error
        return failure
