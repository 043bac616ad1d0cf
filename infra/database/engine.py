"""The metadata database: SQLite on a laptop, PostgreSQL in production."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, make_url

from infra.errors import GatewayError

# One transaction waits this long for another writer before the caller is told to try again.
LOCK_TIMEOUT_SECONDS = 15

WRITES = "oast_writes"
"""Execution option of connections that will write; see `_begin`."""


Login: TypeAlias = Callable[[Callable[[dict[str, str]], Any]], Any]
"""Calls what it is given with the `password` as it is now, and maybe a `user`; again with others where these are refused."""

_log = structlog.get_logger(__name__)


def open_engine(url: str, login: Login | None = None) -> Engine:
    """An engine for `sqlite:///file` or `postgresql+psycopg://…`; nothing is connected yet. `login` is PostgreSQL's."""
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(create_engine(parsed, hide_parameters=True, connect_args={"timeout": LOCK_TIMEOUT_SECONDS}))
    options = f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c idle_in_transaction_session_timeout=60s -c timezone=UTC"
    engine = create_engine(
        parsed,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=10,
        connect_args={"options": options, "connect_timeout": 5},
    )
    if login is not None:
        event.listen(engine, "do_connect", partial(_connect, login))
    return engine


def _connect(login: Login, dialect: Any, _record: Any, args: Any, parameters: dict[str, Any]) -> Any:
    try:
        return login(lambda who: dialect.connect(*args, **{**parameters, **who}))
    except GatewayError as error:
        # Which secret, and why, is the operator's business and not that of whoever needed a connection.
        _log.error("secret of the database not read", code=error.code, detail=error.detail)
        raise dialect.loaded_dbapi.OperationalError("the secret of the metadata database cannot be read") from None


def _sqlite(engine: Engine) -> Engine:
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling commits behind our back around savepoints; we say BEGIN ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once instead of waiting when another one wrote meanwhile.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")
