"""PostgreSQL as a source: a real server, through a role that may only read."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from infra.crypto import SecretValue
from infra.errors import EngineLimitError, InvalidInputError
from infra.ports.sources import (
    ColumnNotSupportedError,
    SourceLimits,
    SourceLoginRefusedError,
    SourceQueryRefusedError,
    SourceUnreachableError,
    SourceValueError,
    SqlTarget,
    TlsMode,
)
from infra.sources import watch
from infra.sources.addresses import AddressGuard
from infra.sources.postgresql import REDSHIFT_FLAVOUR, PostgresSource
from tests.infra.fake_server import fake_server
from tests.infra.sources import LOOPBACK, NO_AUTHORITIES, PLENTY, read, schema_of
from tests.lab.postgres import running_postgres
from tests.lab.relay import certificate, relay
from tests.lab.source import PASSWORD, READER, SourceDatabase, source_database

SOURCE = PostgresSource(guard=LOOPBACK, ca_file=NO_AUTHORITIES)
EVERY_TYPE = """SELECT true AS b, 1::int2 AS i2, 2::int4 AS i4, 3::int8 AS i8, 1.5::float4 AS f4, 2.5::float8 AS f8,
    12.34::numeric(10,2) AS n, 'x'::text AS t, 'y'::varchar(5) AS v, 'z'::char(3) AS c, 'q'::"char" AS q, 'n'::name AS nm,
    '00000000-0000-0000-0000-000000000001'::uuid AS u, '{"k": 1}'::json AS j, '{"k": 1}'::jsonb AS jb, '\\xff00'::bytea AS by,
    '2020-02-29'::date AS d, '2020-02-29 10:00:00.000001'::timestamp AS ts, '2020-02-29 10:00:00+02'::timestamptz AS tz,
    'ok'::mood AS m, 5::small_number AS dm, ARRAY[1,NULL,3] AS ai, ARRAY['a'] AS at, ARRAY[1.5] AS an, avg(1) AS av"""
DECIMAL = pa.decimal128(38, 18)
TYPES = {
    "b": pa.bool_(),
    "i2": pa.int16(),
    "i4": pa.int32(),
    "i8": pa.int64(),
    "f4": pa.float32(),
    "f8": pa.float64(),
    "n": pa.decimal128(10, 2),
    **dict.fromkeys(("t", "v", "c", "q", "nm", "u", "j", "jb"), pa.string()),
    "by": pa.binary(),
    "d": pa.date32(),
    "ts": pa.timestamp("us"),
    "tz": pa.timestamp("us", tz="UTC"),
    "m": pa.string(),
    "dm": pa.int32(),
    "ai": pa.list_(pa.int32()),
    "at": pa.list_(pa.string()),
    "an": pa.list_(DECIMAL),
    "av": DECIMAL,
}


@pytest.fixture
def target(source: SourceDatabase) -> SqlTarget:
    secret = SecretValue(PASSWORD)
    return SqlTarget("postgresql", source.database, "127.0.0.1", source.port, READER, secret, TlsMode.DISABLE)


@pytest.fixture
def filled(source: SourceDatabase) -> SourceDatabase:
    source.execute(
        "CREATE TABLE teams (team_id int, budget numeric(10,2))", "INSERT INTO teams VALUES (1, 2.5), (2, NULL)"
    )
    return source


def test_it_connects(target: SqlTarget) -> None:
    SOURCE.test(target, PLENTY)


def test_every_type(source: SourceDatabase, target: SqlTarget) -> None:
    source.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE DOMAIN small_number AS int CHECK (VALUE < 10)")
    described = SOURCE.describe(target, EVERY_TYPE, PLENTY)
    assert dict(zip(described.names, described.types, strict=True)) == TYPES
    found = read(SOURCE, target, EVERY_TYPE, described)
    assert found.schema == described
    row = found.to_pylist()[0]
    assert row["ts"] == datetime(2020, 2, 29, 10, 0, 0, 1)  # noqa: DTZ001 the source has no zone
    assert row["tz"] == datetime(2020, 2, 29, 8, tzinfo=UTC)
    assert (row["d"], row["by"], row["j"], row["m"], row["dm"]) == (date(2020, 2, 29), b"\xff\x00", '{"k": 1}', "ok", 5)
    assert (row["n"], row["ai"], row["an"]) == (Decimal("12.34"), [1, None, 3], [Decimal("1.5")])


def test_nulls_of_every_type(source: SourceDatabase, target: SqlTarget) -> None:
    source.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE DOMAIN small_number AS int")
    query = f"SELECT q.* FROM (SELECT 1) one LEFT JOIN ({EVERY_TYPE}) q ON false"
    found = read(SOURCE, target, query, SOURCE.describe(target, query, PLENTY))
    assert set(found.to_pylist()[0].values()) == {None}


def test_only_the_columns_asked_for_and_the_first_rows(filled: SourceDatabase, target: SqlTarget) -> None:
    query = "SELECT * FROM teams ORDER BY team_id;  "
    assert read(SOURCE, target, query, schema_of("budget")).column_names == ["budget"]
    assert read(SOURCE, target, query, schema_of("team_id"), first=1).to_pydict() == {"team_id": [1]}


def test_unbound_numerics_are_rounded_to_even(target: SqlTarget) -> None:
    query = "SELECT unnest(ARRAY[0.1234567890123456785, 0.1234567890123456775, 1, NULL]::numeric[]) AS n"
    values = read(SOURCE, target, query, schema_of("n")).column("n").to_pylist()
    assert values == [Decimal("0.123456789012345678"), Decimal("0.123456789012345678"), Decimal(1), None]


def test_every_row_arrives_in_order_in_batches(target: SqlTarget) -> None:
    query = "SELECT i, repeat('x', 100) AS t FROM generate_series(1, 50000) AS i ORDER BY i"
    batches = list(SOURCE.rows(target, query, schema_of("i", "t"), PLENTY))
    table = pa.Table.from_batches(batches)
    assert table.column("i").to_pylist() == list(range(1, 50_001))
    assert len(batches) > 3
    assert max(batch.nbytes for batch in batches) < 8 << 20


def test_nothing_is_no_row(target: SqlTarget) -> None:
    assert list(SOURCE.rows(target, "SELECT 1 AS a WHERE false", schema_of("a"), PLENTY)) == []


@pytest.mark.parametrize(
    ("query", "kind"), [("interval '1 s'", "interval"), ("point(1, 2)", "point"), ("1::numeric(50,2)", "numeric")]
)
def test_a_type_that_no_feature_has_is_named(target: SqlTarget, query: str, kind: str) -> None:
    with pytest.raises(ColumnNotSupportedError, match=f"'odd'.*{kind}"):
        SOURCE.describe(target, f"SELECT {query} AS odd", PLENTY)


@pytest.mark.parametrize(
    "value", ["'infinity'::timestamp", "'infinity'::date", "'NaN'::numeric", "1e30::numeric", "ARRAY[[1]]"]
)
def test_a_value_that_no_feature_has_is_refused(target: SqlTarget, value: str) -> None:
    with capture_logs() as logs, pytest.raises(SourceValueError, match="'odd'"):
        read(SOURCE, target, f"SELECT {value} AS odd", schema_of("odd"))
    assert logs == [], "values are none of the log's business"


def test_infinity_among_several_times(target: SqlTarget) -> None:
    with pytest.raises(SourceValueError):
        read(SOURCE, target, "SELECT 'infinity'::date AS a, now() AS b", schema_of("a", "b"))


def test_text_that_is_no_text(source: SourceDatabase, target: SqlTarget) -> None:
    """A query is no format string of the driver."""
    assert read(SOURCE, target, "SELECT '%s %' AS a -- the end", schema_of("a")).to_pydict() == {"a": ["%s %"]}


WRITES = [
    "INSERT INTO teams VALUES (3, 3)",
    "CREATE TABLE stolen (a int)",
    "COPY teams TO PROGRAM 'id'",
    "SELECT 1 AS team_id; DROP TABLE teams",
    "WITH gone AS (DELETE FROM teams RETURNING team_id) SELECT team_id FROM gone",
    "SELECT team_id INTO stolen FROM teams",
    "SELECT 1 AS team_id) AS q; DROP TABLE teams; --",
    "SELECT set_config('transaction_read_only', 'off', false)::int AS team_id",
    "SELECT nextval('numbers')::int AS team_id",
    "SELECT write_one() AS team_id",
    "SELECT team_id FROM teams FOR UPDATE",
    "SELECT pg_read_file('/etc/passwd')::int AS team_id",
    "SELECT lo_import('/etc/passwd')::int AS team_id",
    "SELECT 1 AS team_id /*",
    "SELECT 'open AS team_id",
]


@pytest.mark.parametrize("query", WRITES)
@pytest.mark.parametrize("may_write", [False, True])
def test_nothing_is_written(filled: SourceDatabase, target: SqlTarget, query: str, may_write: bool) -> None:
    """Not even by a role that could: the server is told to read only."""
    filled.execute(
        "CREATE SEQUENCE numbers",
        "CREATE FUNCTION write_one() RETURNS int LANGUAGE sql AS 'INSERT INTO teams VALUES (9, 9) RETURNING 1'",
    )
    if may_write:
        filled.execute(
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {READER}",
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {READER}",
            f"GRANT CREATE ON SCHEMA public TO {READER}",
        )
    with suppress(InvalidInputError):  # a description runs nothing, and so may find nothing wrong
        SOURCE.describe(target, query, PLENTY)
    with pytest.raises(InvalidInputError) as refusal:
        read(SOURCE, target, query, schema_of("team_id"))
    assert "teams" not in refusal.value.detail
    assert filled.value("SELECT count(*) FROM teams") == 2
    assert filled.value("SELECT count(*) FROM pg_class WHERE relname = 'stolen'") == 0
    assert filled.value("SELECT is_called FROM numbers") is False


def test_one_query_is_said_early(target: SqlTarget) -> None:
    with pytest.raises(InvalidInputError, match="2 statements"):
        SOURCE.describe(target, "SELECT 1; SELECT 2", PLENTY)
    with pytest.raises(InvalidInputError, match="not INSERT"):
        SOURCE.describe(target, "INSERT INTO t VALUES (1)", PLENTY)


@pytest.mark.parametrize(
    ("query", "state"),
    [("SELECT nope AS a", "42703"), ("SELECT 1 AS a FROM nowhere", "42P01"), ("SELECT 1/0 AS a", "22012")],
)
def test_the_servers_words_stay_in_the_log(target: SqlTarget, query: str, state: str) -> None:
    with capture_logs() as logs, pytest.raises(SourceQueryRefusedError) as refusal:
        read(SOURCE, target, query, schema_of("a"))
    assert state in refusal.value.detail
    assert not any(word in str(refusal.value.__dict__) for word in ("nope", "nowhere", "division"))
    assert refusal.value.__cause__ is None
    assert any(word in logs[0]["error"] for word in ("nope", "nowhere", "division"))


@pytest.mark.parametrize(
    "wrong", [{"password": SecretValue("s3cr3t-wrong")}, {"database": "nope"}, {"user": "nobody_here"}]
)
def test_a_wrong_login_leaks_nothing(target: SqlTarget, wrong: dict[str, object]) -> None:
    with capture_logs() as logs, pytest.raises(SourceLoginRefusedError) as refusal:
        SOURCE.test(replace(target, **wrong), PLENTY)  # type: ignore[arg-type]  # one field of it
    said = f"{refusal.value.__dict__} {logs}"
    assert "s3cr3t-wrong" not in said
    assert PASSWORD not in said
    assert "does not take the login" in refusal.value.detail


LITTLE = SourceLimits(max_rows=1000, max_bytes=1 << 20, deadline_seconds=1)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT pg_sleep(60)::text AS a",
        "SELECT set_config('statement_timeout', '0', false) AS a UNION ALL SELECT pg_sleep(60)::text",
        "SELECT a::text FROM generate_series(1, 10) AS a, pg_sleep(60)",
    ],
)
def test_a_slow_query_is_stopped_there_too(source: SourceDatabase, target: SqlTarget, query: str) -> None:
    with pytest.raises(EngineLimitError, match="within 1 s"):
        read(SOURCE, target, query, schema_of("a"), LITTLE)
    _require_nobody_left(source)


def _require_nobody_left(source: SourceDatabase) -> None:
    query = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{READER}' AND datname = '{source.database}'"
    wait = threading.Event()
    for _ in range(400):
        if source.value(query) == 0:
            return
        wait.wait(0.05)
    pytest.fail("the query still runs at the source")


def test_too_many_rows(target: SqlTarget) -> None:
    with pytest.raises(EngineLimitError, match="more than 1,000 rows"):
        read(SOURCE, target, "SELECT generate_series(1, 1000000) AS a", schema_of("a"), LITTLE)
    assert len(read(SOURCE, target, "SELECT generate_series(1, 1000) AS a", schema_of("a"), LITTLE)) == 1000


def test_too_many_bytes(target: SqlTarget) -> None:
    query = "SELECT repeat('x', 10000) AS a FROM generate_series(1, 900)"
    with pytest.raises(EngineLimitError, match="1,048,576 bytes"):
        read(SOURCE, target, query, schema_of("a"), LITTLE)


def test_a_giant_row_is_cut_off_on_its_way(
    source: SourceDatabase, target: SqlTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_TICK_SECONDS", 0.005)
    monkeypatch.setattr("infra.sources.postgresql.Watch", lambda limits: watch.Watch(limits, 4 << 20))
    with pytest.raises(EngineLimitError, match="for one batch"):
        read(SOURCE, target, "SELECT repeat('x', 50000000) AS a", schema_of("a"))
    _require_nobody_left(source)


def test_closing_early_ends_the_query(source: SourceDatabase, target: SqlTarget) -> None:
    batches = SOURCE.rows(target, "SELECT generate_series(1, 100000000) AS a", schema_of("a"), PLENTY)
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # it is a generator
    _require_nobody_left(source)


@pytest.fixture(scope="module")
def little() -> Iterator[SourceDatabase]:
    """A server that gives two connections to those who are no superusers."""
    with (
        running_postgres(max_connections=5, superuser_reserved_connections=3) as server,
        source_database(server) as database,
    ):
        yield database


@pytest.mark.parametrize("limit", ["server", "role", "database"])
def test_a_server_that_is_full_is_no_refused_login(little: SourceDatabase, limit: str) -> None:
    target = SqlTarget(
        "postgresql", little.database, "127.0.0.1", little.port, READER, SecretValue(PASSWORD), TlsMode.DISABLE
    )
    held = 2 if limit == "server" else 1
    little.execute(
        f"ALTER ROLE {READER} CONNECTION LIMIT {1 if limit == 'role' else -1}",
        f"ALTER DATABASE {little.database} CONNECTION LIMIT {1 if limit == 'database' else -1}",
    )
    place = f"host=127.0.0.1 port={little.port} dbname={little.database} user={READER} sslmode=disable"
    with ExitStack() as taken:
        for _ in range(held):
            taken.enter_context(psycopg.connect(place, password=PASSWORD))
        with capture_logs() as logs, pytest.raises(SourceUnreachableError, match="no connection left") as refusal:
            SOURCE.test(target, PLENTY)
    assert refusal.value.retry_after
    assert any(words in logs[0]["error"] for words in ("too many", "remaining connection slots")), logs
    little.execute(f"ALTER ROLE {READER} CONNECTION LIMIT -1")


def test_nobody_listens(target: SqlTarget) -> None:
    with pytest.raises(SourceUnreachableError):
        SOURCE.test(replace(target, port=1), PLENTY)
    with pytest.raises(SourceUnreachableError):
        PostgresSource(guard=AddressGuard(), ca_file=NO_AUTHORITIES).test(target, PLENTY)


def test_a_server_that_never_answers(target: SqlTarget) -> None:
    silence = threading.Event()
    with fake_server(lambda _: silence.wait(30)) as port:
        with pytest.raises(SourceUnreachableError):
            SOURCE.test(replace(target, port=port), PLENTY)
        silence.set()


def _error_message(**fields: bytes) -> bytes:
    body = b"".join(name.encode() + value + b"\0" for name, value in fields.items()) + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


def test_a_server_that_lies_about_its_errors(target: SqlTarget) -> None:
    """After the login it answers everything with text that looks like a code."""

    def lie(connection: socket.socket) -> None:
        connection.recv(1024)
        welcome = b"R" + (8).to_bytes(4, "big") + bytes(4) + b"Z" + (5).to_bytes(4, "big") + b"I"
        connection.sendall(welcome)
        connection.recv(4096)
        connection.sendall(_error_message(S=b"ERROR", C=b"<script>", M=b"m" * 5000))
        connection.sendall(b"Z" + (5).to_bytes(4, "big") + b"E")
        connection.recv(1)

    with fake_server(lie) as port, capture_logs() as logs, pytest.raises(InvalidInputError) as refusal:
        SOURCE.test(replace(target, port=port), PLENTY)
    assert "script" not in refusal.value.detail
    assert len(logs[0]["error"]) <= 1000


@contextmanager
def _with_tls(source: SourceDatabase, directory: Path, name: str = "localhost") -> Iterator[tuple[int, Path]]:
    chain, key = certificate(directory, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with relay(source.socket_path, context) as listening:
        yield listening.port, chain


def test_encrypted_and_proven(source: SourceDatabase, target: SqlTarget, tmp_path: Path) -> None:
    with _with_tls(source, tmp_path) as (port, chain):
        proven = replace(target, host="localhost", port=port, tls_mode=TlsMode.VERIFY_FULL)
        # `localhost` may have an IPv6 address too, which the lab does not listen on.
        guard = AddressGuard((*LOOPBACK.allowed, ip_network("::1/128")))
        PostgresSource(guard=guard, ca_file=chain).test(proven, PLENTY)
        SOURCE.test(replace(target, port=port, tls_mode=TlsMode.REQUIRE), PLENTY)


def test_a_certificate_of_somebody_else(source: SourceDatabase, target: SqlTarget, tmp_path: Path) -> None:
    with _with_tls(source, tmp_path) as (port, _), _with_tls(source, tmp_path, "other") as (_, other):
        proven = replace(target, port=port, tls_mode=TlsMode.VERIFY_FULL)
        for authorities in (other, NO_AUTHORITIES):
            with pytest.raises(SourceLoginRefusedError):
                PostgresSource(guard=LOOPBACK, ca_file=authorities).test(proven, PLENTY)


def test_encryption_is_not_given_up(target: SqlTarget) -> None:
    for mode in (TlsMode.REQUIRE, TlsMode.VERIFY_FULL):
        with pytest.raises(SourceLoginRefusedError):
            SOURCE.test(replace(target, tls_mode=mode), PLENTY)


def test_a_server_that_asks_for_the_password_itself(target: SqlTarget) -> None:
    """Without a proven server it is not sent in plain text, whoever asks."""
    received: list[bytes] = []

    def ask(connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big"))
        received.append(connection.recv(1024))

    with fake_server(ask) as port, pytest.raises(SourceLoginRefusedError):
        SOURCE.test(replace(target, port=port), PLENTY)
    assert PASSWORD.encode() not in b"".join(received)


def test_redshift_speaks_the_same_protocol(filled: SourceDatabase, target: SqlTarget) -> None:
    """Against PostgreSQL: no Redshift can be had. It proves that nothing is sent that only PostgreSQL knows of settings."""
    source = PostgresSource(guard=LOOPBACK, ca_file=NO_AUTHORITIES, flavour=REDSHIFT_FLAVOUR)
    assert len(read(source, target, "SELECT team_id FROM teams", schema_of("team_id"))) == 2
    with pytest.raises(SourceQueryRefusedError):
        read(source, target, "SELECT nextval('x') AS team_id", schema_of("team_id"))
