"""What goes wrong at a bucket of others, in our words: which step it was, and never what was sent or answered."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import GatewayError
from infra.ports.files import (
    BucketAccessRefusedError,
    BucketKeysRefusedError,
    BucketNotFoundError,
    SourceFileChangedError,
    SourceFileNotFoundError,
)
from infra.ports.sources import SourceUnreachableError

_REFUSED: Final = frozenset(
    {
        "403",
        "AccessDenied",
        "AccountProblem",
        "AllAccessDisabled",
        "ExpiredToken",
        "Forbidden",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
_KEYS_REFUSED: Final = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch"})
_ELSEWHERE: Final = frozenset(
    {"301", "307", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
)
_ABSENT: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_CHANGED: Final = frozenset({"412", "PreconditionFailed"})
_MOST_OF_A_PATH: Final = 200
_log = structlog.get_logger(__name__)


def translation(bucket: str) -> Callable[[str], AbstractContextManager[None]]:
    """For `Bucket.translated`."""

    @contextmanager
    def translated(path: str) -> Iterator[None]:
        # Not chained: what the other side answered, or what botocore says of it, may repeat what we sent.
        try:
            yield
        except ClientError as error:
            raise _refusal(plain_code(error), bucket, path) from None
        except (BotoCoreError, KeyError, ValueError) as error:  # of an answer that is not S3's, too
            _log.warning("bucket not reached", bucket=bucket, error=type(error).__name__)
            raise unreachable(bucket) from None

    return translated


def of_files(
    translated: Callable[[str], AbstractContextManager[None]],
) -> Callable[[str], AbstractContextManager[None]]:
    """The warehouse's own, but that a file which others may replace is spoken of as such."""

    @contextmanager
    def told(path: str) -> Iterator[None]:
        with translated(path):
            try:
                yield
            except ClientError as error:
                of_file = _of_file(plain_code(error), path)
                if of_file is None:
                    raise
                raise of_file from None

    return told


def plain_code(error: ClientError) -> str:
    """The server wrote it: nothing but letters and digits may come of that."""
    return re.sub(r"[^A-Za-z0-9]", "", str(error.response.get("Error", {}).get("Code", "")))[:64]


def unreachable(bucket: str) -> SourceUnreachableError:
    """The same words for a name without address, a refused address, a closed port, silence and nonsense."""
    return SourceUnreachableError(
        f"The gateway gets no answer from the endpoint of bucket {bucket!r}.",
        hint="Check region and endpoint_url. The gateway connects to public addresses, and to networks that its operator "
        "lists in OAST_CONNECTORS__ALLOWED_NETWORKS.",
    )


def _of_file(code: str, path: str) -> GatewayError | None:
    if code in _ABSENT:
        return SourceFileNotFoundError(f"There is no file {path[:_MOST_OF_A_PATH]!r}.")
    if code in _CHANGED:
        return SourceFileChangedError(f"{path[:_MOST_OF_A_PATH]!r} was replaced while it was read.", hint="Try again.")
    return None


def _refusal(code: str, bucket: str, path: str) -> GatewayError:
    if code == "NoSuchBucket":
        return BucketNotFoundError(f"The endpoint has no bucket {bucket!r}.", hint="Check bucket, and endpoint_url.")
    if (of_file := _of_file(code, path)) is not None:
        return of_file
    if code in _ELSEWHERE:
        return BucketAccessRefusedError(
            f"Bucket {bucket!r} is in another region ({code}).", hint="Give the connector the bucket's `region`."
        )
    if code in _REFUSED:
        refusal = BucketKeysRefusedError if code in _KEYS_REFUSED else BucketAccessRefusedError
        return refusal(
            f"Bucket {bucket!r} refused the connector's credentials: {code}.",
            hint="They need s3:ListBucket on the bucket and s3:GetObject below the prefix; for writing s3:PutObject and "
            "s3:DeleteObject.",
        )
    return SourceUnreachableError(f"The endpoint of bucket {bucket!r} failed: {code or 'no code'}.")
