"""Staged inserts at the gateway: who gets a place, what its credential reaches, and files that are not what they seem."""

import hashlib
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from sqlalchemy import select

from app.featurestore.feature_groups.service import FeatureGroupService
from app.featurestore.locations.models import Location
from app.fsck import check_consistency
from infra.errors import StorageUnavailableError
from infra.ports.tables import Commit, TableStore, Write
from infra.ports.vending import STAGING_PREFIX
from infra.storage.vending import StsMinter
from tenancy.audit.models import AuditEvent
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.app.vending import GROUP, refusal, switch, vending_world
from tests.frames import frame_request, read_arrow
from tests.lab.seaweedfs import SeaweedFs
from tests.world import ALL_SCOPES, World

STAGED = "application/vnd.oasthouse.staged+json"
STAGINGS = f"{GROUP}/staged-inserts"
ROWS = pa.table({"id": [3, 4], "secret": ["three", None]})


@pytest.fixture
def world(tmp_path: Path, seaweedfs: SeaweedFs) -> Iterator[World]:
    made = vending_world(tmp_path, seaweedfs.new_warehouse(), seaweedfs.endpoint_url, from_bytes=1000)
    yield made
    made.container.database.engine.dispose()


class Client:
    """Does what the SDK does, and what it would never do."""

    def __init__(self, world: World, seaweedfs: SeaweedFs, key: str | None = None) -> None:
        self._world = world
        self.key = key or world.key("football")
        answer = begin(world, self.key)
        assert answer.status_code == 200, answer.json
        self.begun: dict[str, Any] = answer.json
        assert self.begun["mode"] == "direct", self.begun
        made = self.begun["credential"]
        names = {
            "AccessKeyId": "access_key_id",
            "SecretAccessKey": "secret_access_key",
            "SessionToken": "session_token",
        }
        self.s3 = seaweedfs.client_with({name: made[ours] for name, ours in names.items()}, retries={"max_attempts": 0})
        self.bucket, self.folder = urlsplit(made["uri"]).netloc, urlsplit(made["uri"]).path.strip("/")
        self.files: list[dict[str, Any]] = []

    def put(self, body: bytes | pa.Table, name: str | None = None, **told: Any) -> None:
        body = parquet(body) if isinstance(body, pa.Table) else body
        name = name or f"{len(self.files):05}.parquet"
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.folder}/{name}", Body=body)
        digest = hashlib.sha256(body).hexdigest()
        self.files.append({"name": name, "bytes": len(body), "sha256": digest, **told})

    def insert(self, rows: int, *, once: str | None = None, path: str = GROUP, **changes: Any) -> Any:
        body = {"staging": self.begun["staging"], "rows": rows, "files": self.files, **changes}
        headers = {"Content-Type": STAGED, **({"Idempotency-Key": once} if once else {})}
        data = json.dumps(body).encode()
        return self._world.call("POST", f"{path}/rows", self.key, data=data, headers=headers)


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def begin(world: World, key: str | None = None, path: str = STAGINGS, **body: Any) -> Any:
    return world.call("POST", path, key or world.key("football"), json=body or {"bytes": 10_000})


def rows_of(world: World) -> list[int]:
    read = world.call("GET", f"{GROUP}/rows", world.key("football"))
    return sorted(read_arrow(read.data)["id"].to_pylist())


def staged(world: World) -> list[str]:
    """Files that wait anywhere in the warehouse."""
    with world.container.database.read() as session:
        places = [path for path in session.scalars(select(Location.path)) if f"/{STAGING_PREFIX}" in path]
    return [path for place in places for path in world.container.store.list_files(place)]


def test_rows_of_several_files_in_order(world: World, seaweedfs: SeaweedFs) -> None:
    client = Client(world, seaweedfs)
    client.put(ROWS)
    client.put(pa.table({"id": [5], "secret": ["five"]}))
    done = client.insert(3)
    assert (done.status_code, done.json["rows_inserted"], done.json["table_version"]) == (200, 3, 1)
    assert rows_of(world) == [1, 2, 3, 4, 5]
    assert staged(world) == []


def test_the_answer_is_kept_nowhere_and_written_down(world: World) -> None:
    answer = begin(world)
    assert answer.headers["Cache-Control"] == "no-store"
    with world.container.database.read() as session:
        [event] = session.scalars(select(AuditEvent).where(AuditEvent.action == "data:vend"))
    assert (event.detail["level"], event.subject, event.key_id) == (
        "stage",
        "g version 1",
        world.key_id(world.key("football")),
    )
    assert event.detail["location"] in answer.json["credential"]["uri"]
    assert answer.json["credential"]["session_token"] not in str(event.detail)


def test_nothing_is_given_out_that_cannot_be_written_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    minted: list[object] = []
    monkeypatch.setattr(StsMinter, "mint", lambda *asked: minted.append(asked))
    with world.container.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_event RENAME TO audit_event_gone")
    assert begin(world).json["mode"] == "stream"
    assert minted == []


def _mode(world: World, key: str | None = None, **body: Any) -> tuple[str, str]:
    answer = begin(world, key, **body)
    assert answer.status_code == 200, answer.json
    assert (answer.json["staging"] is None) == (answer.json["credential"] is None) == (answer.json["mode"] != "direct")
    return answer.json["mode"], answer.json["why"]


def test_the_mode_is_said_with_its_reason(world: World) -> None:
    without = world.key("football", scopes=tuple(scope for scope in ALL_SCOPES if scope is not Scope.DATA_VEND))
    assert _mode(world)[0] == "direct"
    assert _mode(world, bytes=999) == ("stream", "the rows are too few for a credential to pay")
    mode, why = _mode(world, without)
    assert mode == "stream"
    assert "'data:vend'" in why
    switch(world, "football", enabled=False)
    mode, why = _mode(world)
    assert mode == "stream"
    assert "gives out no credentials" in why
    switch(world, "football")
    world.clock.ahead = timedelta(days=90) - timedelta(minutes=5)
    assert "less than 15 minutes" in _mode(world)[1]


def test_a_role_that_writes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading goes on as ever; rows are sent to the gateway."""
    original = StsMinter.probe

    def probe(self: StsMinter) -> Any:
        return [
            type(check)(**{**vars(check), "passed": check.passed and check.name != "stages inside"})
            for check in original(self)
        ]

    monkeypatch.setattr(StsMinter, "probe", probe)
    assert world.container.vending_proofs.check().passed
    mode, why = _mode(world)
    assert mode == "stream"
    assert "puts no objects" in why
    read = world.call("POST", f"{GROUP}/credentials", world.key("football"), json={})
    assert read.status_code == 200


def test_who_may_not_insert_gets_no_place(world: World) -> None:
    world.member("football", "vic", Role.VIEWER)
    world.share("football", "rivals")
    assert refusal(begin(world, world.key("football", "vic"))) == (403, "role-too-low")
    assert refusal(begin(world, world.key("rivals"))) == (403, "not-permitted")
    assert refusal(begin(world, world.key("venues"))) == (404, "project-not-found")
    reads = world.key("football", scopes=(Scope.DATA_VEND, Scope.FEATURESTORE_READ))
    assert refusal(begin(world, reads)) == (403, "scope-missing")


def test_a_table_is_never_written_with_a_credential(world: World) -> None:
    asked = world.call("POST", f"{GROUP}/credentials", world.key("football"), json={"level": "stage"})
    assert asked.status_code == 422


def test_what_the_credential_reaches(world: World, seaweedfs: SeaweedFs) -> None:
    client, other = Client(world, seaweedfs), Client(world, seaweedfs)
    assert client.folder != other.folder
    client.put(ROWS)
    upload = client.s3.create_multipart_upload(Bucket=client.bucket, Key=f"{client.folder}/large.parquet")
    client.s3.abort_multipart_upload(Bucket=client.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    admin = seaweedfs.client()
    root = client.folder.partition("/")[0]
    pages = admin.get_paginator("list_objects_v2").paginate(Bucket=client.bucket, Prefix=f"{root}/")
    everything = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    tables = {key.rpartition("/")[0] for key in everything if "/_delta_log/" in key}
    assert len(tables) == 4
    before = {key: admin.get_object(Bucket=client.bucket, Key=key)["Body"].read() for key in everything}
    beside = [f"{other.folder}/x", f"{client.folder}x", f"{client.folder}2/x", f"{root}/x"]
    log = [f"{table}/{9:020}.json" for table in tables]
    for key in (*everything, *beside, *log):
        assert _outcome(client.s3.get_object, Bucket=client.bucket, Key=key) in REFUSED, key
        assert _outcome(client.s3.delete_object, Bucket=client.bucket, Key=key) in REFUSED, key
        if not key.startswith(f"{client.folder}/"):
            assert _outcome(client.s3.put_object, Bucket=client.bucket, Key=key, Body=b"x") in REFUSED, key
    for prefix in (f"{client.folder}/", f"{root}/", ""):
        assert _outcome(client.s3.list_objects_v2, Bucket=client.bucket, Prefix=prefix) in REFUSED
    assert {key: admin.get_object(Bucket=client.bucket, Key=key)["Body"].read() for key in everything} == before


REFUSED = {"AccessDenied", "403"}


def _outcome(call: Any, **arguments: Any) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


def test_a_staging_is_of_one_member_one_group_and_one_project(world: World, seaweedfs: SeaweedFs) -> None:
    """Anybody else's answers as one that never was."""
    client = Client(world, seaweedfs)
    client.put(ROWS)
    world.member("football", "sara", Role.DATA_SCIENTIST)
    mine, other_group = client.begun["staging"], GROUP.replace("/g/", "/h/")
    other_project = GROUP.replace("football", "venues")
    for key, path in (
        (world.key("football", "sara"), GROUP),
        (client.key, other_group),
        (world.key("venues"), other_project),
    ):
        answers = []
        for staging in (mine, str(uuid4())):
            renewed = begin(world, key, f"{path}/staged-inserts", staging=staging)
            client.key = key
            inserted = client.insert(2, path=path, staging=staging)
            assert refusal(renewed) == refusal(inserted) == (404, "staging-not-found")
            answers.append((renewed.json["detail"], inserted.json["detail"]))
        assert answers[0] == answers[1]
    client.key = world.key("football", fresh=True)
    assert client.insert(2).status_code == 200, "the member's key may have been rotated in between"


def test_another_place_of_the_gateways_is_no_staging(world: World) -> None:
    """A table is claimed before it goes live, too."""
    with world.container.database.read() as session:
        live = next(iter(session.scalars(select(Location.path))))
    claimed = world.container.locations.claim(world.context("football").principal.project_id)  # type: ignore[arg-type]
    for path in (live, claimed):
        answer = begin(world, staging=path.rpartition("/")[2])
        assert refusal(answer) == (404, "staging-not-found")


def test_renewed_for_half_a_day_and_gone_after_a_whole(world: World, seaweedfs: SeaweedFs) -> None:
    client = Client(world, seaweedfs)
    client.put(ROWS)
    world.clock.ahead = timedelta(hours=11)
    renewed = begin(world, staging=client.begun["staging"])
    assert renewed.status_code == 200
    assert renewed.json["credential"]["uri"] == client.begun["credential"]["uri"]
    assert renewed.json["credential"]["session_token"] != client.begun["credential"]["session_token"]
    world.clock.ahead = timedelta(hours=13)
    assert refusal(begin(world, staging=client.begun["staging"])) == (404, "staging-not-found")
    assert check_consistency(world.container, deep=False).findings == []
    world.container.locations.purge()
    assert len(staged(world)) == 1, "whoever still inserts finds it"
    world.clock.ahead = timedelta(hours=25)
    assert world.container.locations.purge() >= 1
    assert (staged(world), rows_of(world)) == ([], [1, 2])
    assert refusal(client.insert(2)) == (404, "staging-not-found")
    assert check_consistency(world.container, deep=False).findings == []


def test_what_a_credential_puts_there_after_the_insert_goes_too(world: World, seaweedfs: SeaweedFs) -> None:
    client = Client(world, seaweedfs)
    client.put(ROWS)
    assert client.insert(2).status_code == 200
    client.put(b"late", "late.parquet")
    assert len(staged(world)) == 1
    assert check_consistency(world.container, deep=False).findings == []
    world.clock.ahead = timedelta(hours=25)
    world.container.locations.purge()
    assert list(world.container.store.list_files(client.folder.partition("/")[2])) == []


def _bomb() -> bytes:
    """A hundred kilobytes that say of themselves how large they are: far more than is taken."""
    text = pa.array(["x" * 1_000_000]).dictionary_encode()
    many = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), text.dictionary)
    return parquet(pa.table({"id": list(range(20_000)), "secret": many}), compression="zstd")


def _cut() -> bytes:
    whole = parquet(pa.table({"id": list(range(5000)), "secret": ["x"] * 5000}), use_dictionary=False)
    middle = len(whole) // 3
    return whole[:middle] + bytes(500) + whole[middle + 500 :]


HOSTILE: dict[str, tuple[list[bytes | pa.Table], int, dict[str, Any], tuple[int, str]]] = {
    "another digest": ([ROWS], 2, {"sha256": "0" * 64}, (422, "staged-file-differs")),
    "shorter than told": ([ROWS], 2, {"bytes": 10_000}, (422, "staged-file-differs")),
    "longer than told": ([ROWS], 2, {"bytes": 100}, (422, "staged-file-differs")),
    "more bytes than are taken": ([ROWS], 2, {"bytes": 1 << 50}, (413, "frame-too-large")),
    "no such file": ([ROWS], 2, {"name": "other.parquet"}, (422, "staged-file-differs")),
    "a name that leads elsewhere": ([ROWS], 2, {"name": "../x.parquet"}, (422, "invalid-input")),
    "a name below": ([ROWS], 2, {"name": "a/x.parquet"}, (422, "invalid-input")),
    "more rows told": ([ROWS], 3, {}, (400, "row-count-mismatch")),
    "fewer rows told": ([ROWS], 1, {}, (400, "row-count-mismatch")),
    "no Parquet": ([b"PAR1 and so on"], 2, {}, (400, "frame-invalid")),
    "nothing": ([b"x"], 0, {}, (400, "frame-invalid")),
    "broken in the middle": ([_cut()], 5000, {}, (400, "frame-invalid")),
    "a column less": ([ROWS.select(["id"])], 2, {}, (422, "schema-mismatch")),
    "a column more": ([ROWS.append_column("more", ROWS["id"])], 2, {}, (422, "schema-mismatch")),
    "another type": ([ROWS.set_column(0, "id", pa.array(["3", "4"]))], 2, {}, (422, "schema-mismatch")),
    "files that differ": ([ROWS, ROWS.select(["id"])], 4, {}, (400, "frame-invalid")),
    "twice the same column": (
        [pa.Table.from_arrays([ROWS["id"], ROWS["id"]], names=["id", "id"])],
        2,
        {},
        (400, "frame-invalid"),
    ),
    "gigabytes in a kilobyte": ([_bomb()], 20_000, {}, (413, "frame-too-large")),
}


@pytest.mark.parametrize("what", list(HOSTILE))
def test_what_is_not_as_told_leaves_no_row(hostile: tuple[World, SeaweedFs], what: str) -> None:
    world, seaweedfs = hostile
    bodies, rows, told, expected = HOSTILE[what]
    client = Client(world, seaweedfs)
    for body in bodies:
        client.put(body)
    client.files[0].update(told)
    assert refusal(client.insert(rows)) == expected
    assert rows_of(world) == [1, 2]
    is_malformed = expected[1] == "invalid-input"
    assert [path for path in staged(world) if client.folder.rpartition("/")[2] in path and not is_malformed] == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, seaweedfs: SeaweedFs) -> Iterator[tuple[World, SeaweedFs]]:
    directory = tmp_path_factory.mktemp("hostile")
    made = vending_world(directory, seaweedfs.new_warehouse(), seaweedfs.endpoint_url, from_bytes=1000)
    yield made, seaweedfs
    made.container.database.engine.dispose()


def test_a_file_that_is_replaced_after_it_was_told_of(world: World, seaweedfs: SeaweedFs) -> None:
    client = Client(world, seaweedfs)
    client.put(ROWS)
    told = list(client.files)
    client.put(pa.table({"id": [666, 667], "secret": ["x", "y"]}), "00000.parquet")
    client.files = told
    assert refusal(client.insert(2)) == (422, "staged-file-differs")
    assert rows_of(world) == [1, 2]


def test_sent_again_it_is_there_once(world: World, seaweedfs: SeaweedFs) -> None:
    client = Client(world, seaweedfs)
    client.put(ROWS)
    first, again = client.insert(2, once="staged-4711"), client.insert(2, once="staged-4711")
    assert (first.status_code, again.status_code, again.headers["Idempotent-Replay"]) == (200, 200, "true")
    assert first.json == again.json
    assert refusal(client.insert(3, once="staged-4711")) == (422, "idempotency-key-reused")
    assert refusal(client.insert(2, once="staged-4712")) == (422, "staged-file-differs"), "its files are gone"
    assert rows_of(world) == [1, 2, 3, 4]


class _DiesOnce:
    """A table store whose process dies before the commit or after it, once."""

    def __init__(self, tables: TableStore, error: BaseException, *, after: bool) -> None:
        self._tables, self._error, self._after = tables, error, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._tables, name)

    def write(self, location: str, write: Write) -> Commit:
        error, self._error = self._error, None  # type: ignore[assignment]
        if error is not None and not self._after:
            raise error
        commit = self._tables.write(location, write)
        if error is not None:
            raise error
        return commit


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("error", [RuntimeError("died"), StorageUnavailableError("lost")], ids=["died", "lost"])
def test_a_gateway_that_dies_while_it_commits(
    world: World, seaweedfs: SeaweedFs, error: Exception, *, after: bool
) -> None:
    client = Client(world, seaweedfs)
    client.put(ROWS)
    groups: FeatureGroupService = world.container.feature_groups
    groups._tables = _DiesOnce(groups._tables, error, after=after)  # type: ignore[assignment]
    assert client.insert(2, once="staged-4711").status_code in {500, 503}
    assert rows_of(world) in ([1, 2], [1, 2, 3, 4]), "whole, or not at all"
    again = client.insert(2, once="staged-4711")
    assert (again.status_code, again.json["rows_inserted"]) == (200, 2)
    assert (rows_of(world), staged(world)) == ([1, 2, 3, 4], [])


def test_rules_of_the_group_hold(world: World, seaweedfs: SeaweedFs) -> None:
    rules = {"rules": [{"rule": "range", "column": "id", "max": 3}]}
    path = f"{GROUP}/expectations"
    assert world.call("PUT", path, world.key("football"), json=rules).status_code == 200
    client = Client(world, seaweedfs)
    client.put(ROWS)
    assert refusal(client.insert(2)) == (422, "validation-failed")
    assert rows_of(world) == [1, 2]


def test_a_dictionary_that_arrow_cannot_unfold_is_a_mistake_of_the_frame(world: World) -> None:
    views = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", "b"], pa.string_view()))
    table = pa.table({"id": [3, 4], "secret": views})
    answer = world.call("POST", f"{GROUP}/rows", world.key("football"), **frame_request(table))
    assert refusal(answer) == (422, "schema-mismatch")
    assert rows_of(world) == [1, 2]


def test_a_reference_is_small_json(world: World) -> None:
    key = world.key("football")
    for data, expected in ((b"[", (400, "json-malformed")), (b"{}", (422, "invalid-input"))):
        answer = world.call("POST", f"{GROUP}/rows", key, data=data, headers={"Content-Type": STAGED})
        assert refusal(answer) == expected
    answer = world.call("POST", f"{GROUP}/rows", key, data=b" " * (1 << 21), headers={"Content-Type": STAGED})
    assert refusal(answer) == (413, "body-too-large")
