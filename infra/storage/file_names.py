"""Names that others gave to files, and how many of them one read may take."""

from infra.errors import InvalidInputError
from infra.ports.files import FileEntry, FileLimits, SourceFilesTooLargeError

_MOST_BYTES = 1024  # of a key in S3


def plain_path(path: str) -> str:
    """Without slashes at its ends; InvalidInputError for one that could be taken for a place elsewhere."""
    trimmed = path.strip("/")
    if trimmed:
        require_readable(trimmed)
    return trimmed


def require_readable(path: str) -> None:
    # Stores and clients resolve dot segments and empty ones, which would lead out of the root, or to another file.
    segments = path.split("/")
    if any(segment in {"", ".", ".."} for segment in segments) or "\0" in path or not _fits(path):
        raise InvalidInputError(
            f"{path[:200]!r} is no path of a file that the gateway reads.",
            hint="Paths have at most 1,024 bytes and no empty part, `.` or `..` between their slashes.",
        )


def _fits(path: str) -> bool:
    try:
        return len(path.encode()) <= _MOST_BYTES
    except UnicodeEncodeError:
        return False


class Counted:
    """Entries, refused as soon as they are too many or too large together."""

    def __init__(self, limits: FileLimits) -> None:
        self._limits = limits
        self._entries: list[FileEntry] = []
        self._bytes = 0

    def add(self, entry: FileEntry) -> None:
        require_readable(entry.path)
        self._entries.append(entry)
        self._bytes += entry.size
        if len(self._entries) > self._limits.max_files or self._bytes > self._limits.max_bytes:
            raise too_many(self._limits)

    def sorted(self) -> list[FileEntry]:
        return sorted(self._entries, key=lambda entry: entry.path)


def too_many(limits: FileLimits) -> SourceFilesTooLargeError:
    return SourceFilesTooLargeError(
        f"There are more than {limits.max_files:,} files or {limits.max_bytes:,} bytes, which is the most of one read.",
        hint="Read a folder further below, or ask the operator about OAST_CONNECTORS__MAX_FILES and "
        "OAST_CONNECTORS__MAX_FILE_BYTES.",
    )
