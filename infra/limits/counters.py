"""Counts in this process, or in a Valkey for all processes: the package `limits`, and what to do where that is silent."""

import re
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import structlog

from infra.errors import InvalidInputError

if TYPE_CHECKING:
    from limits.storage import Storage

_PAUSE: Final = 5.0
_TIMEOUT: Final = 0.25
"""A request waits for it, so that a Valkey that is slower than a database is of no use."""
_SCHEMES: Final = {"valkey": "valkey", "valkeys": "valkeys", "redis": "valkey", "rediss": "valkeys"}
T = TypeVar("T")
_log = structlog.get_logger(__name__)


class WindowCounter:
    """Implements `infra.ports.limits.Counter`. `prefix` tells gateways apart that share a Valkey.

    Where the Valkey does not answer, each process counts for itself, and asks again after five seconds: limits are then
    as many times wider as there are processes, and nobody is kept out for it.
    """

    def __init__(self, url: str | None, prefix: str, now: Callable[[], float] = time.monotonic) -> None:
        self._url = None if url is None else _checked(url)
        self._prefix = prefix
        self._now = now
        self._silent_until = float("-inf")
        self._making = threading.Lock()

    def count(self, name: str, seconds: int) -> int:
        return self._ask(lambda storage: storage.incr(name, seconds))

    def ends_in(self, name: str) -> float:
        return max(0.0, self._ask(lambda storage: storage.get_expiry(name)) - time.time())

    def _ask(self, question: "Callable[[Storage], T]") -> T:
        # One thread at a time: its modules import each other, and two at once would meet one that is half made.
        with self._making:
            from limits.errors import StorageError  # noqa: PLC0415 a tenth of a second that most processes never need

        if self._url is not None and self._now() >= self._silent_until:
            try:
                return question(self._shared)
            except StorageError as error:
                self._silent_until = self._now() + _PAUSE
                # Not the error's own text: it may hold the address with its password.
                _log.warning("attempts are counted by each process", error=type(error.storage_error).__name__)
        return question(self._own)

    @property
    def _own(self) -> "Storage":
        # Its thread must not be there before a fork, and two at once would each begin at one.
        with self._making:
            return self._in_memory

    @cached_property
    def _in_memory(self) -> "Storage":
        from limits.storage import MemoryStorage  # noqa: PLC0415 see above

        return MemoryStorage()

    @cached_property
    def _shared(self) -> "Storage":
        from limits.storage import RedisStorage  # noqa: PLC0415 see above

        assert self._url is not None, "asked for where there is one"
        # Without being told so, the client takes a certificate for any name.
        tls = {"ssl_check_hostname": True} if self._url.startswith("valkeys:") else {}
        return RedisStorage(
            self._url,
            key_prefix=self._prefix,
            wrap_exceptions=True,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            **tls,
        )


def _checked(url: str) -> str:
    """Never repeated: it may hold a password. Nor may it say more than where, such as that certificates do not count."""
    try:
        parts = urlsplit(url)
        is_place = bool(parts.hostname) and parts.port != 0 and re.fullmatch(r"/?\d*", parts.path)
    except ValueError:
        is_place = None
    if not is_place or parts.scheme not in _SCHEMES or parts.query or parts.fragment:
        raise InvalidInputError(
            "OAST_LIMITS__URL is no address of a Valkey.",
            hint="Give valkey://host:6379, or valkeys://host:6379 for TLS.",
        )
    return parts._replace(scheme=_SCHEMES[parts.scheme]).geturl()
