"""Credentials that were minted, for those who ask for the very same again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from infra.clock import Clock
from infra.ports.vending import Credential, VendingUnavailableError

_MOST: Final = 1024


@dataclass
class _Entry:
    guard: threading.Lock = field(default_factory=threading.Lock)
    credential: Credential | None = None
    until: datetime | None = None
    begun: int = 0
    failure: VendingUnavailableError | None = None
    """Of the minting that was begun last."""


class Minted:
    """Keeps each for half its life, so that nobody is given one that ends at once. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, key: Hashable, mint: Callable[[], Credential]) -> Credential:
        """`key` is everything that shapes the credential. Those who ask for one at once wait for one minting.

        Also for one that fails: where AWS is silent, each of them would otherwise wait for that by itself.
        """
        entry = self._entry(key)
        asked = entry.begun
        with entry.guard:
            now = self._clock.now()
            if entry.credential is not None and entry.until is not None and entry.until > now:
                return entry.credential
            if entry.failure is not None and entry.begun > asked:
                raise _again(entry.failure)
            return self._minted(entry, now, mint)

    @staticmethod
    def _minted(entry: _Entry, now: datetime, mint: Callable[[], Credential]) -> Credential:
        entry.begun, entry.failure = entry.begun + 1, None
        try:
            made = mint()
        except VendingUnavailableError as error:
            entry.failure = _again(error)
            raise
        entry.credential, entry.until = made, now + (made.expires_at - now) / 2
        return made

    def _entry(self, key: Hashable) -> _Entry:
        with self._guard:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > _MOST:
                self._entries.popitem(last=False)
            return entry


def _again(error: VendingUnavailableError) -> VendingUnavailableError:
    """For somebody else: an error that was raised holds on to the places it came through."""
    return VendingUnavailableError(error.detail, hint=error.hint, retry_after=error.retry_after)
