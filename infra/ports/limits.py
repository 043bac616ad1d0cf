"""Counting what happens within a span of time, so that there can be too much of it."""

from typing import Protocol


class Counter(Protocol):
    """Windows begin with the first event of a name. Never raises: what cannot be counted together is counted here."""

    def count(self, name: str, seconds: int) -> int:
        """One more of `name`; how many there were in its window of so many seconds, with this one."""

    def ends_in(self, name: str) -> float:
        """Seconds until the window of `name` is over."""
