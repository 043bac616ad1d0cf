"""Finds rows that are there more than once, with DuckDB."""

from collections.abc import Sequence

from infra.ports.duplicates import Duplicates
from infra.ports.tables import BatchFactory


class DuckDbDuplicateFinder:
    """Implements `DuplicateFinder`."""

    def find(self, rows: BatchFactory, columns: Sequence[str], examples: int) -> Duplicates:
        # Imported late for the sake of forks, like the query engine.
        from infra.tables.uniqueness import find_duplicates  # noqa: PLC0415

        return find_duplicates(rows, columns, examples)
