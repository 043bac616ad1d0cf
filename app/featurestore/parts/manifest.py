"""A whole feature group as the Parquet files that it consists of, for clients that fetch them themselves."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from app.featurestore.query.transfer import Transfer


@dataclass(frozen=True)
class Part:
    """One file. `presigned` is where anybody fetches it, None where only the gateway hands it out.

    `uri` is told only where clients may read the warehouse with credentials of their own, `file`, which is the same, where
    this one may be given a credential for the table.
    """

    bytes: int
    rows: int
    partition: dict[str, str | None]
    presigned: str | None
    uri: str | None
    file: str | None = None


@dataclass(frozen=True)
class PartsManifest:
    """The parts of one version of a table. `schema` is what the rows are once they are read, columns as asked.

    Files lack the partition columns, whose values are the part's, and columns that the group got after they were written,
    which are null in them.
    """

    table_version: int
    schema: pa.Schema
    parts: tuple[Part, ...]
    expires_at: datetime | None
    transfer: Transfer

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)
