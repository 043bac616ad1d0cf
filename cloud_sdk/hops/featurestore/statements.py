"""SQL over feature groups, run by the gateway."""

from __future__ import annotations

from typing import Any, Dict, Optional

from hops.featurestore.containers import resolve_container
from hops.featurestore.download import fetch
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.metadata import SqlExplanation, from_json
from hops.featurestore.session import Operations, url_path
from hops.featurestore.transport import json_request


class SqlOperations(Operations):
    def sql(
        self,
        query: str,
        featurestore: Optional[str] = None,
        dataframe_type: str = "default",
        *,
        as_: Optional[str] = None,
        dialect: Optional[str] = None,
    ) -> Any:
        container = resolve_container(dataframe_type, as_)
        request = json_request("POST", self._sql_path(), question(query, featurestore, dialect), repeatable=True)
        return fetch(self._session.transport, request, container)

    def explain_sql(
        self, query: str, featurestore: Optional[str] = None, *, dialect: Optional[str] = None
    ) -> SqlExplanation:
        asked = question(query, featurestore, dialect)
        return from_json(SqlExplanation, self._session.send("POST", self._sql_path("explain"), asked, repeatable=True))

    def _sql_path(self, *rest: str) -> str:
        return url_path("projects", self._session.project, "sql", *rest)


def question(query: str, featurestore: Optional[str], dialect: Optional[str] = None) -> Dict[str, Any]:
    """What is None is left for the gateway to find out."""
    if not isinstance(query, str):
        raise InvalidInputError(f"The query must be text, not {type(query).__name__}.")
    optional = {"featurestore": featurestore, "dialect": dialect}
    return {"query": query, **{name: value for name, value in optional.items() if value is not None}}
