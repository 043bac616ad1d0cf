"""Chooses the object store for a warehouse."""

from pathlib import Path

from infra.ports.storage import ObjectStore
from infra.storage.local import LocalObjectStore
from infra.storage.location import Warehouse
from infra.storage.s3 import S3ObjectStore


def open_object_store(warehouse: Warehouse) -> ObjectStore:
    return S3ObjectStore(warehouse) if warehouse.is_s3 else LocalObjectStore(Path(warehouse.url))
