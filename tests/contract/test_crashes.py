"""kill -9 in the middle of things: what was acknowledged is there, once; what was sent again is there once too."""

import signal
import threading
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest
import urllib3

from app.featurestore.feature_groups.service import FeatureGroupService
from app.featurestore.locations.models import Location
from infra.errors import StorageUnavailableError
from infra.ports.tables import Commit, TableStore, Write
from tests.frames import arrow_bytes, frame_headers, frame_request, read_arrow
from tests.served import Served, served
from tests.world import World

GROUPS = "/api/v1/projects/football/feature-groups"
WRITERS, KILLS = 3, 3


def _post(gateway: Served, key: str, path: str, table: pa.Table, request: str) -> int:
    """The status, or 0 where the connection broke."""
    body = arrow_bytes(table)
    headers = {"Authorization": f"ApiKey {key}", "Idempotency-Key": request, **frame_headers(body, table.num_rows)}
    try:
        return urllib3.request(
            "POST", gateway.address + path, body=body, headers=headers, retries=False, timeout=30
        ).status
    except urllib3.exceptions.HTTPError:
        return 0


class Writer(threading.Thread):
    """Sends one row after another, each again and again until it is acknowledged, as the SDK does."""

    def __init__(self, gateway: Served, key: str, number: int, stop: threading.Event) -> None:
        super().__init__()
        self._gateway, self._key, self._number, self._stop_sending = gateway, key, number, stop
        self.acknowledged: list[int] = []
        self.broken = 0

    def run(self) -> None:
        row = self._number * 1_000_000
        while not self._stop_sending.is_set():
            self._send(row, uuid4().hex)
            self.acknowledged.append(row)
            row += 1

    def _send(self, row: int, request: str) -> None:
        table = pa.table({"id": [row], "value": [1.0]})
        while _post(self._gateway, self._key, f"{GROUPS}/numbers/versions/1/rows", table, request) != 200:
            self.broken += 1
            self._stop_sending.wait(0.1)


@pytest.mark.timeout(180)
def test_kill_9_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as gateway:
        key = gateway.oast("key", "create", "football", "--member", "ada")["key"]
        empty = pa.table({"id": pa.array([], pa.int64()), "value": pa.array([], pa.float64())})
        body = arrow_bytes(empty, {"name": "numbers"})
        headers = {"Authorization": f"ApiKey {key}", **frame_headers(body, 0)}
        assert urllib3.request("POST", gateway.address + GROUPS, body=body, headers=headers).status == 201
        stop = threading.Event()
        writers = [Writer(gateway, key, number, stop) for number in range(1, WRITERS + 1)]
        for writer in writers:
            writer.start()
        for _ in range(KILLS):
            _wait_for_progress(writers)
            gateway.signal(signal.SIGKILL)
            gateway.start()
        _wait_for_progress(writers)
        stop.set()
        for writer in writers:
            writer.join()
        answer = urllib3.request(
            "GET", f"{gateway.address}{GROUPS}/numbers/versions/1/rows", headers={"Authorization": f"ApiKey {key}"}
        )
        stored = sorted(read_arrow(answer.data).column("id").to_pylist())
    acknowledged = sorted(row for writer in writers for row in writer.acknowledged)
    assert stored == acknowledged
    assert sum(writer.broken for writer in writers) > 0, "the kills hit something"


def _wait_for_progress(writers: list[Writer]) -> None:
    before = [len(writer.acknowledged) for writer in writers]
    while any(len(writer.acknowledged) < count + 2 for writer, count in zip(writers, before, strict=True)):
        writers[0].join(0.05)


class _DiesAfterCommit:
    """A table store whose process dies between the commit and the answer, once."""

    def __init__(self, tables: TableStore, error: BaseException) -> None:
        self._tables = tables
        self._error: BaseException | None = error

    def __getattr__(self, name: str) -> object:
        return getattr(self._tables, name)

    def write(self, location: str, write: Write) -> Commit:
        commit = self._tables.write(location, write)
        error, self._error = self._error, None
        if error is not None:
            raise error
        return commit


@pytest.fixture
def numbers(world: World) -> World:
    world.project("football")
    table = pa.table({"id": [1], "value": [1.0]})
    created = world.call(
        "POST", "/projects/football/feature-groups", world.key("football"), **frame_request(table, {"name": "numbers"})
    )
    assert created.status_code == 201
    return world


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("died"), 500), (StorageUnavailableError("lost the answer"), 503)]
)
def test_a_commit_whose_answer_was_lost_is_found_again(numbers: World, error: Exception, status: int) -> None:
    groups: FeatureGroupService = numbers.container.feature_groups
    groups._tables = _DiesAfterCommit(groups._tables, error)  # type: ignore[assignment]
    path, key = "/projects/football/feature-groups/numbers/versions/1/rows", numbers.key("football")
    request = frame_request(pa.table({"id": [2, 3], "value": [2.0, 3.0]}))
    request["headers"]["Idempotency-Key"] = "insert-4711"
    assert numbers.call("POST", path, key, **request).status_code == status
    other = frame_request(pa.table({"id": [4], "value": [4.0]}))
    assert numbers.call("POST", path, key, **other).status_code == 200, "others go on in between"
    again = numbers.call("POST", path, key, **request)
    assert (again.status_code, again.json["rows_inserted"], again.json["table_version"]) == (200, 2, 1)
    assert sorted(read_arrow(numbers.call("GET", path, key).data)["id"].to_pylist()) == [1, 2, 3, 4]


def test_a_creation_that_failed_leaves_no_bytes(numbers: World) -> None:
    taken = frame_request(pa.table({"id": [1]}), {"name": "numbers"})
    key = numbers.key("football")
    before = sorted(numbers.container.store.list_files(_project_prefix(numbers)))
    for wrong in (taken, frame_request(pa.table({"id": [1]}), {"name": "other", "partition_by": ["id"]})):
        assert numbers.call("POST", "/projects/football/feature-groups", key, **wrong).status_code in (409, 422)
    assert sorted(numbers.container.store.list_files(_project_prefix(numbers))) == before


def test_a_claim_left_behind_by_a_crash_is_removed_a_day_later(numbers: World) -> None:
    container = numbers.container
    with container.database.read() as session:
        project_id = session.query(Location).one().project_id
    path = container.locations.claim(project_id)
    with container.store.open_output(f"{path}/part-0.parquet") as file:
        file.write(b"half a file")
    assert container.locations.purge() == 0
    numbers.clock.ahead = timedelta(hours=25)
    assert container.locations.purge() == 1
    assert not list(container.store.list_files(path))
    assert (
        numbers.call(
            "GET", "/projects/football/feature-groups/numbers/versions/1/rows", numbers.key("football")
        ).status_code
        == 200
    )


def _project_prefix(world: World) -> str:
    with world.container.database.read() as session:
        return str(session.query(Location).first().project_id)  # type: ignore[union-attr]
