"""Whole groups through real parts: gateway, warehouse, sockets, and what goes wrong in between."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import urllib3

from app.settings import ResultSettings
from hops.featurestore.connection import Connection
from hops.featurestore.errors import (
    AnswerCutError,
    FeatureGroupNotFoundError,
    NotAuthenticatedError,
    ProjectNotFoundError,
)
from hops.featurestore.retries import RetryPolicy
from infra.storage.location import Warehouse
from tests.lab.proxy import Fault, FaultyProxy, faulty_proxy
from tests.lab.seaweedfs import SeaweedFs
from tests.world import World, listening, make_world

ROWS = 40_000
TABLE = pa.table(
    {
        "id": pa.array(range(ROWS), pa.int64()),
        "amount": pa.array([None if each % 7 == 0 else each / 3 for each in range(ROWS)], pa.float64()),
        "city": ["New York" if each % 2 else "Oslo" for each in range(ROWS)],
    }
)
INSERTS = 6
NO_WAITS = RetryPolicy(sleep=lambda _: None)


@contextmanager
def gateway(directory: Path, warehouse: Warehouse, **changes: Any) -> Iterator[World]:
    """With the group `g` in six inserts, so of six parts or twelve; every group is answered in parts."""
    made = make_world(directory / "data", None, warehouse, results=ResultSettings(parts_from_bytes=0), **changes)
    with listening(made) as world:
        world.projects("football", "rivals")
        with world.connect("football") as connection:
            connection.create_featuregroup(TABLE.slice(0, 0), "g", "id")
            connection.create_featuregroup(TABLE.slice(0, 0), "by_city", "id", partition_by="city")
            for start in range(0, ROWS, ROWS // INSERTS + 1):
                for group in ("g", "by_city"):
                    connection.insert_into_featuregroup(TABLE.slice(start, ROWS // INSERTS + 1), group)
        yield world


@pytest.fixture(params=["local", "s3"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with gateway(tmp_path, request.getfixturevalue(f"{request.param}_warehouse")) as made:
        yield made


@pytest.fixture
def local_world(tmp_path: Path, local_warehouse: Warehouse) -> Iterator[World]:
    with gateway(tmp_path, local_warehouse) as made:
        yield made


def connected(world: World, key: str | None = None) -> Connection:
    connection = world.connect("football", key)
    connection._transport.retries = NO_WAITS
    return connection


def streamed(world: World) -> Connection:
    connection = connected(world)
    connection._transport.takes_parts = False
    return connection


def in_order(frame: Any) -> pa.Table:
    return frame.sort_by("id")


@pytest.mark.parametrize("group", ["g", "by_city"])
def test_parts_and_stream_are_the_same_rows(world: World, group: str) -> None:
    with connected(world) as by_parts, streamed(world) as as_stream:
        ours, theirs = (each.get_featuregroup(group, as_="pyarrow") for each in (by_parts, as_stream))
        assert ours.schema == theirs.schema == TABLE.schema
        assert in_order(ours).equals(in_order(theirs))
        assert in_order(ours).equals(TABLE)
        for columns in (["city"], ["amount", "id"]):
            ours, theirs = (
                each.get_featuregroup(group, as_="pyarrow", columns=columns) for each in (by_parts, as_stream)
            )
            assert ours.column_names == theirs.column_names == columns
            assert ours.num_rows == theirs.num_rows == ROWS


def test_every_kind_of_frame_is_the_same_by_either_way(world: World) -> None:
    with connected(world) as by_parts, streamed(world) as as_stream:
        frames = [each.get_featuregroup("g").sort_values("id", ignore_index=True) for each in (by_parts, as_stream)]
        pd.testing.assert_frame_equal(*frames)
        for each in (by_parts, as_stream):
            assert each.get_featuregroup("g", as_="polars").height == ROWS
            with each.get_featuregroup("g", as_="reader") as reader:
                assert in_order(reader.read_all()).equals(TABLE)


def test_a_pinned_read_is_not_disturbed_by_writes(world: World) -> None:
    with connected(world) as connection, connection.get_featuregroup("g", as_="reader") as reader:
        first = next(reader)
        connection.insert_into_featuregroup(TABLE.slice(0, 10), "g", mode="overwrite")
        rest = reader.read_all()
        assert first.num_rows + rest.num_rows == ROWS
        assert connection.get_featuregroup("g", as_="pyarrow").num_rows == 10


# Connections that break


def _on_parts(proxy: FaultyProxy, fault: Fault, times: int, is_part: Callable[[str], bool]) -> Counter[str]:
    """The first requests of each part meet the fault, so many `times`; gives how often each was asked for."""
    asked: Counter[str] = Counter()

    def rule(method: str, path: str) -> Fault:
        if method != "GET" or not is_part(path):
            return Fault.NONE
        part = path.partition("?")[0]
        asked[part] += 1
        return fault if asked[part] <= times else Fault.NONE

    proxy.rule = rule
    return asked


def _is_signed(path: str) -> bool:
    return "X-Amz-Signature" in path


def _is_of_the_gateway(path: str) -> bool:
    return "/parts/" in path


@pytest.mark.parametrize("fault", [Fault.CUT_ANSWER, Fault.LOST_ANSWER, Fault.LOST_REQUEST])
def test_broken_connections_to_the_gateway_are_mended(local_world: World, fault: Fault) -> None:
    with faulty_proxy(local_world.address) as proxy:
        local_world.address = proxy.endpoint_url
        asked = _on_parts(proxy, fault, 2, _is_of_the_gateway)
        with connected(local_world) as connection:
            assert in_order(connection.get_featuregroup("g", as_="pyarrow")).equals(TABLE)
        assert sorted(asked.values()) == [3] * INSERTS


@pytest.mark.parametrize("fault", [Fault.CUT_ANSWER, Fault.LOST_ANSWER])
def test_broken_connections_to_the_store_are_mended(
    tmp_path: Path, s3_warehouse: Warehouse, seaweedfs: SeaweedFs, fault: Fault
) -> None:
    with faulty_proxy(seaweedfs.endpoint_url) as proxy:
        behind = replace(s3_warehouse, s3=replace(s3_warehouse.s3, endpoint_url=proxy.endpoint_url))  # type: ignore[type-var]
        with gateway(tmp_path, behind) as world, connected(world) as connection:
            asked = _on_parts(proxy, fault, 2, _is_signed)
            assert in_order(connection.get_featuregroup("g", as_="pyarrow")).equals(TABLE)
            assert sorted(asked.values()) == [3] * INSERTS
            assert connection._transport.takes_parts


def test_a_connection_that_always_breaks_is_an_error(local_world: World) -> None:
    with faulty_proxy(local_world.address) as proxy:
        local_world.address = proxy.endpoint_url
        _on_parts(proxy, Fault.CUT_ANSWER, 99, lambda path: path.endswith("/5"))
        with connected(local_world) as connection:
            connection._transport.retries = RetryPolicy(attempts=2, sleep=lambda _: None)
            # Three quarters of what is missing arrive each time, so that a part of a few KB would not take long to be whole.
            with pytest.raises(AnswerCutError):
                connection.get_featuregroup("g", as_="pyarrow")


def test_addresses_that_expire_while_a_reader_waits_are_renewed(tmp_path: Path, s3_warehouse: Warehouse) -> None:
    expiring = gateway(tmp_path, s3_warehouse, warehouse_settings={"presigned_seconds": 1})
    with expiring as world, connected(world) as connection, connection.get_featuregroup("g", as_="reader") as reader:
        rows = next(reader).num_rows
        _wait_until_refused(reader)
        assert rows + reader.read_all().num_rows == ROWS


def _wait_until_refused(reader: Any) -> None:
    url, deadline = reader._source._downloads.addresses.manifest.parts[-1].url, time.monotonic() + 20
    while urllib3.request("GET", url).status != 403:
        assert time.monotonic() < deadline


def test_a_store_that_the_notebook_cannot_reach(tmp_path: Path, s3_warehouse: Warehouse, seaweedfs: SeaweedFs) -> None:
    with faulty_proxy(seaweedfs.endpoint_url) as proxy:
        behind = replace(s3_warehouse, s3=replace(s3_warehouse.s3, endpoint_url=proxy.endpoint_url))  # type: ignore[type-var]
        with gateway(tmp_path, behind) as world, connected(world) as connection:
            _on_parts(proxy, Fault.LOST_REQUEST, 99, _is_signed)
            assert in_order(connection.get_featuregroup("g", as_="pyarrow")).equals(TABLE)
            assert not connection._transport.takes_parts


# Permissions that end


def test_a_stranger_gets_nothing(world: World) -> None:
    with world.connect("rivals") as stranger:
        with pytest.raises(ProjectNotFoundError):
            stranger._session.get("/projects/football/feature-groups/g/versions/1/parts/0")
        with pytest.raises(ProjectNotFoundError):
            stranger._session.get("/projects/football/feature-groups/g/versions/1/parts/0/0")


def test_a_receiver_reads_parts_until_the_share_ends(world: World) -> None:
    share = world.share("football", "rivals")
    with world.connect("rivals") as receiver:
        frame = receiver.get_featuregroup("g", "football_featurestore", as_="pyarrow")
        assert in_order(frame).equals(TABLE)
        world.container.shares.end(world.context("football"), "football", share.id)
        with pytest.raises(ProjectNotFoundError):
            receiver._session.get("/projects/football/feature-groups/g/versions/1/parts/0")


def test_a_key_revoked_in_the_middle_ends_the_reading(local_world: World) -> None:
    key = local_world.key("football", fresh=True)
    with connected(local_world, key) as connection, connection.get_featuregroup("g", as_="reader") as reader:
        next(reader)
        local_world.container.api_keys.revoke(local_world.operator, "football", local_world.key_id(key))
        with pytest.raises(NotAuthenticatedError):
            reader.read_all()


def test_a_group_deleted_in_the_middle_ends_the_reading(local_world: World) -> None:
    with connected(local_world) as connection, connection.get_featuregroup("g", as_="reader") as reader:
        next(reader)
        connection.delete_featuregroup("g")
        with pytest.raises(FeatureGroupNotFoundError):
            reader.read_all()


def test_a_group_deleted_from_the_store_in_the_middle_ends_the_reading(tmp_path: Path, s3_warehouse: Warehouse) -> None:
    reading = gateway(tmp_path, s3_warehouse)
    with reading as world, connected(world) as connection, connection.get_featuregroup("g", as_="reader") as reader:
        next(reader)
        connection.delete_featuregroup("g")
        with pytest.raises(FeatureGroupNotFoundError):
            reader.read_all()


# Streams


def test_closing_a_stream_early_frees_the_engine(local_world: World) -> None:
    """A query that nobody reads would hold its slot until the deadline; there are as many as the engine has."""
    large = pa.table({"id": pa.array(range(4_000_000)), "twice": pa.array(range(0, 8_000_000, 2))})
    slots = local_world.container.settings.engine.slots
    with streamed(local_world) as connection:
        connection.create_featuregroup(large, "large", "id")
        connection._transport.retries = RetryPolicy(total=20.0)
        kept = []  # or the garbage collector would close them
        for _ in range(slots + 2):
            with connection.get_featuregroup("large", as_="reader") as reader:
                assert next(reader).num_rows
                kept.append(reader)
