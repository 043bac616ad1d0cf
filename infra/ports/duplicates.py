"""Finds rows that are there more than once. Implementation: `infra/tables/uniqueness.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.ports.tables import BatchFactory


@dataclass(frozen=True)
class Duplicate:
    """Values, as text, that several rows have; `row` counts from 0 and is the first of them."""

    row: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Duplicates:
    """`rows` is how many rows share their values with another one, `first` the earliest of them."""

    rows: int
    first: tuple[Duplicate, ...]


class DuplicateFinder(Protocol):
    def find(self, rows: BatchFactory, columns: Sequence[str], examples: int) -> Duplicates:
        """Compare `columns`; a row where one of them is null is like no other, as in SQL.

        Raises EngineLimitError where the values do not fit into memory and its spill.
        """
