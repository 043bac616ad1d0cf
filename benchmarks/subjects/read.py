"""Reading a whole feature group, against pyarrow reading the very files that hold it.

The SDK fetches the files of a large group as they are; where the gateway has to compute, rows come as a stream. Both are
measured, and at a quarter of the size too: the gateway's memory must not depend on it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.checksums import Checksum
from benchmarks.findings import Findings, Target
from benchmarks.frames import WrongRowsError
from benchmarks.gateway import GATEWAY, Gateway, running_gateway
from benchmarks.histories import EVENT_TIME, GROUPS, make_parts
from benchmarks.loading import load_group
from benchmarks.measuring import COLUMNS, Comparison, Contender, Options, Outcome, compare
from hops import featurestore as fs

ROWS, REPETITIONS = 10_000_000, 3
_PARTS, _STREAM = "parts", "stream"
_MOST = {_PARTS: 1.5, _STREAM: 2.5}
_MOST_MB = 400


def measure(options: Options) -> list[Findings]:
    outcomes: dict[tuple[str, str, int], Outcome] = {}
    with running_gateway() as gateway:
        for rows in (options.rows, options.rows // 4):
            outcomes.update(_outcomes(gateway, rows, options.repetitions))
    targets = [
        Target(f"{how} to {container}: seconds over read_table", outcome.ratio, _MOST[how])
        for (how, container, rows), outcome in outcomes.items()
        if rows == options.rows
    ]
    size = f"{options.rows:,} rows of 10 columns in 5 files; medians of {options.repetitions} turns after a warm-up"
    lines = tuple(row for outcome in outcomes.values() for row in outcome.rows)
    return [Findings("read", size, COLUMNS, lines, (*targets, _memory_target(outcomes)))]


def _outcomes(gateway: Gateway, rows: int, repetitions: int) -> dict[tuple[str, str, int], Outcome]:
    name = f"of_{rows}"
    files = load_group(gateway, GROUPS[0], rows, name)
    schema = next(make_parts(GROUPS[0], rows)).schema
    check = partial(_check, schema, _checksum(schema, *make_parts(GROUPS[0], rows)))
    gateway.restart()
    comparisons = {
        (how, container, rows): Comparison(
            f"{rows:,} to {container}, {how}",
            Contender("read_table", direct, check),
            Contender(
                "gateway",
                partial(connection.get_featuregroup, name, as_=container),
                check,
                gateway=gateway,
            ),
        )
        for how, connection in {_PARTS: gateway.connect(), _STREAM: _without_parts(gateway)}.items()
        for container, direct in _baselines(files).items()
    }
    return dict(zip(comparisons, compare(list(comparisons.values()), repetitions), strict=True))


def _baselines(files: list[str]) -> dict[str, Callable[[], Any]]:
    return {"pyarrow": lambda: pq.read_table(files), "pandas": lambda: pq.read_table(files).to_pandas()}


def _check(schema: pa.Schema, expected: str, received: Any) -> None:
    table = received if isinstance(received, pa.Table) else pa.Table.from_pandas(received, preserve_index=False)
    if table.column_names != schema.names:
        raise WrongRowsError(f"Columns {table.column_names} came back for {schema.names}.")
    if (found := _checksum(schema, table)) != expected:
        raise WrongRowsError(f"Rows {found} came back for {expected}.")


def _checksum(schema: pa.Schema, *tables: pa.Table) -> str:
    """Times are unique, so that each row is known by its own."""
    checksum = Checksum(schema, EVENT_TIME)
    for table in tables:
        checksum.add(table)
    return checksum.value()


def _without_parts(gateway: Gateway) -> fs.Connection:
    """As a group that only a query can answer."""
    connection = gateway.connect()
    connection._session.transport.takes_parts = False  # noqa: SLF001 users have no use for it
    return connection


def _memory_target(outcomes: Mapping[tuple[str, str, int], Outcome]) -> Target:
    peaks = [outcome.contender.peak for outcome in outcomes.values()]
    grown = max(peak.of[GATEWAY] for peak in peaks if peak is not None)
    return Target("MB that the gateway's own processes grew by, the most of all", grown, _MOST_MB)
