"""Whole feature groups as the files that they consist of."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.credentials import RefreshableCredentials
from sqlalchemy import select, update

from app.featurestore.feature_groups.models import ON_DEMAND, FeatureGroup
from app.settings import ResultSettings, WarehouseSettings
from infra.storage.location import Warehouse
from tests.frames import frame_request
from tests.world import World, make_world

PARTS = "application/vnd.oasthouse.parts+json"
ARROW = "application/vnd.apache.arrow.stream"
BOTH = {"Accept": f"{PARTS}, {ARROW}"}
GROUP = "/projects/football/feature-groups/g/versions/1"
TABLE = pa.table({"id": range(2000), "city": ["New York" if each % 2 else "Oslo" for each in range(2000)]})


@pytest.fixture(params=["local", "s3"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    warehouse = request.getfixturevalue(f"{request.param}_warehouse")
    made = _world(tmp_path, warehouse)
    yield made
    made.container.database.engine.dispose()


def _world(tmp_path: Path, warehouse: Warehouse, **changes: Any) -> World:
    world = make_world(tmp_path / "data", None, warehouse, results=ResultSettings(parts_from_bytes=1000), **changes)
    world.projects("football", "rivals")
    _create(world, TABLE, partition_by=["city"])
    return world


def _create(world: World, table: pa.Table, name: str = "g", **spec: Any) -> None:
    made = world.call(
        "POST",
        "/projects/football/feature-groups",
        world.key("football"),
        **frame_request(table, {"name": name, **spec}),
    )
    assert made.status_code == 201, made.json


def _get(world: World, path: str, **options: Any) -> Any:
    return world.call("GET", path, world.key("football"), **options)


def _manifest(world: World, path: str = f"{GROUP}/rows") -> dict[str, Any]:
    answer = _get(world, path, headers=BOTH)
    assert (answer.status_code, answer.content_type) == (200, PARTS), answer.data
    return answer.get_json(force=True)  # type: ignore[no-any-return]


def _bytes(world: World, part: dict[str, Any]) -> bytes:
    """As a client gets them: from a store without a key."""
    if part["url"].startswith("http"):
        with urlopen(part["url"], timeout=10) as answer:
            return bytes(answer.read())
    with _get(world, part["url"].removeprefix("/api/v1")) as answer:
        assert answer.status_code == 200, answer.json
        assert answer.content_type == "application/vnd.apache.parquet"
        return bytes(answer.data)


def _rows(world: World, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for part in manifest["parts"]:
        data = _bytes(world, part)
        table = pq.ParquetFile(pa.BufferReader(data)).read()
        assert (len(data), table.num_rows) == (part["bytes"], part["rows"])
        rows += [{**row, **part["partition"]} for row in table.to_pylist()]
    return sorted(rows, key=lambda row: row["id"])


def test_a_group_is_its_parts(world: World) -> None:
    manifest = _manifest(world)
    assert _rows(world, manifest) == TABLE.to_pylist()
    assert (manifest["rows"], manifest["table_version"]) == (2000, 0)
    assert manifest["bytes"] == sum(part["bytes"] for part in manifest["parts"])
    assert sorted(part["partition"]["city"] for part in manifest["parts"]) == ["New York", "Oslo"]
    schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(manifest["schema"])))
    assert schema == pa.schema([("id", pa.int64()), ("city", pa.string())])
    assert not any("uri" in part for part in manifest["parts"])
    is_signed = manifest["parts"][0]["url"].startswith("http")
    assert (manifest["expires_at"] is not None) == is_signed


def test_columns_are_the_clients_business_but_must_exist(world: World) -> None:
    manifest = _manifest(world, f"{GROUP}/rows?columns=city")
    schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(manifest["schema"])))
    assert schema == pa.schema([("city", pa.string())])
    refused = _get(world, f"{GROUP}/rows?columns=cty", headers=BOTH)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid-input")


@pytest.mark.parametrize("accept", [None, "*/*", ARROW, f"{ARROW}, {PARTS};q=0"])
def test_who_does_not_ask_for_parts_gets_a_stream(world: World, accept: str | None) -> None:
    answer = _get(world, f"{GROUP}/rows", headers={"Accept": accept} if accept else {})
    assert answer.content_type == ARROW
    assert pa.ipc.open_stream(answer.data).read_all().num_rows == 2000


def test_a_small_group_is_a_stream(world: World) -> None:
    _create(world, TABLE.slice(0, 2), "small")
    answer = _get(world, f"{GROUP.replace('/g/', '/small/')}/rows", headers=BOTH)
    assert answer.content_type == ARROW
    assert pa.ipc.open_stream(answer.data).read_all().num_rows == 2


def test_parts_of_an_older_version_stay(world: World) -> None:
    before = _manifest(world)
    inserted = world.call(
        "POST", f"{GROUP}/rows?mode=overwrite", world.key("football"), **frame_request(TABLE.slice(5))
    )
    assert inserted.status_code == 200
    assert _manifest(world)["rows"] == 1995
    again = _manifest(world, before["url"].removeprefix("/api/v1"))
    assert [part["bytes"] for part in again["parts"]] == [part["bytes"] for part in before["parts"]]
    assert _rows(world, again) == _rows(world, before) == TABLE.to_pylist()


def test_a_version_or_part_that_is_not_there(world: World) -> None:
    for path in ("7", "7/0", "0/2", "0/99999999", f"{2**63}", f"{2**64}/0", f"0/{2**64}"):
        answer = _get(world, f"{GROUP}/parts/{path}")
        assert (answer.status_code, answer.json["code"]) == (404, "part-not-found"), path
        assert "part-0" not in answer.get_data(as_text=True)
    for path in (f"{GROUP}/parts/-1", f"{GROUP}/parts/0/-1", f"{GROUP}/parts/0/../../0", f"{GROUP}/parts/x"):
        assert _get(world, path).status_code == 404


def test_addresses_of_a_bucket_end(tmp_path: Path, s3_warehouse: Warehouse) -> None:
    world = _world(tmp_path, s3_warehouse, warehouse_settings={"presigned_seconds": 60})
    before = world.clock.now()
    url = _manifest(world)["parts"][0]["url"]
    assert "X-Amz-Expires=60" in url
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    expires = datetime.fromisoformat(_manifest(world)["expires_at"])
    assert before + timedelta(seconds=60) <= expires <= world.clock.now() + timedelta(seconds=60)


def test_a_bucket_that_clients_cannot_reach_is_streamed(tmp_path: Path, s3_warehouse: Warehouse) -> None:
    world = _world(tmp_path, s3_warehouse, warehouse_settings={"presigned_seconds": 0})
    assert _get(world, f"{GROUP}/rows", headers=BOTH).content_type == ARROW
    refused = _get(world, f"{GROUP}/parts/0")
    assert (refused.status_code, refused.json["code"]) == (404, "part-not-found")


def test_direct_reads_tell_where_the_files_are(tmp_path: Path, warehouse: Warehouse) -> None:
    world = _world(tmp_path, warehouse, warehouse_settings={"direct_reads": True})
    uris = [part["uri"] for part in _manifest(world)["parts"]]
    assert all(uri.startswith(f"{warehouse.url}/") and uri.endswith(".parquet") for uri in uris)


def test_only_who_reads_rows_gets_parts(world: World) -> None:
    stranger = world.key("rivals")
    paths = (f"{GROUP}/rows", f"{GROUP}/parts/0", f"{GROUP}/parts/0/0", f"{GROUP}/parts/9/9")
    for path in paths:
        answer = world.call("GET", path, stranger, headers=BOTH)
        assert (answer.status_code, answer.json["code"]) == (404, "project-not-found"), path
    world.share("football", "rivals")
    shared = world.call("GET", f"{GROUP}/rows", stranger, headers=BOTH)
    assert shared.content_type == PARTS


def test_a_key_that_was_revoked_gets_no_more_parts(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = _world(tmp_path, local_warehouse)
    key = world.key("football", fresh=True)
    with world.call("GET", f"{GROUP}/parts/0/0", key) as answer:
        assert answer.status_code == 200
    world.container.api_keys.revoke(world.operator, "football", world.key_id(key))
    assert world.call("GET", f"{GROUP}/parts/0/0", key).status_code == 401
    assert _get(world, f"{GROUP}/parts/0").status_code == 200


def test_a_group_that_was_deleted_has_no_parts(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = _world(tmp_path, local_warehouse)
    with _get(world, f"{GROUP}/parts/0/0") as answer:
        assert answer.status_code == 200
    assert world.call("DELETE", GROUP, world.key("football")).status_code == 204
    for path in (f"{GROUP}/parts/0", f"{GROUP}/parts/0/0"):
        gone = _get(world, path)
        assert (gone.status_code, gone.json["code"]) == (404, "feature-group-not-found")


def test_a_group_on_demand_has_no_parts(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = _world(tmp_path, local_warehouse)
    with world.container.database.write() as uow:
        uow.session.execute(update(FeatureGroup).values(kind=ON_DEMAND, location=""))
        uow.commit()
    for path in (f"{GROUP}/parts/0", f"{GROUP}/parts/0/0"):
        answer = _get(world, path)
        assert (answer.status_code, answer.json["code"]) == (404, "part-not-found")


def test_a_file_that_is_gone_is_said_to_be(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = _world(tmp_path, local_warehouse)
    for file in Path(local_warehouse.url).rglob("*.parquet"):
        file.unlink()
    gone = _get(world, f"{GROUP}/parts/0/0")
    assert (gone.status_code, gone.json["code"]) == (404, "part-not-found")


@pytest.mark.parametrize("when", ["before the file is looked for", "before it is sent"])
def test_a_group_deleted_meanwhile_is_not_there(tmp_path: Path, local_warehouse: Warehouse, when: str) -> None:
    world = _world(tmp_path, local_warehouse)
    parts = world.container.parts
    step = "_pinned" if when == "before the file is looked for" else "file"
    ordinary = getattr(parts, step)

    def delete_then(*arguments: Any) -> Any:
        """What the step answered, when the group is gone already."""
        setattr(parts, step, ordinary)
        found = ordinary(*arguments)
        with ThreadPoolExecutor(1) as elsewhere:
            assert elsewhere.submit(world.call, "DELETE", GROUP, world.key("football")).result().status_code == 204
        return found

    setattr(parts, step, delete_then)
    gone = _get(world, f"{GROUP}/parts/0/0")
    assert (gone.status_code, gone.json["code"]) == (404, "feature-group-not-found")


def test_a_link_out_of_the_warehouse_is_not_followed(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = _world(tmp_path, local_warehouse)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for file in Path(local_warehouse.url).rglob("*.parquet"):
        file.unlink()
        file.symlink_to(secret)
    answer = _get(world, f"{GROUP}/parts/0/0")
    assert (answer.status_code, answer.json["code"]) == (404, "part-not-found")
    # Nor is it offered; what the engine makes of such a file is the engine's business.
    assert _get(world, f"{GROUP}/parts/0").status_code == 404


def test_ranges_of_a_part(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = _world(tmp_path, local_warehouse)
    with _get(world, f"{GROUP}/parts/0/0") as whole:
        data, etag = whole.data, whole.headers["ETag"]
        assert whole.headers["Accept-Ranges"] == "bytes"
        assert whole.headers["Cache-Control"] == "no-store"
    with _get(world, f"{GROUP}/parts/0/0", headers={"Range": "bytes=100-", "If-Match": etag}) as rest:
        assert (rest.status_code, rest.data) == (206, data[100:])
        assert rest.headers["Content-Range"] == f"bytes 100-{len(data) - 1}/{len(data)}"
    with _get(world, f"{GROUP}/parts/0/0", headers={"Range": f"bytes={len(data)}-"}) as beyond:
        assert beyond.status_code == 416
    with _get(world, f"{GROUP}/parts/0/0", headers={"If-None-Match": etag}) as unchanged:
        assert (unchanged.status_code, unchanged.data) == (304, b"")


def _location(world: World, name: str) -> str:
    with world.container.database.read() as session:
        return str(session.scalar(select(FeatureGroup.location).where(FeatureGroup.name == name)))


def _data_file(world: World, location: str) -> str:
    files = (path for path in world.container.store.list_files(location) if path.endswith(".parquet"))
    return next(files).removeprefix(f"{location}/")


FOREIGN = {
    "beside": "../{table}/{file}",
    "encoded": "%2e%2e/{table}/{file}",
    "over the top": "../../{location}/{file}",
    "a detour": "x/../../{table}/{file}",
    "from the root": "/{location}/{file}",
    "by its address": "{uri}",
}


def _log_file(world: World, path: str) -> None:
    """Group g's next version also has this file."""
    store, log = world.container.store, f"{_location(world, 'g')}/_delta_log"
    with store.open_input(f"{log}/00000000000000000000.json") as first:
        added = next(entry for line in first if "add" in (entry := json.loads(line)))["add"]
    with store.open_output(f"{log}/00000000000000000001.json") as second:
        second.write(json.dumps({"add": {**added, "path": path}}).encode())


@pytest.mark.parametrize("name", FOREIGN)
def test_no_address_leads_out_of_the_groups_own_table(world: World, name: str) -> None:
    """Whatever a log says: who could write there must not get the gateway to sign for another table's files."""
    _create(world, TABLE, "other")
    other = _location(world, "other")
    file, uri = _data_file(world, other), world.container.store.uri(f"{other}/{_data_file(world, other)}")
    _log_file(world, FOREIGN[name].format(location=other, table=other.partition("/")[2], file=file, uri=uri))
    for asked in (f"{GROUP}/rows", f"{GROUP}/parts/1"):
        answer = _get(world, asked, headers=BOTH)
        assert answer.content_type != PARTS
        assert file.encode() not in answer.data


def test_a_file_of_its_own_is_among_the_addresses(world: World) -> None:
    """So that it is the place which decides above, and not the log's being written by hand."""
    _log_file(world, "city=Oslo/another.parquet")
    assert any("another.parquet" in part["url"] or part["url"].endswith("/2") for part in _manifest(world)["parts"])


def test_addresses_end_before_the_credentials_that_signed_them() -> None:
    """Those of a role are made anew so long before their end, at the latest."""
    assert WarehouseSettings().presigned_seconds <= RefreshableCredentials._mandatory_refresh_timeout
