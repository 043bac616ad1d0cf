"""Feature groups of `benchmarks.histories` in a gateway, and where their files are."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from benchmarks.gateway import PROJECT, Gateway
from benchmarks.histories import EVENT_TIME, GROUPS, KEY, make_labels, make_parts, schema_of


def load_group(gateway: Gateway, group: str, rows: int, name: str | None = None) -> list[str]:
    """Its files, in the order in which they were written, once all rows have been inserted through the gateway."""
    connection, before = gateway.connect(), _tables(gateway)
    connection.create_featuregroup(None, name or group, KEY, event_time=EVENT_TIME, schema=schema_of(group))
    (directory,) = _tables(gateway) - before
    for part in make_parts(group, rows):
        connection.insert_into_featuregroup(part, name or group)
    actions = pa.table(DeltaTable(str(directory)).get_add_actions(flatten=True)).to_pydict()
    paths = sorted(zip(actions["modification_time"], actions["path"], strict=True))
    return [str(directory / path) for _, path in paths]


def make_task(gateway: Gateway, rows: int, labels: int) -> dict[str, Any]:
    """Three groups of `rows` in the gateway, labels for them, and where everything is: what `benchmarks.ways` are given."""
    path = gateway.scratch / "labels.parquet"
    pq.write_table(make_labels(labels, rows), path)
    return {
        "groups": {group: load_group(gateway, group, rows) for group in GROUPS},
        "labels": str(path),
        "lookback": None,
        "scratch": str(gateway.scratch),
        **reached(gateway),
    }


def reached(gateway: Gateway) -> dict[str, str]:
    """How another process reaches it."""
    return {"address": gateway.address, "project": PROJECT, "key_file": str(gateway.key_file)}


def _tables(gateway: Gateway) -> set[Path]:
    return {log.parent for log in gateway.warehouse.glob("*/*/_delta_log")}
