"""Buckets of others, reached as those who named them and never as the gateway itself."""

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
        return Bucket(client, target.bucket, translation(target.bucket), _MOST_PAGES)


def _without_redirects(params: dict[str, Any], **_event: Any) -> None:
    """By itself botocore follows an answer to another region, without end where the question for the region gets the same."""
    params["context"].setdefault("s3_redirect", {})["redirected"] = True
