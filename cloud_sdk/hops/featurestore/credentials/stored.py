"""A key that came from a store, which may have its successor by now: code runs on for longer than a key lives."""

from __future__ import annotations

import logging
import time
from typing import Callable, NoReturn, Optional

from hops.featurestore.api_key import ApiKey, SecretText
from hops.featurestore.errors import FeatureStoreError
from hops.featurestore.threads import Turn

log = logging.getLogger("hops")

_PAUSE = 5.0  # seconds; what was just read is not read again, so a revoked key asks its store no more than that


class StoredKey:
    """Stands where an API key would. Safe to use from several threads; cannot be pickled or copied.

    `read` asks the store again: None where that leads to no key for this gateway and project any more.
    """

    def __init__(
        self, key: ApiKey, read: Callable[[], Optional[ApiKey]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._key = key
        self._read = read
        self._clock = clock
        self._turn = Turn()
        self._read_at = clock()

    def header(self) -> SecretText:
        return self._key.header()

    def renew(self, refused: str) -> bool:
        """After a 401. True where the store has another key than the refused one, whichever thread found that out."""
        with self._turn():
            if refused != self._key.header():
                return True
            if self._clock() - self._read_at < _PAUSE:
                return False
            fresh = self._read_again()
            if fresh is None or refused == fresh.header():
                return False
            self._key = fresh
        log.info("The gateway refused the API key; its store has another one by now, which is used from here on.")
        return True

    def close(self) -> None:
        """There is nothing to close."""

    def _read_again(self) -> Optional[ApiKey]:
        try:
            return self._read()
        except FeatureStoreError as error:
            log.warning("The gateway refused the API key, and its store does not give it again: %s", error.detail)
            return None
        finally:
            self._read_at = self._clock()

    def __repr__(self) -> str:
        return "***"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("An API key cannot be pickled or copied; connect again where it is needed.")
