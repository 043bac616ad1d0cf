"""What goes wrong at the databases, buckets and files that storage connectors lead to: one class for each code."""

from __future__ import annotations

from hops.featurestore.errors import (
    ConflictError,
    NotFoundError,
    RefusedInputError,
    TooLargeError,
    UnavailableError,
)


class ConnectorBuiltInError(ConflictError):
    """Every project has it: nobody changes it, and no feature group reads through it."""

    code = "connector-built-in"


class ImportTargetDiffersError(ConflictError):
    """The feature group that is there has another key, event time or partitions than the import says."""

    code = "import-target-differs"


class ImportTooLargeError(TooLargeError):
    """More rows or bytes than one import may read."""

    code = "import-too-large"


class SourceFileNotFoundError(NotFoundError):
    """No file lies there; `candidates` are those nearby."""

    code = "source-file-not-found"


class SourceFileChangedError(ConflictError):
    """Somebody replaced the file while it was read."""

    code = "source-file-changed"


class SourceFileInvalidError(RefusedInputError):
    """The file is none of its format, is cut, or holds what does not fit; it says which file, column and row."""

    code = "source-file-invalid"


class SourceFilesTooLargeError(TooLargeError):
    """More files or bytes than one read may take."""

    code = "source-files-too-large"


class SourceAddressRefusedError(RefusedInputError):
    """The gateway does not connect to this address, whoever asks."""

    code = "source-address-refused"


class BucketAccessRefusedError(RefusedInputError):
    """The bucket, or the role that leads to it, does not let the connector in."""

    code = "bucket-access-refused"


class BucketNotFoundError(RefusedInputError):
    """The endpoint has no bucket of that name."""

    code = "bucket-not-found"


class BucketReservedError(RefusedInputError):
    """The gateway's own warehouse is there."""

    code = "bucket-reserved"


class RoleNotGuardedError(RefusedInputError):
    """The role lets the gateway in for any project."""

    code = "role-not-guarded"


class ConnectorSecretInvalidError(RefusedInputError):
    """The text is no reference to a secret, or to no store that the gateway knows."""

    code = "secret-reference-invalid"


class ConnectorSecretNotFoundError(RefusedInputError):
    """The secret store has no such secret, or the secret no such key."""

    code = "secret-not-found"


class ConnectorSecretDeniedError(RefusedInputError):
    """The project may not name this secret, or the gateway may not read it."""

    code = "secret-access-denied"


class SecretStoreUnavailableError(UnavailableError):
    """The secret store does not answer."""

    code = "secret-store-unavailable"
