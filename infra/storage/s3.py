"""Objects in an S3 bucket, through boto3."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, cast
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import NotFoundError, StorageUnavailableError
from infra.storage.location import Warehouse, path_segments

_PART_BYTES: Final = 16 << 20
_READ_AHEAD: Final = 1 << 20
_DELETE_AT_ONCE: Final = 1000
_ABSENT: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_REFUSED_SECOND: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
_RETRY_AFTER: Final = 5


class S3ObjectStore:
    """Implements `infra.ports.storage.ObjectStore` below `s3://bucket/prefix`."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._client = _client(warehouse)

    def uri(self, path: str) -> str:
        return self._warehouse.uri(path)

    def open_output(self, path: str) -> BinaryIO:
        """The object appears on `close()`; nothing is published when the file is left otherwise."""
        return cast(BinaryIO, _Upload(self._client, self._warehouse.bucket, self._key(path)))

    def open_input(self, path: str) -> BinaryIO:
        """Seekable; every read is a ranged GET of the object as it was when opened."""
        with _translated(path):
            raw = _RangeReader(self._client, self._warehouse.bucket, self._key(path))
        return io.BufferedReader(raw, _READ_AHEAD)

    def presigned(self, uri: str, seconds: int) -> str | None:
        key = "/".join(filter(None, (self._warehouse.prefix, *self._warehouse.below(uri))))
        with _translated(key):
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

    def sweep(self, older_than: timedelta) -> int:  # noqa: ARG002 the port's signature
        """Nothing is ours: incomplete uploads are invisible, and a lifecycle rule of the bucket aborts them."""
        return 0

    def probe(self) -> None:
        # Delta commits rest on this one refusal; a store that ignores the condition loses commits without an error.
        key = self._key(f".probe/{uuid4()}")
        with _translated(key):
            self._create(key)
            try:
                self._create(key)
            except ClientError as error:
                if _code(error) not in _REFUSED_SECOND:
                    raise
                return
            finally:
                self._client.delete_object(Bucket=self._warehouse.bucket, Key=key)
        raise StorageUnavailableError(
            "The warehouse ignores If-None-Match: concurrent commits would overwrite each other.",
            hint="Use a store with conditional writes, such as Amazon S3.",
        )

    def _create(self, key: str) -> None:
        self._client.put_object(Bucket=self._warehouse.bucket, Key=key, Body=b"", IfNoneMatch="*")

    def _pages(self, prefix: str, after: str = "") -> Iterator[list[str]]:
        # The slash keeps a sibling out: `a/` is no prefix of `a2/x`.
        where = {"Bucket": self._warehouse.bucket, "Prefix": self._key(prefix) + "/"}
        if after:
            where["StartAfter"] = self._key(after)
        with _translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                **where, PaginationConfig={"PageSize": _DELETE_AT_ONCE}
            )
            for page in pages:
                if contents := page.get("Contents"):
                    yield [entry["Key"] for entry in contents]

    def _delete(self, keys: list[str]) -> None:
        with _translated("delete"):
            objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
            answer = self._client.delete_objects(Bucket=self._warehouse.bucket, Delete=objects)
        if failed := answer.get("Errors"):
            raise StorageUnavailableError(
                f"{len(failed)} objects could not be deleted: {failed[0].get('Code')}.", retry_after=_RETRY_AFTER
            )

    def _key(self, path: str) -> str:
        segments = "/".join(path_segments(path))
        return f"{self._warehouse.prefix}/{segments}" if self._warehouse.prefix else segments


class _Upload(io.RawIOBase):
    """A multipart upload in constant memory; small files are one put. Completed on `close()`, aborted otherwise."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._target = {"Bucket": bucket, "Key": key}
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, object]] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        if self.closed:
            raise ValueError("write to a closed file")
        size = memoryview(data).nbytes
        self._buffer += memoryview(data).cast("B") if size else b""
        self._written += size
        while len(self._buffer) >= _PART_BYTES:
            self._send_part()
        return size

    def close(self) -> None:
        if self.closed:
            return
        try:
            with _translated(self._target["Key"]):
                self._complete()
        except BaseException:
            self.discard()
            raise
        super().close()

    def discard(self) -> None:
        upload_id, self._upload_id = self._upload_id, None
        super().close()
        if upload_id is not None:
            # Parts that stay after a failed abort cost money until the bucket's lifecycle rule removes them.
            with _translated(self._target["Key"]):
                self._client.abort_multipart_upload(**self._target, UploadId=upload_id)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        # The inherited finaliser closes, which would publish an object that its writer forgot half-way.
        if not self.closed:
            self.discard()

    def _send_part(self) -> None:
        with _translated(self._target["Key"]):
            if self._upload_id is None:
                self._upload_id = self._client.create_multipart_upload(**self._target)["UploadId"]
            number = len(self._parts) + 1
            body = bytes(self._buffer[:_PART_BYTES])
            answer = self._client.upload_part(**self._target, UploadId=self._upload_id, PartNumber=number, Body=body)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        del self._buffer[:_PART_BYTES]

    def _complete(self) -> None:
        if self._upload_id is None:
            self._client.put_object(**self._target, Body=bytes(self._buffer))
            return
        if self._buffer:
            self._send_part()
        self._client.complete_multipart_upload(
            **self._target, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
        )
        self._upload_id = None


class _RangeReader(io.RawIOBase):
    """Random access to one object. The ETag pins it: a replaced object ends the reading instead of mixing two."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._target = {"Bucket": bucket, "Key": key}
        head = client.head_object(**self._target)
        self._size = int(head["ContentLength"])
        self._etag = head["ETag"]
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readall(self) -> bytes:
        # The inherited one asks for 8 KiB at a time, a request each.
        return self._fetch(self._size - self._position)

    def readinto(self, buffer: Any) -> int:
        data = self._fetch(min(len(buffer), self._size - self._position))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, wanted: int) -> bytes:
        if wanted <= 0:
            return b""
        last = self._position + wanted - 1
        with _translated(self._target["Key"]):
            answer = self._client.get_object(**self._target, Range=f"bytes={self._position}-{last}", IfMatch=self._etag)
            data: bytes = answer["Body"].read()
        self._position += len(data)
        return data


def _client(warehouse: Warehouse) -> Any:
    options = warehouse.s3
    assert options is not None, "an S3 store needs an s3:// warehouse"
    # botocore's own limits are 60 s and 60 s: one silent endpoint would hold a worker for minutes.
    config = Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 3},
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
        config=config,
    )


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) in _ABSENT:
            raise NotFoundError(f"There is no file {path!r} in the warehouse.") from error
        raise StorageUnavailableError(f"The warehouse refused: {_code(error)}.", retry_after=_RETRY_AFTER) from error
    except BotoCoreError as error:
        raise StorageUnavailableError("The warehouse does not answer.", retry_after=_RETRY_AFTER) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
