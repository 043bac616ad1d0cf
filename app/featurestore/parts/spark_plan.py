"""A plan for a Spark that reads the warehouse with credentials of its own."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pyarrow as pa

from app.featurestore.query.lowering import to_sql
from app.featurestore.query.service import Retrieval
from app.featurestore.query.trees import LABELS_TABLE
from infra.ports.tables import Snapshot


@dataclass(frozen=True)
class SparkFile:
    """A Parquet file; its place in the list is the order in which files were written."""

    uri: str
    partition: dict[str, str | None]
    written_at: datetime | None
    removed_at: datetime | None


@dataclass(frozen=True)
class SparkTable:
    """What a view `name` has to hold: the rows of the files, in `schema`, which partition columns are part of."""

    name: str
    schema: pa.Schema
    files: tuple[SparkFile, ...]


@dataclass(frozen=True)
class SparkPlan:
    """`sql` names the views of `tables`, and `labels` where the caller brings these; None: ask for rows instead.

    With labels, every view has a further column `write order`, greater for what was written later; and `written at` and
    `removed at` where the plan asks what was known.
    """

    sql: str | None
    labels: str | None
    tables: tuple[SparkTable, ...]


NO_PLAN = SparkPlan(None, None, ())


def spark_plan(retrieval: Retrieval, query_id: UUID) -> SparkPlan:
    """Views of one plan share a prefix that no other has: a session keeps them as long as frames made of them."""
    prefix = f"oasthouse_{query_id.hex[-12:]}__"
    snapshots = {name: table for name, table in retrieval.tables.items() if isinstance(table, Snapshot)}
    tables = [_table(f"{prefix}{name}", snapshot) for name, snapshot in snapshots.items()]
    is_sent = retrieval.plan.labels is not None and retrieval.plan.labels.group is None
    if len(tables) + is_sent < len(retrieval.tables):
        return NO_PLAN
    labels = f"{prefix}{LABELS_TABLE}" if is_sent else None
    return SparkPlan(to_sql(retrieval.plan, "spark", prefix=prefix), labels, tuple(tables))


def _table(name: str, snapshot: Snapshot) -> SparkTable:
    files = [SparkFile(file.uri, file.partition, file.added_at, file.removed_at) for file in snapshot.files]
    return SparkTable(name, snapshot.schema, tuple(files))
