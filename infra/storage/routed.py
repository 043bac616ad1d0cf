"""One object store over several warehouses."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from infra.ports.storage import ObjectStore
from infra.ports.warehouses import MARK, RegisteredWarehouse
from infra.storage.location import Warehouse
from infra.storage.warehouse import open_object_store
from infra.storage.warehouses import Warehouses


class RoutedObjectStore:
    """Implements `infra.ports.storage.ObjectStore`. Sweeping, probing and racing are of the gateway's own warehouse."""

    def __init__(self, warehouses: Warehouses) -> None:
        self._warehouses = warehouses
        self._own = open_object_store(warehouses.own)
        self._guard = threading.Lock()
        self._opened: dict[str, tuple[Warehouse, ObjectStore]] = {}

    def uri(self, path: str) -> str:
        return self._warehouses.uri(path)

    def open_output(self, path: str) -> BinaryIO:
        store, below, _ = self._at(path)
        return store.open_output(below)

    def open_input(self, path: str) -> BinaryIO:
        store, below, _ = self._at(path)
        return store.open_input(below)

    def presigned(self, uri: str, seconds: int) -> str | None:
        return self._store(self._warehouses.holding(uri)).presigned(uri, seconds)

    def local_path(self, uri: str) -> Path | None:
        found = self._warehouses.holding(uri)
        return self._own.local_path(uri) if found is None else None

    def list_files(self, prefix: str, *, after: str = "") -> Iterator[str]:
        store, below, mark = self._at(prefix)
        found = store.list_files(below, after=after.removeprefix(mark))
        return (f"{mark}{path}" for path in found)

    def delete_prefix(self, prefix: str) -> int:
        store, below, _ = self._at(prefix)
        return store.delete_prefix(below)

    def delete_files(self, paths: Sequence[str]) -> None:
        by_warehouse = defaultdict[str, list[str]](list)
        for path in paths:
            by_warehouse[_mark(path)].append(path)
        for together in by_warehouse.values():
            places = [self._at(path) for path in together]
            places[0][0].delete_files([below for _, below, _ in places])

    def sweep(self, older_than: timedelta) -> int:
        return self._own.sweep(older_than)

    def probe(self) -> None:
        self._own.probe()

    def race(self) -> None:
        self._own.race()

    def _at(self, path: str) -> tuple[ObjectStore, str, str]:
        """Whose it is, the path below its root, and what its paths begin with here."""
        found, below = self._warehouses.find(path)
        return self._store(found), below, _mark(path)

    def _store(self, found: RegisteredWarehouse | None) -> ObjectStore:
        """Opened anew when its credentials are others."""
        if found is None:
            return self._own
        warehouse = self._warehouses.reach(found)
        with self._guard:
            known = self._opened.get(found.id)
            if known is None or known[0] != warehouse:
                known = self._opened[found.id] = warehouse, open_object_store(warehouse)
        return known[1]


def _mark(path: str) -> str:
    first = path.partition("/")[0]
    return f"{first}/" if first.startswith(MARK) else ""
