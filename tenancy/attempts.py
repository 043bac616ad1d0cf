"""How often an address may fail to say who it is.

Keys cannot be guessed; what is limited is the work that guessing makes. So failures are counted and never successes, by the
address that they come from and never by the key or the role that they name: nobody can shut another one out. Who shares an
address with somebody who fails goes on with a credential that was good before, whatever the others do.
"""

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog

from infra.errors import TooManyRequestsError
from infra.ports.limits import Counter

WINDOW_SECONDS: Final = 10
"""Short, so that who was stopped by mistake waits little."""
MOST_KEPT: Final = 10_000
_log = structlog.get_logger(__name__)


class Attempts:
    """`failures` and `logins` are those of one address in one window; 0 is no limit.

    A `client` of None is one whose address cannot be told: it is not limited, for everybody else would be with it.
    """

    def __init__(
        self, *, counter: Counter, failures: int, logins: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._counter = counter
        self._failures = failures
        self._logins = logins
        self._now = now
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._stopped: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, client: str | None, credential: str, is_ours: Callable[[str], bool]) -> None:
        """Raises TooManyRequestsError for a client, or a credential of it, that failed too often. Asks this process only.

        `is_ours` tells a credential that nobody can have made but this gateway, where that takes no work to speak of.
        """
        if client is None or not self._stopped:
            return
        digest = _digest(credential)
        if digest not in self._good and not is_ours(credential):
            self._require_going(client)
            self._require_going(_one(client, digest))

    def succeeded(self, client: str | None, credential: str) -> None:
        if client is None or not self._failures:
            return
        digest = _digest(credential)
        with self._lock:
            self._good[digest] = None
            self._good.move_to_end(digest)
            _trim(self._good)

    def failed(self, client: str | None, credential: str) -> None:
        """A credential that fails again and again is one failure of its address: a forgotten job stops itself alone."""
        if client is None or not self._failures:
            return
        digest = _digest(credential)
        with self._lock:
            self._good.pop(digest, None)
        if self._count(_one(client, digest), self._failures) == 1:
            self._count(client, self._failures)

    def log_in(self, client: str | None) -> None:
        """One more login, whatever becomes of it: each has the gateway ask AWS. Raises TooManyRequestsError."""
        if client is None or not self._logins:
            return
        name = f"login {client}"
        self._require_going(name)
        # The one after the last that is allowed finds out, and is refused itself.
        if self._count(name, self._logins + 1) > self._logins:
            self._require_going(name)

    def _count(self, name: str, most: int) -> int:
        times = self._counter.count(name, WINDOW_SECONDS)
        if times >= most:
            self._stop(name)
        return times

    def _stop(self, name: str) -> None:
        seconds = min(max(self._counter.ends_in(name), 1.0), WINDOW_SECONDS)
        with self._lock:
            is_new = name not in self._stopped
            self._stopped[name] = self._now() + seconds
            _trim(self._stopped)
        if is_new:
            _log.warning("an address tries too often", client=name.partition("#")[0].strip())

    def _require_going(self, name: str) -> None:
        until = self._stopped.get(name)
        if until is None:
            return
        left = until - self._now()
        if left <= 0:
            with self._lock:
                self._stopped.pop(name, None)
            return
        raise TooManyRequestsError(
            "Too many attempts to come in from this address.",
            hint="Wait as long as Retry-After says. What was let in before goes on working.",
            retry_after=math.ceil(left),
        )


def _digest(credential: str) -> bytes:
    return hashlib.blake2b(credential.encode(), digest_size=16).digest()


def _one(client: str, digest: bytes) -> str:
    return f"{client} #{digest.hex()}"


def _trim(kept: OrderedDict[bytes, None] | OrderedDict[str, float]) -> None:
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)
