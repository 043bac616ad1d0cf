"""One object of a bucket as a file: written in parts, or read in ranges."""

import io
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

from botocore.exceptions import IncompleteReadError

PART_BYTES: Final = 16 << 20
READ_AHEAD: Final = 1 << 20


@dataclass(frozen=True)
class Bucket:
    """botocore's client, and how its errors are told: `translated(path)` is around every call.

    `most_pages` bounds a list, for stores that are not trusted to end one. `encryption` goes with what makes an object.
    """

    client: Any
    name: str
    translated: Callable[[str], AbstractContextManager[None]]
    most_pages: int | None = None
    encryption: Mapping[str, str] = field(default_factory=dict)


class Upload(io.RawIOBase):
    """A multipart upload in constant memory; small files are one put. Completed on `close()`, aborted otherwise."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._client = bucket.client
        self._translated = bucket.translated
        self._target = {"Bucket": bucket.name, "Key": key}
        self._encryption = bucket.encryption
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
        while len(self._buffer) >= PART_BYTES:
            self._send_part()
        return size

    def close(self) -> None:
        if self.closed:
            return
        try:
            with self._translated(self._target["Key"]):
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
            with self._translated(self._target["Key"]):
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
        with self._translated(self._target["Key"]):
            if self._upload_id is None:
                begun = self._client.create_multipart_upload(**self._target, **self._encryption)
                self._upload_id = begun["UploadId"]
            number = len(self._parts) + 1
            body = bytes(self._buffer[:PART_BYTES])
            answer = self._client.upload_part(**self._target, UploadId=self._upload_id, PartNumber=number, Body=body)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        del self._buffer[:PART_BYTES]

    def _complete(self) -> None:
        if self._upload_id is None:
            self._client.put_object(**self._target, **self._encryption, Body=bytes(self._buffer))
            return
        if self._buffer:
            self._send_part()
        self._client.complete_multipart_upload(
            **self._target, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
        )
        self._upload_id = None


class RangeReader(io.RawIOBase):
    """Random access to one object. The ETag pins it: a replaced object ends the reading instead of mixing two."""

    def __init__(self, bucket: Bucket, key: str, size: int, etag: str) -> None:
        self._client = bucket.client
        self._translated = bucket.translated
        self._target = {"Bucket": bucket.name, "Key": key}
        self._size = size
        self._etag = etag
        self._position = 0

    @classmethod
    def newest(cls, bucket: Bucket, key: str) -> "RangeReader":
        head = bucket.client.head_object(Bucket=bucket.name, Key=key)
        return cls(bucket, key, int(head["ContentLength"]), head["ETag"])

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
        # Nor in one: an answer of gigabytes takes longer than a request may.
        return b"".join(iter(lambda: self._fetch(min(PART_BYTES, self._size - self._position)), b""))

    def readinto(self, buffer: Any) -> int:
        data = self._fetch(min(len(buffer), PART_BYTES, self._size - self._position))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, wanted: int) -> bytes:
        if wanted <= 0:
            return b""
        last = self._position + wanted - 1
        with self._translated(self._target["Key"]):
            answer = self._client.get_object(**self._target, Range=f"bytes={self._position}-{last}", IfMatch=self._etag)
            data: bytes = answer["Body"].read()
            if len(data) != wanted:  # a store that does not know ranges, or one that lies
                raise IncompleteReadError(actual_bytes=len(data), expected_bytes=wanted)
        self._position += len(data)
        return data
