"""What every object store does, on a directory and on S3."""

import os
from pathlib import Path

import pytest
import urllib3

from infra.errors import InvalidInputError, NotFoundError
from infra.ports.storage import ObjectStore
from infra.storage.location import Warehouse
from infra.storage.s3 import S3ObjectStore
from infra.storage.warehouse import open_object_store

MANY_BYTES = 33 << 20  # three parts of a multipart upload


@pytest.fixture
def store(warehouse: Warehouse) -> ObjectStore:
    return open_object_store(warehouse)


def put(store: ObjectStore, path: str, data: bytes = b"x") -> None:
    with store.open_output(path) as file:
        file.write(data)


def get(store: ObjectStore, path: str) -> bytes:
    with store.open_input(path) as file:
        return file.read()


def test_a_written_file_is_read_back(store: ObjectStore) -> None:
    put(store, "project/file.parquet", b"bytes")
    assert get(store, "project/file.parquet") == b"bytes"


def test_a_large_file_is_read_back_and_can_be_read_from_anywhere(store: ObjectStore) -> None:
    data = os.urandom(MANY_BYTES)
    with store.open_output("project/large") as file:
        for start in range(0, MANY_BYTES, 1 << 20):
            file.write(memoryview(data)[start : start + (1 << 20)])
        assert file.tell() == MANY_BYTES
    with store.open_input("project/large") as file:
        assert file.seek(-8, os.SEEK_END) == MANY_BYTES - 8
        assert file.read() == data[-8:]
        file.seek(MANY_BYTES // 2)
        assert file.read(100) == data[MANY_BYTES // 2 :][:100]
        file.seek(0)
        assert file.read() == data


def test_a_file_has_a_place_on_this_machine_or_an_address(store: ObjectStore, warehouse: Warehouse) -> None:
    """Either way with the signs that table engines put into names."""
    uri = f"{warehouse.url}/project/city=New York%20+&#?/file"
    address, path = store.presigned(uri, 60), store.local_path(uri)
    assert (address is None, path is None) == ((False, True) if warehouse.is_s3 else (True, False))
    put(store, "project/plain", b"plain")
    plain = f"{warehouse.url}/project/plain"
    address, path = store.presigned(plain, 60), store.local_path(plain)
    assert (urllib3.request("GET", address).data if address else path.read_bytes()) == b"plain"  # type: ignore[union-attr]
    for elsewhere in (f"{warehouse.url}2/file", f"{warehouse.url}/../file", "/etc/passwd"):
        for ask in (lambda uri: store.presigned(uri, 60), store.local_path):
            with pytest.raises(InvalidInputError):
                ask(elsewhere)


def test_an_address_is_of_one_file_for_reading_and_for_a_while(s3_warehouse: Warehouse) -> None:
    store = open_object_store(s3_warehouse)
    odd = "project/city=New York%20+&#?/file"
    client = S3ObjectStore(s3_warehouse)._client
    client.put_object(Bucket=s3_warehouse.bucket, Key=f"{s3_warehouse.prefix}/{odd}", Body=b"odd")
    address = store.presigned(f"{s3_warehouse.url}/{odd}", 60)
    assert address is not None
    assert urllib3.request("GET", address).data == b"odd"
    assert urllib3.request("GET", address, headers={"Range": "bytes=1-"}).data == b"dd"
    for method, url in (("PUT", address), ("DELETE", address), ("GET", address.replace("/file?", "/other?"))):
        assert urllib3.request(method, url).status == 403
    assert "X-Amz-Expires=60" in address
    assert s3_warehouse.s3.secret_access_key not in address  # type: ignore[union-attr]


def test_a_link_out_of_the_directory_is_no_place(local_warehouse: Warehouse, tmp_path: Path) -> None:
    store = open_object_store(local_warehouse)
    put(store, "project/file")
    (Path(local_warehouse.url) / "project" / "link").symlink_to(tmp_path)
    with pytest.raises(InvalidInputError, match="outside"):
        store.local_path(f"{local_warehouse.url}/project/link/file")
    with pytest.raises(InvalidInputError, match="outside"):
        store.presigned(f"{local_warehouse.url}/project/link/file", 60)


def test_an_empty_file_is_a_file(store: ObjectStore) -> None:
    put(store, "project/empty", b"")
    assert get(store, "project/empty") == b""
    assert list(store.list_files("project")) == ["project/empty"]


def test_a_file_replaces_an_older_one(store: ObjectStore) -> None:
    put(store, "project/file", b"old")
    put(store, "project/file", b"new")
    assert get(store, "project/file") == b"new"


@pytest.mark.parametrize("size", [10, MANY_BYTES])
def test_a_file_left_on_an_exception_is_not_published(store: ObjectStore, size: int) -> None:
    def half() -> None:
        with store.open_output("project/half") as file:
            file.write(b"x" * size)
            raise LookupError

    with pytest.raises(LookupError):
        half()
    assert list(store.list_files("project")) == []
    with pytest.raises(NotFoundError):
        store.open_input("project/half")


def test_a_forgotten_file_is_not_published(store: ObjectStore) -> None:
    file = store.open_output("project/forgotten")
    file.write(b"half")
    del file
    assert list(store.list_files("project")) == []


def test_nothing_is_there_before_close(store: ObjectStore) -> None:
    with store.open_output("project/file") as file:
        file.write(b"x")
        file.flush()
        assert list(store.list_files("project")) == []
    assert list(store.list_files("project")) == ["project/file"]


def test_closing_twice_is_harmless_and_a_closed_file_takes_no_more(store: ObjectStore) -> None:
    file = store.open_output("project/file")
    file.close()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.write(b"x")


def test_an_absent_file_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(NotFoundError):
        store.open_input("project/absent")


def test_deletion_takes_the_tree_and_leaves_siblings(store: ObjectStore) -> None:
    for path in ("p/a/1", "p/a/b/2", "p/a2/3", "p/a.x", "pa/4"):
        put(store, path)
    assert store.delete_prefix("p/a") == 2
    assert list(store.list_files("p/a")) == []
    assert sorted(store.list_files("p")) == ["p/a.x", "p/a2/3"]
    assert list(store.list_files("pa")) == ["pa/4"]
    assert store.delete_prefix("p/a") == 0


def test_deletion_of_an_absent_prefix_is_nothing(store: ObjectStore) -> None:
    assert store.delete_prefix("nowhere") == 0


def test_listing_is_relative_to_the_warehouse(store: ObjectStore) -> None:
    put(store, "p/b/2")
    put(store, "p/a/1")
    assert list(store.list_files("p")) == ["p/a/1", "p/b/2"]


def test_listing_what_comes_after(store: ObjectStore) -> None:
    for number in range(4):
        put(store, f"p/log/{number}.json")
    assert sorted(store.list_files("p/log", after="p/log/1.json")) == ["p/log/2.json", "p/log/3.json"]
    assert list(store.list_files("p/log", after="p/log/3.json")) == []
    assert list(store.list_files("p/absent", after="p/absent/1")) == []


@pytest.mark.parametrize(
    "path", ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/./b", "a%2fb", "a b", "a\nb", "ä", "a\\b", "a*"]
)
def test_a_path_that_could_lead_elsewhere_is_refused(store: ObjectStore, path: str) -> None:
    for call in (
        store.uri,
        store.open_output,
        store.open_input,
        store.delete_prefix,
        lambda p: list(store.list_files(p)),
    ):
        with pytest.raises(InvalidInputError):
            call(path)


def test_the_uri_is_absolute(store: ObjectStore, warehouse: Warehouse) -> None:
    assert store.uri("p/f=1") == f"{warehouse.url}/p/f=1"


def test_the_probe_passes_and_leaves_nothing(store: ObjectStore, warehouse: Warehouse) -> None:
    store.probe()
    assert list(store.list_files(".probe")) == []
    assert list(store.list_files(".staging")) == []
