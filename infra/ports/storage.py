"""Files below the warehouse root. Implementations: `infra/storage/local.py`, `infra/storage/s3.py`."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol


class ObjectStore(Protocol):
    """Paths are relative, made of segments `[A-Za-z0-9._=-]+` joined by `/`; anything else raises InvalidInputError."""

    def uri(self, path: str) -> str:
        """Absolute form, as shown to users and handed to engines: `/dir/…` or `s3://bucket/…`."""

    def open_output(self, path: str) -> BinaryIO:
        """A new file for writing. It exists only after `close()`; leaving it on an exception must not publish half a file."""

    def open_input(self, path: str) -> BinaryIO: ...

    def presigned(self, uri: str, seconds: int) -> str | None:
        """Where anybody may GET the file for so long, without credentials; None where the store has no such addresses.

        `uri` is absolute, as `uri()` and `DataFile.uri` have it; it may hold what a path may not. InvalidInputError unless it
        lies below the warehouse.
        """

    def local_path(self, uri: str) -> Path | None:
        """The file on this machine behind `uri`, links resolved; None for a store elsewhere. Raises as `presigned` does."""

    def list_files(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Paths below `prefix/`, those alone that sort after the path `after`. No order is promised."""

    def delete_prefix(self, prefix: str) -> int:
        """Delete everything below `prefix/`, never a sibling such as `prefix2/`; returns the number of files."""

    def delete_files(self, paths: Sequence[str]) -> None:
        """Delete these and nothing else; what is not there is fine."""

    def sweep(self, older_than: timedelta) -> int:
        """Delete what writers that died left half-written, where that is ours to do; returns the number of files."""

    def probe(self) -> None:
        """Prove that the warehouse can be written and refuses a second create of one object.

        Raises StorageUnavailableError if not: a store that lets two writers create the same object loses commits silently.
        """

    def race(self) -> None:
        """Prove that of many who create one object at once exactly one is let, several times over; raises as `probe` does.

        It may take seconds: there are stores that let contestants wait for each other.
        """
