"""What a check of `fs.doctor` that has nothing to look at raises."""

from __future__ import annotations


class SkippedCheck(Exception):  # noqa: N818 nothing is wrong
    """There is nothing to look at, and it is said why."""
