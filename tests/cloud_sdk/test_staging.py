"""Large inserts put into S3 past the gateway: the same table as any other way, or another way; once, or not at all."""

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest

from app.featurestore.locations.models import Location
from app.fsck import check_consistency
from app.settings import VendingSettings
from hops.featurestore import direct_files, staging
from hops.featurestore.connection import Connection
from hops.featurestore.errors import GatewayError
from hops.featurestore.retries import RetryPolicy
from infra.ports.vending import STAGING_PREFIX
from tenancy.scopes import DEFAULT_SCOPES
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.world import World, listening, make_world

ROWS = 40_000
SCHEMA = {
    "id": "bigint",
    "value": "double",
    "maybe": "int",
    "city": "string",
    "at": "timestamp",
    "day": "date",
    "price": "decimal(10,2)",
    "raw": "binary",
    "tags": "array<string>",
    "told": "struct<a:int,b:string>",
}


def _table(rows: int = ROWS, start: int = 0) -> pa.Table:
    draw = np.random.default_rng(start)
    ids = list(range(start, start + rows))
    return pa.table(
        {
            "id": ids,
            "value": draw.random(rows),
            "maybe": pa.array([None if each % 7 == 0 else each for each in ids], pa.int32()),
            "city": pa.array([("New York", "Oslo", "Århus/ø", None, "")[each % 5] for each in ids]).dictionary_encode(),
            # Finer than the gateway keeps: it is cut there, whichever way it came.
            "at": pa.array([each * 1_000_001 for each in ids], pa.timestamp("ns", "Europe/Oslo")),
            "day": [date(2020, 1, 1) + timedelta(days=each % 1000) for each in ids],
            "price": pa.array([Decimal(each % 1000) / 100 for each in ids], pa.decimal128(8, 2)),
            "raw": [bytes([each % 256]) for each in ids],
            "tags": [[f"t{each % 3}"] * (each % 4) for each in ids],
            "told": [{"a": each % 9, "b": None if each % 2 else "x"} for each in ids],
        }
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, seaweedfs: SeaweedFs) -> Iterator[World]:
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=seaweedfs.endpoint_url, from_bytes=1000)
    made = make_world(tmp_path_factory.mktemp("staging"), None, seaweedfs.new_warehouse(), vending=vending)
    made.projects("football", "rivals")
    for project in ("football", "rivals"):
        switch = made.call("PUT", f"/projects/{project}/vending", made.key(project), json={"enabled": True})
        assert switch.status_code == 200
    with listening(made):
        yield made


@pytest.fixture
def fs(world: World) -> Iterator[Connection]:
    with world.connect("football") as connection:
        connection._transport.retries = RetryPolicy(sleep=lambda _: None)
        yield connection


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test's rows are several files."""
    monkeypatch.setattr(staging, "_FILE_BYTES", 1 << 20)


@pytest.fixture
def group(fs: Connection) -> str:
    name = f"g{uuid4().hex[:12]}"
    fs.create_featuregroup(None, name, "id", schema=SCHEMA)
    return name


def _read(fs: Connection, group: str) -> pa.Table:
    return fs.get_featuregroup(group, as_="pyarrow").sort_by("id")


def _staged(world: World) -> list[str]:
    """Files that wait anywhere in the warehouse."""
    with world.container.database.read() as session:
        places = [location.path for location in session.query(Location) if f"/{STAGING_PREFIX}" in location.path]
    return [path for place in places for path in world.container.store.list_files(place)]


@pytest.mark.parametrize("mode", ["append", "upsert", "overwrite"])
def test_the_table_is_that_of_the_other_way(world: World, fs: Connection, group: str, mode: str) -> None:
    other = f"{group}_sent"
    fs.create_featuregroup(None, other, "id", schema=SCHEMA)
    tables = [_table(), _table(ROWS, ROWS // 2)]
    told = [fs.insert_into_featuregroup(table, group, mode=mode) for table in tables]
    assert [each.transfer["mode"] for each in told if each.transfer] == ["direct", "direct"]
    fs._transport.writes_directly = False
    sent = [fs.insert_into_featuregroup(table, other, mode=mode) for table in tables]
    assert [each.transfer["mode"] for each in sent if each.transfer] == ["stream", "stream"]
    counts = ("rows_received", "rows_inserted", "rows_updated", "table_version", "mode", "validation")
    assert [[getattr(each, name) for name in counts] for each in told] == [
        [getattr(each, name) for name in counts] for each in sent
    ]
    assert _read(fs, group).equals(_read(fs, other))
    assert _staged(world) == []


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each file that was put into S3."""
    rows: list[int] = []
    original = staging._Upload._send

    def send(self: Any, number: int, body: Any, part: Any, attempts: int) -> Any:
        done = original(self, number, body, part, attempts)
        rows.append(part.num_rows)
        return done

    monkeypatch.setattr(staging._Upload, "_send", send)
    return rows


def test_every_kind_of_frame_that_can_be_read_again(fs: Connection, group: str, sent: list[int]) -> None:
    table = _table().drop_columns(["told", "tags", "raw", "price", "maybe"])
    fs.create_featuregroup(None, f"{group}_few", schema={name: SCHEMA[name] for name in table.column_names})
    frames = {
        "pyarrow": table,
        "pandas": table.to_pandas(),
        "polars": pl.from_arrow(table),
        "dict": {name: table[name].to_pylist() for name in table.column_names},
    }
    ways = {}
    for name, frame in frames.items():
        told = fs.insert_into_featuregroup(frame, f"{group}_few", mode="overwrite")
        ways[name] = told.transfer and told.transfer["mode"]
        assert fs.get_featuregroup(f"{group}_few", as_="pyarrow").num_rows == ROWS
    assert ways == dict.fromkeys(frames, "direct")
    assert len(sent) >= 2 * len(frames)
    assert sum(sent) == ROWS * len(frames)


def test_what_can_be_read_once_is_sent(fs: Connection, group: str, sent: list[int]) -> None:
    table = _table()
    told = fs.insert_into_featuregroup(table.to_reader(), group)
    assert told.transfer == {"mode": "stream", "why": "such a frame may be readable only once"}
    assert (told.rows_inserted, sent) == (ROWS, [])


def test_few_rows_are_sent(fs: Connection, group: str, sent: list[int]) -> None:
    told = fs.insert_into_featuregroup(_table(10), group)
    assert told.transfer == {"mode": "stream", "why": "the rows are few"}
    assert sent == []


def test_a_type_that_parquet_would_change_is_sent(fs: Connection, group: str, sent: list[int]) -> None:
    rows = ROWS * 6
    half = pa.array(np.ones(rows, np.float16))
    fs.create_featuregroup(None, f"{group}_half", schema={"id": "bigint", "half": "float"})
    table = pa.table({"id": range(rows), "half": half})
    told = fs.insert_into_featuregroup(table, f"{group}_half")
    assert told.rows_inserted == rows
    survives = staging._survives(table.schema)
    assert (told.transfer or {})["mode"] == ("direct" if survives else "stream")


def test_rows_that_no_file_holds_are_sent(fs: Connection, group: str, sent: list[int]) -> None:
    """Of a schema that says there are no nulls, and rows that have one."""
    fs.create_featuregroup(None, f"{group}_null", schema={"id": "bigint", "value": "double"})
    rows = ROWS * 6
    schema = pa.schema([pa.field("id", pa.int64()), pa.field("value", pa.float64(), nullable=False)])
    values = pa.array([None, *[1.0] * (rows - 1)], pa.float64())
    table = pa.Table.from_arrays([pa.array(range(rows)), values], schema=schema)
    told = fs.insert_into_featuregroup(table, f"{group}_null")
    assert told.rows_inserted == rows
    assert "Parquet cannot hold these rows" in (told.transfer or {})["why"]
    again = fs.insert_into_featuregroup(table.slice(1), f"{group}_null")
    assert (again.transfer or {})["mode"] == "direct", "others are written directly as before"


def test_a_key_without_the_scope_sends_and_is_told_why(world: World, group: str, sent: list[int]) -> None:
    with world.connect("football", world.key("football", scopes=DEFAULT_SCOPES)) as connection:
        told = connection.insert_into_featuregroup(_table(), group)
    assert told.rows_inserted == ROWS
    assert told.transfer is not None
    assert told.transfer["mode"] == "stream"
    assert "'data:vend'" in told.transfer["why"]
    assert sent == []


@pytest.mark.parametrize("fault", ["no S3 in pyarrow", "no way to the store", "an unencrypted store"])
def test_where_s3_is_out_of_reach_rows_are_sent(
    fs: Connection, group: str, sent: list[int], fault: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    if fault == "no S3 in pyarrow":
        monkeypatch.delattr(pyarrow.fs, "S3FileSystem")
    elif fault == "no way to the store":
        original = direct_files.TableCredentials.from_json
        elsewhere = {"endpoint_url": "http://127.0.0.1:9"}
        monkeypatch.setattr(staging.TableCredentials, "from_json", lambda answer: original({**answer, **elsewhere}))
    else:
        monkeypatch.setattr(direct_files, "may_be_plain", lambda _: False)
    with caplog.at_level(logging.WARNING, "hops"):
        told = fs.insert_into_featuregroup(_table(), group)
        again = fs.insert_into_featuregroup(_table(ROWS, ROWS), group)
    assert (told.rows_inserted, again.rows_inserted, sent) == (ROWS, ROWS, [])
    assert caplog.text.count("not written directly") == 1, "it is not tried again by this connection"
    assert [(each.transfer or {})["mode"] for each in (told, again)] == ["stream", "stream"]


def test_credentials_are_renewed_before_they_end(
    fs: Connection, group: str, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    original = staging._Upload._ask

    def ask(self: Any) -> Any:
        made = original(self)
        asked.append(made)
        ends = made.expires_at - timedelta(seconds=made.seconds_left - 60) if len(asked) == 1 else made.expires_at
        return type(made)(**{**vars(made), "expires_at": ends})

    monkeypatch.setattr(staging._Upload, "_ask", ask)
    monkeypatch.setattr(direct_files, "_PAUSE", 0.0)
    told = fs.insert_into_featuregroup(_table(), group)
    assert (told.transfer or {})["mode"] == "direct"
    assert len(asked) == 2
    assert {each.uri for each in asked} == {asked[0].uri}, "of the same place"
    assert _read(fs, group)["id"].to_pylist() == list(range(ROWS))


def test_a_store_that_says_no_midway(
    fs: Connection, group: str, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: other credentials are asked for, and no row is missing or there twice."""
    failed = _failing(monkeypatch, lambda name: name == "00001.parquet" and not failed)
    told = fs.insert_into_featuregroup(_table(), group)
    assert (len(failed), (told.transfer or {})["mode"]) == (1, "direct")
    assert _read(fs, group)["id"].to_pylist() == list(range(ROWS))


def test_a_store_that_goes_away_midway(
    world: World, fs: Connection, group: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Nothing was acknowledged, so all of the rows are sent; what is there already goes a day later."""
    _failing(monkeypatch, lambda name: name >= "00001.parquet")
    with caplog.at_level(logging.WARNING, "hops"):
        told = fs.insert_into_featuregroup(_table(), group)
    assert (told.transfer or {})["mode"] == "stream"
    assert "not written directly" in caplog.text
    assert _read(fs, group)["id"].to_pylist() == list(range(ROWS))
    assert _staged(world) != []
    assert check_consistency(world.container, deep=False).findings == []
    world.clock.ahead = timedelta(hours=25)
    world.container.locations.purge()
    world.clock.ahead = timedelta()
    assert _staged(world) == []


def _failing(monkeypatch: pytest.MonkeyPatch, fails: Any) -> list[str]:
    """Names of files whose upload broke."""
    failed: list[str] = []
    original = direct_files.open_store

    class Store:
        def __init__(self, made: Any) -> None:
            self._store = original(made)

        def open_output_stream(self, path: str) -> Any:
            name = path.rpartition("/")[2]
            if fails(name):
                failed.append(name)
                raise OSError("AWS Error ACCESS_DENIED during CreateMultipartUpload operation: ExpiredToken")
            return self._store.open_output_stream(path)

    monkeypatch.setattr(direct_files, "open_store", Store)
    return failed


def test_what_the_gateway_refuses_is_an_error_and_not_sent_again(
    world: World, fs: Connection, group: str, sent: list[int]
) -> None:
    with pytest.raises(GatewayError) as refused:
        fs.insert_into_featuregroup(_table().rename_columns(["other", *_table().column_names[1:]]), group)
    assert refused.value.code == "schema-mismatch"
    assert len(sent) > 1
    assert _staged(world) == []
    assert fs.get_featuregroup_metadata(group).table_version == 0


def test_categories_of_polars_are_taken(fs: Connection, group: str) -> None:
    """Its own stream has them as views, which Arrow cannot unfold."""
    fs.create_featuregroup(None, f"{group}_few", schema={"id": "bigint", "city": "string"})
    frame = pl.DataFrame({"id": [1, 2, 3], "city": ["Oslo", None, "Oslo"]}, schema_overrides={"city": pl.Categorical})
    assert fs.insert_into_featuregroup(frame, f"{group}_few").rows_inserted == 3
    assert _read(fs, f"{group}_few")["city"].to_pylist() == ["Oslo", None, "Oslo"]


def test_a_version_of_parquet_that_keeps_nanoseconds() -> None:
    schema = pa.schema([("at", pa.timestamp("ns"))])
    assert staging._survives(schema)
    assert pq.read_schema(pa.BufferReader(staging._packed(schema.empty_table()))).equals(schema)
