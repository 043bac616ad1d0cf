"""Executes relational queries over snapshots. Implementation: `infra/engines/process_engine.py`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

import pyarrow as pa

from infra.ports.tables import BatchFactory, Snapshot

# Columns that every snapshot has in trusted SQL besides its own. Spaces keep them clear of feature names.
WRITE_ORDER: Final = "write order"
"""BIGINT: of two rows, the one written later has the larger one."""
WRITTEN_AT: Final = "written at"
"""TIMESTAMPTZ of the commit that brought the row's file in; null where the snapshot does not know."""
REMOVED_AT: Final = "removed at"
"""TIMESTAMPTZ of the commit that took the row's file out; null while it is in."""


@dataclass(frozen=True)
class Rows:
    """Rows that come with one query and live as long: labels, or what a foreign database answered."""

    schema: pa.Schema
    batches: BatchFactory


Table: TypeAlias = Snapshot | Rows


@dataclass(frozen=True)
class Step:
    """A temporary table `name` made of `sql` before what follows; freed when the query ends."""

    name: str
    sql: str


@dataclass(frozen=True)
class QueryLimits:
    """What one query may take, where that is less than what the engine allows. None: the engine's own."""

    deadline_seconds: float | None = None
    max_rows: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class EngineQuery:
    """`sql` and `steps` in DuckDB's dialect name only the keys of `tables` and earlier steps.

    `schema` is what the answer is cast to; None leaves it to the query. `trusted` False: the SQL was written by a user, and
    anything but one SELECT over `tables` is refused. `compression` is that of `BatchStream.chunks`: none, lz4 or zstd.
    `exact_rows`: an answer with more rows or fewer is an error. `asker` is for whom it runs: queries of one never get all
    slots.
    """

    sql: str
    tables: Mapping[str, Table]
    schema: pa.Schema | None
    steps: tuple[Step, ...] = ()
    trusted: bool = True
    compression: str = "none"
    limits: QueryLimits = field(default_factory=QueryLimits)
    exact_rows: int | None = None
    asker: str = ""


class BatchStream(Protocol):
    """The answer of a running query, to be read once: as batches or as bytes. Closing it early cancels the query."""

    @property
    def schema(self) -> pa.Schema: ...

    def __iter__(self) -> Iterator[pa.RecordBatch]: ...

    def chunks(self) -> Iterator[bytes]:
        """The answer as the bytes of one Arrow IPC stream; raises, before the end marker, if the query fails on its way."""


Abandoned: TypeAlias = Callable[[], bool]
"""Says that nobody waits for the answer any more."""


class QueryEngine(Protocol):
    def execute(self, query: EngineQuery, *, abandoned: Abandoned | None = None) -> AbstractContextManager[BatchStream]:
        """Run the query in a process of its own, which ends with the context or at the deadline, whatever it is doing.

        `abandoned` is asked several times a second until the first rows are there; once it is true the query is stopped.
        Raises EngineLimitError over a limit, UnavailableError (with retry_after) when no slot becomes free in time,
        QueryRefusedError for SQL that is not trusted and may not run, QueryInvalidError for SQL that makes no sense.
        Errors before the first batch are raised on entering the context, so that a proper answer can still be given.
        """
