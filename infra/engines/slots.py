"""How many queries run at once. A slot is taken as long as its process lives, however long its reader takes."""

import threading
import time
from dataclasses import dataclass
from typing import Final

from infra.engines.process_run import ProcessRun
from infra.errors import UnavailableError

_RETRY_AFTER: Final = 2
_ENDING_WAIT: Final = 1.0


@dataclass(eq=False)
class Slot:
    """`run` comes once there is a process."""

    run: ProcessRun | None = None
    is_given_back: bool = False

    @property
    def is_free(self) -> bool:
        return self.is_given_back if self.run is None else self.run.is_over


class Slots:
    def __init__(self, count: int) -> None:
        self._count = count
        self._guard = threading.Lock()
        self._taken: set[Slot] = set()

    def take(self) -> Slot:
        """UnavailableError when all are busy. A process that is being killed is waited for."""
        until = time.monotonic() + _ENDING_WAIT
        while (slot := self._found()) is None:
            ending = [one.run for one in self._taken.copy() if one.is_given_back and one.run is not None]
            if not ending or time.monotonic() > until:
                raise UnavailableError("All query slots are busy.", retry_after=_RETRY_AFTER)
            time.sleep(0.01)
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

    def _found(self) -> Slot | None:
        self._prune()
        with self._guard:
            if len(self._taken) >= self._count:
                return None
            slot = Slot()
            self._taken.add(slot)
            return slot

    def _prune(self) -> None:
        with self._guard:
            self._taken = {slot for slot in self._taken if not slot.is_free}
