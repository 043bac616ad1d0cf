"""A folder of each query's own, and the removal of those whose gateway has died."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from infra.errors import UnavailableError

_PREFIX: Final = "oasthouse-query-"


class SpillDirectory:
    """Locked as long as it is used: a lock ends with its process, whatever ended that."""

    def __init__(self, parent: Path) -> None:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            self.path, self._lock = _made(parent)
        except OSError as error:
            raise UnavailableError("There is no room for what a query puts aside.", retry_after=30) from error

    def remove(self) -> None:
        """Doing it again does nothing."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(lock)


def sweep(parent: Path) -> None:
    """Remove what dead gateways left below `parent`."""
    for path in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def _made(parent: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return path, lock
        # Somebody swept it up between the two lines above.
        os.close(lock)
