"""Joins on a cluster that the operator runs. Implementation: `infra/engines/spark_connect.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import pyarrow as pa

from infra.errors import InvalidInputError, UnavailableError
from infra.ports.tables import Snapshot


class ClusterUnreachableError(UnavailableError):
    """No connection to the cluster, or it was lost and did not come back."""

    code = "cluster-unreachable"
    title = "The cluster cannot be reached"


class ClusterFailedError(InvalidInputError):
    """The cluster did not do what it was asked; its own text is in the gateway's log, not in the answer."""

    code = "cluster-failed"
    title = "The cluster failed"


@dataclass(frozen=True)
class StagedTable:
    """One Parquet file that the gateway put in the warehouse, with the columns of `schema` and `rows` rows."""

    uri: str
    schema: pa.Schema
    rows: int


ClusterTable: TypeAlias = Snapshot | StagedTable


@dataclass(frozen=True)
class ClusterProgram:
    """`sql`, one query in Spark's dialect, names only the keys of `tables`.

    A snapshot has the further columns `write order`, `written at` and `removed at` of `infra.ports.engine`; what was staged
    has those of its file.
    """

    sql: str
    tables: Mapping[str, ClusterTable]


class Cluster(Protocol):
    """It reads and writes the warehouse with credentials of its own.

    Raises ClusterUnreachableError, ClusterFailedError, EngineLimitError at the deadline, and InvalidInputError for a file
    whose name the cluster would take for something else.
    """

    def version(self) -> str:
        """What answers there, within seconds."""

    def materialise(self, program: ClusterProgram, target_uri: str) -> None:
        """Write the answer as Parquet files below `target_uri`, where nothing is yet; returns when all of them are there.

        Each file holds its rows in the order in which the query gives them; how rows are dealt to files, and what files are
        called, is the cluster's choice. Files whose names begin with `_` or `.` are none of the answer. A table with fewer
        rows than its snapshot says is an error. Whatever is raised on the way, the cluster was told to stop.
        """
