"""A cache of what secret stores answered.

Our own, and not cachetools': an entry that is asked for once by many threads, and that outlives its time while its store is
down, is most of what is here.
"""

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import structlog

from infra.crypto import SecretValue
from infra.ports.secrets import SecretRef, SecretStage, SecretStore, SecretStoreUnavailableError

FRESH_SECONDS: Final = 300.0
"""Entries live for this or up to a fifth less, so that those of one start do not all end at once."""

STALE_SECONDS: Final = 900.0
"""Since it was fetched, a value is used at the most so long while its store does not answer."""

_JITTER: Final = 0.2
_RETRY_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


class _Key(NamedTuple):
    """The owner is part of it: what one project may read is another's to be asked about anew, even of one name."""

    owner: str
    ref: SecretRef
    stage: SecretStage


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: SecretValue | None = None
    error: SecretStoreUnavailableError | None = None
    begun: float = float("-inf")
    """When the latest question to the store began: its answer is new enough for whoever asked before."""
    fetched: float = float("-inf")
    until: float = float("-inf")


class SecretCache:
    """One question to the store at a time for each secret. Secrets of this machine are read each time: that is cheap."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
        most: int = 1024,
    ) -> None:
        self._now = now
        self._draw = draw
        self._most = most
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def resolve(
        self,
        owner: str,
        store: SecretStore,
        ref: SecretRef,
        stage: SecretStage = SecretStage.CURRENT,
        *,
        anew: bool = False,
    ) -> SecretValue:
        """Raises as `SecretStore.resolve` does. `anew` asks the store, or shares an answer to a question just begun."""
        if store.is_local:
            return store.resolve(ref, stage)
        asked = self._now()
        key = _Key(owner, ref, stage)
        entry = self._entry(key)
        with entry.lock:
            is_answered = entry.begun > asked if anew else self._now() < entry.until
            if is_answered and entry.value is not None:
                return entry.value
            if entry.error is not None and entry.begun > asked:
                # Others waited for the same silence: they need not each wait for it once more.
                raise SecretStoreUnavailableError(entry.error.detail, retry_after=entry.error.retry_after)
            return self._fetch(entry, key, store)

    def _fetch(self, entry: _Entry, key: _Key, store: SecretStore) -> SecretValue:
        owner, ref, stage = key
        entry.begun, entry.error = self._now(), None
        try:
            value = store.resolve(ref, stage)
        except SecretStoreUnavailableError as error:
            return self._stale(entry, ref, error)
        except Exception:
            # Refused or gone: nobody goes on with what was.
            entry.value = None
            raise
        entry.value, entry.fetched = value, self._now()
        seconds = round(entry.fetched - entry.begun, 3)
        _log.debug("secret read", reference=str(ref), stage=stage.value, owner=owner, seconds=seconds)
        entry.until = entry.fetched + FRESH_SECONDS * (1 - _JITTER * self._draw())
        return value

    def _stale(self, entry: _Entry, ref: SecretRef, error: SecretStoreUnavailableError) -> SecretValue:
        now = self._now()
        age = now - entry.fetched
        if entry.value is None or age > STALE_SECONDS:
            entry.value, entry.error = None, error
            raise error
        entry.until = min(now + _RETRY_SECONDS, entry.fetched + STALE_SECONDS)
        _log.warning("secret store silent, old value used", reference=str(ref), age_seconds=round(age))
        return entry.value

    def _entry(self, key: _Key) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
            return entry
