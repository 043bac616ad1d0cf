"""Whole feature groups out of their parts: all rows, or an error, whatever happens on the way."""

import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from hops.featurestore import part_files
from hops.featurestore.address import Address
from hops.featurestore.api_key import ApiKey
from hops.featurestore.errors import (
    AnswerCutError,
    FeatureGroupNotFoundError,
    FeatureStoreError,
    NotAuthenticatedError,
)
from hops.featurestore.part_places import Places
from hops.featurestore.part_rows import PartRows
from hops.featurestore.tls import tls_context
from hops.featurestore.transport import Transport
from tests.cloud_sdk.gateway import KEY, Reply, arrow_reply, json_reply, problem, serving
from tests.cloud_sdk.store import PARTS, PINNED, ROWS, Parts, Store, cut, parquet, refuse
from tests.cloud_sdk.test_tls import BY_NAME, self_signed

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
TABLE = pa.table({"id": list(range(3000)), "name": [f"name {each}" for each in range(3000)]}, SCHEMA)
THIRDS = [TABLE.slice(0, 1000), TABLE.slice(1000, 1500), TABLE.slice(2500)]
MIB = 1 << 20


@pytest.fixture
def sdk_gateway():
    """One that serves files as well."""
    return Store()


@pytest.fixture
def store():
    """Another origin."""
    made = Store()
    with serving(made) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


@pytest.fixture
def parts(store):
    """Three of them in the store; nobody lists them yet."""
    made = Parts(store, store.url, SCHEMA)
    for table in THIRDS:
        made.add(table)
    return made


@pytest.fixture
def group(fs, sdk_gateway):
    """Reads the group `g` of a gateway that answers with this list of parts."""

    def read(parts, kind="pyarrow", renewed=None, **changes):
        sdk_gateway.on("GET", ROWS, manifest_reply(parts.manifest(**changes)))
        sdk_gateway.on("GET", PINNED, manifest_reply((renewed or parts).manifest()))
        return fs.get_featuregroup("g", as_=kind)

    return read


def manifest_reply(manifest):
    return Reply(200, json.dumps(manifest).encode(), {"Content-Type": PARTS})


def test_rows_are_those_of_all_parts_in_their_order(group, parts, sdk_gateway):
    assert group(parts).equals(TABLE)
    assert PARTS in sdk_gateway.last().headers["Accept"]
    assert [asked.path for asked in sdk_gateway.asked if asked.path != "/api/v1/me"] == [f"/api/v1{ROWS}"]


@pytest.mark.parametrize("kind", ["pandas", "polars", "numpy", "reader"])
def test_every_kind_of_frame(group, parts, kind):
    frame = group(parts, kind)
    rows = frame.read_all().num_rows if kind == "reader" else len(frame)
    assert rows == 3000


def test_a_store_is_told_nothing_but_the_address(group, parts, store):
    path = parts.add(TABLE.slice(0, 0))
    store.faults[path] = [cut(100)]
    group(parts)
    for asked in store.asked:
        told = {name.lower() for name in asked.headers} - {"range", "if-match"}
        assert told == {"host", "accept-encoding", "user-agent"}
        assert asked.headers["User-Agent"].startswith("python-urllib3/")
        assert KEY not in str(asked)


@pytest.mark.parametrize("absolute", [False, True])
def test_the_gateway_is_told_the_key(group, sdk_gateway, sdk_url, absolute):
    parts = Parts(sdk_gateway, sdk_url if absolute else "", SCHEMA)
    path = parts.add(TABLE)
    assert group(parts).equals(TABLE)
    assert sdk_gateway.asked_for(path)[0].headers["Authorization"] == f"ApiKey {KEY}"


@pytest.mark.parametrize("url", ["/elsewhere/part", "part", "../part"])
def test_the_key_goes_to_the_api_only(group, sdk_gateway, url):
    parts = Parts(sdk_gateway, "", SCHEMA)
    parts.add(TABLE, url=url)
    with pytest.raises(AnswerCutError, match="outside its API"):
        group(parts)


def test_partition_columns_come_from_the_list_and_late_columns_are_null(group, store):
    schema = pa.schema(
        [
            ("day", pa.date32()),
            ("id", pa.int64()),
            ("flag", pa.bool_()),
            ("late", pa.list_(pa.int32())),
            ("n", pa.int8()),
        ]
    )
    parts = Parts(store, store.url, schema)
    parts.add(pa.table({"id": [1, 2]}), {"day": "2024-02-29", "flag": "true", "n": "-7"})
    parts.add(pa.table({"late": [[3]], "other": ["x"], "id": [3]}), {"day": None, "flag": "false", "n": None})
    table = group(parts)
    assert table.schema == schema
    assert table.to_pylist() == [
        {"day": date(2024, 2, 29), "id": 1, "flag": True, "late": None, "n": -7},
        {"day": date(2024, 2, 29), "id": 2, "flag": True, "late": None, "n": -7},
        {"day": None, "id": 3, "flag": False, "late": [3], "n": None},
    ]
    with group(parts, "reader") as reader:
        assert reader.read_all().equals(table)


def test_rows_are_counted_where_no_stored_column_is_asked_for(group, store):
    parts = Parts(store, store.url, pa.schema([("city", pa.string())]))
    parts.add(TABLE, {"city": "Oslo"})
    assert group(parts)["city"].to_pylist() == ["Oslo"] * 3000
    assert sum(batch.num_rows for batch in group(parts, "reader")) == 3000


def test_types_are_those_of_the_list(group, store):
    schema = pa.schema([("id", pa.int64()), ("name", pa.string()), ("at", pa.timestamp("us", "UTC"))])
    parts = Parts(store, store.url, schema)
    stored = {"id": pa.int32(), "name": pa.large_string(), "at": pa.timestamp("ms", "UTC")}
    parts.add(pa.table({"id": [1], "name": ["a"], "at": [5]}).cast(pa.schema(stored)))
    assert group(parts).schema == schema
    assert group(parts, "reader").read_all().schema == schema


def test_a_group_without_parts_has_no_rows(group, store):
    assert group(Parts(store, store.url, SCHEMA)).equals(SCHEMA.empty_table())
    assert list(group(Parts(store, store.url, SCHEMA), "reader")) == []


def wait_until(so):
    deadline = time.monotonic() + 10
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def held_in(folder):
    """How many of this process's open files, mapped ones among them, lie in the folder, whether or not they have a name."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # of the listing itself
            count += str(descriptor.readlink()).startswith(f"{folder}/")
    return count


@pytest.fixture
def on_disk(monkeypatch, tmp_path):
    """Where parts wait, however small they are."""
    folder = tmp_path / "waiting"
    folder.mkdir()
    monkeypatch.setattr(part_files, "IN_MEMORY", 100)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_large_parts_wait_on_disk_and_leave_nothing(group, parts, on_disk):
    seen = []
    with group(parts, "reader") as reader:
        for batch in reader:
            seen.append(batch.num_rows)
            assert held_in(on_disk) > 0
            assert not list(on_disk.iterdir()), "a file without a name goes with the process, however that ends"
    assert sum(seen) == 3000
    assert held_in(on_disk) == 0
    parts.store.faults[f"/api/v1{PINNED}/1"] = [cut(150), lambda asked, _reply: whole(parts, asked)]
    assert group(parts).equals(TABLE)
    assert held_in(on_disk) == 0


def test_a_part_that_was_read_takes_no_room_while_the_next_one_is(group, parts, on_disk):
    with group(parts, "reader") as reader:
        held = []
        for _ in reader:
            wait_until(lambda: all(part.done() for part in reader._source._waiting))
            held.append(held_in(on_disk))
    # Each of them as a file and as what is mapped of it, while it is read; those that wait as a file only.
    assert held == [2 + 2, 2 + 1, 2]


def test_where_an_open_file_cannot_be_mapped_it_is_read(group, parts, on_disk, monkeypatch):
    monkeypatch.setattr(part_files, "_CAN_MAP", False)
    assert group(parts).equals(TABLE)
    assert held_in(on_disk) == 0


def test_a_part_without_bytes_can_be_read(monkeypatch):
    monkeypatch.setattr(part_files, "IN_MEMORY", -1)
    with closing(part_files.PartFile(0)) as part:
        assert part.source().read() == b""


def test_a_process_that_is_killed_leaves_no_file(tmp_path):
    code = """
import os, signal
from hops.featurestore import part_files
part_files.IN_MEMORY = 0
kept = part_files.PartFile(1 << 20)
kept.append(bytes(1 << 20))
kept.source()
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not list(tmp_path.iterdir())


def test_closing_early_gives_back_what_waits_and_what_is_on_its_way(group, store, on_disk):
    parts, stopped = Parts(store, store.url, SCHEMA), threading.Event()
    for _ in range(4):
        parts.add(TABLE)
    last = parts.add(TABLE)
    began = threading.Event()

    def stall(_asked, reply):
        began.set()
        stopped.wait(20)
        return reply

    store.faults[last] = [stall]
    try:
        reader = group(parts, "reader")
        with reader:
            next(reader)
            assert began.wait(10)
            assert held_in(on_disk) > 2
        # The reader is still there, and so is the download that waits for an answer.
        assert held_in(on_disk) == 0
    finally:
        stopped.set()


def test_nothing_is_begun_after_closing(group, parts):
    reader = group(parts, "reader")
    source = reader._source
    reader.close()
    with pytest.raises(FeatureStoreError, match="download was closed"):
        source._downloads.fetch(0)


def test_closing_while_another_thread_reads(group, parts, monkeypatch):
    reading, closed = threading.Event(), threading.Event()
    batches = PartRows.batches

    def slow(rows):
        reading.set()
        closed.wait(10)
        yield from batches(rows)

    monkeypatch.setattr(PartRows, "batches", slow)
    reader = group(parts, "reader")
    thread = threading.Thread(target=lambda: next(reader), daemon=True)
    thread.start()
    assert reading.wait(10)
    reader.close()
    closed.set()
    thread.join(10)
    assert reader.closed


def test_a_full_disk_is_said_to_be_full(group, store, on_disk):
    parts = Parts(store, store.url, SCHEMA)
    parts.add(TABLE, data=b"x" * (3 * MIB))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        with pytest.raises(FeatureStoreError, match="cannot be kept in") as caught:
            group(parts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "TMPDIR" in str(caught.value)
    assert held_in(on_disk) == 0


# What breaks off


@pytest.mark.parametrize("after", [0, 1, 500])
def test_a_cut_part_is_resumed_where_it_broke_off(group, parts, store, sdk_waits, after):
    path = f"/api/v1{PINNED}/1"
    store.faults[path] = [cut(after), cut(after)]
    assert group(parts).equals(TABLE)
    first, *resumed = store.asked_for(path)
    assert "Range" not in first.headers
    wanted = [f"bytes={after * (number + 1)}-" for number in range(2)] if after else [None, None]
    assert [asked.headers.get("Range") for asked in resumed] == wanted
    assert [asked.headers.get("If-Match") for asked in resumed] == ['"one"', '"one"']
    assert len(sdk_waits) == 2


def whole(parts, asked):
    """The answer of a server that knows no ranges."""
    return Reply(200, parts.store.files[asked.path], {"ETag": parts.store.etag})


def test_a_server_that_ignores_ranges_sends_the_part_anew(group, parts, store):
    store.faults[f"/api/v1{PINNED}/0"] = [cut(500), lambda asked, _reply: whole(parts, asked)]
    assert group(parts).equals(TABLE)


@pytest.mark.parametrize("content_range", ["bytes 0-9/10", "nonsense", ""])
def test_another_range_than_asked_for_is_refused(group, parts, store, content_range):
    other = Reply(206, b"x" * 10, {"Content-Range": content_range})
    store.faults[f"/api/v1{PINNED}/0"] = [cut(500), lambda *_: other]
    with pytest.raises(AnswerCutError, match="Another range"):
        group(parts)


def test_a_part_that_changed_is_refused(group, parts, store):
    path = f"/api/v1{PINNED}/0"

    def changed(asked, _reply):
        return Reply(412 if asked.headers["If-Match"] != '"two"' else 200)

    store.faults[path] = [cut(500), changed]
    with pytest.raises(AnswerCutError, match="answered 412"):
        group(parts)


def test_a_weak_etag_is_not_insisted_on(group, parts, store):
    store.etag = 'W/"one"'
    path = f"/api/v1{PINNED}/0"
    store.faults[path] = [cut(500)]
    assert group(parts).equals(TABLE)
    assert "If-Match" not in store.asked_for(path)[1].headers


def test_a_part_that_always_breaks_off_is_given_up(group, parts, store, sdk_waits):
    path = f"/api/v1{PINNED}/2"
    store.faults[path] = [cut(100)] * 50
    with pytest.raises(AnswerCutError, match="no rows are returned") as caught:
        group(parts)
    assert caught.value.retryable
    assert len(store.asked_for(path)) == 4
    assert len(sdk_waits) == 3


def test_a_connection_that_brings_much_is_given_all_attempts_again(group, store, sdk_waits):
    noise = pa.table({"id": list(range(20_000)), "name": [f"{each:0200d}" for each in range(20_000)]}, SCHEMA)
    data = parquet(noise, compression="none", use_dictionary=False)
    assert len(data) > 4 * MIB
    parts = Parts(store, store.url, SCHEMA)
    path = parts.add(noise, data=data)
    store.faults[path] = [cut(700_000)] * 5
    assert group(parts).equals(noise)
    assert len(store.asked_for(path)) == 6


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_store_that_is_busy_is_asked_again(group, parts, store, sdk_waits, status):
    store.faults[f"/api/v1{PINNED}/0"] = [refuse(status), refuse(status)]
    assert group(parts).equals(TABLE)
    assert len(sdk_waits) == 2


# Addresses that expire


def test_an_expired_address_is_renewed_once(group, parts, store, sdk_gateway):
    store.faults = {f"/api/v1{PINNED}/{number}": [refuse(403)] for number in range(3)}
    assert group(parts).equals(TABLE)
    assert len(sdk_gateway.asked_for(f"/api/v1{PINNED}")) == 1
    assert sdk_gateway.asked_for(f"/api/v1{PINNED}")[0].headers["Authorization"]


def test_addresses_that_served_may_expire_again(group, store, sdk_gateway):
    parts = Parts(store, store.url, SCHEMA)
    for number in range(12):
        path = parts.add(TABLE.slice(number * 250, 250))
        if number % 6 == 5:
            store.faults[path] = [refuse(403)]
    assert group(parts).equals(TABLE)
    assert len(sdk_gateway.asked_for(f"/api/v1{PINNED}")) == 2


def test_other_parts_after_renewing_are_refused(group, parts, store):
    store.faults[f"/api/v1{PINNED}/0"] = [refuse(403)]
    others = Parts(store, store.url, SCHEMA)
    others.add(TABLE)
    with pytest.raises(AnswerCutError, match="other parts"):
        group(parts, renewed=others)


def test_a_part_that_a_store_lost_is_an_error(group, parts, store):
    """Once others have arrived: the store is in order, the rows are not."""
    store.faults[f"/api/v1{PINNED}/2"] = [refuse(404)] * 9

    with group(parts, "reader") as reader, pytest.raises(AnswerCutError, match="answered 404"):
        for _ in reader:
            pass


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (problem(404, "feature-group-not-found"), FeatureGroupNotFoundError),
        (problem(401, "not-authenticated"), NotAuthenticatedError),
    ],
)
def test_what_the_gateway_says_when_asked_for_new_addresses_is_raised(fs, sdk_gateway, parts, store, refusal, error):
    sdk_gateway.on("GET", ROWS, manifest_reply(parts.manifest()))
    sdk_gateway.on("GET", PINNED, refusal)
    store.faults[f"/api/v1{PINNED}/2"] = [refuse(403)]
    with pytest.raises(error):
        fs.get_featuregroup("g", as_="pyarrow")


@pytest.mark.parametrize(
    ("refusal", "error"),
    [(problem(404, "part-not-found"), FeatureStoreError), (problem(401, "not-authenticated"), NotAuthenticatedError)],
)
def test_what_the_gateway_refuses_in_the_middle_is_raised(group, sdk_gateway, refusal, error):
    parts = Parts(sdk_gateway, "", SCHEMA)
    for table in THIRDS:
        parts.add(table)
    sdk_gateway.faults[f"/api/v1{PINNED}/2"] = [lambda *_: refusal]
    with pytest.raises(error) as caught:
        group(parts)
    assert caught.value.code == json.loads(refusal.body)["code"]


# Stores that cannot be used


@pytest.fixture
def stream(sdk_gateway, store):
    """The gateway answers a stream to who no longer asks for parts."""
    parts = Parts(store, store.url, SCHEMA)
    parts.add(TABLE)

    def offer(parts=parts):
        def answer(asked):
            wants_parts = PARTS in asked.headers["Accept"]
            return manifest_reply(parts.manifest()) if wants_parts else arrow_reply(TABLE)

        original = sdk_gateway.answer
        sdk_gateway.answer = lambda asked: answer(asked) if asked.path == f"/api/v1{ROWS}" else original(asked)
        sdk_gateway.on("GET", PINNED, manifest_reply(parts.manifest()))
        return parts

    return offer


@pytest.mark.parametrize("kind", ["pyarrow", "reader"])
def test_a_store_out_of_reach_is_replaced_by_a_stream(fs, stream, sdk_gateway, store, sdk_waits, caplog, kind):
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    parts = Parts(store, nobody, SCHEMA)
    parts.add(TABLE)
    stream(parts)
    for _ in range(2):
        frame = fs.get_featuregroup("g", as_=kind)
        assert (frame.read_all() if kind == "reader" else frame).equals(TABLE)
    assert sdk_waits == []
    assert "127.0.0.1" in caplog.text
    assert sum(PARTS in asked.headers.get("Accept", "") for asked in sdk_gateway.asked) <= 1


def test_a_store_that_refuses_everything_is_replaced_by_a_stream(fs, stream, sdk_gateway, store):
    parts = stream()
    store.faults[f"/api/v1{PINNED}/0"] = [refuse(403)] * 9
    assert fs.get_featuregroup("g", as_="pyarrow").equals(TABLE)
    assert len(sdk_gateway.asked_for(f"/api/v1{PINNED}")) == 1
    assert len(parts.listed) == 1


def test_a_redirect_is_not_followed(fs, stream, sdk_gateway, store):
    stream()
    moved = Reply(307, b"", {"Location": f"{store.url}/elsewhere"})
    store.faults[f"/api/v1{PINNED}/0"] = [lambda *_: moved]
    assert fs.get_featuregroup("g", as_="pyarrow").equals(TABLE)
    assert store.asked_for("/elsewhere") == []


def test_parts_are_not_read_unencrypted_where_the_gateway_is_not(store):
    transport = Transport(Address("https", "gateway.example.com", 443), ApiKey("k"), tls=ssl.create_default_context())
    for url in (f"{store.url}/part", f"//{store.url[7:]}/part", "ftp://127.0.0.1/part", "file:///etc/hostname"):
        answer, failure = Places(transport).open(url, 0, None)
        assert answer is None
        assert failure.unreached
        assert "unencrypted" in str(failure.error)
    assert store.asked == []


def test_a_store_with_another_authority_is_out_of_reach(stream, fs, sdk_gateway, store):
    parts = Parts(store, store.url.replace("http:", "https:"), SCHEMA)
    parts.add(TABLE)
    stream(parts)
    assert fs.get_featuregroup("g", as_="pyarrow").equals(TABLE)
    assert store.asked == []


@pytest.fixture
def private_store(tmp_path):
    """Serves over TLS with a certificate of a private authority; gives its PEM file and address."""
    pem, wrap = self_signed(tmp_path, BY_NAME)
    made = Store()
    with serving(made, wrap) as port:
        yield made, pem, f"https://localhost:{port}"


@pytest.mark.parametrize("trusted", [True, False])
def test_a_store_may_have_the_authority_that_the_gateway_has(private_store, trusted):
    store, pem, url = private_store
    store.files["/part"] = b"part"
    tls = tls_context(trust_store_path=pem if trusted else None)
    places = Places(Transport(Address("https", "gateway.example.com", 443), ApiKey("k"), tls=tls, timeout=10.0))
    answer, failure = places.open(f"{url}/part", 0, None)
    if trusted:
        assert answer.read() == b"part"
        assert "authorization" not in {name.lower() for name in store.last().headers}
    else:
        assert failure.unreached
        assert store.asked == []
    places.close()


# Parts that are not what was said


@pytest.mark.parametrize("changes", [{"rows": 999}, {"bytes": 1}])
def test_a_list_that_does_not_add_up_is_refused(group, parts, changes):
    with pytest.raises(AnswerCutError, match="add up"):
        group(parts, **changes)


def test_a_part_with_other_rows_than_listed_is_refused(group, store):
    parts = Parts(store, store.url, SCHEMA)
    parts.add(TABLE, rows=2999)
    with pytest.raises(AnswerCutError, match="3000 rows where 2999"):
        group(parts)
    with pytest.raises(AnswerCutError, match="3000 rows where 2999"):
        list(group(parts, "reader"))


@pytest.mark.parametrize("kind", ["pyarrow", "reader"])
def test_a_part_that_miscounts_itself_is_refused(group, store, kind):
    """A footer that says 2999, over row groups of 3000."""
    footer = parquet(TABLE)
    at = footer.index(b"\xf0\x2e", len(footer) - int.from_bytes(footer[-8:-4], "little") - 8)
    parts = Parts(store, store.url, SCHEMA)
    parts.add(TABLE, data=footer[:at] + b"\xee\x2e" + footer[at + 2 :], rows=2999)
    with pytest.raises(AnswerCutError, match="3000 rows arrived where 2999"):
        list(group(parts, kind))


@pytest.mark.parametrize("kind", ["pyarrow", "reader"])
def test_a_part_of_other_types_than_listed_is_refused(group, store, kind):
    parts = Parts(store, store.url, SCHEMA)
    parts.add(pa.table({"id": ["no number"], "name": ["x"]}))
    with pytest.raises(AnswerCutError, match="cannot be read"):
        list(group(parts, kind))


def test_a_longer_part_than_listed_is_refused(group, store):
    parts = Parts(store, store.url, SCHEMA)
    parts.add(TABLE, bytes=1000)
    with pytest.raises(AnswerCutError, match="longer"):
        group(parts)


def test_a_shorter_part_than_listed_is_refused(group, store):
    parts = Parts(store, store.url, SCHEMA)
    path = parts.add(TABLE, bytes=10_000_000)
    # What was sent completely is asked for from its end on, which is no range of it.
    store.faults[path] = [lambda _asked, reply: reply] + [refuse(416)] * 9
    with pytest.raises(AnswerCutError):
        group(parts)


def test_a_part_that_is_no_parquet_is_refused(group, store):
    parts = Parts(store, store.url, SCHEMA)
    parts.add(TABLE, data=b"PAR1 and nothing more PAR1")
    with pytest.raises(AnswerCutError, match="cannot be read"):
        group(parts)


def test_a_damaged_part_is_refused(group, store):
    data = bytearray(parquet(TABLE, compression="zstd"))
    data[20:2000] = bytes(1980)
    parts = Parts(store, store.url, SCHEMA)
    parts.add(TABLE, data=bytes(data))
    with pytest.raises(AnswerCutError, match="cannot be read"):
        group(parts)
    with pytest.raises(AnswerCutError, match="cannot be read"):
        list(group(parts, "reader"))


def test_a_part_that_was_packed_on_the_way_is_refused(group, parts, store):
    packed = Reply(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})
    store.faults[f"/api/v1{PINNED}/0"] = [lambda *_: packed]
    with pytest.raises(FeatureStoreError, match="encoding"):
        group(parts)


def test_a_list_that_is_cut_is_an_error(fs, sdk_gateway, parts):
    body = json.dumps(parts.manifest()).encode()
    sdk_gateway.on("GET", ROWS, Reply(200, body[:50], {"Content-Type": PARTS}, announced=len(body)))
    with pytest.raises(AnswerCutError):
        fs.get_featuregroup("g")


def test_addresses_are_never_shown(group, parts, store, caplog):
    caplog.set_level("INFO")
    for part in parts.listed:
        part["url"] += "?X-Amz-Signature=s3cr3t"
    store.faults = {f"/api/v1{PINNED}/{number}": [cut(10), refuse(500), refuse(404)] for number in range(3)}
    store.faults[f"/api/v1{PINNED}/2"] = [cut(10)] * 9
    with pytest.raises(AnswerCutError) as caught:
        group(parts)
    shown = str(caught.value) + "".join(record.getMessage() for record in caplog.records if record.name == "hops")
    assert "Trying again" in shown
    assert "s3cr3t" not in shown
    assert caught.value.__context__ is None


def test_closing_a_reader_ends_its_downloads(group, parts):
    with group(parts, "reader") as reader:
        next(reader)
    assert reader.closed
    with pytest.raises(FeatureStoreError, match="closed"):
        next(reader)


def test_a_wrong_answer_of_the_gateway_for_a_list_is_an_error(fs, sdk_gateway):
    sdk_gateway.on("GET", ROWS, json_reply({"items": []}))
    with pytest.raises(AnswerCutError):
        fs.get_featuregroup("g")
