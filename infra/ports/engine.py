"""Executes relational queries over snapshots. Implementation: `infra/engines/duckdb_engine.py`."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from infra.ports.tables import Snapshot


@dataclass(frozen=True)
class EngineQuery:
    """`sql` in DuckDB's dialect names only the keys of `tables`; `schema` is what the answer must be cast to."""

    sql: str
    tables: Mapping[str, Snapshot]
    schema: pa.Schema


class BatchStream(Protocol):
    """Record batches from a running query. Closing it early cancels the query."""

    @property
    def schema(self) -> pa.Schema: ...

    def __iter__(self) -> Iterator[pa.RecordBatch]: ...


class QueryEngine(Protocol):
    def execute(self, query: EngineQuery) -> AbstractContextManager[BatchStream]:
        """Start the query outside the calling thread; batches wait in a small bounded queue (back-pressure).

        Raises EngineLimitError over the memory or time limit, UnavailableError (with retry_after) when all slots are busy.
        Errors before the first batch are raised on entering the context, so that a proper answer can still be given.
        """
