"""What a query's process does with a job, done here in the process of the tests; without the walls around it."""

import datetime as dt
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.engines.child import answer_job, load_engine
from infra.engines.failures import failure_message, failure_of, without_places
from infra.engines.protocol import LOCAL, REMOTE, Access, Job, Messages, StoredRows, receive_job, schema_of, send_job
from infra.errors import (
    EngineLimitError,
    GatewayError,
    InvalidInputError,
    QueryInvalidError,
    QueryRefusedError,
    StorageUnavailableError,
    UnavailableError,
)
from infra.ports.engine import REMOVED_AT, WRITE_ORDER, WRITTEN_AT, Step
from infra.ports.tables import DataFile, Snapshot
from infra.storage.location import S3Options

SCHEMA = pa.schema([("id", pa.int64()), ("team", pa.string()), ("late", pa.int32())])
MOMENT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _engine() -> None:
    """A database of the test's own: a job locks its settings for good."""
    load_engine(LOCAL)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    spill = tmp_path / "spill"
    spill.mkdir()
    return Job("SELECT 1 AS n", (), {}, None, True, "none", "100MB", 1, str(spill), 10**9)


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Two files, of which the second alone has `late`; their team is in the log only."""
    files = []
    for number, columns in enumerate([{"id": [1, 2]}, {"id": [3], "late": pa.array([9], pa.int32())}]):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table(columns), path)
        added = MOMENT if number else None
        files.append(DataFile(str(path), 1, len(columns["id"]), {"team": f"it's {number}"}, {}, added))
    return Snapshot(0, SCHEMA, ("team",), tuple(files))


def answer(job: Job) -> tuple[list[dict[str, Any]], bytes]:
    """The messages and the bytes that a process would have sent for the job."""
    ours, theirs = socket.socketpair()
    read, written = os.pipe()
    received: list[bytes] = []
    drain = threading.Thread(target=lambda: received.extend(iter(lambda: os.read(read, 1 << 16), b"")))
    drain.start()
    with closing(ours):
        with closing(theirs):
            send_job(ours, job)
            answer_job(receive_job(theirs), theirs, written)
        os.close(written)
        drain.join()
        os.close(read)
        messages = Messages(ours)
        return list(iter(messages.read, None)), b"".join(received)


def rows(job: Job) -> list[dict[str, Any]]:
    (started, done), data = answer(job)
    assert (started["kind"], done["kind"], done["bytes"]) == ("started", "done", len(data))
    with pa.ipc.open_stream(data) as reader:
        assert reader.schema == schema_of(started["schema"])
        table = reader.read_all()
    assert table.num_rows == done["rows"]
    return table.to_pylist()


def failure(job: Job) -> GatewayError:
    (message,), data = answer(job)
    assert (message["kind"], data) == ("failed", b"")
    return failure_of(message)


def test_a_snapshot_is_a_table(job: Job, snapshot: Snapshot) -> None:
    read = replace(job, sql="SELECT * FROM t ORDER BY id", tables={"t": snapshot})
    assert rows(read) == [
        {"id": 1, "team": "it's 0", "late": None},
        {"id": 2, "team": "it's 0", "late": None},
        {"id": 3, "team": "it's 1", "late": 9},
    ]


@pytest.mark.parametrize("is_empty", [False, True])
def test_hidden_columns(job: Job, snapshot: Snapshot, is_empty: bool) -> None:
    table = replace(snapshot, files=()) if is_empty else snapshot
    sql = f'SELECT id, "{WRITE_ORDER}" AS place, "{WRITTEN_AT}" AS "from", "{REMOVED_AT}" AS "to" FROM t ORDER BY place'
    found = rows(replace(job, sql=sql, tables={"t": table}))
    second = {"id": 3, "place": 1 << 36, "from": MOMENT, "to": None}
    first = [{"id": number, "place": number - 1, "from": None, "to": None} for number in (1, 2)]
    assert found == ([] if is_empty else [*first, second])


def test_rows_and_steps(job: Job, tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [3, 1, 2]}), tmp_path / "rows")
    tables = {"given": StoredRows(str(tmp_path / "rows"))}
    steps = (Step("doubled", "SELECT n * 2 AS n FROM given"),)
    for trusted in (True, False):
        load_engine(LOCAL)
        wanted = replace(job, sql="FROM doubled", steps=steps, tables=tables, trusted=trusted)
        assert [row["n"] for row in rows(wanted)] == [6, 2, 4]


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_an_answer_is_cast(job: Job, compression: str) -> None:
    schema = pa.schema([("n", pa.int8())])
    assert rows(replace(job, schema=schema, compression=compression)) == [{"n": 1}]
    load_engine(LOCAL)
    assert rows(replace(job, sql="SELECT 1 AS n WHERE false", schema=schema, compression=compression)) == []


@pytest.mark.parametrize(
    ("sql", "kind", "text"),
    [
        ("SELECT n", GatewayError, "The query engine refused the query."),
        ("SELECT 'x'::INTEGER AS n", InvalidInputError, "The data does not fit the query: "),
        ("SELECT * FROM read_parquet('/nowhere/at/all')", GatewayError, "refused"),
        ("SELECT list(range) FROM range(100000000)", EngineLimitError, "more memory"),
    ],
)
def test_failures_of_trusted_sql(job: Job, sql: str, kind: type[GatewayError], text: str) -> None:
    error = failure(replace(job, sql=sql, spill_bytes=0))
    assert type(error) is kind
    assert text in error.detail
    assert "/nowhere" not in str(error.__cause__)


@pytest.mark.parametrize(
    ("sql", "kind", "text"),
    [
        ("SELECT nothing", QueryInvalidError, 'Referenced column "nothing"'),
        ("SELECT sqrt(-1)", QueryInvalidError, "square root"),
        ("SELECT upper(1, 2)", QueryInvalidError, "No function matches"),
        ("SELECT 'x'::INTEGER", QueryInvalidError, "Could not convert"),
        ("SELECT \0 1", QueryInvalidError, "zero character"),
        ("SELECT 1 +", QueryInvalidError, "line 1, column 11"),
        ("SELECT 1,\n  2 3", QueryInvalidError, "line 2, column 5"),
        ("SELECT '\ud800'", QueryInvalidError, "surrogates"),
        ("SELECT getvariable('x')", QueryRefusedError, "no function 'getvariable'"),
        ("SELECT * FROM other", QueryRefusedError, "no table 'other'"),
        ("COPY (SELECT 1) TO '/tmp/some/where'", QueryRefusedError, "no SELECT"),
        ("SELECT " + "+".join(["1"] * 3000), QueryInvalidError, "depth"),
    ],
)  # fmt: skip
def test_failures_of_sql_of_users(job: Job, sql: str, kind: type[GatewayError], text: str) -> None:
    error = failure(replace(job, sql=sql, trusted=False))
    assert isinstance(error, kind)
    assert text in error.detail


def test_credentials_are_for_the_warehouses_only(job: Job) -> None:
    """Each for its own, also where one begins as the other does."""
    load_engine(REMOTE)
    options = S3Options("eu-west-1", "http://127.0.0.1:1", "key id", "it's secret", "token")
    sql = "SELECT name, scope, secret_string LIKE '%it''s%' AS is_shown FROM duckdb_secrets() ORDER BY name"
    scopes = ("s3://bucket/prefix/", "s3://bucket/prefix2/")
    found = rows(replace(job, sql=sql, access=tuple(Access(scope, options) for scope in scopes)))
    assert found == [
        {"name": f"warehouse_{number}", "scope": [scope], "is_shown": False} for number, scope in enumerate(scopes)
    ]
    which = "SELECT name FROM which_secret('s3://bucket/{}/x.parquet', 's3')"
    for number, folder in enumerate(("prefix", "prefix2")):
        load_engine(REMOTE)
        given = tuple(Access(scope, options) for scope in scopes)
        assert rows(replace(job, sql=which.format(folder), access=given)) == [{"name": f"warehouse_{number}"}]


def test_a_file_that_is_gone(job: Job, snapshot: Snapshot) -> None:
    Path(snapshot.files[0].uri).unlink()
    assert type(failure(replace(job, sql="FROM t", tables={"t": snapshot}))) is StorageUnavailableError


def test_a_file_that_is_broken(job: Job, snapshot: Snapshot) -> None:
    Path(snapshot.files[0].uri).write_bytes(b"PAR1 nonsense PAR1")
    for trusted in (True, False):
        load_engine(LOCAL)
        error = failure(replace(job, sql="FROM t", tables={"t": snapshot}, trusted=trusted))
        assert snapshot.files[0].uri not in f"{error.detail} {error.__cause__}"


def test_no_room_to_put_things_aside(job: Job, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sql = "SELECT count(*) FROM (SELECT range, row_number() OVER (ORDER BY hash(range)) FROM range(5000000)) WHERE range >= 0"
    error = failure(replace(job, sql=sql, memory_limit="30MB", spill=str(tmp_path / "file" / "below")))
    assert type(error) in (UnavailableError, EngineLimitError)


@pytest.mark.parametrize("limits", [{"max_rows": 1}, {"max_bytes": 50}])
def test_limits_before_the_answer_begins(job: Job, limits: dict[str, int]) -> None:
    assert type(failure(replace(job, sql="FROM range(2)", **limits))) is EngineLimitError


def test_a_failure_on_the_way(job: Job) -> None:
    sql = "SELECT CASE WHEN range < 1000000 THEN 1 ELSE error('/a/b/c late') END AS n FROM range(1000001)"
    (started, failed), data = answer(replace(job, sql=sql, trusted=False))
    assert (started["kind"], failed["kind"], failed["error"]) == ("started", "failed", "QueryInvalidError")
    assert "late" in failed["detail"]
    assert "/a/b" not in failed["detail"]
    assert data


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("IO Error: Could not open /srv/data/x.parquet: no", "IO Error: Could not open …: no"),
        ("file '/srv/my data/x'", "file '… data/x'"),
        ('in "s3://bucket/a/b.parquet"', 'in "…"'),
        ("http://127.0.0.1:1/a?X-Amz-Signature=abc next", "… next"),
        ("~/x/y and ../x/y and ./x/y", "… and … and …"),
        ("SELECT a/b/c, 10 / 2, x.y / 3", "SELECT a/b/c, 10 / 2, x.y / 3"),
        ("(/etc/passwd)", "(…"),
    ],
)
def test_places_are_taken_out(said: str, shown: str) -> None:
    assert without_places(said) == shown


@pytest.mark.parametrize("trusted", [True, False])
def test_a_message_with_megabytes_of_value_is_cut_before_it_is_read(job: Job, trusted: Any) -> None:
    said = "Conversion Error: Could not convert string '" + "a" * 20_000_000 + "' to INT32"
    started = time.monotonic()
    message = failure_message(duckdb.ConversionException(said), replace(job, trusted=trusted))
    assert time.monotonic() - started < 1.0
    assert max(len(str(text)) for text in message.values()) < 3_000


@pytest.fixture
def connected() -> Iterator[tuple[Messages, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Messages(ours), theirs


@pytest.mark.parametrize("sent", [b"", b"no line", b"no json\n", b"[1]\n", b"\xff\xfe\n"])
def test_messages_that_are_none(connected: tuple[Messages, socket.socket], sent: bytes) -> None:
    messages, theirs = connected
    theirs.sendall(sent)
    theirs.shutdown(socket.SHUT_WR)
    assert messages.read() is None


def test_messages_come_in_pieces(connected: tuple[Messages, socket.socket]) -> None:
    messages, theirs = connected
    theirs.sendall(b'{"a": 1}\n{"b"')
    assert messages.read() == {"a": 1}
    theirs.sendall(b': 2}\n{"c": 3}\n')
    assert messages.read() == {"b": 2}
    assert messages.read() == {"c": 3}


def test_a_failure_in_no_form_is_still_one() -> None:
    for message in ({}, {"error": "KeyboardInterrupt", "detail": 1, "candidates": 2, "retry_after": "3"}):
        error = failure_of(message)
        assert (type(error), error.candidates, error.retry_after) == (GatewayError, (), None)
