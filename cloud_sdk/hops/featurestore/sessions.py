"""What the gateway gives in exchange for a proof: a short session, renewed before it ends, by one thread for all."""

from __future__ import annotations

import logging
import time
from typing import Callable, NoReturn, Optional, Tuple

from hops.featurestore.api_key import ApiKey, SecretText
from hops.featurestore.errors import FeatureStoreError
from hops.featurestore.threads import Turn

log = logging.getLogger("hops")

LogIn = Callable[[], Tuple[ApiKey, float]]
"""A new session and for how many seconds it lives. Raises FeatureStoreError."""

_RENEWED_AT = 2 / 3  # of its life
_PAUSE = 15.0  # seconds after a renewal that failed


class SessionKey:
    """Stands where an API key would. Safe to use from several threads; cannot be pickled or copied."""

    def __init__(
        self, log_in: LogIn, close: Callable[[], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log_in = log_in
        self._close = close
        self._clock = clock
        self._token: Optional[ApiKey] = None
        self._renew_at = self._ends_at = 0.0
        self._turn = Turn()

    def header(self) -> SecretText:
        """Raises FeatureStoreError where there is no session and none is to be had."""
        now = self._clock()
        if self._token is None or now >= self._ends_at:
            with self._turn():
                if self._token is None or self._clock() >= self._ends_at:
                    self._renew()
        elif now >= self._renew_at and self._turn().acquire(blocking=False):
            # The others go on with what they have.
            try:
                self._renew_early()
            finally:
                self._turn().release()
        assert self._token is not None, "renewing raises where it makes none"
        return SecretText("Bearer " + self._token.reveal())

    def renew(self, refused: str) -> bool:
        """After a 401: a laptop slept, or the gateway's keys changed. True where another header is worth a try."""
        with self._turn():
            if self._token is not None and refused == "Bearer " + self._token.reveal():
                self._renew()
        return True

    def close(self) -> None:
        self._close()

    def _renew_early(self) -> None:
        try:
            self._renew()
        except FeatureStoreError as error:
            self._renew_at = self._clock() + _PAUSE
            log.warning("The session could not be renewed yet: %s", error.detail)

    def _renew(self) -> None:
        started = self._clock()
        self._token, life = self._log_in()
        self._renew_at, self._ends_at = started + life * _RENEWED_AT, started + life

    def __repr__(self) -> str:
        return "***"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A session cannot be pickled or copied; connect again where it is needed.")
