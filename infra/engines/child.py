"""A query's process: forked by the zygote for one query, confined, gone afterwards."""

import socket
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute

from infra.engines.answers import AnswerWriter
from infra.engines.duckdb_session import confine_session, lock_session, new_database
from infra.engines.duckdb_types import identifier
from infra.engines.duckdb_views import create_table
from infra.engines.failures import failure_message
from infra.engines.gate import require_harmless
from infra.engines.plain_select import plain_select
from infra.engines.protocol import REMOTE, Job, schema_text, send_message

ROWS_PER_BATCH: Final = 65_536

_database: duckdb.DuckDBPyConnection | None = None


def load_engine(reach: str) -> None:
    """In the zygote: an empty database with one thread, which survives a fork, is two thirds of what a query would cost."""
    global _database  # noqa: PLW0603 the way from the zygote into its forks
    _database = new_database(remote=reach == REMOTE)


def answer_job(job: Job, channel: socket.socket, answer: int) -> None:
    """Whatever goes wrong goes through the channel."""
    assert _database is not None, "the zygote loads the engine first"
    try:
        # A connection of its own has random numbers of its own; those of the zygote would repeat in every query.
        _answer(_database.cursor(), job, channel, answer)
    except BaseException as error:  # noqa: BLE001 the gateway says it
        send_message(channel, "failed", **failure_message(error, job))


def _answer(connection: duckdb.DuckDBPyConnection, job: Job, channel: socket.socket, answer: int) -> None:
    confine_session(connection, job)
    _define(connection, job)
    lock_session(connection)
    answered = plain_select(connection, job.sql) if job.schema is None else connection.execute(job.sql)
    reader = answered.to_arrow_reader(ROWS_PER_BATCH)
    schema = reader.schema if job.schema is None else job.schema
    writer = AnswerWriter(answer, schema, job)
    batches = _cast(reader, schema)
    first = next(batches, None)
    if first is not None:
        writer.write(first)
    else:
        writer.require_exact()
    send_message(channel, "started", schema=schema_text(schema))
    writer.release()
    for batch in batches:
        writer.write(batch)
    writer.require_exact()
    send_message(channel, "done", rows=writer.rows, bytes=writer.bytes)


def _define(connection: duckdb.DuckDBPyConnection, job: Job) -> None:
    names = set(job.tables)
    for name, table in job.tables.items():
        create_table(connection, name, table, job)
    for step in job.steps:
        if not job.trusted:
            require_harmless(connection, step.sql, names)
        connection.execute(f"CREATE TEMP TABLE {identifier(step.name)} AS {step.sql}")
        names.add(step.name)
    if not job.trusted:
        require_harmless(connection, job.sql, names)


def _cast(reader: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        if batch.num_rows:
            yield batch.cast(schema)
