"""When to try again, and how long to wait before."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Callable, Optional

from hops.featurestore.errors import ConnectionFailedError, FeatureStoreError, GatewayError, RequestInProgressError

_RETRIED_STATUS = frozenset({429, 502, 503, 504})
# The gateway or the proxy before it turned these away without doing anything.
_NOT_EXECUTED_STATUS = frozenset({429, 503})


@dataclass(frozen=True)
class RetryPolicy:
    """Full jitter: a wait is drawn from 0 to `first_wait`, doubled each time up to `longest_wait` seconds.

    `total` bounds the seconds from the first attempt to the start of the last; from the first failure, where a request counts
    once however often it is sent. A longer `Retry-After` ends it early.
    """

    attempts: int = 4
    total: float = 60.0
    first_wait: float = 0.5
    longest_wait: float = 8.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[float, float], float] = field(default=random.SystemRandom().uniform)

    def wait_before(self, attempt: int, retry_after: Optional[float], started: float) -> Optional[float]:
        """Seconds to wait before attempt number `attempt` (the second is 2), or None to give up."""
        if attempt > self.attempts:
            return None
        wait = self.draw(0.0, min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 2)))
        if retry_after is not None:
            wait += retry_after  # jitter on top: everyone was told the same moment
        return None if self.clock() - started + wait > self.total else wait


def may_retry(failure: FeatureStoreError, *, repeatable: bool, sent: bool) -> bool:
    """Whether doing it again can neither harm nor be pointless.

    `repeatable`: doing it twice equals doing it once. `sent`: the request may have reached the gateway.
    """
    if isinstance(failure, ConnectionFailedError):
        return repeatable or not sent
    if isinstance(failure, RequestInProgressError):
        return True
    status = failure.status if isinstance(failure, GatewayError) else None
    return status in (_RETRIED_STATUS if repeatable else _NOT_EXECUTED_STATUS)


def parse_retry_after(value: Optional[str]) -> Optional[float]:
    """Seconds; the header's number or date. None if absent or unreadable."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
