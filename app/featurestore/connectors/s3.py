"""Connectors of kind S3: buckets, here or at other stores that speak S3."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.featurestore.connectors.bucket_keys import read_keys
from app.featurestore.connectors.errors import BucketReservedError
from app.featurestore.connectors.kinds import Options
from app.featurestore.connectors.s3_options import S3ConnectorOptions, endpoint_host, read_s3_options
from app.featurestore.warehouses.rules import Place
from infra.crypto import SecretValue
from infra.errors import InvalidInputError
from infra.ports.files import BucketIdentity, BucketRole, Buckets, BucketTarget, FileSource
from infra.ports.storage import ObjectStore

_SESSION_NAME = 64


class S3Kind:
    """Implements `ConnectorKind`, `FileKind` and `CredentialKind`.

    `reserved` are the warehouses, the gateway's and those of projects: no connector leads there, whatever its credentials could,
    and at whatever endpoint, since one store has many addresses. `require_allowed` as in JdbcKind.
    """

    def __init__(
        self,
        *,
        buckets: Buckets,
        require_allowed: Callable[[str], None],
        reserved: Callable[[], Sequence[Place]] = tuple,
        allows_http: bool = False,
    ) -> None:
        self._buckets = buckets
        self._require_allowed = require_allowed
        self._reserved = reserved
        self._allows_http = allows_http

    def accept(self, given: Mapping[str, Any]) -> Options:
        return self._read(given).stored

    def require_credentials(self, options: Options, *, has_secret: bool) -> None:
        if has_secret == ("role_arn" in options):
            raise InvalidInputError(
                "A connector to a bucket needs either a secret or a role_arn.",
                hint="There is no default account: the gateway's own credentials are for its warehouse only.",
            )

    def external_id(self, project: str, options: Options) -> str | None:
        # AWS's cure for the confused deputy: an owner of a role says which project may come through the gateway.
        return f"oasthouse:{project}" if "role_arn" in options else None

    def test(self, project: str, options: Options, secret: SecretValue | None) -> None:
        self._buckets.test(self._target(project, options, secret))

    def files(self, project: str, options: Options, secret: SecretValue | None) -> ObjectStore:
        return self._buckets.store(self._target(project, options, secret))

    def source(self, project: str, options: Options, secret: SecretValue | None) -> FileSource:
        return self._buckets.source(self._target(project, options, secret))

    def uri(self, project: str, options: Options, path: str) -> str:  # noqa: ARG002 the kind's signature
        return "s3://" + "/".join(part for part in (options["bucket"], options.get("prefix"), path) if part)

    def _target(self, project: str, options: Options, secret: SecretValue | None) -> BucketTarget:
        # Read again, not trusted: rules and warehouse may be others than when it was stored.
        read = self._read(options)
        return BucketTarget(
            bucket=read.bucket,
            identity=self._identity(project, options, secret),
            prefix=read.prefix,
            region=read.region,
            endpoint_url=read.endpoint_url,
        )

    def _identity(self, project: str, options: Options, secret: SecretValue | None) -> BucketIdentity:
        self.require_credentials(options, has_secret=secret is not None)
        if secret is not None:
            return read_keys(secret)
        external_id = str(self.external_id(project, options))
        return BucketRole(options["role_arn"], external_id, f"oasthouse-{project}"[:_SESSION_NAME])

    def _read(self, given: Mapping[str, Any]) -> S3ConnectorOptions:
        read = read_s3_options(given, allows_http=self._allows_http)
        if read.endpoint_url is not None:
            self._require_allowed(endpoint_host(read.endpoint_url))
        wanted = Place(read.bucket, read.prefix)
        if any(place.overlaps(wanted) for place in self._reserved()):
            raise BucketReservedError(
                f"Bucket {read.bucket!r} holds a warehouse of the gateway's there, which is reached through the gateway alone.",
                hint="Use another bucket or a prefix beside it; for files in the warehouse make a connector of kind HOPSFS.",
            )
        return read
