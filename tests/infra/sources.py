"""What the tests of all sources share."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pyarrow as pa

from infra.ports.sources import SourceLimits, SqlSource, SqlTarget
from infra.sources.addresses import AddressGuard

LOOPBACK = AddressGuard((ip_network("127.0.0.0/8"),))
PLENTY = SourceLimits(max_rows=1_000_000, max_bytes=1 << 30, deadline_seconds=30)
NO_AUTHORITIES = Path("no-such-file.pem")


def schema_of(*names: str) -> pa.Schema:
    """The names are what counts for those sources that have types of their own."""
    return pa.schema([pa.field(name, pa.int64()) for name in names])


def read(
    source: SqlSource, target: SqlTarget, sql: str, schema: pa.Schema, limits: SourceLimits = PLENTY, **options: int
) -> pa.Table:
    batches: Iterator[pa.RecordBatch] = source.rows(target, sql, schema, limits, **options)
    return pa.Table.from_batches(list(batches))
