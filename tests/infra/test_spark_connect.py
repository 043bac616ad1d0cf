"""The cluster's port on a Spark Connect server: what is asked of it alone, and what becomes of its failures."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.crypto import SecretValue
from infra.engines.spark_connect import SparkConnectCluster
from infra.engines.spark_failures import translated
from infra.engines.spark_views import spark_type
from infra.errors import EngineLimitError, InvalidInputError
from infra.ports.cluster import ClusterFailedError, ClusterProgram, ClusterUnreachableError, StagedTable
from infra.ports.tables import DataFile, Snapshot
from tests.lab.spark import spark_server

pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.RETRIES_EXCEEDED.:UserWarning"),
]
SCHEMA = pa.schema([("a", pa.int64())])


@pytest.fixture(scope="module")
def remote() -> Iterator[str]:
    with spark_server() as address:
        yield address


def cluster(remote: str, seconds: float = 60) -> SparkConnectCluster:
    return SparkConnectCluster(SecretValue(remote), s3_scheme="s3a", deadline_seconds=seconds)


def staged(directory: Path, rows: int = 3) -> StagedTable:
    path = directory / "in.parquet"
    pq.write_table(pa.table({"a": pa.array(range(rows), pa.int64())}), path)
    return StagedTable(str(path), SCHEMA, rows)


def test_the_answer_lies_where_it_was_asked_for(remote: str, tmp_path: Path) -> None:
    program = ClusterProgram("SELECT a + 1 AS b FROM t ORDER BY a", {"t": staged(tmp_path)})
    cluster(remote).materialise(program, str(tmp_path / "out"))
    assert pq.read_table(tmp_path / "out")["b"].to_pylist() == [1, 2, 3]


def test_a_second_answer_is_not_put_beside_the_first(remote: str, tmp_path: Path) -> None:
    program = ClusterProgram("SELECT a FROM t", {"t": staged(tmp_path)})
    cluster(remote).materialise(program, str(tmp_path / "out"))
    with pytest.raises(ClusterFailedError):
        cluster(remote).materialise(program, str(tmp_path / "out"))


def test_an_empty_snapshot_has_its_columns(remote: str, tmp_path: Path) -> None:
    sql = "SELECT a, `write order`, `written at`, `removed at` FROM t"
    cluster(remote).materialise(ClusterProgram(sql, {"t": Snapshot(0, SCHEMA, (), ())}), str(tmp_path / "out"))
    assert not any(file.metadata.num_rows for file in map(pq.ParquetFile, (tmp_path / "out").glob("*.parquet")))


def test_a_file_of_the_log_has_its_times_and_its_place(remote: str, tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    uri = staged(tmp_path).uri
    files = (DataFile(uri, 1, 3, {}, added_at=moment, removed_at=moment), DataFile(uri, 1, 3, {}))
    sql = "SELECT `write order` AS n, unix_micros(`written at`) AS w, unix_micros(`removed at`) AS r FROM t ORDER BY n"
    cluster(remote).materialise(ClusterProgram(sql, {"t": Snapshot(0, SCHEMA, (), files)}), str(tmp_path / "out"))
    rows = pq.read_table(tmp_path / "out")
    at = int(moment.timestamp() * 1_000_000)
    assert rows["w"].to_pylist() == rows["r"].to_pylist() == [at] * 3 + [None] * 3
    assert rows["n"].to_pylist() == [0, 1, 2, 1 << 47, (1 << 47) + 1, (1 << 47) + 2]


@pytest.mark.parametrize("sql", ["SELECT nothing_there FROM t", "SELECT raise_error('hush ' || a) FROM t", "SELEC"])
def test_what_the_cluster_says_of_a_failure_is_not_repeated(remote: str, tmp_path: Path, sql: str) -> None:
    with pytest.raises(ClusterFailedError) as failed:
        cluster(remote).materialise(ClusterProgram(sql, {"t": staged(tmp_path)}), str(tmp_path / "out"))
    said = f"{failed.value.detail} {failed.value.hint}"
    assert not any(word in said for word in ("hush", "nothing_there", str(tmp_path)))
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


def test_fewer_rows_than_are_due_are_an_error(remote: str, tmp_path: Path) -> None:
    table = staged(tmp_path)
    short = StagedTable(table.uri, table.schema, 4)
    with pytest.raises(ClusterFailedError, match="finds 3 rows of 't' in the warehouse where 4 are due"):
        cluster(remote).materialise(ClusterProgram("SELECT 1", {"t": short}), str(tmp_path / "out"))


def test_files_beyond_what_can_be_numbered_are_refused(remote: str, tmp_path: Path) -> None:
    files = (DataFile(staged(tmp_path).uri, 1, 3, {}),) * (1 << 16 | 1)
    with pytest.raises(InvalidInputError, match="65,537 files"):
        cluster(remote).materialise(ClusterProgram("SELECT 1", {"t": Snapshot(0, SCHEMA, (), files)}), str(tmp_path))


def test_a_join_that_takes_too_long_is_stopped(remote: str, tmp_path: Path) -> None:
    slow = "SELECT sum(sqrt(x.id + y.id + z.id)) FROM range(100000) x, range(100000) y, range(1000) z"
    began = time.monotonic()
    with pytest.raises(EngineLimitError, match="after 2 s"):
        cluster(remote, 2).materialise(ClusterProgram(slow, {}), str(tmp_path / "out"))
    assert time.monotonic() - began < 30


def test_a_main_without_file_is_no_hindrance(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process of the worker."""
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    assert cluster(remote).version()
    assert not hasattr(sys.modules["__main__"], "__file__")


def test_a_gateway_without_the_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql.connect.session", None)
    with pytest.raises(ClusterFailedError) as failed:
        cluster("sc://127.0.0.1:1").version()
    assert "oasthouse[spark]" in str(failed.value.hint)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("UNAVAILABLE", ClusterUnreachableError),
        ("UNAUTHENTICATED", ClusterFailedError),
        ("PERMISSION_DENIED", ClusterFailedError),
        ("INTERNAL", ClusterFailedError),
    ],
)
def test_what_grpc_says_is_told_in_our_words(
    status: str, kind: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    import grpc
    from pyspark.errors.exceptions.connect import SparkConnectGrpcException

    error = SparkConnectGrpcException("at 10.0.0.1 with token=hush", grpc_status_code=grpc.StatusCode[status])
    found = translated(error)
    assert type(found) is kind
    assert "10.0.0.1" not in found.detail
    assert "hush" not in capsys.readouterr().err


def test_every_type_of_a_feature_has_one_of_spark() -> None:
    struct = pa.struct([("x", pa.list_(pa.decimal128(5, 2)))])
    kind = spark_type(pa.map_(pa.string(), struct))
    assert kind.simpleString() == "map<string,struct<x:array<decimal(5,2)>>>"
