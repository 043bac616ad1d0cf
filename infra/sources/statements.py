"""The one statement that is ever sent: a SELECT of ours around the user's query."""

from collections.abc import Sequence

import sqlglot
import structlog
from sqlglot import exp
from sqlglot.errors import SqlglotError

from infra.errors import InvalidInputError

_log = structlog.get_logger(__name__)
_ALIAS = "oast_source"


class Dialect:
    """How an engine quotes, and what sqlglot calls it."""

    def __init__(self, name: str, quote: str) -> None:
        self._name = name
        self._quote = quote

    def select(self, sql: str, columns: Sequence[str] = (), first: int | None = None) -> str:
        """`columns` of `sql`, all where none is named.

        As a derived table the query can be nothing but a query: no engine takes INSERT, CREATE, COPY, ATTACH or a CTE that
        writes in that place. The line breaks keep a comment at its end from swallowing what follows.
        """
        names = ", ".join(f"{_ALIAS}.{self._quoted(column)}" for column in columns) or "*"
        limit = "" if first is None else f" LIMIT {int(first)}"
        return f"SELECT {names} FROM (\n{without_end(sql)}\n) AS {_ALIAS}{limit}"  # noqa: S608 the engine is told to read only

    def require_query(self, sql: str) -> None:
        """Say early and in plain words what the source would refuse; what is not understood here is left to the source.

        A parser of another make is no gate: what it lets pass meets a read-only transaction.
        """
        try:
            statements = [one for one in sqlglot.parse(without_end(sql), dialect=self._name) if one is not None]
        except (SqlglotError, RecursionError) as error:
            _log.debug("query not understood", error=type(error).__name__)
            return
        if len(statements) != 1:
            raise InvalidInputError(
                f"An on-demand feature group has one query; these are {len(statements)} statements."
            )
        if not isinstance(statements[0], exp.Query | exp.Command):
            raise InvalidInputError(
                f"An on-demand feature group has a query, not {statements[0].key.upper()}.", hint="Write a SELECT."
            )

    def _quoted(self, name: str) -> str:
        return f"{self._quote}{name.replace(self._quote, self._quote * 2)}{self._quote}"


def without_end(sql: str) -> str:
    """The query without white space around it and a semicolon at its end."""
    return sql.strip().removesuffix(";").rstrip()


POSTGRESQL = Dialect("postgres", '"')
REDSHIFT = Dialect("redshift", '"')
MYSQL = Dialect("mysql", "`")
SQLITE = Dialect("sqlite", '"')
