"""The one tree of errors.

    GatewayError
    ├── InvalidInputError            the request is wrong; the caller can mend it
    ├── NotAuthenticatedError        nobody we know
    ├── NotPermittedError            seen, but not allowed
    ├── NotFoundError                absent, or invisible to the caller: the two are the same on purpose
    ├── ConflictError                clashes with what is there
    ├── TooLargeError                over a limit that is set
    ├── TooManyRequestsError         too often; waiting helps
    └── UnavailableError             a part we need does not answer; retrying may help

Subjects derive their own classes with a permanent kebab-case `code`. Which HTTP status a kind becomes is decided in
`app/web/problems.py` and nowhere else.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class ErrorKind(StrEnum):
    """What sort of refusal this is, in words that know no protocol."""

    INVALID = "invalid"
    MALFORMED = "malformed"
    MEDIA_TYPE = "media_type"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    STALE = "stale"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class GatewayError(Exception):
    """Base of every error that may reach a user.

    `detail` is shown as it is: it says what, why and never a secret. `hint` is the next step, `candidates` the nearest
    valid names within the caller's grants, `errors` one entry per offending field, `retry_after` seconds.
    """

    code: ClassVar[str] = "internal-error"
    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL
    title: ClassVar[str] = "The gateway failed"

    def __init__(
        self,
        detail: str,
        *,
        hint: str | None = None,
        candidates: Sequence[str] = (),
        errors: Sequence[dict[str, object]] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.candidates = tuple(candidates)
        self.errors = tuple(errors)
        self.retry_after = retry_after


class InvalidInputError(GatewayError):
    """The request is understood and wrong."""

    code = "invalid-input"
    kind = ErrorKind.INVALID
    title = "The request is not valid"


class NotAuthenticatedError(GatewayError):
    """No key, or none that counts. Why exactly is for the key's owner to look up, not for the caller."""

    code = "not-authenticated"
    kind = ErrorKind.UNAUTHENTICATED
    title = "No valid API key"


class NotPermittedError(GatewayError):
    """The caller sees the thing and may not do this with it."""

    code = "not-permitted"
    kind = ErrorKind.FORBIDDEN
    title = "Not permitted"


class NotFoundError(GatewayError):
    """Absent or invisible."""

    code = "not-found"
    kind = ErrorKind.NOT_FOUND
    title = "Not found"


class ConflictError(GatewayError):
    """Clashes with what is there."""

    code = "conflict"
    kind = ErrorKind.CONFLICT
    title = "Conflict"


class TooLargeError(GatewayError):
    """Over a configured limit."""

    code = "too-large"
    kind = ErrorKind.TOO_LARGE
    title = "Too large"


class TooManyRequestsError(GatewayError):
    """Asked too often within a span of time."""

    code = "too-many-requests"
    kind = ErrorKind.TOO_MANY
    title = "Too many requests"


class UnavailableError(GatewayError):
    """A part the gateway needs does not answer."""

    code = "unavailable"
    kind = ErrorKind.UNAVAILABLE
    title = "Temporarily unavailable"


class StorageUnavailableError(UnavailableError):
    """The warehouse (a directory or a bucket) cannot be reached or refuses us."""

    code = "storage-unavailable"
    title = "The warehouse cannot be reached"


class EngineLimitError(GatewayError):
    """A query met its memory or time limit."""

    code = "engine-limit"
    kind = ErrorKind.TOO_LARGE
    title = "The query is too large for this gateway"


class QueryRefusedError(InvalidInputError):
    """SQL that a user wrote and that does more than read feature groups."""

    code = "query-refused"
    title = "The SQL is refused"


class QueryInvalidError(InvalidInputError):
    """SQL that a user wrote and that makes no sense."""

    code = "query-invalid"
    title = "The SQL is not valid"


class FrameInvalidError(GatewayError):
    """Uploaded bytes are no valid Arrow stream or Parquet file."""

    code = "frame-invalid"
    kind = ErrorKind.MALFORMED
    title = "The uploaded frame cannot be read"
