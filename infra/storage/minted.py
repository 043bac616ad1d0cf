"""Credentials that were minted, for those who ask for the very same again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from infra.clock import Clock
from infra.ports.vending import Credential

_MOST: Final = 1024


@dataclass
class _Entry:
    guard: threading.Lock = field(default_factory=threading.Lock)
    credential: Credential | None = None
    until: datetime | None = None


class Minted:
    """Keeps each for half its life, so that nobody is given one that ends at once. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, key: Hashable, mint: Callable[[], Credential]) -> Credential:
        """`key` is everything that shapes the credential. Those who ask for one at once wait for one minting."""
        entry = self._entry(key)
        with entry.guard:
            now = self._clock.now()
            if entry.credential is None or entry.until is None or entry.until <= now:
                entry.credential = mint()
                entry.until = now + (entry.credential.expires_at - now) / 2
            return entry.credential

    def _entry(self, key: Hashable) -> _Entry:
        with self._guard:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > _MOST:
                self._entries.popitem(last=False)
            return entry
