"""What every table store does, on a directory and on S3."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from infra.errors import ConflictError, FrameInvalidError, InvalidInputError, NotFoundError, StorageUnavailableError
from infra.ports.tables import Commit, Write, WriteMode
from infra.storage.location import Warehouse
from infra.tables.delta import DeltaTableStore
from infra.tables.options import storage_options
from tests.conformance.stores import SCHEMA, append, contents, overwrite, rows_of, upsert

AT = "project/table"


@pytest.fixture
def store(warehouse: Warehouse) -> DeltaTableStore:
    return DeltaTableStore(warehouse)


@pytest.fixture
def table(store: DeltaTableStore) -> DeltaTableStore:
    """A store with an empty table at AT."""
    store.create(AT, SCHEMA, partition_by=[], rows=None)
    return store


def test_an_empty_table_is_version_zero(store: DeltaTableStore) -> None:
    assert store.create(AT, SCHEMA, partition_by=["team"], rows=None) == Commit(0, 0, 0)
    snapshot = store.snapshot(AT)
    assert (snapshot.version, snapshot.schema, snapshot.partition_by, snapshot.files) == (0, SCHEMA, ("team",), ())


def test_a_table_made_with_rows_has_them_in_version_zero(store: DeltaTableStore, warehouse: Warehouse) -> None:
    assert store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 0.5), (2, None, None))) == Commit(0, 2, 0)
    assert store.version(AT) == 0
    assert contents(warehouse, AT) == [{"id": 1, "team": "a", "score": 0.5}, {"id": 2, "team": None, "score": None}]


def test_a_location_holds_one_table(table: DeltaTableStore) -> None:
    with pytest.raises(ConflictError):
        table.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 0.5)))
    assert table.version(AT) == 0


def test_of_creators_at_once_one_wins_and_only_its_rows_are_there(store: DeltaTableStore, warehouse: Warehouse) -> None:
    together = threading.Barrier(4)

    def create(number: int) -> Commit | None:
        together.wait()
        try:
            return store.create(AT, SCHEMA, partition_by=[], rows=rows_of((number, "a", 0.5)))
        except ConflictError:
            return None

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(create, range(4)))
    (winner,) = [number for number, commit in enumerate(results) if commit == Commit(0, 1, 0)]
    assert results.count(None) == 3
    assert store.version(AT) == 0
    assert [row["id"] for row in contents(warehouse, AT)] == [winner]


def test_rows_that_break_while_a_table_is_made_leave_no_table(store: DeltaTableStore) -> None:
    with pytest.raises(FrameInvalidError, match="cut"):
        store.create(AT, SCHEMA, partition_by=[], rows=breaking_rows)
    with pytest.raises(NotFoundError):
        store.version(AT)


def test_appends_add_up(table: DeltaTableStore, warehouse: Warehouse) -> None:
    assert table.write(AT, append(rows_of((1, "a", 0.5)), "one")) == Commit(1, 1, 0)
    assert table.write(AT, append(rows_of((2, "b", 0.5), (3, "c", 0.5)), "two", since_version=1)) == Commit(2, 2, 0)
    assert [row["id"] for row in contents(warehouse, AT)] == [1, 2, 3]


def test_an_append_of_nothing_is_a_commit_of_nothing(table: DeltaTableStore) -> None:
    assert table.write(AT, append(rows_of())) == Commit(1, 0, 0)


def test_an_overwrite_replaces_the_rows_and_keeps_the_schema(table: DeltaTableStore, warehouse: Warehouse) -> None:
    table.write(AT, append(rows_of((1, "a", 0.5), (2, "a", 0.5)), "one"))
    assert table.write(AT, overwrite(rows_of((9, "z", 1.0)), "two")) == Commit(2, 1, 0)
    assert [row["id"] for row in contents(warehouse, AT)] == [9]
    assert table.snapshot(AT).schema == SCHEMA


def test_an_upsert_updates_what_is_there_and_inserts_the_rest(table: DeltaTableStore, warehouse: Warehouse) -> None:
    table.write(AT, append(rows_of((1, "a", 0.5), (2, "b", 0.5)), "one"))
    assert table.write(AT, upsert(rows_of((2, "B", 9.0), (3, "c", 9.0)), "two")) == Commit(2, 1, 1)
    assert [(row["id"], row["team"]) for row in contents(warehouse, AT)] == [(1, "a"), (2, "B"), (3, "c")]


def test_an_upsert_moves_a_row_to_its_new_partition(store: DeltaTableStore, warehouse: Warehouse) -> None:
    store.create(AT, SCHEMA, partition_by=["team"], rows=rows_of((1, "a", 0.5), (2, None, 0.5)))
    assert store.write(AT, upsert(rows_of((1, None, 9.0), (2, "b", 9.0)))) == Commit(1, 0, 2)
    assert [(row["id"], row["team"]) for row in contents(warehouse, AT)] == [(1, None), (2, "b")]


def test_an_upsert_matches_on_all_keys(table: DeltaTableStore, warehouse: Warehouse) -> None:
    table.write(AT, append(rows_of((1, "a", 0.5), (1, "b", 0.5)), "one"))
    assert table.write(AT, upsert(rows_of((1, "b", 9.0), (1, "c", 9.0)), "two", ("id", "team"))) == Commit(2, 1, 1)
    assert sorted((row["team"], row["score"]) for row in contents(warehouse, AT)) == [
        ("a", 0.5),
        ("b", 9.0),
        ("c", 9.0),
    ]


def test_an_upsert_with_a_key_twice_is_refused_and_names_it(table: DeltaTableStore) -> None:
    with pytest.raises(InvalidInputError, match="id=7, team=x occurs more than once"):
        table.write(AT, upsert(rows_of((7, "x", 1.0), (8, "x", 1.0), (7, "x", 2.0)), keys=("id", "team")))
    assert table.version(AT) == 0


def test_an_upsert_with_a_null_key_is_refused(table: DeltaTableStore) -> None:
    with pytest.raises(InvalidInputError, match="id=7, team=None"):
        table.write(AT, upsert(rows_of((7, None, 1.0)), keys=("id", "team")))
    assert table.version(AT) == 0


@pytest.mark.parametrize("keys", [(), ("nope",)])
def test_an_upsert_without_its_key_columns_is_refused(table: DeltaTableStore, keys: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError):
        table.write(AT, upsert(rows_of((7, "x", 1.0)), keys=keys))


def test_columns_are_matched_by_name(table: DeltaTableStore, warehouse: Warehouse) -> None:
    turned = pa.schema([SCHEMA.field("score"), SCHEMA.field("id"), SCHEMA.field("team")])
    table.write(AT, append(rows_of((0.5, 1, "a"), schema=turned), "one"))
    table.write(AT, upsert(rows_of((9.0, 1, "b"), schema=turned), "two"))
    assert contents(warehouse, AT) == [{"id": 1, "team": "b", "score": 9.0}]


@pytest.mark.parametrize("mode", WriteMode)
@pytest.mark.parametrize(
    "schema",
    [
        pa.schema([("id", pa.int64())]),
        pa.schema([*SCHEMA, ("more", pa.int64())]),
        pa.schema([*SCHEMA, SCHEMA.field(1)]),
    ],
)
def test_rows_of_another_shape_are_refused(table: DeltaTableStore, mode: WriteMode, schema: pa.Schema) -> None:
    empty = lambda: pa.RecordBatchReader.from_batches(schema, [])  # noqa: E731 a factory
    with pytest.raises(InvalidInputError, match="columns"):
        table.write(AT, Write(mode, empty, "request", 0, ("id",)))
    assert table.version(AT) == 0


@pytest.mark.parametrize("mode", WriteMode)
def test_rows_that_break_half_way_commit_nothing_and_say_why(table: DeltaTableStore, mode: WriteMode) -> None:
    calls = 0

    def second_time_breaking() -> pa.RecordBatchReader:
        nonlocal calls
        calls += 1
        # An upsert reads once for its keys; the attempt itself must meet the break.
        return rows_of((1, "a", 0.5))() if mode is WriteMode.UPSERT and calls == 1 else breaking_rows()

    with pytest.raises(FrameInvalidError, match="cut"):
        table.write(AT, Write(mode, second_time_breaking, "request", 0, ("id",)))
    assert table.version(AT) == 0


def test_rows_that_break_while_their_keys_are_compared_say_why(table: DeltaTableStore) -> None:
    with pytest.raises(FrameInvalidError, match="cut"):
        table.write(AT, upsert(breaking_rows))


def test_values_that_do_not_fit_are_refused(table: DeltaTableStore) -> None:
    wide = pa.schema([("id", pa.uint64()), SCHEMA.field(1), SCHEMA.field(2)])
    with pytest.raises(InvalidInputError, match="cannot be read"):
        table.write(AT, append(rows_of((2**63, "a", 1.0), schema=wide)))
    assert table.version(AT) == 0


def test_the_same_request_twice_writes_once(table: DeltaTableStore, warehouse: Warehouse) -> None:
    first = table.write(AT, append(rows_of((1, "a", 0.5)), "same"))
    table.write(AT, append(rows_of((2, "a", 0.5)), "other"))
    assert table.write(AT, append(rows_of((1, "a", 0.5)), "same")) == first
    assert [row["id"] for row in contents(warehouse, AT)] == [1, 2]


def test_the_same_upsert_twice_answers_the_first_counts(table: DeltaTableStore) -> None:
    table.write(AT, append(rows_of((1, "a", 0.5)), "one"))
    first = table.write(AT, upsert(rows_of((1, "b", 0.5), (2, "b", 0.5)), "same"))
    assert table.write(AT, upsert(rows_of((1, "b", 0.5), (2, "b", 0.5)), "same")) == first == Commit(2, 1, 1)


def test_a_request_is_looked_for_after_its_version_only(table: DeltaTableStore) -> None:
    first = table.write(AT, append(rows_of((1, "a", 0.5)), "same"))
    assert table.write(AT, append(rows_of((1, "a", 0.5)), "same", since_version=first.version)).version == 2


def test_one_request_sent_by_many_at_once_writes_once(warehouse: Warehouse, table: DeltaTableStore) -> None:
    # A store each, so that the lock within one store does not do the work.
    stores = [table, *(DeltaTableStore(warehouse) for _ in range(3))]
    together = threading.Barrier(len(stores))

    def send(store: DeltaTableStore) -> Commit:
        together.wait()
        return store.write(AT, append(rows_of((1, "a", 0.5)), "same"))

    with ThreadPoolExecutor(len(stores)) as pool:
        assert set(pool.map(send, stores)) == {Commit(1, 1, 0)}
    assert len(contents(warehouse, AT)) == 1


def test_threads_of_one_store_lose_and_double_nothing(table: DeltaTableStore, warehouse: Warehouse) -> None:
    writes = [append(rows_of((number, "a", 0.5)), f"request-{number}") for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        commits = list(pool.map(lambda write: table.write(AT, write), writes))
    assert sorted(commit.version for commit in commits) == list(range(1, 13))
    assert [row["id"] for row in contents(warehouse, AT)] == list(range(12))


def test_upserts_racing_on_one_row_are_all_applied(warehouse: Warehouse, table: DeltaTableStore) -> None:
    stores = [table, DeltaTableStore(warehouse), DeltaTableStore(warehouse)]
    table.write(AT, append(rows_of((0, "a", 0.0)), "first"))

    def send(number: int) -> Commit:
        return stores[number].write(
            AT, upsert(rows_of((0, f"by-{number}", 1.0), (number + 1, "new", 1.0)), f"r-{number}")
        )

    with ThreadPoolExecutor(3) as pool:
        assert sorted(commit.version for commit in pool.map(send, range(3))) == [2, 3, 4]
    assert [row["id"] for row in contents(warehouse, AT)] == [0, 1, 2, 3]


def test_a_write_that_cannot_win_in_time_is_unavailable(warehouse: Warehouse, table: DeltaTableStore) -> None:
    # Each time the rows are read for an attempt, somebody else commits first.
    other, count = DeltaTableStore(warehouse), 0

    def overtaken() -> pa.RecordBatchReader:
        nonlocal count
        count += 1
        other.write(AT, append(rows_of((0, "other", 1.0)), f"other-{count}"))
        return rows_of((1, "a", 1.0))()

    with pytest.raises(StorageUnavailableError, match="others write") as caught:
        DeltaTableStore(warehouse, commit_deadline=0.3).write(AT, append(overtaken))
    assert caught.value.retry_after
    assert {row["team"] for row in contents(warehouse, AT)} == {"other"}


def test_tables_stay_readable_for_any_delta_engine(store: DeltaTableStore, warehouse: Warehouse) -> None:
    rows = rows_of(every_value(), (None,) * len(EVERY_TYPE), schema=EVERY_TYPE)
    store.create(AT, EVERY_TYPE, partition_by=["day"], rows=rows)
    store.write(AT, append(rows, "one"))
    protocol = DeltaTable(warehouse.uri(AT), storage_options=storage_options(warehouse)).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert store.snapshot(AT).schema.names == EVERY_TYPE.names


def test_a_timestamp_without_zone_is_refused(store: DeltaTableStore) -> None:
    with pytest.raises(InvalidInputError, match="zone"):
        store.create(AT, pa.schema([("at", pa.timestamp("us"))]), partition_by=[], rows=None)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("x", pa.float64()),
        ("x", pa.decimal128(9, 2)),
        ("x", pa.binary()),
        ("x", pa.list_(pa.int64())),
        ("other", pa.int64()),
    ],
)
def test_a_column_that_cannot_partition_is_refused(store: DeltaTableStore, column: str, kind: pa.DataType) -> None:
    with pytest.raises(InvalidInputError, match=f"olumn '{column}'"):
        store.create(AT, pa.schema([("id", pa.int64()), ("x", kind)]), partition_by=[column], rows=None)


def test_a_table_of_partition_columns_only_is_refused(store: DeltaTableStore) -> None:
    with pytest.raises(InvalidInputError, match="does not partition"):
        store.create(AT, pa.schema([("id", pa.int64())]), partition_by=["id"], rows=None)


ODD_VALUES = [
    "a/b",
    "ä",
    "with space",
    "%",
    "%2F",
    "a=b",
    "a'b",
    '"',
    "*?[x]",
    "..",
    "#&+",
    None,
]


def test_odd_partition_values_come_back_as_they_were(store: DeltaTableStore, warehouse: Warehouse) -> None:
    rows = rows_of(*((number, value, 1.0) for number, value in enumerate(ODD_VALUES)))
    store.create(AT, SCHEMA, partition_by=["team"], rows=rows)
    snapshot = store.snapshot(AT)
    assert {file.partition["team"] for file in snapshot.files} == set(ODD_VALUES)
    assert sum(file.rows or 0 for file in snapshot.files) == len(ODD_VALUES)
    assert [row["team"] for row in contents(warehouse, AT)] == ODD_VALUES


def test_files_of_a_snapshot_exist_with_their_sizes(store: DeltaTableStore, warehouse: Warehouse) -> None:
    import pyarrow.fs as pa_fs

    store.create(AT, SCHEMA, partition_by=["team"], rows=rows_of((1, "a/b", 1.0), (2, None, 1.0)))
    files = {file.uri: file.bytes for file in store.snapshot(AT).files}
    s3 = warehouse.s3
    system = (
        pa_fs.LocalFileSystem()
        if s3 is None
        else pa_fs.S3FileSystem(
            access_key=s3.access_key_id, secret_key=s3.secret_access_key, endpoint_override=s3.endpoint_url
        )
    )
    infos = system.get_file_info([uri.removeprefix("s3://") for uri in files])
    assert [info.size for info in infos] == list(files.values())


@pytest.mark.parametrize("text", ["", "__HIVE_DEFAULT_PARTITION__"])
def test_a_text_that_would_come_back_null_cannot_be_a_partition(store: DeltaTableStore, text: str) -> None:
    store.create(AT, SCHEMA, partition_by=["team"], rows=None)
    with pytest.raises(InvalidInputError, match="empty text"):
        store.write(AT, append(rows_of((1, "fine", 1.0), (2, text, 1.0))))
    assert store.version(AT) == 0


def test_an_older_version_is_read_as_it_was(table: DeltaTableStore) -> None:
    table.write(AT, append(rows_of((1, "a", 0.5)), "one"))
    table.write(AT, overwrite(rows_of((2, "a", 0.5), (3, "a", 0.5)), "two"))
    assert [sum(file.rows or 0 for file in table.snapshot(AT, version).files) for version in (0, 1, 2)] == [0, 1, 2]


def test_what_is_not_there_is_not_found(table: DeltaTableStore) -> None:
    with pytest.raises(NotFoundError):
        table.version("project/other")
    with pytest.raises(NotFoundError):
        table.snapshot(AT, 7)
    with pytest.raises(NotFoundError):
        table.write("project/other", append(rows_of((1, "a", 1.0))))


def test_a_location_outside_the_warehouse_is_refused(table: DeltaTableStore) -> None:
    with pytest.raises(InvalidInputError):
        table.version("../table")


EVERY_TYPE = pa.schema(
    [
        ("id", pa.int64()),
        ("tiny", pa.int8()),
        ("small", pa.int16()),
        ("int", pa.int32()),
        ("float", pa.float32()),
        ("double", pa.float64()),
        ("decimal", pa.decimal128(38, 10)),
        ("flag", pa.bool_()),
        ("text", pa.string()),
        ("bytes", pa.binary()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("list", pa.list_(pa.int64())),
        ("struct", pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])),
        ("map", pa.map_(pa.string(), pa.float64())),
    ]
)


def every_value() -> tuple[object, ...]:
    at = dt.datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=dt.UTC)
    numbers = (1, -128, -32768, -(2**31), 1.5, 0.1, Decimal("1.0000000001"))
    return (*numbers, True, "text", b"\x00", at.date(), at, [1, None], {"a": 1, "b": ["x"]}, [("k", 1.5)])


def breaking_rows() -> pa.RecordBatchReader:
    def batches():
        yield from rows_of((1, "a", 0.5))()
        raise FrameInvalidError("The upload was cut.")

    return pa.RecordBatchReader.from_batches(SCHEMA, batches())
