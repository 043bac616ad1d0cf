"""Databases behind connectors, for those who read through them."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import pyarrow as pa

from app.featurestore.connectors.kinds import Kinds, Options, SqlAccess, SqlKind
from app.featurestore.connectors.models import StorageConnector
from app.featurestore.connectors.repository import ConnectorRepository
from app.featurestore.connectors.secrets import Login, ProjectSecrets
from infra.database.unit_of_work import Database
from infra.errors import InvalidInputError

T = TypeVar("T")


@dataclass(frozen=True)
class SqlConnector:
    """A connector as it was read; the secret is fetched for each run, in which it may have become another."""

    project: str
    kind: str
    options: Options
    login: Login

    @classmethod
    def of(cls, connector: StorageConnector) -> "SqlConnector":
        return cls(connector.project.name, connector.kind, dict(connector.options), Login.of(connector))


class SqlReader:
    """Runs queries at the databases that connectors lead to. Whether the caller may was asked before."""

    def __init__(self, *, database: Database, kinds: Kinds, secrets: ProjectSecrets) -> None:
        self._database = database
        self._kinds = kinds
        self._secrets = secrets

    def find(self, project_id: UUID, connector_id: UUID) -> SqlConnector:
        with self._database.read() as session:
            return SqlConnector.of(ConnectorRepository(session).get_by_id(project_id, connector_id))

    def describe(self, connector: SqlConnector, sql: str) -> pa.Schema:
        return self._use(connector, lambda access: access.source.describe(access.target, sql, access.limits))

    def rows(
        self, connector: SqlConnector, sql: str, schema: pa.Schema, first: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        def begun(access: SqlAccess) -> tuple[pa.RecordBatch | None, Iterator[pa.RecordBatch]]:
            # Nothing is connected before the first batch is asked for.
            batches = access.source.rows(access.target, sql, schema, access.limits, first=first)
            return next(batches, None), batches

        batch, rest = self._use(connector, begun)
        with closing(rest):  # type: ignore[type-var]  # generators, though the port says less
            if batch is not None:
                yield batch
                yield from rest

    def _use(self, connector: SqlConnector, attempt: Callable[[SqlAccess], T]) -> T:
        kind = self._kinds.load(connector.kind.lower())
        if not isinstance(kind, SqlKind):
            raise InvalidInputError(
                f"A storage connector of kind {connector.kind} runs no SQL.",
                hint="Those of kind JDBC and REDSHIFT do; files are imported, and then queried as a feature group.",
            )
        return self._secrets.use(
            connector.login, lambda secret: attempt(kind.access(connector.project, connector.options, secret))
        )
