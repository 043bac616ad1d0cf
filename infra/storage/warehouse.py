"""Chooses the object store for a warehouse."""

from pathlib import Path

from infra.ports.storage import ObjectStore
from infra.storage.local import LocalObjectStore
from infra.storage.location import Warehouse


def open_object_store(warehouse: Warehouse) -> ObjectStore:
    if not warehouse.is_s3:
        return LocalObjectStore(Path(warehouse.url))
    from infra.storage.s3 import S3ObjectStore  # noqa: PLC0415 boto3 is heavy, and not there in a gateway without AWS

    return S3ObjectStore(warehouse)
