"""Where the warehouse is, and the one rule for what may be addressed below it."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from infra.errors import InvalidInputError

# No `%` (Delta decodes paths), no glob characters (DuckDB expands them), no separators of any system.
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._=-]+")
_GLOB: Final = re.compile(r"[*?\[\]%#]")


def path_segments(path: str) -> tuple[str, ...]:
    """Split a relative path into its segments; InvalidInputError unless each is plain and none is `.` or `..`.

    Containment is decided here, on segments, and never by comparing strings: `a/b2` is no part of `a/b`.
    """
    segments = tuple(path.split("/"))
    for segment in segments:
        if segment in {".", ".."} or not _SEGMENT.fullmatch(segment):
            raise InvalidInputError(f"{path!r} is not a path below the warehouse.")
    return segments


@dataclass(frozen=True)
class S3Options:
    """How to reach S3. Without keys the default AWS chain decides; with an endpoint addressing is by path.

    Objects are encrypted with `kms_key`, or as the bucket says where there is none.
    """

    region: str | None = None
    endpoint_url: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    kms_key: str | None = None

    @property
    def path_style(self) -> bool:
        return self.endpoint_url is not None

    @property
    def allows_http(self) -> bool:
        return self.endpoint_url is not None and urlsplit(self.endpoint_url).scheme == "http"

    @property
    def endpoint_host(self) -> str | None:
        """Host and port of the endpoint."""
        return urlsplit(self.endpoint_url).netloc if self.endpoint_url else None


@dataclass(frozen=True)
class Warehouse:
    """The root below which every table and file lives: an absolute directory, or `s3://bucket/prefix`."""

    url: str
    s3: S3Options | None = None

    @property
    def is_s3(self) -> bool:
        return self.s3 is not None

    @property
    def bucket(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def prefix(self) -> str:
        """Key prefix without slashes at the ends; empty for a whole bucket."""
        return urlsplit(self.url).path.strip("/")

    def uri(self, path: str) -> str:
        return "/".join((self.url, *path_segments(path)))

    def below(self, uri: str) -> tuple[str, ...]:
        """The segments of `uri` below the root. Those that table engines choose (`city=New York`) are taken as they are.

        InvalidInputError for a place elsewhere, or one that a file system or a client would take for another.
        """
        root, path = f"{self.url}/", uri.removeprefix(f"{self.url}/")
        segments = tuple(path.split("/"))
        if not uri.startswith(root) or any(segment in {"", ".", ".."} or "\0" in segment for segment in segments):
            raise InvalidInputError("A file of the table lies outside the warehouse.")
        return segments


def parse_warehouse(url: str, s3: S3Options | None = None) -> Warehouse:
    """Read a warehouse from a directory, a `file://` URL or an `s3://` URL; the S3 options count for the latter only."""
    parts = urlsplit(url)
    if _GLOB.search(url):
        raise InvalidInputError(f"The warehouse {url!r} must not contain any of * ? [ ] % #.")
    if parts.scheme == "s3":
        return Warehouse(_s3_root(url), s3 or S3Options())
    if parts.scheme not in {"", "file"} or parts.netloc:
        raise InvalidInputError(f"The warehouse {url!r} is neither a directory nor an s3:// URL.")
    return Warehouse(str(Path(parts.path).expanduser().resolve()))


def _s3_root(url: str) -> str:
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    if not _SEGMENT.fullmatch(parts.netloc):
        raise InvalidInputError(f"The warehouse {url!r} names no bucket.")
    return "/".join(("s3:/", parts.netloc, *path_segments(prefix))) if prefix else f"s3://{parts.netloc}"
