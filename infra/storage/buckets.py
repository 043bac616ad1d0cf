"""Buckets of others, reached as those who named them and never as the gateway itself."""

import re
from functools import partial
from pathlib import Path
from typing import Any, Final

from infra.ports.files import BucketKeys, BucketTarget, FileLimits, FileSource
from infra.ports.storage import ObjectStore
from infra.storage.bucket_errors import translation
from infra.storage.guarded_http import REQUEST_SECONDS, Addresses, GuardedSession
from infra.storage.location import S3Options, Warehouse
from infra.storage.roles import AssumedRoles
from infra.storage.s3 import S3ObjectStore, open_client
from infra.storage.s3_files import Bucket
from infra.storage.s3_source import S3FileSource

# Named, or botocore would take the gateway's own from its environment.
_REGION: Final = "us-east-1"
_CONFIG: Final[dict[str, Any]] = {
    "ignore_configured_endpoint_urls": True,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}
_MOST_PAGES: Final = 1000
_MOST_XML: Final = 8 << 20  # a page of a thousand keys of the longest, each byte written as three
_MARKED: Final = re.compile(rb"<!|\0")
_OTHER_ENCODING: Final = re.compile(rb"<\?xml[^>]{0,200}encoding\s*=\s*.(?!utf-8.)", re.IGNORECASE)
_FIRST_REFUSAL: Final = 300


class S3Buckets:
    """Implements `infra.ports.files.Buckets`."""

    def __init__(
        self,
        *,
        addresses: Addresses,
        roles: AssumedRoles,
        limits: FileLimits,
        ca_file: Path | None = None,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._session = partial(GuardedSession, addresses, ca_file=ca_file, seconds=request_seconds)
        self._roles = roles
        self._limits = limits

    def test(self, target: BucketTarget) -> None:
        bucket = self._bucket(target)
        with bucket.translated(target.prefix):
            prefix = f"{target.prefix}/" if target.prefix else ""
            bucket.client.list_objects_v2(Bucket=bucket.name, Prefix=prefix, MaxKeys=1)

    def store(self, target: BucketTarget) -> ObjectStore:
        url = "/".join(filter(None, (f"s3://{target.bucket}", target.prefix)))
        return S3ObjectStore(Warehouse(url, S3Options()), self._bucket(target))

    def source(self, target: BucketTarget) -> FileSource:
        return S3FileSource(self._bucket(target), target.prefix, self._limits)

    def _bucket(self, target: BucketTarget) -> Bucket:
        """As of now: what a role gives expires, and a secret may be another tomorrow."""
        keys = target.identity if isinstance(target.identity, BucketKeys) else self._roles.keys(target.identity)
        options = S3Options(
            region=target.region or _REGION,
            endpoint_url=target.endpoint_url,
            access_key_id=keys.access_key_id.reveal(),
            secret_access_key=keys.secret_access_key.reveal(),
            session_token=keys.session_token.reveal() if keys.session_token else None,
        )
        with translation(target.bucket)(""):
            client = open_client(options, **_CONFIG)
        client.meta.events.register("before-send.s3", self._session().answer)
        client.meta.events.register("before-call.s3", _without_redirects)
        client.meta.events.register("before-parse.s3", _without_definitions)
        return Bucket(client, target.bucket, translation(target.bucket), _MOST_PAGES)


def _without_redirects(params: dict[str, Any], **_event: Any) -> None:
    """By itself botocore follows an answer to another region, without end where the question for the region gets the same."""
    params["context"].setdefault("s3_redirect", {})["redirected"] = True


def _without_definitions(response_dict: dict[str, Any], **_event: Any) -> None:
    """XML may define what stands for a megabyte and say it a thousand times; S3 never defines anything."""
    body = response_dict["body"]
    if not isinstance(body, bytes) or (
        len(body) <= _MOST_XML and not _MARKED.search(body) and not _OTHER_ENCODING.match(body)
    ):
        return
    if response_dict["status_code"] < _FIRST_REFUSAL:
        raise ValueError("no answer of S3's")
    response_dict["body"] = b""  # a proxy's page, say: the status tells enough
