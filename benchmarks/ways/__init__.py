"""Ways to do the same thing, each run in a fresh process by `benchmarks.contest`.

A way is a module with `prepare(task)`, which returns what is timed: a function whose result is `Answered`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Task: TypeAlias = Mapping[str, Any]
"""JSON: the files of each group, the file of the labels, the lookback in microseconds or None, how to reach a gateway."""


@dataclass(frozen=True)
class Answered:
    """`table` is checked outside the timed part; a way that keeps no table gives its `checksum`, or None without any.

    `counts` are of whatever else happened.
    """

    rows: int
    table: Any = None
    checksum: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


Way: TypeAlias = Callable[[], Answered]
