"""Features of several groups whose tables a Spark reads by path, with credentials that the gateway gave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Dict, Tuple

from hops.featurestore.errors import NotSupportedError
from hops.featurestore.table_credentials import TableCredentials


@dataclass(frozen=True)
class TableByPath:
    """The view `name` of a query has to hold version `table_version` of the Delta table at `uri`."""

    name: str
    project: str
    feature_group: str
    version: int
    table_version: int
    uri: str
    credential: int


@dataclass(frozen=True)
class QueryByPath:
    """`sql` is Spark's, over views of `tables`, each of which `credentials[table.credential]` reads."""

    sql: str
    tables: Tuple[TableByPath, ...]
    credentials: Tuple[TableCredentials, ...]

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> QueryByPath:
        tables = tuple(TableByPath(**table) for table in answer["tables"])
        uris = {table.credential: table.uri for table in reversed(tables)}
        made = [
            TableCredentials.from_json({**keys, "uri": uris[number], "level": "read"})
            for number, keys in enumerate(answer["credentials"])
        ]
        return cls(answer["sql"], tables, tuple(made))

    def spark_options(self, *, prefix: str = "") -> Dict[str, str]:
        """As those of `TableCredentials`. Raises NotSupportedError for more than one: Spark takes one for each bucket."""
        if len(self.credentials) > 1:
            raise NotSupportedError(
                f"These {len(self.tables)} groups need {len(self.credentials)} credentials, and Spark takes one for a bucket.",
                hint="Ask for features of fewer groups at a time, or let the gateway join them.",
            )
        return self.credentials[0].spark_options(prefix=prefix)

    def frame(self, session: Any, *, scheme: str = "s3a") -> Any:
        """The features as a frame, of the very versions that were planned; the session must have the options by then."""
        for table in self.tables:
            uri = scheme + table.uri[len("s3") :]
            rows = session.read.format("delta").option("versionAsOf", table.table_version).load(uri)
            rows.createOrReplaceTempView(table.name)
        return session.sql(self.sql)
