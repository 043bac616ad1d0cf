"""Whole groups read in S3 with credentials of their own: the same rows as any other way, or another way."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.fs
import pytest
from deltalake import DeltaTable

from app.settings import ResultSettings, VendingSettings
from hops.featurestore import direct, direct_files, download
from hops.featurestore.connection import Connection
from hops.featurestore.errors import AnswerCutError, GatewayError
from hops.featurestore.retries import RetryPolicy
from infra.storage.location import Warehouse
from tenancy.scopes import DEFAULT_SCOPES
from tests.frames import frame_request
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.world import World, listening, make_world

ROWS = 30_000


def _table(rows: int, start: int = 0) -> pa.Table:
    draw = np.random.default_rng(start)
    ids = np.arange(start, start + rows)
    return pa.table(
        {
            "id": ids,
            "value": draw.random(rows),
            "maybe": pa.array([None if each % 7 == 0 else int(each) for each in ids], pa.int32()),
            "city": [("New York", "Oslo", "Århus/ø", "100% x", "a=b")[each % 5] for each in ids],
            "at": pa.array(ids * 1000, pa.timestamp("us", "UTC")),
            "tags": [[f"t{each % 3}"] * (each % 4) for each in ids],
        }
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, seaweedfs: SeaweedFs) -> Iterator[World]:
    made = _world(tmp_path_factory.mktemp("direct"), seaweedfs.new_warehouse(), seaweedfs.endpoint_url)
    with listening(made):
        yield made


def _world(tmp_path: Path, warehouse: Warehouse, endpoint_url: str) -> World:
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=endpoint_url, from_bytes=1000)
    results = ResultSettings(parts_from_bytes=1000)
    world = make_world(tmp_path / "data", None, warehouse, vending=vending, results=results)
    world.projects("football", "rivals")
    key = world.key("football")
    for name, spec in (("plain", {}), ("by_city", {"partition_by": ["city"]})):
        path = "/projects/football/feature-groups"
        assert world.call("POST", path, key, **frame_request(_table(ROWS), {"name": name, **spec})).status_code == 201
        rows = f"{path}/{name}/versions/1/rows"
        assert world.call("POST", rows, key, **frame_request(_table(100, ROWS))).status_code == 200
        later = {"features": [{"name": "later", "type": "double"}]}
        assert world.call("POST", rows.replace("/rows", "/features"), key, json=later).status_code == 200
    assert world.call("PUT", "/projects/football/vending", key, json={"enabled": True}).status_code == 200
    return world


@pytest.fixture
def fs(world: World) -> Iterator[Connection]:
    with world.connect("football") as connection:
        yield connection


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sources that were read to their end or opened, in order."""
    used: list[str] = []
    for kind in (download.DirectSource, download.PartsSource, download.StreamSource):
        for name in ("table", "batches"):
            original = getattr(kind, name)

            def noted(self: Any, _original: Any = original) -> Any:
                used.append(type(self).__name__)
                return _original(self)

            monkeypatch.setattr(kind, name, noted)
    return used


def _brokered(world: World, **how: Any) -> pa.Table:
    with world.connect("football") as connection:
        connection._transport.takes_parts = False
        return connection.get_featuregroup(as_="pyarrow", **how)


@pytest.mark.parametrize("group", ["plain", "by_city"])
@pytest.mark.parametrize(
    "columns", [None, ["id"], ["tags", "at", "id"], ["city"], ["later"], ["maybe", "later", "city"]], ids=str
)
def test_rows_order_and_types_are_those_of_every_other_way(
    world: World, fs: Connection, ways: list[str], group: str, columns: list[str] | None
) -> None:
    read = fs.get_featuregroup(group, columns=columns, as_="pyarrow")
    assert ways == ["DirectSource"]
    fs._transport.reads_directly = False
    presigned = fs.get_featuregroup(group, columns=columns, as_="pyarrow")
    assert ways[1:] == ["PartsSource"]
    assert read.schema == presigned.schema
    assert read.equals(presigned)
    brokered = _brokered(world, featuregroup=group, columns=columns)
    assert brokered.schema == read.schema
    assert _sorted(brokered) == _sorted(read)


def _sorted(table: pa.Table) -> list[str]:
    return sorted(map(repr, table.to_pylist()))


@pytest.mark.parametrize("state", [0, 1])
def test_an_earlier_state(fs: Connection, ways: list[str], state: int) -> None:
    read = fs.get_featuregroup("plain", as_of=state, as_="pyarrow")
    assert (read.num_rows, ways) == (ROWS + state * 100, ["DirectSource"])
    assert sorted(read["id"].to_pylist()) == list(range(ROWS + state * 100))


def test_features_of_one_group_come_the_same_way(fs: Connection, ways: list[str]) -> None:
    rows = fs.get_features(["value", "id"], featuregroups_version_dict={"plain": 1}, as_="pyarrow")
    assert rows.column_names == ["value", "id"]
    assert (rows.num_rows, ways) == (ROWS + 100, ["DirectSource"])


def test_as_a_reader_and_as_frames(fs: Connection, ways: list[str]) -> None:
    with fs.get_featuregroup("plain", as_="reader") as rows:
        batches = list(rows)
    assert pa.Table.from_batches(batches).equals(fs.get_featuregroup("plain", as_="pyarrow"))
    assert isinstance(fs.get_featuregroup("plain", as_="polars"), pl.DataFrame)
    assert len(fs.get_featuregroup("plain")) == ROWS + 100
    assert ways == ["DirectSource"] * 4


def test_a_reader_that_is_closed_early(fs: Connection) -> None:
    with fs.get_featuregroup("by_city", as_="reader") as rows:
        first = rows.read_next_batch()
    assert 0 < first.num_rows < ROWS
    assert rows.closed


def test_explain_says_which_way(world: World, fs: Connection) -> None:
    told = fs.explain(["value"], featuregroups_version_dict={"plain": 1})
    assert told.transfer is not None
    assert told.transfer["mode"] == "direct"
    assert "rows travel: direct" in told.text
    plain = (*DEFAULT_SCOPES,)
    with world.connect("football", world.key("football", scopes=plain)) as connection:
        told = connection.explain(["value"], featuregroups_version_dict={"plain": 1})
    assert told.transfer is not None
    assert told.transfer["mode"] == "presigned"
    assert "'data:vend'" in told.transfer["why"]


def test_a_key_without_the_scope_is_told_nothing(world: World, ways: list[str]) -> None:
    key = world.key("football", scopes=DEFAULT_SCOPES)
    with world.connect("football", key) as connection:
        assert connection.get_featuregroup("plain", as_="pyarrow").num_rows == ROWS + 100
        with pytest.raises(GatewayError) as refused:
            connection.get_featuregroup_credentials("plain")
    assert refused.value.code == "scope-missing"
    assert ways == ["PartsSource"]
    headers = {"Accept": "application/vnd.oasthouse.parts+json"}
    manifest = world.call("GET", "/projects/football/feature-groups/plain/versions/1/rows", key, headers=headers)
    body = manifest.get_json(force=True)
    assert "credentials" not in body
    assert not any("file" in part for part in body["parts"])


@pytest.mark.parametrize(
    "fault", ["no S3 in pyarrow", "no way to the store", "an unencrypted store", "the switch went off meanwhile"]
)
def test_what_cannot_be_read_directly_is_read_otherwise(
    world: World, fs: Connection, ways: list[str], fault: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    key, switch = world.key("football"), "/projects/football/vending"
    if fault == "no S3 in pyarrow":
        monkeypatch.delattr(pyarrow.fs, "S3FileSystem")
    elif fault == "no way to the store":
        _changed(monkeypatch, endpoint_url="http://127.0.0.1:9")
    elif fault == "an unencrypted store":
        monkeypatch.setattr(direct_files, "may_be_plain", lambda _: False)
    else:
        original = download.DirectSource.start

        def start(self: Any) -> None:
            assert world.call("PUT", switch, key, json={"enabled": False}).status_code == 200
            original(self)

        monkeypatch.setattr(download.DirectSource, "start", start)
    with caplog.at_level(logging.WARNING, "hops"):
        assert fs.get_featuregroup("plain", as_="pyarrow").num_rows == ROWS + 100
    assert ways == ["PartsSource"]
    assert "S3 is not read directly from here" in caplog.text
    assert fs.get_featuregroup("plain", as_="pyarrow").num_rows == ROWS + 100
    assert caplog.text.count("not read directly") == 1, "it is not tried again by this connection"
    assert world.call("PUT", switch, key, json={"enabled": True}).status_code == 200


def _changed(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    original = direct_files.TableCredentials.from_json
    monkeypatch.setattr(
        direct_files.TableCredentials, "from_json", lambda answer: original({**answer, **changes}), raising=True
    )


def test_credentials_are_renewed_before_they_end(world: World, fs: Connection, ways: list[str]) -> None:
    asked = _asked(world)
    reader = fs.get_featuregroup("by_city", as_="reader")
    reader.read_next_batch()
    files = reader._source._files  # type: ignore[attr-defined]
    assert files._issue == 1
    files._credentials, files._ask_again_at = _ending(files._credentials), 0.0
    assert sum(batch.num_rows for batch in reader) > 0
    assert files._issue == 2
    assert _asked(world) == asked + 2
    assert ways == ["DirectSource"]


def test_what_was_given_holds_where_no_more_is_given(world: World, fs: Connection, caplog: Any) -> None:
    """Five minutes before the end: neither a switch nor a gateway that is away breaks off what is being read."""
    key, switch = world.key("football"), "/projects/football/vending"
    reader = fs.get_featuregroup("by_city", as_="reader")
    rows = reader.read_next_batch().num_rows
    files = reader._source._files  # type: ignore[attr-defined]
    files._credentials, files._ask_again_at = _ending(files._credentials), 0.0
    assert world.call("PUT", switch, key, json={"enabled": False}).status_code == 200
    try:
        with caplog.at_level(logging.WARNING, "hops"):
            rows += sum(batch.num_rows for batch in reader)
    finally:
        assert world.call("PUT", switch, key, json={"enabled": True}).status_code == 200
    assert rows == ROWS + 100
    assert files._issue == 1
    assert caplog.text.count("could not be renewed yet") == 1


def test_a_clock_that_is_minutes_ahead_asks_no_more_often(
    world: World, fs: Connection, ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To it every credential ends at once."""
    monkeypatch.setattr(direct_files.TableCredentials, "seconds_left", property(lambda _: 100.0))
    asked = _asked(world)
    with fs.get_featuregroup("by_city", as_="reader") as rows:
        assert sum(batch.num_rows for batch in rows) == ROWS + 100
    assert fs.get_featuregroup("by_city", as_="pyarrow").num_rows == ROWS + 100
    assert _asked(world) == asked + 2
    assert ways == ["DirectSource"] * 2


def _ending(made: Any) -> Any:
    return type(made)(**{**vars(made), "expires_at": made.expires_at - timedelta(seconds=made.seconds_left - 60)})


def _asked(world: World) -> int:
    with world.container.database.engine.connect() as connection:
        return int(
            connection.exec_driver_sql("SELECT count(*) FROM audit_event WHERE action = 'data:vend'").scalar_one()
        )


def test_credentials_that_stop_working_midway(fs: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store says no, once: others are asked for, and no row is missing or there twice."""
    fs._transport.retries = RetryPolicy(sleep=lambda _: None)
    original, failed = direct_files.DirectFiles.open, []

    def opened(self: Any, store: Any, part: Any) -> Any:
        if len(failed) < 3 and self._issue == 1 and self._opened_once:
            failed.append(part)
            raise OSError("AWS Error ACCESS_DENIED during HeadObject operation: ExpiredToken")
        self._opened_once = True
        return original(self, store, part)

    monkeypatch.setattr(direct_files.DirectFiles, "_opened_once", False, raising=False)
    monkeypatch.setattr(direct_files.DirectFiles, "open", opened)
    with fs.get_featuregroup("by_city", as_="reader") as rows:
        ids = [each for batch in rows for each in batch["id"].to_pylist()]
    assert failed
    assert sorted(ids) == list(range(ROWS + 100))


def test_a_file_that_is_gone_is_an_error_and_never_fewer_rows(
    world: World, fs: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs._transport.retries = RetryPolicy(sleep=lambda _: None)
    original = direct_files.DirectFiles.open
    read: list[Any] = []

    def opened(self: Any, store: Any, part: Any) -> Any:
        # Never the one that is opened first, in whatever order they come: without it all would be read in another way.
        if read and part.file != read[0]:
            raise FileNotFoundError(part.file)
        read.append(part.file)
        return original(self, store, part)

    monkeypatch.setattr(direct_files.DirectFiles, "open", opened)
    with pytest.raises(AnswerCutError):
        fs.get_featuregroup("by_city", as_="pyarrow")


def test_another_file_in_its_place(fs: Connection, ways: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is that of the list, or it is not read."""
    changed: Any = direct.Manifest.from_json

    def shorter(answer: Any) -> Any:
        manifest = changed(answer)
        parts = tuple(type(part)(**{**vars(part), "bytes": part.bytes - 1}) for part in manifest.parts)
        return type(manifest)(**{**vars(manifest), "parts": parts})

    monkeypatch.setattr(download.Manifest, "from_json", shorter)
    with pytest.raises(AnswerCutError):
        fs.get_featuregroup("plain", as_="pyarrow")
    assert "DirectSource" not in ways


def test_credentials_for_other_programs(fs: Connection) -> None:
    made = fs.get_featuregroup_credentials("by_city")
    assert made.uri.startswith("s3://")
    assert 0 < made.seconds_left <= 900
    assert made.secret_access_key not in repr(made)
    assert made.session_token not in str(made)
    rows = pa.table(DeltaTable(made.uri, storage_options=made.storage_options()).to_pyarrow_table())
    assert sorted(rows["id"].to_pylist()) == list(range(ROWS + 100))
    spark = made.spark_options(prefix="spark.hadoop.")
    assert spark[f"spark.hadoop.fs.s3a.bucket.{made.bucket}.session.token"] == made.session_token
    assert set(made.environment()) >= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
