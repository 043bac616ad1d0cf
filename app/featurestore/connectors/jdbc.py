"""Connectors of kind JDBC: databases that are asked with SQL."""

from collections.abc import Callable, Mapping
from typing import Any

from app.featurestore.connectors.jdbc_url import read_url
from app.featurestore.connectors.kinds import Options, SqlAccess
from app.featurestore.connectors.rules import ServerOptions, read_options, stored
from infra.crypto import SecretValue
from infra.errors import InvalidInputError
from infra.ports.sources import SourceLimits, SqlSource, SqlTarget, TlsMode
from infra.registry import Registry

_URL_FIELDS = ("connection_string", "arguments")


class JdbcKind:
    """Implements `ConnectorKind` and `SqlKind`. `require_allowed` refuses addresses that will never be connected to."""

    def __init__(
        self, *, sources: Registry[SqlSource], limits: SourceLimits, require_allowed: Callable[[str], None]
    ) -> None:
        self._sources = sources
        self._limits = limits
        self._require_allowed = require_allowed

    def accept(self, given: Mapping[str, Any]) -> Options:
        options = read_options(_fields(given))
        if isinstance(options, ServerOptions):
            self._require_allowed(options.host)
        return stored(options)

    def test(self, project: str, options: Options, secret: SecretValue | None) -> None:
        access = self.access(project, options, secret)
        access.source.test(access.target, access.limits)

    def access(self, project: str, options: Options, secret: SecretValue | None) -> SqlAccess:
        # Read again, not trusted: the rules may have become stricter since it was stored.
        read = read_options(options)
        if isinstance(read, ServerOptions):
            target = SqlTarget(
                engine=read.engine,
                database=read.database,
                host=read.host,
                port=read.port,
                user=read.user,
                password=secret,
                tls_mode=TlsMode(read.tls_mode),
            )
        else:
            target = SqlTarget(engine=read.engine, database=f"{project}/{read.path}")
        return SqlAccess(self._sources.load(read.engine), target, self._limits)


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in given.items() if value is not None}
    url, arguments = (fields.pop(name, "") for name in _URL_FIELDS)
    if not isinstance(url, str) or not isinstance(arguments, str):
        raise InvalidInputError("connection_string and arguments are texts.")
    if not url and not arguments:
        return fields
    if fields:
        raise InvalidInputError("Give either a connection_string with its arguments, or the fields, not both.")
    return read_url(url, arguments)
