"""Attacks that once worked, one test each."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from app.featurestore.feature_groups.conform import conformed
from app.featurestore.feature_groups.expansion import PORTION_BYTES, portions
from app.featurestore.feature_groups.frames import ARROW_STREAM, Frame, FrameTooLargeError, Upload
from infra.database.idempotency import IdempotencyKeyReusedError, RequestInProgressError, store_answer
from tenancy.principals import Role
from tests.frames import frame_request, read_arrow
from tests.world import World

GROUPS = "/projects/football/feature-groups"


def elsewhere(call: Callable[[], Any]) -> Any:
    """In a thread of its own, as another request is."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    return world


def test_2026_11_a_null_inside_a_dictionary_of_map_keys_aborts_no_process(football: World) -> None:
    keys = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(["a", None]))
    column = pa.MapArray.from_arrays([0, 1, 2], keys, pa.array([1, 2]))
    table = pa.table({"id": [1, 2], "pairs": column})
    features = [{"name": "pairs", "type": "map<string,bigint>"}]
    answer = football.call(
        "POST", GROUPS, football.key("football"), **frame_request(table, {"name": "g", "features": features})
    )
    assert answer.status_code in (400, 422)


def test_2026_11_a_refused_repetition_does_not_free_a_key_that_is_in_use(football: World) -> None:
    ledger, database = football.container.ledger, football.container.database
    first = ledger.claim("owner", "key-00000001", "print")
    with pytest.raises(RequestInProgressError):
        ledger.claim("owner", "key-00000001", "print")
    football.clock.ahead = timedelta(seconds=6)
    second = ledger.claim("owner", "key-00000001", "print")
    assert (second.id, second.attempt) == (first.id, 2)
    ledger.release(second)
    with database.write() as uow:
        store_answer(uow.session, first.id, {"status": 200, "body": {}})
        uow.commit()
    assert ledger.claim("owner", "key-00000001", "print").answer == {"status": 200, "body": {}}
    with pytest.raises(IdempotencyKeyReusedError):
        ledger.claim("owner", "key-00000001", "other")


def test_2026_11_a_kilobyte_does_not_become_gigabytes_at_once() -> None:
    long = "x" * 60_000
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0] * 30_000, pa.int32()), pa.array([long]))
    target = pa.schema([("text", pa.string())])
    batch = pa.record_batch([dictionary], names=["text"])
    portion = next(conformed(iter([batch]), target))
    assert 0 < portion.nbytes <= PORTION_BYTES + 100_000
    assert sum(part.num_rows for part in portions(batch, target)) == 30_000


def test_2026_11_nulls_without_bytes_count(football: World) -> None:
    uploads = football.container.settings.uploads.model_copy(update={"max_expanded_bytes": 1_000_000})
    object.__setattr__(
        football.container, "settings", football.container.settings.model_copy(update={"uploads": uploads})
    )
    table = pa.table({"id": pa.nulls(5_000_000)})
    features = [{"name": "id", "type": "bigint"}]
    answer = football.call(
        "POST", GROUPS, football.key("football"), **frame_request(table, {"name": "g", "features": features})
    )
    assert (answer.status_code, answer.json["code"]) == (413, "frame-too-large")


def test_2026_11_overwriting_asks_whose_the_dataset_is_at_the_end_too(football: World) -> None:
    for name in ("bob", "alice"):
        football.member("football", name, Role.DATA_SCIENTIST)
    path, places = "/projects/football/training-datasets", football.container.places
    store, table = places._store, pa.table({"x": [1.0]})

    class Slow:
        """While Bob's files are written, Alice makes a dataset of the same name."""

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def open_output(self, target: str) -> Any:
            if places._store is not store:
                places._store = store
                request = frame_request(table, {"name": "d"})
                made = elsewhere(lambda: football.call("POST", path, football.key("football", "alice"), **request))
                assert made.status_code == 201
            return store.open_output(target)

    places._store = Slow()  # type: ignore[assignment]
    command = {"name": "d", "overwrite": True, "description": "bob"}
    refused = football.call("POST", path, football.key("football", "bob"), **frame_request(table, command))
    assert (refused.status_code, refused.json["code"]) == (403, "not-creator")
    kept = football.call("GET", f"{path}/d/versions/1", football.key("football")).json
    assert (kept["created_by"], kept["description"]) == ("alice", "")


def test_2026_11_rows_written_into_a_deleted_group_do_not_stay(football: World) -> None:
    key, groups = football.key("football"), football.container.feature_groups
    football.call("POST", GROUPS, key, **frame_request(pa.table({"id": [1]}), {"name": "g"}))
    tables, root = groups._tables, football.directory.parent / "warehouse"

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(tables, name)

        def write(self, location: str, write: Any) -> Any:
            commit = tables.write(location, write)
            groups._tables = tables
            files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
            deleted = elsewhere(lambda: football.call("DELETE", f"{GROUPS}/g/versions/1", key))
            assert deleted.status_code == 204
            for path, content in files.items():  # as a writer does that had not finished
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            return commit

    groups._tables = Slow()  # type: ignore[assignment]
    answer = football.call("POST", f"{GROUPS}/g/versions/1/rows", key, **frame_request(pa.table({"id": [2]})))
    assert answer.json["code"] == "feature-group-not-found"
    assert not list(root.rglob("*.parquet"))


def test_2026_11_an_upsert_of_no_rows_is_no_fault(football: World) -> None:
    key = football.key("football")
    football.call("POST", GROUPS, key, **frame_request(pa.table({"id": [1]}), {"name": "g"}))
    empty = frame_request(pa.table({"id": pa.array([], pa.int64())}))
    answer = football.call("POST", f"{GROUPS}/g/versions/1/rows?mode=upsert", key, **empty)
    assert (answer.status_code, answer.json["rows_inserted"], answer.json["table_version"]) == (200, 0, 0)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([100_000_000], pa.int32()).cast(pa.date32()), "date"),
        (pa.array([-800_000], pa.int32()).cast(pa.date32()), "date"),
    ],
)
def test_2026_11_dates_outside_the_calendar_are_refused(football: World, column: pa.Array, kind: str) -> None:
    command = {"name": "g", "features": [{"name": "day", "type": kind}]}
    frame = frame_request(pa.table({"id": [1], "day": column}), command)
    answer = football.call("POST", GROUPS, football.key("football"), **frame)
    assert (answer.status_code, answer.json["code"]) == (422, "schema-mismatch")


def test_2026_11_duplicate_times_among_upserted_keys_are_named(football: World) -> None:
    key = football.key("football")
    when = pa.array([1_700_000_000, 1_700_000_000], pa.timestamp("s", "UTC"))
    football.call("POST", GROUPS, key, **frame_request(pa.table({"at": when}), {"name": "g"}))
    answer = football.call(
        "POST", f"{GROUPS}/g/versions/1/rows?mode=upsert", key, **frame_request(pa.table({"at": when}))
    )
    assert answer.status_code == 422
    assert "2023-11-14" in answer.json["detail"]


@pytest.mark.parametrize(
    "path",
    [
        f"{GROUPS}/g/versions/99999999999999999999",
        f"{GROUPS}?cursor=WyJhIiw5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTld",
        f"{GROUPS}?cursor=WyJcdWQ4MDAiLDFd",
        f"{GROUPS}?cursor=" + "W1tb" * 900,
    ],
)
def test_2026_11_what_no_column_holds_is_the_callers_fault(football: World, path: str) -> None:
    assert football.call("GET", path, football.key("football")).status_code in (404, 422)


def test_2026_11_lone_surrogates_are_refused(football: World) -> None:
    body = {"name": "g", "features": [{"name": "id", "type": "int"}], "description": "\ud800"}
    assert football.call("POST", GROUPS, football.key("football"), json=body).status_code == 422


def test_2026_11_many_repetitions_cost_little(football: World) -> None:
    names = [f"n{number}" for number in range(80_000)]
    body = {"name": "g", "features": [{"name": "id", "type": "int"}], "primary_key": names}
    assert football.call("POST", GROUPS, football.key("football"), json=body).status_code == 422
    body = {"features": ["id"], "join_key": ["id"] * 30_000}
    assert football.call("POST", "/projects/football/queries", football.key("football"), json=body).status_code == 422


def test_2026_11_a_command_cut_to_nothing_is_not_one_for_the_defaults(football: World) -> None:
    key = football.key("football", fresh=True)
    path = f"/api/v1/projects/football/api-keys/{football.key_id(key)}/rotate"
    headers = {"Authorization": f"ApiKey {key}", "Content-Type": "application/json"}
    cut = {"CONTENT_LENGTH": "19", "wsgi.input_terminated": True}
    answer = football.client.open(path, method="POST", headers=headers, environ_overrides=cut)
    assert (answer.status_code, answer.json["code"]) == (400, "body-truncated")


def test_2026_11_nesting_without_end_is_refused(football: World) -> None:
    values: Any = 1
    for _ in range(40):
        values = [values]
    table = pa.table({"id": [1], "deep": [values]})
    answer = football.call("POST", GROUPS, football.key("football"), **frame_request(table, {"name": "g"}))
    assert answer.status_code == 422


def test_2026_11_a_query_finds_its_groups_among_many(football: World) -> None:
    key = football.key("football")
    for name in ("a", "b"):
        football.call(
            "POST", GROUPS, key, **frame_request(pa.table({"id": [1], f"{name}_value": [1.0]}), {"name": name})
        )
    ask = {"features": ["a_value", "b_value", "id"]}
    assert read_arrow(football.call("POST", "/projects/football/queries", key, json=ask).data).num_rows == 1
    missing = football.call("POST", "/projects/football/queries", key, json={"features": ["a_valu"]})
    assert missing.json["candidates"] == ["a_value", "b_value"]


def test_2026_11_one_batch_is_measured_before_it_is_unpacked(tmp_path: Path) -> None:
    """A hundred kilobytes that become gigabytes at once; `explain` takes a key that may only look round."""
    zeros = pa.array(np.zeros(80_000_000, np.int64))
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, pa.schema([("x", pa.int64())]), options=options) as writer:
        writer.write(pa.record_batch([zeros], ["x"]))
    path = tmp_path / "frame"
    path.write_bytes(sink.getvalue())
    assert path.stat().st_size < 100_000
    before = pa.total_allocated_bytes()
    with pytest.raises(FrameTooLargeError, match="640,000,000 bytes uncompressed; 536,870,912 is the most"):
        Frame(Upload(path, ARROW_STREAM, 80_000_000, 1 << 40))
    assert pa.total_allocated_bytes() - before < 1_000_000


def test_2026_11_views_of_one_text_are_counted_before_they_are_checked(tmp_path: Path) -> None:
    text = pa.array(["x" * 1_000_000], pa.string_view())
    _, view, data = text.buffers()
    views = pa.Array.from_buffers(text.type, 1_000, [None, pa.py_buffer(view.to_pybytes() * 1_000), data])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("x", pa.string_view())])) as writer:
        writer.write(pa.record_batch([views], ["x"]))
    (path := tmp_path / "frame").write_bytes(sink.getvalue())
    assert path.stat().st_size < 3_000_000
    with pytest.raises(FrameTooLargeError, match="more than 100,000,000 bytes"):
        list(Frame(Upload(path, ARROW_STREAM, 1_000, 100_000_000)).batches())
