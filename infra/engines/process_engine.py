"""Queries on DuckDB, each in a process of its own that can be killed."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from infra.engines.nursery import fork_query
from infra.engines.process_run import ProcessRun, too_late
from infra.engines.protocol import LOCAL, REMOTE, ForkRequest, Job
from infra.engines.sandbox import address_space, memory_bytes
from infra.engines.slots import Slot, Slots
from infra.engines.sources import QuerySources
from infra.engines.spill import SpillDirectory, sweep
from infra.ports.engine import Abandoned, BatchStream, EngineQuery
from infra.storage.location import Warehouse
from infra.storage.warehouses import Warehouses

# What one query may put aside, in times of its memory: room for joins of many times its size, and no full disk.
_SPILL_FACTOR: Final = 32


class ProcessEngine:
    """Implements `infra.ports.engine.QueryEngine`.

    Every limit but `slots` holds for one query; `slots` is how many may run at once, so they need about `slots` times
    `memory_limit` together. `wait_seconds` is how long a query waits for one, `deadline_seconds` how long its whole stream may
    take after that, a slow reader included. Nothing is started before the first query: a server may fork after building
    the engine.
    """

    def __init__(
        self,
        warehouse: Warehouse | Warehouses,
        *,
        temp_directory: Path,
        memory_limit: str = "1GB",
        threads: int = 2,
        slots: int = 4,
        wait_seconds: float = 20.0,
        deadline_seconds: float = 60.0,
    ) -> None:
        self._memory_limit = memory_limit
        self._threads = threads
        self._temp_directory = temp_directory
        self._deadline_seconds = deadline_seconds
        self._slots = Slots(slots, wait_seconds)
        self._sources = QuerySources(warehouse)
        self._to_sweep = threading.Lock()

    @contextmanager
    def execute(self, query: EngineQuery, *, abandoned: Abandoned | None = None) -> Iterator[BatchStream]:
        slot = self._slots.take(query.asker, abandoned)
        try:
            deadline = time.monotonic() + self._seconds(query)
            job = self._launched(query, slot, deadline)
            assert slot.run is not None, "launched"
            slot.run.start(job, abandoned)
            yield slot.run
        finally:
            self._slots.give_back(slot)

    def close(self) -> None:
        """Stop what runs; for tests and an orderly shutdown."""
        self._slots.stop_all()

    def _seconds(self, query: EngineQuery) -> float:
        asked = query.limits.deadline_seconds
        return self._deadline_seconds if asked is None else min(asked, self._deadline_seconds)

    def _launched(self, query: EngineQuery, slot: Slot, deadline: float) -> Job:
        if self._to_sweep.acquire(blocking=False):  # once, and never released
            sweep(self._temp_directory)
        with ExitStack() as failed:
            spill = SpillDirectory(self._temp_directory)
            failed.callback(spill.remove)
            job = self._job(query, spill.path, deadline)
            process = fork_query(self._request(deadline), REMOTE if self._sources.is_remote else LOCAL)
            slot.run = ProcessRun(process, spill, deadline)
            failed.pop_all()
        return job

    def _request(self, deadline: float) -> ForkRequest:
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise too_late()
        return ForkRequest(
            seconds=seconds,
            cpu_seconds=int(seconds * self._threads) + 2,
            address_space=address_space(self._memory_limit, self._threads),
            file_bytes=self._spill_bytes,
        )

    def _job(self, query: EngineQuery, spill: Path, deadline: float) -> Job:
        tables = {
            name: self._sources.table(table, trusted=query.trusted, spill=spill, deadline=deadline)
            for name, table in query.tables.items()
        }
        return Job(
            sql=query.sql,
            steps=query.steps,
            tables=tables,
            schema=query.schema,
            trusted=query.trusted,
            compression=query.compression,
            memory_limit=self._memory_limit,
            threads=self._threads,
            spill=str(spill),
            spill_bytes=self._spill_bytes,
            max_rows=query.limits.max_rows,
            max_bytes=query.limits.max_bytes,
            exact_rows=query.exact_rows,
            access=self._sources.access(tables.values(), trusted=query.trusted),
        )

    @property
    def _spill_bytes(self) -> int:
        return _SPILL_FACTOR * memory_bytes(self._memory_limit)
