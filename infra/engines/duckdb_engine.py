"""Queries on DuckDB, outside the calling thread and within limits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.errors import UnavailableError
from infra.ports.engine import BatchStream, EngineQuery
from infra.storage.location import Warehouse

if TYPE_CHECKING:
    from infra.engines.duckdb_run import DuckDbRun

_RETRY_AFTER: Final = 2


class DuckDbEngine:
    """Implements `infra.ports.engine.QueryEngine`.

    Every limit but `slots` holds for one query; `slots` is how many may run at once, so the process needs about
    `slots` times `memory_limit`. `deadline_seconds` covers the whole stream, a slow reader included. Nothing is started
    before the first query: a server may fork after building the engine.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        temp_directory: Path,
        memory_limit: str = "1GB",
        threads: int = 2,
        slots: int = 4,
        deadline_seconds: float = 60.0,
    ) -> None:
        self._warehouse = warehouse
        self._memory_limit = memory_limit
        self._threads = threads
        self._temp_directory = temp_directory
        self._slots = slots
        self._deadline_seconds = deadline_seconds
        self._free = threading.BoundedSemaphore(slots)
        self._guard = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[DuckDbRun] = set()

    @contextmanager
    def execute(self, query: EngineQuery) -> Iterator[BatchStream]:
        if not self._free.acquire(blocking=False):
            raise UnavailableError("All query slots are busy.", retry_after=_RETRY_AFTER)
        run = self._started(query)
        try:
            run.require_first()
            yield run
        finally:
            run.close()

    def close(self) -> None:
        """Stop what runs and end the threads; for tests and an orderly shutdown."""
        with self._guard:
            pool, self._pool = self._pool, None
            running = tuple(self._running)
        for run in running:
            run.close()
        if pool is not None:
            pool.shutdown()

    def _started(self, query: EngineQuery) -> DuckDbRun:
        # Importing DuckDB starts a thread, which a process forked afterwards would wait for in vain when it ends.
        from infra.engines.duckdb_run import DuckDbRun  # noqa: PLC0415
        from infra.engines.duckdb_session import SessionLimits  # noqa: PLC0415

        try:
            run = DuckDbRun(
                query,
                warehouse=self._warehouse,
                limits=SessionLimits(self._memory_limit, self._threads),
                temp_directory=self._temp_directory,
                deadline=time.monotonic() + self._deadline_seconds,
            )
            with self._guard:
                if self._pool is None:
                    # Two threads a query: one works, one watches the clock.
                    self._pool = ThreadPoolExecutor(self._slots * 2, thread_name_prefix="duckdb")
                self._pool.submit(self._work, run)
                self._pool.submit(run.watch)
                self._running.add(run)
        except BaseException:
            self._free.release()
            raise
        return run

    def _work(self, run: DuckDbRun) -> None:
        try:
            run.work()
        finally:
            with self._guard:
                self._running.discard(run)
            self._free.release()
            run.finished.set()
