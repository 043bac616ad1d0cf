"""What the query engine does with snapshots on a directory and on S3."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema, write_deltalake

from infra.engines.process_engine import ProcessEngine
from infra.engines.process_run import END_OF_STREAM
from infra.errors import EngineLimitError, GatewayError, InvalidInputError, QueryRefusedError, StorageUnavailableError
from infra.ports.engine import REMOVED_AT, WRITE_ORDER, WRITTEN_AT, EngineQuery, QueryLimits, Rows, Step, Table
from infra.ports.tables import Snapshot
from infra.storage.location import Warehouse
from infra.storage.warehouse import open_object_store
from infra.tables.delta import DeltaTableStore
from infra.tables.options import storage_options
from tests.conformance.stores import SCHEMA, append, rows_of
from tests.conformance.test_table_store import EVERY_TYPE, ODD_VALUES, every_value

AT = "project/table"


@pytest.fixture
def store(warehouse: Warehouse) -> DeltaTableStore:
    return DeltaTableStore(warehouse)


@pytest.fixture
def engine(warehouse: Warehouse, tmp_path: Path) -> Iterator[ProcessEngine]:
    engine = ProcessEngine(warehouse, temp_directory=tmp_path / "spill")
    yield engine
    engine.close()


def answer(engine: ProcessEngine, sql: str, schema: pa.Schema = SCHEMA, **tables: Snapshot) -> list[dict[str, Any]]:
    with engine.execute(EngineQuery(sql, tables, schema)) as stream:
        batches = list(stream)
    assert all(batch.schema.equals(schema) for batch in batches)
    return pa.Table.from_batches(batches, schema).to_pylist()


def untyped(engine: ProcessEngine, query: EngineQuery) -> list[dict[str, Any]]:
    with engine.execute(query) as stream:
        return [row for batch in stream for row in batch.to_pylist()]


def receive(engine: ProcessEngine, query: EngineQuery, received: list[bytes]) -> None:
    with engine.execute(query) as stream:
        received.append(b"")  # entered
        received.extend(stream.chunks())


def labels(*numbers: int) -> Rows:
    schema = pa.schema([("n", pa.int64())])
    return Rows(schema, rows_of(*((number,) for number in numbers), schema=schema, rows_per_batch=3))


def test_rows_come_back_as_they_were_written(store: DeltaTableStore, engine: ProcessEngine) -> None:
    nulls = (2, *(None,) * (len(EVERY_TYPE) - 1))
    rows = rows_of(every_value(), nulls, schema=EVERY_TYPE)
    store.create(AT, EVERY_TYPE, partition_by=[], rows=rows)
    assert (
        answer(engine, "SELECT * FROM t ORDER BY id", EVERY_TYPE, t=store.snapshot(AT)) == rows().read_all().to_pylist()
    )


def test_a_table_without_files_is_empty_and_typed(store: DeltaTableStore, engine: ProcessEngine) -> None:
    store.create(AT, SCHEMA, partition_by=["team"], rows=None)
    assert answer(engine, "SELECT * FROM t", t=store.snapshot(AT)) == []
    counted = pa.schema([("n", pa.int64()), ("kind", pa.string())])
    sql = "SELECT count(*) AS n, max(typeof(score)) AS kind FROM t"
    assert answer(engine, sql, counted, t=store.snapshot(AT)) == [{"n": 0, "kind": None}]


def test_tables_are_joined(store: DeltaTableStore, engine: ProcessEngine) -> None:
    store.create("p/a", SCHEMA, partition_by=["team"], rows=rows_of((1, "x", 1.0), (2, "y", 2.0)))
    store.create("p/b", SCHEMA, partition_by=["id"], rows=rows_of((2, "z", 5.0)))
    sql = 'SELECT a.id, b.team, b.score FROM "first one" a LEFT JOIN b USING (id) ORDER BY id'
    found = answer(engine, sql, **{"first one": store.snapshot("p/a"), "b": store.snapshot("p/b")})
    assert found == [{"id": 1, "team": None, "score": None}, {"id": 2, "team": "z", "score": 5.0}]


def test_odd_partition_values_come_back_and_can_be_asked_for(store: DeltaTableStore, engine: ProcessEngine) -> None:
    rows = rows_of(*((number, value, 1.0) for number, value in enumerate(ODD_VALUES)))
    store.create(AT, SCHEMA, partition_by=["team"], rows=rows)
    snapshot = store.snapshot(AT)
    assert [row["team"] for row in answer(engine, "SELECT * FROM t ORDER BY id", t=snapshot)] == ODD_VALUES
    (row,) = answer(engine, "SELECT * FROM t WHERE team = 'a/b'", t=snapshot)
    assert row["id"] == ODD_VALUES.index("a/b")
    (row,) = answer(engine, "SELECT * FROM t WHERE team IS NULL", t=snapshot)
    assert row["id"] == ODD_VALUES.index(None)


def test_partition_values_have_their_types(store: DeltaTableStore, engine: ProcessEngine) -> None:
    at = dt.datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=dt.UTC)
    kinds = [
        ("int", pa.int32()),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
    ]
    schema = pa.schema([("id", pa.int64()), *kinds])
    rows = rows_of((1, -5, True, dt.date(1969, 12, 31), at), (2, 7, False, None, None), schema=schema)
    store.create(AT, schema, partition_by=[name for name, _ in kinds], rows=rows)
    snapshot = store.snapshot(AT)
    assert answer(engine, "SELECT * FROM t ORDER BY id", schema, t=snapshot) == rows().read_all().to_pylist()
    assert (
        len(answer(engine, "SELECT * FROM t WHERE day < DATE '1970-01-01' AND flag AND int = -5", schema, t=snapshot))
        == 1
    )


def test_columns_that_older_files_lack_are_null_there(
    store: DeltaTableStore, engine: ProcessEngine, warehouse: Warehouse
) -> None:
    store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0)))
    table = DeltaTable(warehouse.uri(AT), storage_options=storage_options(warehouse))
    table.alter.add_columns(Schema.from_arrow(pa.schema([("later", pa.int32()), ("never", pa.date32())])).fields)
    wider = pa.schema([*SCHEMA, ("later", pa.int32())])
    write_deltalake(table, rows_of((2, "b", 2.0, 7), schema=wider)(), mode="append", schema_mode="merge")
    snapshot = store.snapshot(AT)
    found = answer(
        engine,
        "SELECT id, later, never FROM t ORDER BY id",
        pa.schema([wider.field(0), *list(snapshot.schema)[3:]]),
        t=snapshot,
    )
    assert found == [{"id": 1, "later": None, "never": None}, {"id": 2, "later": 7, "never": None}]


def test_a_snapshot_is_read_as_of_its_version(store: DeltaTableStore, engine: ProcessEngine) -> None:
    store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0)))
    before = store.snapshot(AT)
    store.write(AT, append(rows_of((2, "b", 2.0))))
    assert [row["id"] for row in answer(engine, "SELECT * FROM t", t=before)] == [1]
    assert len(answer(engine, "SELECT * FROM t", t=store.snapshot(AT))) == 2


def test_files_that_are_gone_are_an_unavailable_warehouse(
    store: DeltaTableStore, engine: ProcessEngine, warehouse: Warehouse
) -> None:
    store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0)))
    snapshot = store.snapshot(AT)
    open_object_store(warehouse).delete_prefix(AT)
    with pytest.raises(StorageUnavailableError):
        answer(engine, "SELECT * FROM t", t=snapshot)


def test_a_later_row_has_the_larger_write_order(store: DeltaTableStore, engine: ProcessEngine) -> None:
    store.create(AT, SCHEMA, partition_by=["team"], rows=rows_of((1, "z", 1.0), (2, "z", 1.0)))
    store.write(AT, append(rows_of((3, "a", 1.0), (4, "a", 1.0)), "two"))
    store.write(AT, append(rows_of((5, "m", 1.0)), "three"))
    sql = f'SELECT id, "{WRITE_ORDER}" AS place FROM t ORDER BY place'
    found = untyped(engine, EngineQuery(sql, {"t": store.snapshot(AT)}, None))
    assert [row["id"] for row in found] == [1, 2, 3, 4, 5]
    assert len({row["place"] for row in found}) == 5


def test_times_of_commits_are_there_where_the_snapshot_knows_them(
    store: DeltaTableStore, engine: ProcessEngine
) -> None:
    store.create(AT, SCHEMA, partition_by=["team"], rows=rows_of((1, "a", 1.0), (2, "b", 1.0)))
    store.write(AT, append(rows_of((3, None, 1.0)), "two"))
    snapshot = store.snapshot(AT)
    added, removed = dt.datetime(2024, 1, 1, 12, 0, 0, 123456, dt.UTC), dt.datetime(2024, 2, 1, tzinfo=dt.UTC)
    *first, last = snapshot.files
    known = (*(replace(file, added_at=added, removed_at=removed) for file in first), last)
    sql = f'SELECT id, team, "{WRITTEN_AT}" AS "from", "{REMOVED_AT}" AS "until" FROM t ORDER BY id'
    query = EngineQuery(sql, {"t": replace(snapshot, files=known)}, None)
    times = {"from": added, "until": removed}
    assert untyped(engine, query) == [
        {"id": 1, "team": "a", **times},
        {"id": 2, "team": "b", **times},
        {"id": 3, "team": None, "from": None, "until": None},
    ]
    unknown = untyped(engine, EngineQuery(sql, {"t": snapshot}, None))
    assert [(row["from"], row["until"]) for row in unknown] == [(None, None)] * 3
    empty = replace(snapshot, files=())
    assert untyped(engine, EngineQuery(f'SELECT "{WRITE_ORDER}", "{WRITTEN_AT}" FROM t', {"t": empty}, None)) == []


def test_sql_of_users_does_not_see_hidden_columns(store: DeltaTableStore, engine: ProcessEngine) -> None:
    store.create(AT, SCHEMA, partition_by=["team"], rows=rows_of((1, "a b/c", 1.0), (2, "d", 2.0)))
    tables: dict[str, Table] = {"t": store.snapshot(AT), "labels": labels(2)}
    found = untyped(engine, EngineQuery("SELECT * FROM t JOIN labels ON n = id", tables, None, trusted=False))
    assert found == [{"id": 2, "team": "d", "score": 2.0, "n": 2}]
    for name in (WRITE_ORDER, WRITTEN_AT, REMOVED_AT, "filename", "file_index", "file_row_number", "rowid"):
        with pytest.raises(InvalidInputError):
            untyped(engine, EngineQuery(f'SELECT "{name}" FROM t', tables, None, trusted=False))
    with pytest.raises(QueryRefusedError):
        untyped(engine, EngineQuery("SELECT * FROM elsewhere", tables, None, trusted=False))


def test_columns_may_be_called_like_those_of_the_reader(store: DeltaTableStore, engine: ProcessEngine) -> None:
    schema = pa.schema([("file_index", pa.int64()), ("file_row_number", pa.int64()), ("filename", pa.string())])
    rows = rows_of((70, 80, "x"), (71, 81, "y"), schema=schema)
    store.create(AT, schema, partition_by=["filename"], rows=rows)
    sql = f'SELECT *, "{WRITE_ORDER}" >= 0 AS ordered FROM t ORDER BY file_index'
    found = untyped(
        engine, EngineQuery(f'SELECT * EXCLUDE "{WRITE_ORDER}" FROM ({sql})', {"t": store.snapshot(AT)}, None)
    )
    assert found == [{**row, "ordered": True} for row in rows().read_all().to_pylist()]


def test_rows_that_come_along_keep_their_order_and_are_read_twice(engine: ProcessEngine) -> None:
    numbers = [7, 3, 9, 1, 1, 5, 2]
    sql = "SELECT a.n, (SELECT count(*) FROM labels) AS all_of_them FROM labels AS a"
    assert [row["n"] for row in untyped(engine, EngineQuery(sql, {"labels": labels(*numbers)}, None))] == numbers
    assert untyped(engine, EngineQuery("SELECT * FROM labels", {"labels": labels()}, None)) == []


@pytest.mark.parametrize("due", [0, 2, 4, 200_000])
def test_an_answer_of_another_size_than_due_is_withheld(engine: ProcessEngine, due: int) -> None:
    numbers = pa.schema([("n", pa.int64())])
    many = "SELECT range AS n FROM range(99999)"
    for count, sql in ((3, "SELECT n FROM t"), (0, "SELECT n FROM t WHERE n > 9"), (99_999, many)):
        query = EngineQuery(sql, {"t": labels(1, 2, 3)}, numbers, exact_rows=due)
        received: list[bytes] = []
        if due == count:
            receive(engine, query, received)
            assert pa.ipc.open_stream(b"".join(received)).read_all().num_rows == due
        else:
            with pytest.raises(GatewayError, match=f"{count:,} rows where {due:,} were due"):
                receive(engine, query, received)
            assert END_OF_STREAM not in received


def test_many_rows_that_come_along_keep_their_order(engine: ProcessEngine) -> None:
    schema = pa.schema([("n", pa.int64())])
    batches = [pa.record_batch([pa.array(range(at, at + 1000))], schema) for at in range(0, 300_000, 1000)]
    rows = Rows(schema, lambda: pa.RecordBatchReader.from_batches(schema, batches))
    with engine.execute(EngineQuery("SELECT n FROM labels", {"labels": rows}, schema)) as stream:
        assert pa.Table.from_batches(stream).column("n").to_pylist() == list(range(300_000))


def test_steps_follow_each_other(store: DeltaTableStore, engine: ProcessEngine) -> None:
    store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0), (2, "b", 2.0)))
    tables: dict[str, Table] = {"t": store.snapshot(AT), "labels": labels(2, 1, 2)}
    steps = (Step("first step", "SELECT n, score FROM labels JOIN t ON n = id"), Step("b", 'FROM "first step"'))
    for trusted in (True, False):
        query = EngineQuery("SELECT sum(score) AS s FROM b", tables, None, steps=steps, trusted=trusted)
        assert untyped(engine, query) == [{"s": 5.0}]
    hostile = (Step("b", "SELECT * FROM duckdb_settings()"),)
    with pytest.raises(QueryRefusedError):
        untyped(engine, EngineQuery("SELECT * FROM b", tables, None, steps=hostile, trusted=False))


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
@pytest.mark.parametrize("count", [0, 1, 200_000])
def test_chunks_are_one_arrow_stream(engine: ProcessEngine, compression: str, count: int) -> None:
    query = EngineQuery(f"SELECT range AS n, 'x' AS s FROM range({count})", {}, None, compression=compression)
    with engine.execute(query) as stream:
        assert stream.schema == pa.schema([("n", pa.int64()), ("s", pa.string())])
        sent = b"".join(stream.chunks())
    with pa.ipc.open_stream(sent) as reader:
        assert reader.schema == stream.schema
        batches = list(reader)
    assert sent.endswith(END_OF_STREAM)
    assert sum(batch.num_rows for batch in batches) == count
    assert all(batch.num_rows <= 65_536 for batch in batches)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (QueryLimits(max_rows=99_999), "more than 99,999 rows"),
        (QueryLimits(max_bytes=800_000), "more than 800,000 bytes"),
        (QueryLimits(max_rows=10), "more than 10 rows"),
        (QueryLimits(max_bytes=100), "more than 100 bytes"),
    ],
    ids=["rows", "bytes", "rows of the first batch", "bytes of the first batch"],
)
def test_an_answer_over_its_limits_is_refused_and_never_ended(
    engine: ProcessEngine, limits: QueryLimits, message: str
) -> None:
    query = EngineQuery("SELECT range AS n FROM range(100000)", {}, None, limits=limits)
    received: list[bytes] = []
    with pytest.raises(EngineLimitError, match=message):
        receive(engine, query, received)
    is_over_at_once = (limits.max_rows or limits.max_bytes or 0) <= 100
    assert is_over_at_once == (received == [])
    assert not b"".join(received).endswith(END_OF_STREAM)
    within = replace(query, limits=QueryLimits(max_rows=100_000, max_bytes=1_000_000))
    assert len(untyped(engine, within)) == 100_000


def test_a_failure_on_the_way_is_raised_and_the_stream_never_ended(engine: ProcessEngine) -> None:
    sql = "SELECT CASE WHEN range < 1000000 THEN 1 ELSE error('late') END AS n FROM range(1000001)"
    received: list[bytes] = []
    with engine.execute(EngineQuery(sql, {}, None)) as stream, pytest.raises(GatewayError):
        received.extend(stream.chunks())
    assert received
    assert not b"".join(received).endswith(END_OF_STREAM)
    with engine.execute(EngineQuery(sql, {}, None)) as stream, pytest.raises(GatewayError):
        list(stream)
