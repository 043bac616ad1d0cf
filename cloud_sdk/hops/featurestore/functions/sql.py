"""SQL over feature groups, run by the gateway."""

from __future__ import annotations

from typing import Any, Optional

from hops.featurestore.default import default_connection
from hops.featurestore.functions.legacy import refuse_online
from hops.featurestore.metadata import SqlExplanation


def sql(
    query: str, featurestore: Optional[str] = None, dataframe_type: Any = "default", online: bool = False, *,
    as_: Optional[str] = None, dialect: Optional[str] = None,
) -> Any:  # fmt: skip
    """The answer of one SELECT, which may name every feature group that the project can read.

    A table is `group_version`, of `featurestore` (by default the project's own), or `featurestore.group_version`. The SQL is
    DuckDB's, or Hive's where only that fits, or what `dialect` says: "duckdb", "hive" or "spark". A column name that occurs
    twice comes back as `id` and `id_1`.

    Raises QueryInvalidError, QueryRefusedError, FeatureGroupNotFoundError, EngineLimitError.
    """
    refuse_online(online)
    return default_connection().sql(query, featurestore, dataframe_type, as_=as_, dialect=dialect)


def explain_sql(query: str, featurestore: Optional[str] = None, *, dialect: Optional[str] = None) -> SqlExplanation:
    """What `sql` would read and by which grant, and the SQL that would run. Reads no rows."""
    return default_connection().explain_sql(query, featurestore, dialect=dialect)
