"""Files in a bucket, by the names that others gave them."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from infra.ports.files import FileEntry, FileLimits
from infra.storage.file_names import Counted, plain_path, require_readable, too_many
from infra.storage.s3_files import READ_AHEAD, Bucket, RangeReader

_PAGE: Final = 1000
_EMPTY_PAGES: Final = 100


class S3FileSource:
    """Implements `infra.ports.files.FileSource` below a prefix without slashes at its ends."""

    def __init__(self, bucket: Bucket, prefix: str, limits: FileLimits) -> None:
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""
        self._limits = limits

    def list_files(self, path: str) -> list[FileEntry]:
        found = Counted(self._limits)
        wanted = plain_path(path)
        if wanted:
            for entry in self._entries(wanted, most=1):
                if entry.path == wanted:
                    found.add(entry)
        for entry in self._entries(f"{wanted}/" if wanted else ""):
            found.add(entry)
        return found.sorted()

    def open_input(self, entry: FileEntry) -> BinaryIO:
        require_readable(entry.path)
        return io.BufferedReader(
            RangeReader(self._bucket, self._root + entry.path, entry.size, entry.state), READ_AHEAD
        )

    def _entries(self, prefix: str, most: int | None = None) -> Iterator[FileEntry]:
        """Not the empty objects that consoles make for folders. Keys are in order, so that an exact one comes first."""
        pages = self._bucket.client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket.name,
            Prefix=self._root + prefix,
            PaginationConfig={"PageSize": most or _PAGE, **({"MaxItems": most} if most else {})},
        )
        most_pages = self._limits.max_files // _PAGE + _EMPTY_PAGES
        with self._bucket.translated(prefix):
            for number, page in enumerate(pages):
                if number > most_pages:  # nothing but empty folders, or an endpoint that never ends
                    raise too_many(self._limits)
                yield from (self._entry(each) for each in page.get("Contents", ()) if not each["Key"].endswith("/"))

    def _entry(self, listed: dict[str, Any]) -> FileEntry:
        size = int(listed["Size"])
        if size < 0:
            raise ValueError("less than nothing")  # it would make room for others that are too large
        return FileEntry(listed["Key"].removeprefix(self._root), size, listed["ETag"])
