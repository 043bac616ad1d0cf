"""Files of others, and places of a project's own. Implementations: `infra/storage/buckets.py`, `infra/storage/folders.py`."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeAlias

from infra.crypto import SecretValue
from infra.errors import ConflictError, InvalidInputError, NotFoundError, TooLargeError
from infra.ports.storage import ObjectStore


class BucketNotFoundError(InvalidInputError):
    """The endpoint knows no bucket of that name."""

    code = "bucket-not-found"
    title = "There is no such bucket"


class BucketAccessRefusedError(InvalidInputError):
    """The bucket, or who gives out its credentials, does not let us in."""

    code = "bucket-access-refused"
    title = "The bucket refused access"


class BucketKeysRefusedError(BucketAccessRefusedError):
    """The keys themselves, not what they may: another version of the secret may be right."""


class RoleNotGuardedError(InvalidInputError):
    """A role that the gateway may assume whatever ExternalId it says: anybody's project could name it."""

    code = "role-not-guarded"
    title = "The role is open to every project"


class SourceFileNotFoundError(NotFoundError):
    """No file lies there."""

    code = "source-file-not-found"
    title = "There is no such file"


class SourceFileChangedError(ConflictError):
    """Replaced or removed since it was listed."""

    code = "source-file-changed"
    title = "The file changed while it was read"


class SourceFilesTooLargeError(TooLargeError):
    """More files or bytes than one read may take."""

    code = "source-files-too-large"
    title = "Too many files"


@dataclass(frozen=True)
class FileLimits:
    """What may be listed at once: files, and bytes of them together as they are stored."""

    max_files: int
    max_bytes: int


@dataclass(frozen=True)
class FileEntry:
    """`path` is relative to the source's root and as others named it; `state` tells this file from one that replaces it."""

    path: str
    size: int
    state: str


class FileSource(Protocol):
    """Files for reading, whatever they are called: spaces, `=`, any letters. Never `.` or `..` between slashes."""

    def list_files(self, path: str) -> list[FileEntry]:
        """The file `path` and all files below `path/`, sorted; `""` is the whole source. Never a sibling such as `path2`.

        Raises SourceFilesTooLargeError. What is not there gives an empty list.
        """

    def open_input(self, entry: FileEntry) -> BinaryIO:
        """The file as it was listed, seekable; raises SourceFileNotFoundError and SourceFileChangedError, if need be midway."""


@dataclass(frozen=True)
class BucketKeys:
    access_key_id: SecretValue
    secret_access_key: SecretValue
    session_token: SecretValue | None = None


@dataclass(frozen=True)
class BucketRole:
    """A role that the gateway assumes, saying on whose behalf."""

    arn: str
    external_id: str
    session_name: str


BucketIdentity: TypeAlias = BucketKeys | BucketRole


@dataclass(frozen=True)
class BucketTarget:
    """A bucket, or what lies below `prefix/` in it. Nobody but `identity` is used there, never the gateway itself."""

    bucket: str
    identity: BucketIdentity
    prefix: str = ""
    region: str | None = None
    endpoint_url: str | None = None


class Buckets(Protocol):
    """Buckets of others.

    Every call, and whatever is done later with what it gave, raises SourceUnreachableError, BucketNotFoundError,
    BucketAccessRefusedError or RoleNotGuardedError; none of them holds a key.
    """

    def test(self, target: BucketTarget) -> None:
        """Obtain the credentials and list one key."""

    def store(self, target: BucketTarget) -> ObjectStore:
        """For writing and reading by our own strict names, below the target's prefix."""

    def source(self, target: BucketTarget) -> FileSource: ...


class Folders(Protocol):
    """Places in the gateway's own warehouse; `path` is one of ours, as in ObjectStore."""

    def test(self, path: str) -> None:
        """Reach the warehouse; the place itself may be empty."""

    def uri(self, path: str) -> str:
        """Absolute, as people and engines name it."""

    def store(self, path: str) -> ObjectStore: ...

    def source(self, path: str) -> FileSource: ...
