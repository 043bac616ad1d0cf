"""Places in the gateway's own warehouse that are given to others whole."""

from dataclasses import replace
from pathlib import Path

from infra.ports.files import FileLimits, FileSource
from infra.ports.storage import ObjectStore
from infra.storage.local_source import LocalFileSource
from infra.storage.location import Warehouse
from infra.storage.warehouse import open_object_store


class WarehouseFolders:
    """Implements `infra.ports.files.Folders`."""

    def __init__(self, warehouse: Warehouse, limits: FileLimits) -> None:
        self._warehouse = warehouse
        self._limits = limits

    def test(self, path: str) -> None:
        next(iter(open_object_store(self._warehouse).list_files(path)), None)

    def uri(self, path: str) -> str:
        return self._warehouse.uri(path)

    def store(self, path: str) -> ObjectStore:
        return open_object_store(self._below(path))

    def source(self, path: str) -> FileSource:
        below = self._below(path)
        if not below.is_s3:
            return LocalFileSource(Path(below.url), self._limits)
        from infra.storage.bucket_errors import of_files  # noqa: PLC0415 as the next
        from infra.storage.s3 import open_bucket  # noqa: PLC0415 boto3 is heavy, and not there in a gateway without AWS
        from infra.storage.s3_source import S3FileSource  # noqa: PLC0415 the same

        bucket = open_bucket(below)
        return S3FileSource(replace(bucket, translated=of_files(bucket.translated)), below.prefix, self._limits)

    def _below(self, path: str) -> Warehouse:
        return replace(self._warehouse, url=self._warehouse.uri(path))
