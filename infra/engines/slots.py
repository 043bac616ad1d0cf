"""How many queries run at once. A slot is taken as long as its process lives, however long its reader takes."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from infra.engines.process_run import ASK_EVERY, ProcessRun, require_wanted
from infra.errors import UnavailableError
from infra.ports.engine import Abandoned

_RETRY_AFTER: Final = 2
_ENDING_WAIT: Final = 1.0
_LOOK_EVERY: Final = 0.01


@dataclass(eq=False)
class Slot:
    """`run` comes once there is a process."""

    asker: str
    run: ProcessRun | None = None
    is_given_back: bool = False

    @property
    def is_free(self) -> bool:
        return self.is_given_back if self.run is None else self.run.is_over


@dataclass(frozen=True, eq=False)
class _Place:
    asker: str


class Slots:
    """`count` slots, and as many places in the line for one. Whoever waits holds a thread of the server, hence no more.

    Where there are several, one asker gets all slots but one and all places but one: who reads slowly or never holds up
    his own queries only.
    """

    def __init__(self, count: int, wait_seconds: float) -> None:
        self._count = count
        self._wait_seconds = wait_seconds
        self._guard = threading.Lock()
        self._taken: set[Slot] = set()
        self._line: deque[_Place] = deque()

    def take(self, asker: str, abandoned: Abandoned | None) -> Slot:
        """First come, first served, but for those who have their share.

        UnavailableError without a place in the line, after waiting too long, and if abandoned.
        """
        with self._place_in_line(asker) as place:
            started = asked = time.monotonic()
            while (slot := self._found(place)) is None:
                now = time.monotonic()
                if now - started > self._wait_seconds:
                    raise _busy()
                if now - asked > ASK_EVERY:
                    asked = now
                    require_wanted(abandoned)
                time.sleep(_LOOK_EVERY)
            return slot

    def give_back(self, slot: Slot) -> None:
        slot.is_given_back = True
        if slot.run is not None:
            slot.run.close()
        self._prune()

    def stop_all(self) -> None:
        with self._guard:
            runs = [slot.run for slot in self._taken if slot.run is not None]
        for run in runs:
            run.stop()
        until = time.monotonic() + _ENDING_WAIT
        while not all(run.is_over for run in runs) and time.monotonic() < until:
            time.sleep(0.01)

    @contextmanager
    def _place_in_line(self, asker: str) -> Iterator[_Place]:
        place = _Place(asker)
        with self._guard:
            if len(self._line) > self._count or self._held_by(asker, self._line) >= max(2, self._count):
                raise _busy()
            self._line.append(place)
        try:
            yield place
        finally:
            with self._guard:
                self._line.remove(place)

    def _found(self, place: _Place) -> Slot | None:
        self._prune()
        with self._guard:
            share = max(1, self._count - 1)
            may = (other for other in self._line if self._held_by(other.asker, self._taken) < share)
            if next(may, None) is not place or len(self._taken) >= self._count:
                return None
            slot = Slot(place.asker)
            self._taken.add(slot)
            return slot

    def _held_by(self, asker: str, held: Iterable[Slot | _Place]) -> int:
        return sum(each.asker == asker for each in held)

    def _prune(self) -> None:
        with self._guard:
            self._taken = {slot for slot in self._taken if not slot.is_free}


def _busy() -> UnavailableError:
    return UnavailableError("All query slots are busy.", retry_after=_RETRY_AFTER)
