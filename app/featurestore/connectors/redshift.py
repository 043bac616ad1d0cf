"""Connectors of kind REDSHIFT: what JDBC does, with the engine said by the kind."""

from collections.abc import Mapping
from typing import Any

from app.featurestore.connectors.jdbc import JdbcKind
from app.featurestore.connectors.kinds import Options, SqlAccess
from app.featurestore.connectors.rules import invalid
from infra.crypto import SecretValue

ENGINE = "redshift"


class RedshiftKind:
    """Implements `ConnectorKind` and `SqlKind`."""

    def __init__(self, jdbc: JdbcKind) -> None:
        self._jdbc = jdbc

    def accept(self, given: Mapping[str, Any]) -> Options:
        is_url = any(given.get(name) is not None for name in ("connection_string", "arguments"))
        options = self._jdbc.accept(given if is_url or given.get("engine") else {**given, "engine": ENGINE})
        if options["engine"] != ENGINE:
            raise invalid({"engine": f"must be {ENGINE}, which may be left out; other databases are of kind JDBC"})
        return options

    def test(self, project: str, options: Options, secret: SecretValue | None) -> None:
        self._jdbc.test(project, options, secret)

    def access(self, project: str, options: Options, secret: SecretValue | None) -> SqlAccess:
        return self._jdbc.access(project, options, secret)
