"""Logs as other writers leave them, read from files written by hand."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.errors import GatewayError, NotFoundError
from infra.ports.tables import DataFile, LoggedCommit
from infra.storage.local import LocalObjectStore
from infra.storage.location import parse_warehouse
from infra.tables.delta import DeltaTableStore
from infra.tables.kept import Kept
from infra.tables.log import CommitLog, LogMemory

AT = "project/table"
FIELDS = [
    {"name": name, "type": kind, "nullable": True, "metadata": {}}
    for name, kind in (("id", "long"), ("at", "timestamp"))
]
METADATA = {"schemaString": json.dumps({"type": "struct", "fields": FIELDS}), "partitionColumns": ["team"]}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def after(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def add(path: str, **said: Any) -> dict[str, Any]:
    return {"add": {"path": path, "size": 1, "partitionValues": {}, "modificationTime": 0, "dataChange": True, **said}}


def remove(path: str, **said: Any) -> dict[str, Any]:
    return {"remove": {"path": path, "dataChange": True, **said}}


def info(operation: str, timestamp: int, **said: Any) -> dict[str, Any]:
    return {"commitInfo": {"operation": operation, "timestamp": timestamp, **said}}


def text(*actions: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(action) for action in actions).encode()


def store_of(tmp_path: Path, *commits: tuple[dict[str, Any], ...]) -> DeltaTableStore:
    log = tmp_path / AT / "_delta_log"
    log.mkdir(parents=True)
    (log / "_last_checkpoint").write_text("{}")
    (log / f"{9:020}.checkpoint.parquet").touch()
    for version, actions in enumerate(commits):
        (log / f"{version:020}.json").write_bytes(text(*actions))
    return DeltaTableStore(parse_warehouse(str(tmp_path)))


CREATION = (info("CREATE TABLE", 1000), {"metaData": METADATA})


def commits_of(store: DeltaTableStore) -> list[LoggedCommit]:
    return store.commits(AT)[::-1]


def test_times_go_forward_whatever_the_clocks_said(tmp_path: Path) -> None:
    store = store_of(tmp_path, CREATION, *((info("WRITE", at),) for at in (1000, 500, 3000)))
    assert [each.committed_at for each in commits_of(store)] == [after(at) for at in (1000, 1001, 1002, 3000)]
    assert store.version_at(AT, after(1001)) == 1


def test_a_commit_without_a_time_has_that_of_its_youngest_file(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        CREATION,
        (add("a", modificationTime=2000), remove("b", deletionTimestamp=2500)),
        (remove("c"), add("d", modificationTime=2600)),
        ({"txn": {"appId": "x", "version": 1}},),
    )
    assert [each.committed_at for each in commits_of(store)] == [after(at) for at in (1000, 2500, 2600, 2601)]


@pytest.mark.parametrize(
    ("said", "operation", "counts"),
    [
        (info("WRITE", 1, operationParameters={"mode": "Append"}), "append", (None, 0, 0)),
        (info("WRITE", 1, operationParameters={"mode": "Ignore"}), "other", (None, None, None)),
        (info("WRITE", 1), "other", (None, None, None)),
        (info("MERGE", 1), "upsert", (None, None, None)),
        (info("MERGE", 1, operationMetrics={"num_target_rows_inserted": 3}), "upsert", (3, None, None)),
        (info("ADD COLUMNS", 1), "append_features", (None, None, None)),
        (info("DELETE", 1), "other", (None, None, None)),
        ({"txn": {}}, "other", (None, None, None)),
    ],
)
def test_what_the_log_does_not_count_is_none(
    tmp_path: Path, said: dict[str, Any], operation: str, counts: tuple[Any, ...]
) -> None:
    commit = commits_of(store_of(tmp_path, CREATION, (said, add("a"))))[1]
    assert commit.operation == operation
    assert (commit.rows_inserted, commit.rows_updated, commit.rows_deleted) == counts


def test_rows_of_a_file_without_statistics_are_not_guessed(tmp_path: Path) -> None:
    overwrite = info("WRITE", 1, operationParameters={"mode": "Overwrite"})
    counted = add("b", stats=json.dumps({"numRecords": 2}))
    store = store_of(tmp_path, CREATION, (add("a"),), (overwrite, remove("a"), counted), (overwrite, remove("b")))
    assert [(each.rows_inserted, each.rows_deleted) for each in commits_of(store)[2:]] == [(2, None), (0, 2)]


def test_history_of_files_that_others_wrote(tmp_path: Path) -> None:
    bounds = {
        "minValues": {"id": 1, "at": "1970-01-01T01:00:00.5+01:00"},
        "maxValues": {"id": 3, "at": "1970-01-01T00:00:01"},
    }
    unclear = {"numRecords": 1, "minValues": {"id": 1.5, "at": "soon"}, "maxValues": {"id": 2}}
    store = store_of(
        tmp_path,
        CREATION,
        (info("WRITE", 2000), add("team=/a%20b", partitionValues={"team": ""})),
        # Statistics renewed, and a removal of what never was there.
        (
            info("COMPUTE STATS", 3000),
            add("team=/a%20b", partitionValues={"team": None}, stats=json.dumps(bounds)),
            remove("x"),
        ),
        (info("DELETE", 4000), remove("team=/a%20b"), add("z", stats=json.dumps(unclear))),
        (info("RESTORE", 5000), remove("z"), add("team=/a%20b")),
    )
    history = store.history(AT, 4)
    root, path = f"{tmp_path}/{AT}", f"{tmp_path}/{AT}/team=/a b"
    greatest = after(1001)
    assert history.partition_by == ("team",)
    assert list(history.files) == [
        DataFile(path, 1, None, {"team": None}, {"id": (1, 3), "at": (after(500), greatest)}, after(2000), after(4000)),
        DataFile(f"{root}/z", 1, 1, {}, {}, after(4000), after(5000)),
        DataFile(path, 1, None, {}, {}, after(5000), None),
    ]


def test_a_commit_of_ours_that_does_not_count_is_an_error(tmp_path: Path) -> None:
    said = {**info("MERGE", 1)["commitInfo"], "oasthouse.request": "r"}
    store_of(tmp_path, CREATION, ({"commitInfo": said}, add("a")))
    log = CommitLog(LocalObjectStore(tmp_path), AT, LogMemory())
    with pytest.raises(GatewayError, match="version 1"):
        log.find("r", after=0, until=1)


def test_what_was_used_last_is_kept_within_its_size() -> None:
    kept: Kept[str, str] = Kept(10)
    kept.keep("a", "A", 4)
    kept.keep("b", "B", 4)
    assert kept.find("a") == "A"
    kept.keep("b", "anew", 5)
    assert kept.find("a") == "A"
    kept.keep("c", "C", 2)
    assert [kept.find(key) for key in "abc"] == ["A", None, "C"]
    kept.keep("huge", "H", 11)
    assert [kept.find(key) for key in ("a", "c", "huge")] == ["A", "C", None]


class _Counting(LocalObjectStore):
    """Counts the paths that it lists."""

    listed = 0

    def list_files(self, prefix: str, *, after: str = "") -> Iterator[str]:
        for path in super().list_files(prefix, after=after):
            self.listed += 1
            yield path


def test_the_newest_version_is_found_by_listing_what_may_be_newer(tmp_path: Path) -> None:
    store_of(tmp_path, CREATION, *[(info("WRITE", 2000),)] * 9)
    files = _Counting(tmp_path)
    log = CommitLog(files, AT, LogMemory())
    assert (log.newest(), files.listed) == (9, 12)
    # The commit, and what sorts after all of them.
    assert (log.newest(), files.listed) == (9, 12 + 3)
    folder = tmp_path / AT / "_delta_log"
    # Somebody else wrote much, and cleaned up what is not needed any more.
    for version in range(11):
        (folder / f"{version:020}.json").unlink(missing_ok=True)
    (folder / f"{12:020}.json").touch()
    assert log.newest() == 12
    (folder / f"{12:020}.json").unlink()
    with pytest.raises(NotFoundError):
        log.newest()


def test_a_commit_is_read_once(tmp_path: Path) -> None:
    store = store_of(tmp_path, CREATION, (info("WRITE", 2000),))
    commits = store.commits(AT)
    for version in range(2):
        (tmp_path / AT / "_delta_log" / f"{version:020}.json").write_text("changed, which a log never is")
    assert store.commits(AT) == commits
