"""Somebody's PostgreSQL on a TCP port, with a role that may only read and must say its password."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.lab.postgres import Postgres
from tests.lab.relay import relay

READER, PASSWORD = "oast_reader", "correct horse battery staple"


@dataclass(frozen=True)
class SourceDatabase:
    """`owner_url` is for filling it, over the socket; readers come through `port`."""

    owner_url: str
    database: str
    port: int
    socket_path: str

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]  # written in a test

    def value(self, query: str) -> object:
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[arg-type]  # written in a test
        assert row is not None
        return row[0]


@contextmanager
def source_database(postgres: Postgres) -> Iterator[SourceDatabase]:
    with postgres.fresh_database() as url:
        owner_url = url.replace("postgresql+psycopg", "postgresql")
        socket_path = f"{_socket_directory(owner_url)}/.s.PGSQL.5432"
        with relay(socket_path) as listening:
            database = SourceDatabase(owner_url, urlsplit(owner_url).path.lstrip("/"), listening.port, socket_path)
            _prepare(database)
            yield database


def _prepare(database: SourceDatabase) -> None:
    """docs/on-demand.md has the same recipe. The password is asked for because a rule of our own says so."""
    database.execute(
        f"DO $$ BEGIN CREATE ROLE {READER} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
        f"ALTER ROLE {READER} PASSWORD '{PASSWORD}'",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {READER}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {READER}",
    )
    rules = Path(str(database.value("SHOW hba_file")))
    rule = f"local all {READER} scram-sha-256\n"
    if rule not in rules.read_text():
        rules.write_text(rule + rules.read_text())
    database.execute("SELECT pg_reload_conf()")


def _socket_directory(url: str) -> str:
    return parse_qs(urlsplit(url).query)["host"][0]
