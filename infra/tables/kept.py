"""What a table's log said before. A commit never changes and a location is never used again, so it may be kept."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Kept(Generic[_K, _V]):
    """The values used last, up to `capacity` of their weights. Safe to use from several threads."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[_K, tuple[_V, int]] = OrderedDict()
        self._weight = 0
        self._guard = threading.Lock()

    def find(self, key: _K) -> _V | None:
        with self._guard:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def keep(self, key: _K, value: _V, weight: int = 1) -> None:
        """In place of what was kept as `key`. What outweighs everything else is not kept."""
        if weight > self._capacity:
            return
        with self._guard:
            self._weight += weight - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, weight
            while self._weight > self._capacity:
                _, (_, dropped) = self._values.popitem(last=False)
                self._weight -= dropped
