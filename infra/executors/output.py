"""Lines of a program that is still writing, kept within bounds."""

import threading
from collections import deque
from typing import IO

from infra.ports.executors import MAX_LINE

# The beginning says what was tried, the end what went wrong. Together they fit a run's log.
FIRST_LINES = 1_900
LAST_LINES = 90
# Of one read: a character of UTF-8 has up to four bytes.
_MOST_BYTES = 4 * MAX_LINE


class Output:
    """Reads to the end in a thread of its own, so that the program never waits for who looks."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._fresh: list[str] = []
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._count = 0
        self._thread = threading.Thread(target=self._read, name="program-output", daemon=True)
        self._thread.start()

    def take(self) -> tuple[str, ...]:
        """Lines that came since the last time."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
        return tuple(fresh)

    def take_rest(self, patience: float) -> tuple[str, ...]:
        """What is left after the program's end, which may be the end of a long output."""
        self._thread.join(patience)
        fresh = self.take()
        with self._lock:
            left_out = self._count - FIRST_LINES - len(self._last)
            gap = (f"… {left_out:,} lines are left out …",) if left_out > 0 else ()
            return (*fresh, *gap, *self._last)

    def _read(self) -> None:
        with self._pipe:
            while piece := self._pipe.readline(_MOST_BYTES):
                self._keep(piece.decode(errors="replace").rstrip("\r\n")[:MAX_LINE])

    def _keep(self, line: str) -> None:
        with self._lock:
            self._count += 1
            (self._fresh if self._count <= FIRST_LINES else self._last).append(line)
