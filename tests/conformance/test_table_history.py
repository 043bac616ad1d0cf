"""What every table store remembers: commits, files over time, columns that came later."""

import datetime as dt
import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.fs as pa_fs
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.errors import ConflictError, InvalidInputError, NotFoundError
from infra.ports.tables import Author, Bound, DataFile, Snapshot, Write, WriteMode
from infra.storage.location import Warehouse
from infra.tables.delta import DeltaTableStore
from infra.tables.options import storage_options
from tests.conformance.stores import SCHEMA, append, contents, overwrite, rows_of, upsert

AT = "project/table"
ADA = Author("ada", "k7")
EVENTS = pa.schema(
    [
        ("id", pa.int64()),
        ("at", pa.timestamp("us", "UTC")),
        ("day", pa.date32()),
        ("small", pa.int8()),
        ("x", pa.float64()),
    ]
)
MORE = pa.schema([("more", pa.float64()), ("tags", pa.list_(pa.string()))])


@pytest.fixture
def store(warehouse: Warehouse) -> DeltaTableStore:
    return DeltaTableStore(warehouse)


@pytest.fixture
def table(store: DeltaTableStore) -> DeltaTableStore:
    """A store with an empty table at AT."""
    store.create(AT, SCHEMA, partition_by=[], rows=None)
    return store


def plain(file: DataFile) -> DataFile:
    """As a snapshot shows it."""
    return replace(file, added_at=None, removed_at=None)


def visible(history: Snapshot, moment: dt.datetime) -> list[DataFile]:
    """The rule of `TableStore.history`."""
    return [
        plain(file)
        for file in history.files
        if file.added_at is not None
        and file.added_at <= moment
        and not (file.removed_at is not None and file.removed_at <= moment)
    ]


def open_table(warehouse: Warehouse) -> DeltaTable:
    return DeltaTable(warehouse.uri(AT), storage_options=storage_options(warehouse))


def compact(warehouse: Warehouse) -> None:
    """As maintenance by another program does."""
    open_table(warehouse).optimize.compact()


def test_commits_are_listed_with_what_they_did_and_who_did_it(store: DeltaTableStore) -> None:
    store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 0.5), (2, "b", 0.5)), author=ADA)
    store.write(AT, replace(append(rows_of((3, "c", 0.5)), "one"), author=Author("bob", "k8")))
    store.write(AT, upsert(rows_of((3, "C", 1.0), (4, "d", 1.0)), "two"))
    store.add_columns(AT, MORE, ADA)
    wide = pa.schema([*SCHEMA, *MORE])
    store.write(AT, replace(overwrite(rows_of((9, "z", 0.5, 1.0, ["t"]), schema=wide), "three"), author=ADA))
    commits = store.commits(AT)
    assert [
        (each.version, each.operation, each.rows_inserted, each.rows_updated, each.rows_deleted, each.author)
        for each in commits
    ] == [
        (4, "overwrite", 1, 0, 4, ADA),
        (3, "append_features", 0, 0, 0, ADA),
        (2, "upsert", 1, 1, 0, None),
        (1, "append", 1, 0, 0, Author("bob", "k8")),
        (0, "create", 2, 0, 0, ADA),
    ]
    now = dt.datetime.now(dt.UTC)
    assert all(now - dt.timedelta(minutes=5) < each.committed_at <= now for each in commits)


def test_commits_of_nothing_count_nothing(table: DeltaTableStore) -> None:
    table.write(AT, append(rows_of(), "one"))
    table.write(AT, overwrite(rows_of(), "two"))
    counts = [(each.operation, each.rows_inserted, each.rows_updated, each.rows_deleted) for each in table.commits(AT)]
    assert counts == [("overwrite", 0, 0, 0), ("append", 0, 0, 0), ("create", 0, 0, 0)]


def test_what_others_did_is_another_thing(table: DeltaTableStore, warehouse: Warehouse) -> None:
    for number in range(2):
        table.write(AT, append(rows_of((number, "a", 0.5)), f"r-{number}"))
    compact(warehouse)
    open_table(warehouse).delete("id = 1")
    deletion, compaction = table.commits(AT)[:2]
    assert (compaction.operation, compaction.rows_inserted, compaction.rows_deleted) == ("other", 0, 0)
    assert (deletion.operation, deletion.rows_inserted, deletion.rows_deleted) == ("other", None, None)
    assert compaction.author is deletion.author is None


def test_a_version_is_found_by_the_time_of_its_commit(table: DeltaTableStore) -> None:
    for number in range(3):
        table.write(AT, append(rows_of((number, "a", 0.5)), f"r-{number}"))
    commits = table.commits(AT)[::-1]
    tick = dt.timedelta(milliseconds=1)
    assert [table.version_at(AT, each.committed_at) for each in commits] == [0, 1, 2, 3]
    assert [table.version_at(AT, each.committed_at - tick) for each in commits[1:]] == [0, 1, 2]
    assert table.version_at(AT, commits[-1].committed_at + dt.timedelta(days=9)) == 3
    # Any zone will do.
    assert table.version_at(AT, commits[1].committed_at.astimezone(dt.timezone(dt.timedelta(hours=5)))) == 1
    first = commits[0].committed_at
    with pytest.raises(NotFoundError, match=first.isoformat(timespec="milliseconds").replace("+", r"\+")):
        table.version_at(AT, first - tick)


def test_a_table_that_is_not_there_has_no_history(table: DeltaTableStore) -> None:
    now = dt.datetime.now(dt.UTC)
    for ask in (
        table.commits,
        lambda at: table.version_at(at, now),
        lambda at: table.history(at, 0),
        lambda at: table.difference(at, 0, 0),
        lambda at: table.add_columns(at, MORE),
    ):
        with pytest.raises(NotFoundError):
            ask("project/other")
        with pytest.raises(InvalidInputError):
            ask("../table")
    for version in (1, -1, 10**18):
        with pytest.raises(NotFoundError, match="newest is 0"):
            table.history(AT, version)
        with pytest.raises(NotFoundError, match="newest is 0"):
            table.snapshot(AT, version)
    with pytest.raises(NotFoundError):
        table.difference(AT, 0, 1)


def test_files_come_in_the_order_in_which_they_were_written(table: DeltaTableStore, warehouse: Warehouse) -> None:
    for number in range(6):
        table.write(AT, append(rows_of((number, "a", 0.5)), f"r-{number}"))
    assert [file.bounds["id"] for file in table.snapshot(AT).files] == [(number, number) for number in range(6)]
    table.write(AT, upsert(rows_of((2, "b", 0.5)), "seven"))
    assert [file.bounds["id"][0] for file in table.snapshot(AT).files] == [0, 1, 3, 4, 5, 2]


@pytest.mark.parametrize("partition_by", [[], ["team"]])
def test_history_knows_when_each_file_came_and_went(
    store: DeltaTableStore, warehouse: Warehouse, partition_by: list[str]
) -> None:
    store.create(AT, SCHEMA, partition_by=partition_by, rows=rows_of((1, "a/b", 0.5)))
    store.write(AT, append(rows_of((2, "a/b", 0.5)), "one"))
    store.write(AT, append(rows_of((3, None, 0.5)), "two"))
    compact(warehouse)
    store.write(AT, overwrite(rows_of((4, "d", 0.5)), "three"))
    at = [each.committed_at for each in store.commits(AT)[::-1]]
    history = store.history(AT, 4)
    assert (history.version, history.schema, history.partition_by) == (4, SCHEMA, tuple(partition_by))
    compacted = [file for file in history.files if file.added_at == at[3]]
    lives = [(file.bounds["id"], file.added_at, file.removed_at) for file in history.files if file not in compacted]
    assert lives == [
        ((1, 1), at[0], at[3]),
        ((2, 2), at[1], at[3]),
        ((3, 3), at[2], at[4] if partition_by else at[3]),
        ((4, 4), at[4], None),
    ]
    assert [(file.bounds["id"], file.removed_at) for file in compacted] == [((1, 2 if partition_by else 3), at[4])]
    earlier = store.history(AT, 2)
    assert [(file.added_at, file.removed_at) for file in earlier.files] == [(at[0], None), (at[1], None), (at[2], None)]


def test_history_begins_with_the_first_commit_or_not_at_all(local_warehouse: Warehouse, tmp_path: Any) -> None:
    store = DeltaTableStore(local_warehouse)
    store.create(AT, SCHEMA, partition_by=[], rows=rows_of((1, "a", 0.5), (2, "a", 0.5)))
    store.write(AT, append(rows_of((3, "a", 0.5)), "one"))
    store.write(AT, overwrite(rows_of((4, "a", 0.5)), "two"))
    open_table(local_warehouse).create_checkpoint()
    (tmp_path / "warehouse" / AT / "_delta_log" / f"{0:020}.json").unlink()
    fresh = DeltaTableStore(local_warehouse)
    assert [(each.version, each.rows_inserted, each.rows_deleted) for each in fresh.commits(AT)] == [
        (2, 1, None),
        (1, 1, 0),
    ]
    with pytest.raises(NotFoundError, match="only to 1"):
        fresh.history(AT, 2)
    first = fresh.commits(AT)[-1].committed_at
    with pytest.raises(NotFoundError, match="version 1 of"):
        fresh.version_at(AT, first - dt.timedelta(milliseconds=1))
    assert fresh.version_at(AT, first) == 1


def test_no_commit_of_ours_drops_the_log(store: DeltaTableStore, warehouse: Warehouse) -> None:
    store.create(AT, SCHEMA, partition_by=[], rows=None)
    # As a table would be that somebody set up to forget at once, or that a gateway of an older release made.
    open_table(warehouse).alter.set_table_properties(
        {
            "delta.enableExpiredLogCleanup": "true",
            "delta.checkpointInterval": "1",
            "delta.logRetentionDuration": "interval 0 seconds",
        }
    )
    before = len(store.commits(AT))
    store.write(AT, append(rows_of((1, "a", 0.5)), "one"))
    store.write(AT, upsert(rows_of((1, "b", 0.5)), "two"))
    store.add_columns(AT, MORE)
    assert len(store.commits(AT)) == before + 3


def test_a_new_table_tells_others_to_keep_its_log(table: DeltaTableStore, warehouse: Warehouse) -> None:
    assert open_table(warehouse).metadata().configuration == {"delta.enableExpiredLogCleanup": "false"}


def test_a_difference_has_the_files_that_only_one_side_has(table: DeltaTableStore) -> None:
    table.write(AT, append(rows_of((1, "a", 0.5)), "one"))
    table.write(AT, append(rows_of((2, "a", 0.5)), "two"))
    table.write(AT, upsert(rows_of((2, "b", 0.5)), "three"))
    old, new = table.difference(AT, 1, 3)
    assert (old.version, new.version, old.schema) == (1, 3, SCHEMA)
    assert [file.bounds["id"] for file in old.files] == []
    assert [file.bounds["id"] for file in new.files] == [(2, 2)]
    old, new = table.difference(AT, 3, 2)
    assert [[file.bounds["id"] for file in side.files] for side in (old, new)] == [[(2, 2)], [(2, 2)]]
    assert old.files != new.files
    assert [side.files for side in table.difference(AT, 3, 3)] == [(), ()]


MICROSECONDS = [
    0, 999, 1_000, -1, -500, -1_500, 1_704_067_200_123_456, 1_704_067_200_999_999, 253_402_300_799_999_999,
    -62_135_596_800_000_000,
]  # fmt: skip


@pytest.mark.parametrize("microseconds", MICROSECONDS)
def test_no_row_lies_outside_its_files_bounds(store: DeltaTableStore, microseconds: int) -> None:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
    rows = rows_of((2**62, moment, moment.date(), -128, 0.5), (None, None, None, None, None), schema=EVENTS)
    store.create(AT, EVENTS, partition_by=[], rows=rows)
    for snapshot in (store.snapshot(AT), store.history(AT, 0)):
        (file,) = snapshot.files
        assert set(file.bounds) == {"id", "at", "day", "small"}
        assert (file.bounds["id"], file.bounds["small"]) == ((2**62, 2**62), (-128, -128))
        assert file.bounds["day"] == (moment.date(), moment.date())
        least, greatest = file.bounds["at"]
        assert least <= moment <= greatest
        assert greatest - least <= dt.timedelta(milliseconds=1)


@pytest.mark.parametrize("microseconds", [253_402_300_800_000_000, -62_135_596_800_000_001, 2**63 - 1])
def test_times_beyond_the_calendar_have_no_bounds(store: DeltaTableStore, microseconds: int) -> None:
    times = pa.array([0, microseconds], pa.int64()).cast(pa.timestamp("us", "UTC"))
    batch = pa.record_batch([pa.array([1, 2]), times], names=["id", "at"])
    store.create(
        AT, batch.schema, partition_by=[], rows=lambda: pa.RecordBatchReader.from_batches(batch.schema, [batch])
    )
    for snapshot in (store.snapshot(AT), store.history(AT, 0)):
        assert [file.bounds for file in snapshot.files] == [{"id": (1, 2)}]


def test_a_column_without_values_has_no_bounds(store: DeltaTableStore) -> None:
    store.create(AT, EVENTS, partition_by=[], rows=rows_of((1, None, None, None, None), schema=EVENTS))
    assert [file.bounds for file in store.snapshot(AT).files] == [{"id": (1, 1)}]


def test_a_table_without_statistics_has_no_bounds(store: DeltaTableStore) -> None:
    schema = pa.schema([("words", pa.list_(pa.string()))])
    store.create(AT, schema, partition_by=[], rows=rows_of((["a"],), schema=schema))
    assert [[file.bounds for file in state.files] for state in (store.snapshot(AT), store.history(AT, 0))] == [
        [{}],
        [{}],
    ]


def test_columns_are_added_and_old_versions_stay(table: DeltaTableStore, warehouse: Warehouse) -> None:
    table.write(AT, append(rows_of((1, "a", 0.5)), "one"))
    assert table.add_columns(AT, MORE, ADA) == 2
    wide = pa.schema([*SCHEMA, *MORE])
    assert table.snapshot(AT).schema == wide
    assert table.snapshot(AT, 1).schema == SCHEMA
    table.write(AT, append(rows_of((2, "b", 0.5, 2.0, ["t"]), schema=wide), "two"))
    assert contents(warehouse, AT) == [
        {"id": 1, "team": "a", "score": 0.5, "more": None, "tags": None},
        {"id": 2, "team": "b", "score": 0.5, "more": 2.0, "tags": ["t"]},
    ]
    assert (table.history(AT, 1).schema, table.history(AT, 3).schema) == (SCHEMA, wide)
    protocol = open_table(warehouse).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_after_columns_were_added_rows_are_replaced_and_merged(table: DeltaTableStore, warehouse: Warehouse) -> None:
    table.write(AT, append(rows_of((1, "a", 0.5), (2, "b", 0.5)), "one"))
    table.add_columns(AT, MORE)
    wide = pa.schema([*SCHEMA, *MORE])
    assert table.write(AT, upsert(rows_of((2, "B", 1.0, 2.0, []), (3, "c", 1.0, None, None), schema=wide), "two"))
    assert [(row["id"], row["team"], row["more"], row["tags"]) for row in contents(warehouse, AT)] == [
        (1, "a", None, None),
        (2, "B", 2.0, []),
        (3, "c", None, None),
    ]
    table.write(AT, overwrite(rows_of((9, "z", 1.0, 9.0, ["t"]), schema=wide), "three"))
    assert [(row["id"], row["more"]) for row in contents(warehouse, AT)] == [(9, 9.0)]


def test_every_type_can_be_added(table: DeltaTableStore, warehouse: Warehouse) -> None:
    from tests.conformance.test_table_store import EVERY_TYPE, every_value

    names = [f"new_{name}" for name in EVERY_TYPE.names]
    added = pa.schema([pa.field(name, field.type) for name, field in zip(names, EVERY_TYPE, strict=True)])
    assert table.add_columns(AT, added) == table.add_columns(AT, added) == 1
    wide = pa.schema([*SCHEMA, *added])
    table.write(AT, append(rows_of((1, "a", 0.5, *every_value()), schema=wide)))
    (row,) = contents(warehouse, AT)
    assert [row[name] for name in names] == list(every_value())
    protocol = open_table(warehouse).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_adding_columns_again_changes_nothing(table: DeltaTableStore) -> None:
    assert table.add_columns(AT, MORE) == 1
    assert table.add_columns(AT, MORE) == 1
    assert table.add_columns(AT, pa.schema([MORE.field("tags"), ("third", pa.int8())])) == 2
    assert table.snapshot(AT).schema.names == [*SCHEMA.names, "more", "tags", "third"]
    assert table.version(AT) == 2


@pytest.mark.parametrize("column", [("team", pa.int64()), ("Team", pa.string()), ("score", pa.float32())])
def test_a_column_of_another_type_is_a_conflict(table: DeltaTableStore, column: tuple[str, pa.DataType]) -> None:
    with pytest.raises(ConflictError, match="another type"):
        table.add_columns(AT, pa.schema([("fine", pa.int64()), column]))
    assert table.version(AT) == 0


def test_a_column_that_would_raise_the_table_is_refused(table: DeltaTableStore) -> None:
    with pytest.raises(InvalidInputError, match="zone"):
        table.add_columns(AT, pa.schema([("at", pa.timestamp("us"))]))


def test_columns_added_by_many_at_once_are_all_there(warehouse: Warehouse, table: DeltaTableStore) -> None:
    # A store each, so that the lock within one store does not do the work.
    stores = [table, *(DeltaTableStore(warehouse) for _ in range(3))]
    together = threading.Barrier(len(stores))

    def add(number: int) -> int:
        together.wait()
        return stores[number].add_columns(AT, pa.schema([(f"c{number % 2}", pa.int64())]))

    with ThreadPoolExecutor(len(stores)) as pool:
        versions = list(pool.map(add, range(len(stores))))
    assert set(table.snapshot(AT).schema.names) == {*SCHEMA.names, "c0", "c1"}
    assert table.version(AT) == 2
    assert set(versions) <= {1, 2}


def test_rows_that_race_with_a_new_column_are_refused_or_in_before_it(
    warehouse: Warehouse, table: DeltaTableStore
) -> None:
    other = DeltaTableStore(warehouse)
    done = []

    def overtaken() -> pa.RecordBatchReader:
        if not done:
            done.append(other.add_columns(AT, MORE))
        return rows_of((1, "a", 0.5))()

    with pytest.raises(InvalidInputError, match=r"missing columns \['more', 'tags'\]") as refused:
        table.write(AT, append(overtaken))
    assert "Repeat that" in (refused.value.hint or "")
    assert table.version(AT) == 1


keys = st.integers(0, 5)
moments = st.datetimes(dt.datetime(1960, 1, 1), dt.datetime(2040, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001
some_rows = st.dictionaries(keys, st.tuples(moments, st.sampled_from(["a", "b/ä", None])), max_size=4)
steps = st.lists(st.tuples(st.sampled_from([*WriteMode, "compact", "columns"]), some_rows), min_size=1, max_size=7)
TIMED = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("team", pa.string())])
_numbers = itertools.count()


@pytest.mark.parametrize("partition_by", [[], ["team"]])
@given(steps=steps)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_files_of_each_version_are_those_visible_when_it_was_committed(
    warehouse: Warehouse,
    partition_by: Sequence[str],
    steps: list[tuple[Any, dict[int, tuple[dt.datetime, str | None]]]],
) -> None:
    store, at = DeltaTableStore(warehouse), f"project/table-{next(_numbers)}"
    store.create(at, TIMED, partition_by=partition_by, rows=None)
    schema = TIMED
    for number, (step, rows) in enumerate(steps):
        if step == "compact":
            DeltaTable(warehouse.uri(at), storage_options=storage_options(warehouse)).optimize.compact()
        elif step == "columns":
            schema = schema.append(pa.field(f"more_{number}", pa.timestamp("us", "UTC")))
            store.add_columns(at, schema)
        elif rows or step is not WriteMode.UPSERT:  # the engine makes no commit of an upsert without rows
            filled = [(key, *row, *[None] * (len(schema) - 3)) for key, row in rows.items()]
            store.write(at, Write(step, rows_of(*filled, schema=schema), f"r-{number}", 0, ("id",)))
    commits = store.commits(at)[::-1]
    history = store.history(at, commits[-1].version)
    for commit in commits:
        snapshot = store.snapshot(at, commit.version)
        assert visible(history, commit.committed_at) == list(snapshot.files)
        assert store.version_at(at, commit.committed_at) == commit.version
    for file in history.files:
        require_within_bounds(warehouse, file)


def require_within_bounds(warehouse: Warehouse, file: DataFile) -> None:
    rows = pq.ParquetFile(file_system(warehouse).open_input_file(file.uri.removeprefix("s3://"))).read()
    assert rows.num_rows == file.rows
    for name in ("id", "at"):
        values: list[Bound] = [value for value in rows.column(name).to_pylist() if value is not None]
        least, greatest = file.bounds[name]
        assert all(least <= value <= greatest for value in values)  # type: ignore[operator]


def file_system(warehouse: Warehouse) -> pa_fs.FileSystem:
    s3 = warehouse.s3
    if s3 is None:
        return pa_fs.LocalFileSystem()
    return pa_fs.S3FileSystem(
        access_key=s3.access_key_id, secret_key=s3.secret_access_key, endpoint_override=s3.endpoint_url
    )
