"""What every object store does, on a directory and on S3."""

import os

import pytest

from infra.errors import InvalidInputError, NotFoundError
from infra.ports.storage import ObjectStore
from infra.storage.location import Warehouse
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
