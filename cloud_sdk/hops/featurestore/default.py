"""The connection that the functions of `hops.featurestore` use: the SDK's only global."""

from __future__ import annotations

from typing import List

from hops.featurestore.connection import Connection
from hops.featurestore.errors import NotConnectedError

_current: List[Connection] = []


def use_connection(connection: Connection) -> Connection:
    _current[:] = [connection]
    return connection


def default_connection() -> Connection:
    """The last one that `connect` made. Raises NotConnectedError."""
    if not _current:
        raise NotConnectedError("Not connected.", hint='Call fs.connect("gateway.example.com", "my_project") first.')
    return _current[0]


def forget_connection() -> None:
    _current.clear()
