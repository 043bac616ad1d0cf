"""SQL of users gets at nothing but the tables it was given, and stops nobody else from working."""

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import urllib3

from infra.engines import nursery
from infra.engines.landlock import landlock_version
from infra.engines.process_engine import ProcessEngine
from infra.engines.sandbox import address_space
from infra.engines.sources import QuerySources
from infra.errors import EngineLimitError, GatewayError, QueryRefusedError
from infra.ports.engine import EngineQuery, QueryLimits, Table
from infra.ports.tables import Snapshot
from infra.storage.location import Warehouse, parse_warehouse
from infra.tables.delta import DeltaTableStore
from tests.security.escapes import Attempt, attempts, exhausting
from tests.security.legitimate import LEGITIMATE

SECONDS = 1.0
MEMORY = "100MB"
AT_MOST = address_space(MEMORY, threads=2)
PLAYERS = {
    "id": [1, 2, 3],
    "name": ["ada", "bo", "cy"],
    "score": [1.5, 0.5, 2.5],
    "tags": [["captain", "left"], [], ["left"]],
    "born": pa.array(["1990-02-03", "1991-01-01", None]).cast(pa.date32()),
}
MATCHES = {
    "id": [1, 2, 1],
    "day": pa.array(["2024-05-01", "2024-05-08", "2024-05-15"]).cast(pa.date32()),
    "goals": [2, 0, 1],
}


@dataclass
class Prison:
    """An engine over a warehouse of two tenants, with secrets all around it that nobody may see."""

    root: Path
    engine: ProcessEngine
    tables: dict[str, Table]
    places: dict[str, str]
    secrets: dict[str, str]
    visited: list[str]

    def run(self, sql: str, seconds: float = 10.0) -> tuple[str, str]:
        """The error's code, or `ok`, and everything that the caller gets to see."""
        query = EngineQuery(sql, self.tables, None, trusted=False, limits=QueryLimits(seconds, max_bytes=10**8))
        try:
            with self.engine.execute(query) as stream, pa.ipc.open_stream(b"".join(stream.chunks())) as reader:
                return "ok", repr((reader.schema.names, reader.read_all().to_pylist()))
        except GatewayError as error:
            return error.code, repr((error.detail, error.hint, error.candidates, error.errors))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.execute(EngineQuery(sql, self.tables, None, trusted=False)) as stream:
            return [tuple(row.values()) for batch in stream for row in batch.to_pylist()]

    def placed(self, sql: str) -> str:
        return sql.format(**self.places)

    @property
    def files(self) -> dict[str, tuple[int, int]]:
        """Everything that a query could have made or changed, but for what it puts aside."""
        below = [path for name in ("warehouse", "outside") for path in (self.root / name).rglob("*")]
        beside = [*Path("/").iterdir(), *Path.home().iterdir()]  # where the process is, and where DuckDB would look
        found = [path for path in below + beside if path.is_file()]
        return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in found}


@pytest.fixture(scope="module")
def prison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prison]:
    secrets = {kind: f"canary{kind}{uuid4().hex}" for kind in ("file", "tenant", "environment", "path", "network")}
    root = tmp_path_factory.mktemp(secrets["path"])
    with pytest.MonkeyPatch.context() as patch, _server(secrets["network"]) as (url, visited):
        patch.setenv("OAST_CANARY", secrets["environment"])
        for zygote in list(nursery._zygotes.values()):
            zygote.end()  # the next one is started by a process that has the secret in its environment
        warehouse = parse_warehouse(str(root / "warehouse"))
        engine = ProcessEngine(warehouse, temp_directory=root / "spill", memory_limit=MEMORY, slots=1)
        tables, foreign = _tables(warehouse, secrets["tenant"])
        places = {**_outside(root / "outside", secrets["file"]), **foreign, "url": url}
        yield Prison(root, engine, tables, places, secrets, visited)
        engine.close()


def _tables(warehouse: Warehouse, secret: str) -> tuple[dict[str, Table], dict[str, str]]:
    store = DeltaTableStore(warehouse)
    for location, columns in (
        ("own/players", PLAYERS),
        ("own/matches", MATCHES),
        ("rivals/players", {"name": [secret]}),
    ):
        table = pa.table(columns)
        store.create(location, table.schema, partition_by=[], rows=table.to_reader)
    own, foreign = store.snapshot("own/players"), store.snapshot("rivals/players").files[0].uri
    places = {"own": own.files[0].uri, "foreign": foreign, "foreign_name": Path(foreign).name}
    return {"players": own, "matches": store.snapshot("own/matches")}, places


def _outside(folder: Path, secret: str) -> dict[str, str]:
    folder.mkdir(mode=0o777)
    (folder / "secret.txt").write_text(secret)
    (folder / "secret.csv").write_text(f"a,b\n1,{secret}\n")
    (folder / "secret.json").write_text(f'{{"a": "{secret}"}}\n')
    pq.write_table(pa.table({"a": [secret]}), folder / "secret.parquet")
    names = {"secret": "txt", "secret_csv": "csv", "secret_json": "json", "secret_parquet": "parquet"}
    return {"folder": str(folder)} | {name: str(folder / f"secret.{ending}") for name, ending in names.items()}


@contextlib.contextmanager
def _server(secret: str) -> Iterator[tuple[str, list[str]]]:
    visited: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visited.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(secret)))
            self.end_headers()
            self.wfile.write(secret.encode())

        do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815 named by http.server

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", visited
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("attempt", attempts(), ids=str)
def test_nobody_gets_out(prison: Prison, attempt: Attempt) -> None:
    sql, before = prison.placed(attempt.sql), prison.files
    code, seen = prison.run(sql)
    leaked = [kind for kind, secret in prison.secrets.items() if secret in seen and secret not in sql]
    assert leaked == [], seen
    assert code in attempt.answers, seen
    assert prison.files == before
    assert prison.visited == []
    assert prison.rows("SELECT count(*) FROM players") == [(3,)]


@pytest.mark.parametrize("attempt", exhausting(), ids=str)
def test_nobody_takes_more_than_a_share(prison: Prison, attempt: Attempt) -> None:
    started = time.monotonic()
    with _largest_process(prison) as largest:
        code, seen = prison.run(prison.placed(attempt.sql), SECONDS)
    took = time.monotonic() - started
    assert code in attempt.answers, seen
    assert took < SECONDS + 0.5
    assert largest[0] < AT_MOST
    assert prison.rows("SELECT count(*) FROM players") == [(3,)]
    assert list((prison.root / "spill").iterdir()) == []


@contextlib.contextmanager
def _largest_process(prison: Prison) -> Iterator[list[int]]:
    """The most memory that a query's process had at any time."""
    prison.rows("SELECT 1")  # an earlier test may have ended the zygote; this starts the one that is watched
    largest, done = [0], threading.Event()
    zygote = psutil.Process(nursery._zygotes["local"]._process.pid)

    def watch() -> None:
        while not done.wait(0.02):
            with contextlib.suppress(psutil.Error, OSError):
                queries = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children").read_text().split()
                largest[0] = max([largest[0], *(psutil.Process(int(pid)).memory_info().rss for pid in queries)])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield largest
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(("sql", "answer"), LEGITIMATE, ids=[sql[:60] for sql, _ in LEGITIMATE])
def test_what_may_be_asked_is_answered(prison: Prison, sql: str, answer: list[tuple[Any, ...]]) -> None:
    assert prison.rows(sql) == answer


def test_there_are_enough_of_them() -> None:
    assert len({attempt.sql for attempt in attempts() + exhausting()}) >= 150
    assert len({sql for sql, _ in LEGITIMATE}) >= 30


# The five holes that DuckDB's settings leave open.


def test_hole_1_a_readable_file_cannot_be_written(prison: Prison) -> None:
    own = Path(prison.places["own"])
    before = own.read_bytes()
    for options in ("FORMAT parquet", "FORMAT parquet, USE_TMP_FILE false"):
        with pytest.raises(QueryRefusedError):
            prison.rows(f"COPY (SELECT 1 AS id) TO '{own}' ({options})")
    assert own.read_bytes() == before


@pytest.mark.skipif(landlock_version() == 0, reason="the kernel has no Landlock")
def test_hole_1_is_closed_without_the_gate(prison: Prison) -> None:
    """Trusted SQL passes no gate: what keeps the file then is that the process may only read it."""
    own = Path(prison.places["own"])
    before = own.read_bytes()
    for options in ("FORMAT parquet", "FORMAT parquet, USE_TMP_FILE false"):
        query = EngineQuery(f"COPY (SELECT 1 AS id) TO '{own}' ({options})", prison.tables, pa.schema([]))
        with pytest.raises(GatewayError), prison.engine.execute(query):
            pass
    assert own.read_bytes() == before


def test_hole_2_logging_does_not_end_the_gateway(prison: Prison) -> None:
    gateway = os.getpid()
    for trusted in (False, True):
        sql = f"CALL enable_logging(storage_path = '{prison.places['folder']}/log', storage = 'file')"
        with pytest.raises(GatewayError), prison.engine.execute(EngineQuery(sql, {}, None, trusted=trusted)):
            pass
        assert prison.rows("SELECT count(*) FROM players") == [(3,)]
    assert psutil.Process(gateway).is_running()
    assert not Path(prison.places["folder"], "log").exists()


def test_hole_3_memory_is_bounded(prison: Prison) -> None:
    with _largest_process(prison) as largest, pytest.raises(EngineLimitError, match="memory"):
        prison.rows("SELECT repeat('a', 100000000) FROM range(1000)")
    assert 0 < largest[0] < AT_MOST


def test_hole_4_a_query_stops_in_time(prison: Prison) -> None:
    for sql in ("SELECT repeat('x', 2000000000)", "SELECT count(*) FROM range(1000000000) a, range(1000000000) b"):
        started = time.monotonic()
        code, seen = prison.run(sql, SECONDS)
        assert code == "engine-limit", seen
        assert time.monotonic() - started < SECONDS + 0.5
        assert prison.rows("SELECT count(*) FROM players") == [(3,)]


def test_hole_5_no_secret_can_be_made(prison: Prison) -> None:
    sql = "CREATE SECRET s (TYPE http, BEARER_TOKEN 'x', SCOPE 'http://127.0.0.1')"
    with pytest.raises(QueryRefusedError):
        prison.rows(sql)
    with pytest.raises(QueryRefusedError):
        prison.rows("SELECT * FROM duckdb_secrets()")


def test_a_dynamic_pivot_is_refused_with_advice(prison: Prison) -> None:
    with pytest.raises(QueryRefusedError) as caught:
        prison.rows("PIVOT matches ON id USING sum(goals)")
    assert "List the values of a pivot" in caught.value.detail


def test_near_names_are_proposed_from_what_the_query_has(prison: Prison) -> None:
    with pytest.raises(QueryRefusedError) as caught:
        prison.rows("SELECT * FROM player")
    assert caught.value.candidates == ("players",)
    with pytest.raises(QueryRefusedError) as caught:
        prison.rows("SELECT uper(name) FROM players")
    assert "upper" in caught.value.candidates


def test_the_process_has_nothing_of_the_gateways_environment(prison: Prison) -> None:
    assert prison.rows("SELECT 1") == [(1,)]
    zygote = nursery._zygotes["local"]._process.pid
    assert prison.secrets["environment"] not in Path(f"/proc/{zygote}/environ").read_text()
    assert re.search(r"PASSWORD|SECRET|TOKEN|OAST", Path(f"/proc/{zygote}/environ").read_text()) is None


def test_addresses_given_to_sql_of_users_are_for_reading_one_file(s3_warehouse: Warehouse, tmp_path: Path) -> None:
    store, sources = DeltaTableStore(s3_warehouse), QuerySources(s3_warehouse)
    table = pa.table({"team": ["a b/c", "d"], "n": [1, 2]})
    store.create("own/t", table.schema, partition_by=["team"], rows=table.to_reader)
    snapshot = store.snapshot("own/t")
    assert sources.access([snapshot], trusted=False) == ()
    given = sources.table(snapshot, trusted=False, spill=tmp_path, deadline=time.monotonic() + 10)
    assert isinstance(given, Snapshot)
    first, second = (file.uri for file in given.files)
    http = urllib3.PoolManager()
    assert http.request("GET", first, headers={"Range": "bytes=0-3"}).data == b"PAR1"
    for method in ("PUT", "DELETE"):
        assert http.request(method, first, body=b"stolen").status == 403
    assert http.request("GET", first.split("?")[0] + "?" + second.split("?")[1]).status == 403
    assert http.request("GET", first.split("?")[0]).status == 403
    engine = ProcessEngine(s3_warehouse, temp_directory=tmp_path / "spill")
    query = EngineQuery("SELECT team, n FROM t ORDER BY n", {"t": snapshot}, None, trusted=False)
    with engine.execute(query) as stream:
        assert [row for batch in stream for row in batch.to_pylist()] == table.to_pylist()
    engine.close()
