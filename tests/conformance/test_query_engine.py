"""What the query engine does with snapshots on a directory and on S3."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema, write_deltalake

from infra.engines.duckdb_engine import DuckDbEngine
from infra.errors import StorageUnavailableError
from infra.ports.engine import EngineQuery
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
def engine(warehouse: Warehouse, tmp_path: Path) -> Iterator[DuckDbEngine]:
    engine = DuckDbEngine(warehouse, temp_directory=tmp_path / "spill")
    yield engine
    engine.close()


def answer(engine: DuckDbEngine, sql: str, schema: pa.Schema = SCHEMA, **tables: Snapshot) -> list[dict[str, Any]]:
    with engine.execute(EngineQuery(sql, tables, schema)) as stream:
        batches = list(stream)
    assert all(batch.schema.equals(schema) for batch in batches)
    return pa.Table.from_batches(batches, schema).to_pylist()


def test_rows_come_back_as_they_were_written(store: DeltaTableStore, engine: DuckDbEngine) -> None:
    nulls = (2, *(None,) * (len(EVERY_TYPE) - 1))
    rows = rows_of(every_value(), nulls, schema=EVERY_TYPE)
    store.create(AT, EVERY_TYPE, partition_by=[], rows=rows)
    assert (
        answer(engine, "SELECT * FROM t ORDER BY id", EVERY_TYPE, t=store.snapshot(AT)) == rows().read_all().to_pylist()
    )


def test_a_table_without_files_is_empty_and_typed(store: DeltaTableStore, engine: DuckDbEngine) -> None:
    store.create(AT, SCHEMA, partition_by=["team"], rows=None)
    assert answer(engine, "SELECT * FROM t", t=store.snapshot(AT)) == []
    counted = pa.schema([("n", pa.int64()), ("kind", pa.string())])
    sql = "SELECT count(*) AS n, max(typeof(score)) AS kind FROM t"
    assert answer(engine, sql, counted, t=store.snapshot(AT)) == [{"n": 0, "kind": None}]


def test_tables_are_joined(store: DeltaTableStore, engine: DuckDbEngine) -> None:
    store.create("p/a", SCHEMA, partition_by=["team"], rows=rows_of((1, "x", 1.0), (2, "y", 2.0)))
    store.create("p/b", SCHEMA, partition_by=["id"], rows=rows_of((2, "z", 5.0)))
    sql = 'SELECT a.id, b.team, b.score FROM "first one" a LEFT JOIN b USING (id) ORDER BY id'
    found = answer(engine, sql, **{"first one": store.snapshot("p/a"), "b": store.snapshot("p/b")})
    assert found == [{"id": 1, "team": None, "score": None}, {"id": 2, "team": "z", "score": 5.0}]


def test_odd_partition_values_come_back_and_can_be_asked_for(store: DeltaTableStore, engine: DuckDbEngine) -> None:
    rows = rows_of(*((number, value, 1.0) for number, value in enumerate(ODD_VALUES)))
    store.create(AT, SCHEMA, partition_by=["team"], rows=rows)
    snapshot = store.snapshot(AT)
    assert [row["team"] for row in answer(engine, "SELECT * FROM t ORDER BY id", t=snapshot)] == ODD_VALUES
    (row,) = answer(engine, "SELECT * FROM t WHERE team = 'a/b'", t=snapshot)
    assert row["id"] == ODD_VALUES.index("a/b")
    (row,) = answer(engine, "SELECT * FROM t WHERE team IS NULL", t=snapshot)
    assert row["id"] == ODD_VALUES.index(None)


def test_partition_values_have_their_types(store: DeltaTableStore, engine: DuckDbEngine) -> None:
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
    store: DeltaTableStore, engine: DuckDbEngine, warehouse: Warehouse
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


def test_a_snapshot_is_read_as_of_its_version(store: DeltaTableStore, engine: DuckDbEngine) -> None:
    store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0)))
    before = store.snapshot(AT)
    store.write(AT, append(rows_of((2, "b", 2.0))))
    assert [row["id"] for row in answer(engine, "SELECT * FROM t", t=before)] == [1]
    assert len(answer(engine, "SELECT * FROM t", t=store.snapshot(AT))) == 2


def test_files_that_are_gone_are_an_unavailable_warehouse(
    store: DeltaTableStore, engine: DuckDbEngine, warehouse: Warehouse
) -> None:
    store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 1.0)))
    snapshot = store.snapshot(AT)
    open_object_store(warehouse).delete_prefix(AT)
    with pytest.raises(StorageUnavailableError):
        answer(engine, "SELECT * FROM t", t=snapshot)
