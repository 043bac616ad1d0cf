"""MySQL as a source: its protocol by a mimic everywhere, MariaDB itself where the machine has one."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path

import pyarrow as pa
import pytest
from pymysql.constants import FIELD_TYPE, FLAG
from structlog.testing import capture_logs

from infra.crypto import SecretValue
from infra.errors import EngineLimitError, GatewayError, InvalidInputError
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
from infra.sources.addresses import AddressGuard
from infra.sources.mysql import MySqlSource
from infra.sources.mysql_types import MySqlColumn, arrow_type, convert
from infra.sources.statements import MYSQL
from tests.infra.fake_server import fake_server
from tests.infra.sources import LOOPBACK, NO_AUTHORITIES, PLENTY, read, schema_of
from tests.lab.mysql import MARIADB, PASSWORD, READER, MariaDb, Mimic, running_mariadb, running_mimic
from tests.lab.relay import certificate

SOURCE = MySqlSource(guard=LOOPBACK, ca_file=NO_AUTHORITIES)
LITTLE = SourceLimits(max_rows=1000, max_bytes=1 << 20, deadline_seconds=1)


def _target(port: int) -> SqlTarget:
    return SqlTarget("mysql", "lab", "127.0.0.1", port, READER, SecretValue(PASSWORD), TlsMode.DISABLE)


@pytest.fixture(scope="module")
def mimic() -> Iterator[Mimic]:
    with running_mimic() as made:
        made.tables.execute(
            "CREATE TABLE teams AS SELECT i AS id, i * 0.5::double AS v, 'é' || i AS name, "
            "DATE '2020-01-01' + i::int AS day, TIMESTAMP '2020-01-01 10:00:00' AS at FROM range(50000) t(i)"
        )
        yield made


# the protocol


def test_rows_with_their_types(mimic: Mimic) -> None:
    target = _target(mimic.port)
    SOURCE.test(target, PLENTY)
    query = "SELECT * FROM teams ORDER BY id"
    described = SOURCE.describe(target, query, PLENTY)
    assert described == pa.schema(
        {"id": pa.int64(), "v": pa.float64(), "name": pa.string(), "day": pa.date32(), "at": pa.timestamp("us")}
    )
    batches = list(SOURCE.rows(target, query, described, PLENTY))
    table = pa.Table.from_batches(batches)
    assert table.column("id").to_pylist() == list(range(50_000))
    assert table.slice(1, 1).to_pylist() == [
        {"id": 1, "v": 0.5, "name": "é1", "day": date(2020, 1, 2), "at": datetime(2020, 1, 1, 10)}  # noqa: DTZ001 no zone
    ]
    assert len(batches) > 3
    assert read(SOURCE, target, query, schema_of("name"), first=2).to_pydict() == {"name": ["é0", "é1"]}


def test_each_session_is_told_to_read_only(mimic: Mimic) -> None:
    mimic.statements.clear()
    read(SOURCE, _target(mimic.port), "SELECT id FROM teams", schema_of("id"), first=1)
    said = [statement for statement in mimic.statements if not statement.startswith("SET NAMES")]
    assert said[-4].startswith("SET SESSION max_execution_time = 30000")
    assert "time_zone = '+00:00'" in said[-4]
    assert said[-3:-1] == ["SET SESSION TRANSACTION READ ONLY", "START TRANSACTION READ ONLY"]
    assert said[-1].startswith("SELECT oast_source.`id` FROM (\n")


def test_a_type_that_no_feature_has_is_named(mimic: Mimic) -> None:
    with pytest.raises(ColumnNotSupportedError, match=r"'odd'.*time"):
        SOURCE.describe(_target(mimic.port), "SELECT INTERVAL 1 DAY AS odd FROM teams", PLENTY)


def test_one_query_is_said_early() -> None:
    with pytest.raises(InvalidInputError, match="2 statements"):
        SOURCE.describe(_target(1), "SELECT 1; SELECT 2", PLENTY)


@pytest.mark.parametrize("wrong", [{"password": SecretValue("s3cr3t-wrong")}, {"user": "nobody"}])
def test_a_wrong_login_leaks_nothing(mimic: Mimic, wrong: dict[str, object]) -> None:
    with capture_logs() as logs, pytest.raises(SourceLoginRefusedError, match="MySQL error") as refusal:
        SOURCE.test(replace(_target(mimic.port), **wrong), PLENTY)  # type: ignore[arg-type]  # one field of it
    assert "s3cr3t" not in f"{refusal.value.__dict__} {logs}"


def test_a_slow_query_is_cut_off(mimic: Mimic) -> None:
    with pytest.raises(EngineLimitError, match="within 1 s"):
        read(SOURCE, _target(mimic.port), "SELECT SLEEP(30) AS a", schema_of("a"), LITTLE)


def test_too_many_rows(mimic: Mimic) -> None:
    with pytest.raises(EngineLimitError, match="more than 1,000 rows"):
        read(SOURCE, _target(mimic.port), "SELECT id FROM teams", schema_of("id"), LITTLE)


def test_closing_early_does_not_read_the_rest(mimic: Mimic) -> None:
    batches = SOURCE.rows(_target(mimic.port), "SELECT id FROM teams", schema_of("id"), PLENTY)
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # it is a generator


def test_nobody_listens() -> None:
    with pytest.raises(SourceUnreachableError):
        SOURCE.test(_target(1), PLENTY)
    with pytest.raises(SourceUnreachableError):
        MySqlSource(guard=AddressGuard(), ca_file=NO_AUTHORITIES).test(_target(1), PLENTY)


def test_encryption_is_not_given_up(mimic: Mimic) -> None:
    with pytest.raises(SourceLoginRefusedError):
        SOURCE.test(replace(_target(mimic.port), tls_mode=TlsMode.REQUIRE), PLENTY)


# encryption


def _packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def _greeting(capabilities: int) -> bytes:
    version, salt = b"\x0a8.0.0\0" + struct.pack("<I", 1), b"saltsalt\0"
    flags = struct.pack("<H", capabilities) + b"\x2d\x02\x00" + struct.pack("<H", 0x8009)
    return _packet(0, version + salt + flags + b"\x15" + bytes(10) + b"saltsaltsalt\0mysql_native_password\0")


OK = b"\x00\x00\x00\x02\x00\x00\x00"


@pytest.fixture
def encrypting(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A server that ends TLS and says yes to everything. The mimic loses the first bytes of a handshake now and then."""
    chain, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)

    def answer(connection: socket.socket) -> None:
        connection.sendall(_greeting(0xFFFF))
        connection.recv(36)
        with context.wrap_socket(connection, server_side=True) as inside:
            assert READER.encode() in inside.recv(4096)
            inside.sendall(_packet(3, OK))
            while inside.recv(4096):
                inside.sendall(_packet(1, OK))

    with fake_server(answer) as port:
        yield port, chain


def test_encrypted_and_proven(encrypting: tuple[int, Path], tmp_path: Path) -> None:
    port, chain = encrypting
    other, _ = certificate(tmp_path, "other")
    guard = AddressGuard((*LOOPBACK.allowed, ip_network("::1/128")))
    target = replace(_target(port), host="localhost", tls_mode=TlsMode.VERIFY_FULL)
    MySqlSource(guard=guard, ca_file=chain).test(target, PLENTY)
    MySqlSource(guard=guard, ca_file=other).test(replace(target, tls_mode=TlsMode.REQUIRE), PLENTY)
    with pytest.raises(SourceLoginRefusedError):
        MySqlSource(guard=guard, ca_file=other).test(target, PLENTY)


# servers that mean harm


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog", b"mysql_old_password"])
def test_a_server_that_asks_for_the_password_itself(plugin: bytes) -> None:
    received: list[bytes] = []

    def ask(connection: socket.socket) -> None:
        connection.sendall(_greeting(0xF7FF))
        connection.recv(4096)
        connection.sendall(_packet(2, b"\xfe" + plugin + b"\0"))
        received.append(connection.recv(4096))

    with fake_server(ask) as port, pytest.raises(SourceLoginRefusedError):
        SOURCE.test(_target(port), PLENTY)
    assert PASSWORD.encode() not in b"".join(received)


def test_a_server_that_says_the_password_again_says_it_to_no_log() -> None:
    """It has the password only where it was proven and asked for it; the log is read by others."""

    def echo(connection: socket.socket) -> None:
        refusal = b"\xff" + struct.pack("<H", 1045) + b"#28000" + f"no {PASSWORD} here".encode()
        connection.sendall(_packet(0, refusal))

    with fake_server(echo) as port, capture_logs() as logs, pytest.raises(SourceLoginRefusedError) as refused:
        SOURCE.test(_target(port), PLENTY)
    assert "no … here" in logs[-1]["error"]
    assert PASSWORD not in f"{logs}{refused.value.detail}{refused.value.hint}"


def test_a_server_that_asks_for_a_file_of_ours(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary7f3a")
    received: list[bytes] = []

    def ask(connection: socket.socket) -> None:
        connection.sendall(_greeting(0xF7FF))
        connection.recv(4096)
        connection.sendall(_packet(2, OK))
        connection.recv(4096)
        connection.sendall(_packet(1, b"\xfb" + str(secret).encode()))
        received.append(connection.recv(4096))

    with fake_server(ask) as port, pytest.raises(GatewayError):
        SOURCE.test(_target(port), PLENTY)
    assert b"canary" not in b"".join(received)


@pytest.mark.parametrize(
    "noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100, b"", _greeting(0xF7FF) + b"\x01\x00\x00\x02\x99" * 9]
)
def test_a_server_that_speaks_something_else(noise: bytes) -> None:
    def speak(connection: socket.socket) -> None:
        connection.sendall(noise)
        connection.recv(4096)

    with fake_server(speak) as port, pytest.raises(GatewayError):
        SOURCE.test(_target(port), LITTLE)


def test_a_server_that_never_answers() -> None:
    silence = threading.Event()
    with fake_server(lambda _: silence.wait(30)) as port:
        with pytest.raises(EngineLimitError):
            SOURCE.test(_target(port), LITTLE)
        silence.set()


# types


def _column(code: int, length: int = 0, scale: int = 0, flags: int = 0, charset: int = 63) -> MySqlColumn:
    return MySqlColumn("c", code, length, scale, flags, charset)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (_column(FIELD_TYPE.TINY, 1), pa.bool_()),
        (_column(FIELD_TYPE.TINY, 4), pa.int8()),
        (_column(FIELD_TYPE.TINY, 3, flags=FLAG.UNSIGNED), pa.uint8()),
        (_column(FIELD_TYPE.SHORT, 6), pa.int16()),
        (_column(FIELD_TYPE.INT24, 9), pa.int32()),
        (_column(FIELD_TYPE.LONG, 10, flags=FLAG.UNSIGNED), pa.uint32()),
        (_column(FIELD_TYPE.LONGLONG, 20, flags=FLAG.UNSIGNED), pa.uint64()),
        (_column(FIELD_TYPE.NEWDECIMAL, 12, 2), pa.decimal128(10, 2)),
        (_column(FIELD_TYPE.NEWDECIMAL, 11, 2, FLAG.UNSIGNED), pa.decimal128(10, 2)),
        (_column(FIELD_TYPE.NEWDECIMAL, 6), pa.decimal128(5, 0)),
        (_column(FIELD_TYPE.NEWDECIMAL, 67, 30), None),
        (_column(FIELD_TYPE.BIT, 1), pa.bool_()),
        (_column(FIELD_TYPE.BIT, 8), pa.binary()),
        (_column(FIELD_TYPE.VAR_STRING, 20, charset=45), pa.string()),
        (_column(FIELD_TYPE.VAR_STRING, 20), pa.binary()),
        (_column(FIELD_TYPE.BLOB, 20, charset=45), pa.string()),
        (_column(FIELD_TYPE.JSON), pa.string()),
        (_column(FIELD_TYPE.TIMESTAMP), pa.timestamp("us", tz="UTC")),
        (_column(FIELD_TYPE.TIME), None),
        (_column(FIELD_TYPE.GEOMETRY), None),
    ],
)
def test_what_the_protocol_says_of_a_column(column: MySqlColumn, expected: pa.DataType | None) -> None:
    assert arrow_type(column) == expected


def test_values_are_parsed_and_never_guessed() -> None:
    assert convert(["3.10", None], pa.decimal128(10, 2)).to_pylist() == [Decimal("3.10"), None]
    assert convert(["1", "0", None, b"\x01"], pa.bool_()).to_pylist() == [True, False, None, True]
    assert convert(["007"], pa.int32()).to_pylist() == [7]
    zoned = convert(["2020-01-01 10:00:00.5"], pa.timestamp("us", tz="UTC")).to_pylist()
    assert zoned == [datetime(2020, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC)]
    for text, kind in (("0000-00-00", pa.date32()), ("0000-00-00 00:00:00", pa.timestamp("us")), ("300", pa.int8())):
        with pytest.raises(pa.ArrowInvalid):
            convert([text], kind)


# MariaDB

mariadb_only = pytest.mark.skipif(
    not MARIADB, reason="the machine has no mariadbd; Debian's package mariadb-server brings it"
)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    with running_mariadb() as server:
        server.execute(
            "CREATE DATABASE lab",
            f"CREATE USER {READER} IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT ON lab.* TO {READER}",
            "CREATE USER mighty IDENTIFIED BY 'mighty'",
            "GRANT ALL ON *.* TO mighty",
            "CREATE TABLE lab.teams (id int PRIMARY KEY, b boolean, ub bigint unsigned, m decimal(10,2), s varchar(9), bl blob, "
            "dt datetime(6), ts timestamp(6) NULL, da date, y year, bi bit(1), e enum('a','b'), j json, ti time)",
            "INSERT INTO lab.teams VALUES (1, true, 18446744073709551615, 3.33, 'é', x'00ff', '2020-01-01 10:00:00.000001', "
            "'2020-01-01 10:00:00', '2020-02-29', 2020, b'1', 'a', '{}', '10:00'), "
            "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
            "CREATE TABLE lab.zero (a date)",
            "SET sql_mode = ''",
            "INSERT INTO lab.zero VALUES ('0000-00-00')",
        )
        yield server


@mariadb_only
def test_every_type_of_mariadb(mariadb: MariaDb) -> None:
    target = _target(mariadb.port)
    query = "SELECT id, b, ub, m, s, bl, dt, ts, da, y, bi, e, j, avg(id) OVER () AS av FROM teams ORDER BY id"
    described = SOURCE.describe(target, query, PLENTY)
    assert described.field("av").type == pa.decimal128(14, 4)
    one, two = read(SOURCE, target, query, described).to_pylist()
    assert (one["b"], one["ub"], one["m"], one["s"]) == (True, 2**64 - 1, Decimal("3.33"), "é")
    assert (one["bl"], one["da"], one["y"], one["bi"], one["e"]) == (b"\x00\xff", date(2020, 2, 29), 2020, True, "a")
    assert one["dt"] == datetime(2020, 1, 1, 10, 0, 0, 1)  # noqa: DTZ001 the source has no zone
    assert {name for name, value in two.items() if value is not None} == {"id", "av"}
    with pytest.raises(ColumnNotSupportedError, match="time"):
        SOURCE.describe(target, "SELECT ti FROM teams", PLENTY)


@mariadb_only
@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO teams (id) VALUES (9)",
        "SELECT 1 AS id; DROP TABLE teams",
        "SELECT 1 AS id) AS q INTO OUTFILE '{file}' -- ",
        "SELECT 1 AS id) AS q INTO OUTFILE '{file}' /* ",
        "SELECT 1 AS id) AS q INTO OUTFILE '{file}' #",
        "SELECT 1 AS id INTO OUTFILE '{file}'",
        "SELECT 1 AS id /*! INTO OUTFILE '{file}' */",
        "SELECT 1 AS id) AS a UNION (SELECT 2 INTO OUTFILE '{file}'",
        "SELECT id FROM teams FOR UPDATE; DELETE FROM teams",
        "CALL mysql.anything()",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE teams",
        "SELECT nextval(numbers) AS id",
    ],
)
def test_nothing_is_written_to_mariadb(
    mariadb: MariaDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """Not even as a user who could, nor past the gateway's own look: syntax, protocol and transaction forbid it."""
    monkeypatch.setattr(MYSQL, "_contained", lambda sql: sql)
    mariadb.execute("CREATE SEQUENCE IF NOT EXISTS lab.numbers")
    mighty = replace(_target(mariadb.port), user="mighty", password=SecretValue("mighty"))
    file = tmp_path / "stolen"
    with pytest.raises(SourceQueryRefusedError):
        read(SOURCE, mighty, query.format(file=file), schema_of("id"))
    assert not file.exists()
    counted = read(SOURCE, mighty, "SELECT count(*) AS id FROM teams", schema_of("id"))
    assert counted.to_pydict() == {"id": [2]}


@mariadb_only
def test_mariadb_stops_at_the_deadline(mariadb: MariaDb) -> None:
    query = "SELECT count(*) AS a FROM seq_1_to_10000000 x JOIN seq_1_to_100000 y"
    with pytest.raises(EngineLimitError):
        read(SOURCE, _target(mariadb.port), query, schema_of("a"), LITTLE)


@mariadb_only
def test_a_zero_date_is_no_date(mariadb: MariaDb) -> None:
    with pytest.raises(SourceValueError, match="'a'"):
        read(SOURCE, _target(mariadb.port), "SELECT a FROM zero", schema_of("a"))


@mariadb_only
@pytest.mark.parametrize("wrong", [{"password": SecretValue("wrong")}, {"database": "nope"}])
def test_a_wrong_login_to_mariadb(mariadb: MariaDb, wrong: dict[str, object]) -> None:
    with pytest.raises(SourceLoginRefusedError):
        SOURCE.test(replace(_target(mariadb.port), **wrong), PLENTY)  # type: ignore[arg-type]  # one field of it
