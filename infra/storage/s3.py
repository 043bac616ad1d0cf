"""Objects in an S3 bucket, through boto3."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import NotFoundError, StorageUnavailableError
from infra.ports.files import SourceFilesTooLargeError
from infra.storage.location import S3Options, Warehouse, path_segments
from infra.storage.race import code_of, find_race
from infra.storage.s3_files import READ_AHEAD, Bucket, RangeReader, Upload

_DELETE_AT_ONCE: Final = 1000
NO_RETRIES: Final = {"retries": {"mode": "standard", "total_max_attempts": 1}}
ABSENT: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_RETRY_AFTER: Final = 5
_CONNECTIONS: Final = 32  # of one client; further ones are opened and closed again


class S3ObjectStore:
    """Implements `infra.ports.storage.ObjectStore` below `s3://bucket/prefix`."""

    def __init__(self, warehouse: Warehouse, bucket: Bucket | None = None) -> None:
        """`bucket` is for those who reach it in another way than the gateway its own, or tell its errors otherwise."""
        self._warehouse = warehouse
        self._is_own = bucket is None
        self._bucket = bucket or open_bucket(warehouse)
        self._client = self._bucket.client
        self._translated = self._bucket.translated

    def uri(self, path: str) -> str:
        return self._warehouse.uri(path)

    def open_output(self, path: str) -> BinaryIO:
        """The object appears on `close()`; nothing is published when the file is left otherwise."""
        return cast(BinaryIO, Upload(self._bucket, self._key(path)))

    def open_input(self, path: str) -> BinaryIO:
        """Seekable; every read is a ranged GET of the object as it was when opened."""
        with self._translated(path):
            raw = RangeReader.newest(self._bucket, self._key(path))
        return io.BufferedReader(raw, READ_AHEAD)

    def presigned(self, uri: str, seconds: int) -> str | None:
        key = "/".join(filter(None, (self._warehouse.prefix, *self._warehouse.below(uri))))
        with self._translated(key):
            address: str = self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self._warehouse.bucket, "Key": key}, ExpiresIn=seconds
            )
        return address

    def local_path(self, uri: str) -> Path | None:
        self._warehouse.below(uri)
        return None

    def list_files(self, prefix: str, *, after: str = "") -> Iterator[str]:
        skipped = len(self._warehouse.prefix) + 1 if self._warehouse.prefix else 0
        for keys in self._pages(prefix, after):
            yield from (key[skipped:] for key in keys)

    def delete_prefix(self, prefix: str) -> int:
        count = 0
        for keys in self._pages(prefix):
            self._delete(keys)
            count += len(keys)
        return count

    def delete_files(self, paths: Sequence[str]) -> None:
        keys = [self._key(path) for path in paths]
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            self._delete(keys[start : start + _DELETE_AT_ONCE])

    def sweep(self, older_than: timedelta) -> int:  # noqa: ARG002 the port's signature
        """Nothing is ours: incomplete uploads are invisible, and a lifecycle rule of the bucket aborts them."""
        return 0

    def probe(self) -> None:
        self._require_conditions(all_at_once=False)

    def race(self) -> None:
        self._require_conditions(all_at_once=True)

    def _require_conditions(self, *, all_at_once: bool) -> None:
        key = self._key(f".probe/{uuid4()}")
        with self._translated(key):
            encryption = self._bucket.encryption
            fault = find_race(self._racing, self._warehouse.bucket, key, all_at_once=all_at_once, **encryption)
        if fault is not None:
            raise StorageUnavailableError(
                f"The warehouse does not keep to If-None-Match, so that commits would overwrite each other: {fault}.",
                hint="Use a store with conditional writes, such as Amazon S3.",
            )

    @cached_property
    def _racing(self) -> Any:
        """A client that tries nothing twice: the second try of a put that did arrive would be refused."""
        assert self._is_own, "only what tables are committed to is probed"
        assert self._warehouse.s3 is not None
        return open_client(self._warehouse.s3, **NO_RETRIES)

    def _pages(self, prefix: str, after: str = "") -> Iterator[list[str]]:
        # The slash keeps a sibling out: `a/` is no prefix of `a2/x`.
        where = {"Bucket": self._warehouse.bucket, "Prefix": self._key(prefix) + "/"}
        if after:
            where["StartAfter"] = self._key(after)
        with self._translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                **where, PaginationConfig={"PageSize": _DELETE_AT_ONCE}
            )
            for number, page in enumerate(pages):
                if number == self._bucket.most_pages:
                    raise SourceFilesTooLargeError(f"There are more files below {prefix!r} than the gateway lists.")
                if contents := page.get("Contents"):
                    yield [entry["Key"] for entry in contents]

    def _delete(self, keys: list[str]) -> None:
        with self._translated("delete"):
            objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
            answer = self._client.delete_objects(Bucket=self._warehouse.bucket, Delete=objects)
            if failed := answer.get("Errors"):
                raise ClientError({"Error": failed[0]}, "DeleteObjects")

    def _key(self, path: str) -> str:
        segments = "/".join(path_segments(path))
        return f"{self._warehouse.prefix}/{segments}" if self._warehouse.prefix else segments


def open_bucket(warehouse: Warehouse) -> Bucket:
    """The warehouse's own, as the gateway."""
    assert warehouse.s3 is not None, "an S3 store needs an s3:// warehouse"
    return Bucket(open_client(warehouse.s3), warehouse.bucket, _translated, encryption=_encryption(warehouse.s3))


def _encryption(options: S3Options) -> dict[str, str]:
    key = options.kms_key
    return {} if key is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}


def open_client(options: S3Options, **config: Any) -> Any:
    """`config` goes to botocore, over what is the same for every client of ours."""
    # botocore's own limits are 60 s and 60 s: one silent endpoint would hold a worker for minutes.
    common = Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        signature_version="s3v4",
        s3={"addressing_style": "path" if options.path_style else "auto"},
    )
    return boto3.session.Session().client(
        "s3",
        region_name=options.region,
        endpoint_url=options.endpoint_url,
        aws_access_key_id=options.access_key_id,
        aws_secret_access_key=options.secret_access_key,
        aws_session_token=options.session_token,
        config=common.merge(Config(**config)),
    )


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code_of(error) in ABSENT:
            raise NotFoundError(f"There is no file {path!r} in the warehouse.") from error
        raise StorageUnavailableError(f"The warehouse refused: {code_of(error)}.", retry_after=_RETRY_AFTER) from error
    except BotoCoreError as error:
        raise StorageUnavailableError("The warehouse does not answer.", retry_after=_RETRY_AFTER) from error
