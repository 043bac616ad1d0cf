"""What a plan reads, tied to states of tables. Values only."""

from dataclasses import dataclass

from app.featurestore.query.pruning import TimeBounds
from infra.ports.engine import Table
from infra.ports.tables import Snapshot


@dataclass(frozen=True)
class PinnedTable:
    """What is read of one group. `files` is how many there are, of which `table` holds those that may matter."""

    table: Table
    files: int

    @property
    def version(self) -> int | None:
        return self.table.version if isinstance(self.table, Snapshot) else None

    @property
    def files_read(self) -> int:
        return len(self.table.files) if isinstance(self.table, Snapshot) else 0

    def bytes_of(self, columns: int) -> int | None:
        """About how many bytes reading so many columns takes; None where a foreign database holds them."""
        if not isinstance(self.table, Snapshot):
            return None
        return sum(file.bytes for file in self.table.files) * columns // max(1, len(self.table.schema))


@dataclass(frozen=True)
class PinnedLabels:
    """The labels, and how many there are: as many rows as the answer has. `bounds` None: nobody has looked at their times."""

    table: Table
    count: int | None
    bounds: TimeBounds | None

    @property
    def version(self) -> int | None:
        return self.table.version if isinstance(self.table, Snapshot) else None
