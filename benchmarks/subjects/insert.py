"""Appending a frame to an empty feature group, against `write_deltalake` appending it to an empty table."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from benchmarks.findings import Findings
from benchmarks.frames import FEATURES, WrongRowsError, make_frame, require_same_rows
from benchmarks.gateway import Gateway, running_gateway
from benchmarks.measuring import COLUMNS, Comparison, Contender, Options, compare
from hops import featurestore as fs

ROWS, REPETITIONS = 1_000_000, 5
_GROUP = "inserted"


def measure(options: Options) -> list[Findings]:
    table = make_frame(options.rows)
    frames = {"pyarrow": table, "pandas": table.to_pandas()}
    with TemporaryDirectory(prefix="oast-bench-") as scratch, running_gateway() as gateway:
        connection = gateway.connect()
        comparisons = [
            Comparison(
                f"insert from {container}",
                _through_delta(Path(scratch) / container, frame, table),
                _through_gateway(gateway, connection, frame, table),
            )
            for container, frame in frames.items()
        ]
        outcomes = compare(comparisons, options.repetitions)
    size = f"{options.rows:,} rows of 10 columns; medians of {options.repetitions} turns after a warm-up"
    return [Findings("insert", size, COLUMNS, tuple(row for outcome in outcomes for row in outcome.rows))]


def _through_gateway(gateway: Gateway, connection: fs.Connection, frame: Any, sent: pa.Table) -> Contender:
    def prepare() -> None:
        connection.create_featuregroup(None, _GROUP, "customer_id", schema=FEATURES)

    def check(result: Any) -> None:
        if result.rows_inserted != sent.num_rows:
            raise WrongRowsError(f"The gateway says it inserted {result.rows_inserted:,} rows of {sent.num_rows:,}.")
        require_same_rows(_stored(gateway.warehouse), sent)
        connection.delete_featuregroup(_GROUP)

    return Contender(
        "gateway", lambda: connection.insert_into_featuregroup(frame, _GROUP), check, prepare, gateway=gateway
    )


def _through_delta(directory: Path, frame: Any, sent: pa.Table) -> Contender:
    def prepare() -> None:
        shutil.rmtree(directory, ignore_errors=True)
        DeltaTable.create(str(directory), sent.schema)

    return Contender(
        "write_deltalake",
        lambda: write_deltalake(str(directory), frame, mode="append"),
        lambda _: require_same_rows(_stored(directory), sent),
        prepare,
    )


def _stored(directory: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(file, partitioning=None) for file in directory.rglob("*.parquet"))
