"""What every source of files promises: buckets of others at two stores, and folders of the warehouse on both kinds."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.crypto import SecretValue
from infra.errors import InvalidInputError, StorageUnavailableError
from infra.ports.files import (
    BucketAccessRefusedError,
    BucketKeys,
    BucketNotFoundError,
    BucketTarget,
    FileLimits,
    FileSource,
    SourceFileChangedError,
    SourceFileNotFoundError,
    SourceFilesTooLargeError,
)
from infra.ports.sources import SourceUnreachableError
from infra.sources.addresses import AddressGuard
from infra.storage.buckets import S3Buckets
from infra.storage.folders import WarehouseFolders
from infra.storage.location import Warehouse
from infra.storage.roles import AssumedRoles

LIMITS = FileLimits(max_files=50, max_bytes=64 << 20)
HERE = AddressGuard((ip_network("127.0.0.0/8"),))


@dataclass
class Place:
    """`open` with limits; `put` and `remove` as somebody else does it, by a path below the source's root."""

    open: Callable[[FileLimits], FileSource]
    put: Callable[[str, bytes], object]
    remove: Callable[[str], object]

    @property
    def source(self) -> FileSource:
        return self.open(LIMITS)


def buckets(limits: FileLimits = LIMITS, guard: AddressGuard = HERE) -> S3Buckets:
    return S3Buckets(addresses=guard.addresses, roles=AssumedRoles(), limits=limits)


def target(endpoint_url: str, bucket: str, access_key: str, secret_key: str) -> BucketTarget:
    keys = BucketKeys(SecretValue(access_key), SecretValue(secret_key))
    return BucketTarget(bucket, keys, "in", None, endpoint_url)


def _keys(client: Any, bucket: str, root: str) -> dict[str, Any]:
    return {
        "put": lambda path, body: client.put_object(Bucket=bucket, Key=f"{root}/{path}", Body=body),
        "remove": lambda path: client.delete_object(Bucket=bucket, Key=f"{root}/{path}"),
    }


@pytest.fixture
def weed_target(seaweedfs: Any) -> BucketTarget:
    return target(seaweedfs.endpoint_url, seaweedfs.new_bucket(), "admin", "adminsecret")


@pytest.fixture
def moto_target(moto: Any, moto_endpoint: str) -> BucketTarget:
    moto.client("s3").create_bucket(Bucket="landing")
    return target(moto_endpoint, "landing", "testing", "testing")


@pytest.fixture(params=["weed-bucket", "moto-bucket", "local-folder", "weed-folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    store, kind = request.param.split("-")
    if kind == "bucket":
        aim: BucketTarget = request.getfixturevalue(f"{store}_target")
        client = (
            request.getfixturevalue("moto").client("s3")
            if store == "moto"
            else request.getfixturevalue("seaweedfs").client()
        )
        yield Place(lambda limits: buckets(limits).source(aim), **_keys(client, aim.bucket, aim.prefix))
        return
    warehouse: Warehouse = request.getfixturevalue("local_warehouse" if store == "local" else "s3_warehouse")
    folder = f"{uuid4()}/{uuid4()}"
    open_ = lambda limits: WarehouseFolders(warehouse, limits).source(folder)  # noqa: E731 as its sibling above
    if warehouse.is_s3:
        client = request.getfixturevalue("seaweedfs").client()
        yield Place(open_, **_keys(client, warehouse.bucket, f"{warehouse.prefix}/{folder}"))
    else:
        root = Path(warehouse.url) / folder
        yield Place(open_, put=partial(_write, root), remove=lambda path: (root / path).unlink())


def _write(root: Path, path: str, body: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(body)


def test_names_as_others_gave_them(place: Place) -> None:
    names = [
        "a b/city=New York/part 1.parquet",
        "a b/é ü/日本.csv",
        "a b/100% +&;$@!'()~,.csv",
        "_SUCCESS",
        "a b/.hidden",
    ]
    for name in names:
        place.put(name, name.encode())
    source = place.source
    assert [entry.path for entry in source.list_files("")] == sorted(names)
    for entry in source.list_files(""):
        assert entry.size == len(entry.path.encode())
        with source.open_input(entry) as file:
            assert file.read() == entry.path.encode()


def test_below_a_path_and_no_sibling(place: Place) -> None:
    for name in ("data/x.csv", "data/deep/y.csv", "data2/z.csv", "data.csv"):
        place.put(name, b"1")
    source = place.source
    for path in ("data", "/data/", "data/"):
        assert [entry.path for entry in source.list_files(path)] == ["data/deep/y.csv", "data/x.csv"]
    assert [entry.path for entry in source.list_files("data/x.csv")] == ["data/x.csv"]
    assert [entry.path for entry in source.list_files("data/x")] == []
    assert source.list_files("nowhere") == []


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "a/./b", "a//b", "x\0", "é" * 513, "\ud800"])
def test_paths_that_lead_elsewhere(place: Place, path: str) -> None:
    place.put("a", b"1")
    source = place.source
    with pytest.raises(InvalidInputError):
        source.list_files(path)
    entry = replace(source.list_files("a")[0], path=path)
    with pytest.raises(InvalidInputError):
        source.open_input(entry)


def test_files_are_seekable(place: Place) -> None:
    body = bytes(range(256)) * 20_000  # more than is read ahead
    place.put("x.bin", body)
    source = place.source
    (entry,) = source.list_files("x.bin")
    with source.open_input(entry) as file:
        assert file.seekable()
        file.seek(-300, 2)
        assert file.read() == body[-300:]
        file.seek(5)
        assert (file.tell(), file.read(10)) == (5, body[5:15])
        file.seek(0)
        assert file.read() == body
    place.put("empty", b"")
    with source.open_input(source.list_files("empty")[0]) as file:
        assert file.read() == b""


def test_a_file_that_was_replaced_is_not_mixed_with_the_other(place: Place) -> None:
    place.put("x", b"before")
    source = place.source
    (entry,) = source.list_files("x")
    place.remove("x")
    place.put("x", b"after it")
    with pytest.raises(SourceFileChangedError), source.open_input(entry) as file:
        file.read()
    place.remove("x")
    with pytest.raises((SourceFileNotFoundError, SourceFileChangedError)), source.open_input(entry) as file:
        file.read()


def test_limits_are_those_of_one_listing(place: Place) -> None:
    for number in range(4):
        place.put(f"x/{number}", b"12345")
    assert len(place.open(FileLimits(4, 20)).list_files("")) == 4
    for limits in (FileLimits(3, 1000), FileLimits(100, 19)):
        with pytest.raises(SourceFilesTooLargeError, match="most of one read"):
            place.open(limits).list_files("x")


def test_folders_as_consoles_make_them_are_no_files(moto_target: BucketTarget, moto: Any) -> None:
    put = moto.client("s3").put_object
    put(Bucket="landing", Key="in/folder/", Body=b"")
    put(Bucket="landing", Key="in/folder/x", Body=b"1")
    assert [entry.path for entry in buckets().source(moto_target).list_files("")] == ["folder/x"]


def test_a_key_that_a_client_would_take_for_another_is_refused(moto_target: BucketTarget, moto: Any) -> None:
    moto.client("s3").put_object(Bucket="landing", Key="in/a//b", Body=b"")
    with pytest.raises(InvalidInputError, match="no path of a file"):
        buckets().source(moto_target).list_files("")


def test_links_lead_nowhere(local_warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    root = Path(local_warehouse.url) / "p" / "f"
    _write(root, "real/x", b"1")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    source = WarehouseFolders(local_warehouse, LIMITS).source("p/f")
    entries = source.list_files("")
    assert [entry.path for entry in entries] == ["real/x"]
    for path in ("link", "folder/secret"):
        assert source.list_files(path) == []
        with pytest.raises(SourceFileNotFoundError):
            source.open_input(replace(entries[0], path=path))


def test_a_warehouse_that_refuses_says_so(s3_warehouse: Warehouse) -> None:
    """In the warehouse's own words: it is no bucket of somebody's."""
    assert s3_warehouse.s3 is not None
    strange = replace(s3_warehouse, s3=replace(s3_warehouse.s3, secret_access_key="wrong"))
    with pytest.raises(StorageUnavailableError, match="warehouse refused"):
        WarehouseFolders(strange, LIMITS).source("p/f").list_files("")


def test_a_folder_that_cannot_be_read_is_no_empty_one(
    local_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(local_warehouse.url) / "p" / "f"
    _write(root, "closed/x", b"1")
    _write(root, "open/.staging/x", b"1")
    source = WarehouseFolders(local_warehouse, LIMITS).source("p/f")
    assert [entry.path for entry in source.list_files("")] == ["closed/x", "open/.staging/x"]
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    # The tests may run as root, whom no mode keeps out.
    monkeypatch.setattr("os.scandir", refusing)
    with pytest.raises(StorageUnavailableError, match="Permission denied"):
        source.list_files("")


def test_half_written_files_of_a_folder_are_not_seen(local_warehouse: Warehouse) -> None:
    folders = WarehouseFolders(local_warehouse, LIMITS)
    folders.test("p/f")
    with folders.store("p/f").open_output("d/x") as file:
        file.write(b"1")
        assert folders.source("p/f").list_files("") == []
    assert [entry.path for entry in folders.source("p/f").list_files("")] == ["d/x"]
    assert list(folders.store("p/f").list_files("d")) == ["d/x"]


# buckets as stores


def test_writing_below_the_prefix(weed_target: BucketTarget, seaweedfs: Any) -> None:
    store = buckets().store(weed_target)
    body = b"x" * (20 << 20)  # in two parts
    with store.open_output("set/part-0") as file:
        file.write(body)
    assert store.uri("set/part-0") == f"s3://{weed_target.bucket}/in/set/part-0"
    assert seaweedfs.client().head_object(Bucket=weed_target.bucket, Key="in/set/part-0")["ContentLength"] == len(body)
    with store.open_input("set/part-0") as file:
        assert file.read() == body
    with pytest.raises(SourceFileNotFoundError):
        store.open_input("set/absent")
    assert list(store.list_files("set")) == ["set/part-0"]
    assert store.delete_prefix("set") == 1
    for path in ("../x", "a b", ""):
        with pytest.raises(InvalidInputError):
            store.open_output(path)


def test_testing_says_which_step_failed(weed_target: BucketTarget) -> None:
    buckets().test(weed_target)
    buckets().test(replace(weed_target, prefix=""))
    wrong = BucketKeys(SecretValue("admin"), SecretValue("canary7f3a"))
    cases: list[tuple[BucketTarget, type[Exception]]] = [
        (replace(weed_target, bucket="nosuchbucket"), BucketNotFoundError),
        (replace(weed_target, identity=wrong), BucketAccessRefusedError),
        (replace(weed_target, identity=replace(wrong, access_key_id=SecretValue("canary"))), BucketAccessRefusedError),
        (replace(weed_target, endpoint_url="http://127.0.0.1:1"), SourceUnreachableError),
        (replace(weed_target, endpoint_url="http://nosuchhost.invalid"), SourceUnreachableError),
    ]
    for aim, error in cases:
        with pytest.raises(error) as refusal:
            buckets().test(aim)
        assert "canary" not in f"{refusal.value} {refusal.value.__dict__}"
        assert refusal.value.__cause__ is None


def test_closed_refused_and_unknown_answer_alike(weed_target: BucketTarget) -> None:
    told = []
    for guard, url in (
        (AddressGuard(), weed_target.endpoint_url),
        (HERE, "http://127.0.0.1:1"),
        (HERE, "http://nosuchhost.invalid"),
    ):
        with pytest.raises(SourceUnreachableError) as refusal:
            buckets(guard=guard).test(replace(weed_target, endpoint_url=url))
        told.append((str(refusal.value), refusal.value.hint))
    assert len(set(told)) == 1


def test_nothing_of_the_gateways_own_is_used(
    weed_target: BucketTarget, monkeypatch: pytest.MonkeyPatch, moto_endpoint: str
) -> None:
    """Not its keys, nor its endpoint, nor its proxy."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "admin")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "adminsecret")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-nowhere-7")
    buckets().test(weed_target)
    stranger = BucketKeys(SecretValue("nobody"), SecretValue("nothing"))
    with pytest.raises(BucketAccessRefusedError):
        buckets().test(replace(weed_target, identity=stranger))
    asked: list[tuple[str, int]] = []

    def nowhere(host: str, port: int) -> list[str]:
        asked.append((host, port))
        raise SourceUnreachableError("no")

    closed = S3Buckets(addresses=nowhere, roles=AssumedRoles(), limits=LIMITS)
    with pytest.raises(SourceUnreachableError):
        closed.test(replace(weed_target, endpoint_url=None))
    assert set(asked) == {(f"{weed_target.bucket}.s3.us-east-1.amazonaws.com", 443)} or {host for host, _ in asked} == {
        f"{weed_target.bucket}.s3.amazonaws.com"
    }
