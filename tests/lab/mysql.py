"""MySQL, twice: its protocol by mysql-mimic over DuckDB, everywhere; MariaDB itself where the machine has it.

No package of PyPI brings a MySQL server. The mimic proves what the client says and understands, not what a server refuses.
"""

import asyncio
import logging
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import sqlglot
from mysql_mimic import (
    ColumnType,
    IdentityProvider,
    MysqlServer,
    NativePasswordAuthPlugin,
    ResultColumn,
    ResultSet,
    Session,
    User,
)

READER, PASSWORD = "oast_reader", "correct horse battery staple"
_TYPES = {
    "BIGINT": ColumnType.LONGLONG,
    "INTEGER": ColumnType.LONG,
    "DOUBLE": ColumnType.DOUBLE,
    "VARCHAR": ColumnType.VAR_STRING,
    "DATE": ColumnType.DATE,
    "TIMESTAMP": ColumnType.DATETIME,
    "INTERVAL": ColumnType.TIME,
}


@dataclass
class Mimic:
    port: int = 0
    statements: list[str] = field(default_factory=list)
    tables: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)


class _Session(Session):
    def __init__(self, mimic: Mimic) -> None:
        super().__init__()
        self._mimic = mimic

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> Any:  # noqa: ARG002 the base's signature
        self._mimic.statements.append(sql)
        if "SLEEP" in sql:
            await asyncio.sleep(30)
        if not sql.startswith("SELECT"):
            return None
        answer = self._mimic.tables.cursor().execute(sqlglot.transpile(sql, read="mysql", write="duckdb")[0])
        columns = [ResultColumn(name, _TYPES[str(kind)]) for name, kind, *_ in answer.description or ()]
        return ResultSet(iter(answer.fetchone, None), columns)


class _Readers(IdentityProvider):
    def get_plugins(self) -> list[Any]:
        return [NativePasswordAuthPlugin()]

    async def get_user(self, username: str) -> User | None:
        proof = NativePasswordAuthPlugin.create_auth_string(PASSWORD)
        return (
            User(name=username, auth_string=proof, auth_plugin="mysql_native_password") if username == READER else None
        )


@contextmanager
def running_mimic() -> Iterator[Mimic]:
    logging.getLogger("mysql_mimic").setLevel(logging.CRITICAL)
    mimic, loop, ready = Mimic(), asyncio.new_event_loop(), threading.Event()
    loop.set_exception_handler(lambda *_: None)  # a connection that is cut off at the end is no news
    server = MysqlServer(lambda: _Session(mimic), identity_provider=_Readers())

    async def serve() -> None:
        await server.start_server(host="127.0.0.1", port=0)
        mimic.port = server._server.sockets[0].getsockname()[1]
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield mimic
    finally:
        # In the loop's own thread: a connection that ends at the same moment would trip over a half closed server.
        loop.call_soon_threadsafe(server._server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        mimic.tables.close()


@dataclass(frozen=True)
class MariaDb:
    port: int
    socket_path: str

    def execute(self, *statements: str) -> None:
        with pymysql.connect(unix_socket=self.socket_path, user="root", autocommit=True) as connection:
            for statement in statements:
                connection.query(statement)


MARIADB = shutil.which("mariadbd") and shutil.which("mariadb-install-db")


@contextmanager
def running_mariadb() -> Iterator[MariaDb]:
    with socket.create_server(("127.0.0.1", 0)) as free, tempfile.TemporaryDirectory(prefix="mariadb-") as directory:
        port = free.getsockname()[1]
        free.close()
        place = Path(directory)
        user = ["--user=root"] if place.owner() == "root" else []
        common = ["--no-defaults", f"--datadir={place}/data", *user]
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True, timeout=120)
        made = MariaDb(port, f"{place}/s")
        options = [f"--socket={made.socket_path}", f"--port={port}", "--bind-address=127.0.0.1", "--secure-file-priv="]
        with (place / "log").open("wb") as log:
            server = subprocess.Popen(["mariadbd", *common, *options], stdout=log, stderr=log)
        try:
            _wait(made, server)
            yield made
        finally:
            server.terminate()
            server.wait(30)


def _wait(server: MariaDb, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    # The driver leaves its socket open where nothing is to connect to.
    while not Path(server.socket_path).exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    server.execute("SELECT 1")
