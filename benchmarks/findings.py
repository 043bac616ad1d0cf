"""What a subject came to: figures, and how they stand to what we promise ourselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Figure: TypeAlias = float | str | None


@dataclass(frozen=True)
class Column:
    name: str
    digits: int = 2


@dataclass(frozen=True)
class Target:
    """`limit` is the most it may be, or the least if `at_least`."""

    what: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True)
class Findings:
    """One table. `rows` have a figure for each column, None where there is nothing to say; `size` is what was measured."""

    subject: str
    size: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Figure], ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
