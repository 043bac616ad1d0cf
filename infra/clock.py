"""Time comes in by the constructor, so that tests can move it."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time, zone UTC."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
