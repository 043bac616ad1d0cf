"""How a rule looks at rows: batch by batch, keeping counts and a few examples and never the rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from app.featurestore.validation.report import EXAMPLES, Example, Finding
from app.featurestore.validation.values import shown
from infra.ports.duplicates import Duplicates


@dataclass(frozen=True)
class Situation:
    """What a rule may ask for besides rows. `require_time` raises EngineLimitError once looking has taken too long."""

    schema: pa.Schema
    now: datetime
    find_duplicates: Callable[[Sequence[str]], Duplicates]
    require_time: Callable[[], None]


class Check(Protocol):
    """One rule at work on one set of rows. What it finds must not depend on how the rows are cut into batches."""

    def look(self, batch: pa.RecordBatch, start: int) -> None:
        """`start` is the number of the batch's first row."""

    def finding(self, rows: int) -> Finding:
        """Asked once, after the last of `rows` rows."""


class EachRow:
    """Judges row by row. `failing` marks rows of a batch (null: none of its business); `column_of` says where one fails."""

    def __init__(
        self, failing: Callable[[pa.RecordBatch], pa.BooleanArray], column_of: Callable[[pa.RecordBatch, int], str]
    ) -> None:
        self._failing = failing
        self._column_of = column_of
        self._failed = 0
        self._examples: list[Example] = []

    def look(self, batch: pa.RecordBatch, start: int) -> None:
        marked = pc.fill_null(self._failing(batch), fill_value=False)
        failed = pc.sum(marked).as_py() or 0
        self._failed += failed
        if failed and len(self._examples) < EXAMPLES:
            for index in pc.indices_nonzero(marked)[: EXAMPLES - len(self._examples)].to_pylist():
                column = self._column_of(batch, index)
                self._examples.append(Example(start + index, column, shown(batch.column(column)[index])))

    def finding(self, rows: int) -> Finding:  # noqa: ARG002 the port's signature
        return Finding(self._failed == 0, self._failed, tuple(self._examples))


class Newest:
    """Keeps the greatest value of a column of times or dates, and compares it with the clock at the end."""

    def __init__(self, column: str, now: datetime, max_age_seconds: float) -> None:
        self._column = column
        self._oldest = int((now.timestamp() - max_age_seconds) * 1_000_000)
        self._newest: pa.Scalar | None = None

    def look(self, batch: pa.RecordBatch, start: int) -> None:  # noqa: ARG002 the port's signature
        found = pc.max(batch.column(self._column))
        if found.is_valid and (self._newest is None or pc.greater(found, self._newest).as_py()):
            self._newest = found

    def finding(self, rows: int) -> Finding:  # noqa: ARG002 the port's signature
        if self._newest is None or _microseconds(self._newest) >= self._oldest:
            return Finding(passed=True)
        return Finding(passed=False, examples=(Example(None, self._column, shown(self._newest)),))


class Count:
    def __init__(self, least: int, most: int | None) -> None:
        self._least = least
        self._most = most

    def look(self, batch: pa.RecordBatch, start: int) -> None:
        """The rows are counted for every rule anyway."""

    def finding(self, rows: int) -> Finding:
        passed = self._least <= rows and (self._most is None or rows <= self._most)
        return Finding(passed, examples=() if passed else (Example(None, "", f"{rows:,} rows"),))


class Twice:
    """Not in passing: rows have to be compared with each other, which is left to who can spill to disk."""

    def __init__(self, columns: Sequence[str], find: Callable[[Sequence[str]], Duplicates]) -> None:
        self._columns = columns
        self._find = find

    def look(self, batch: pa.RecordBatch, start: int) -> None:
        """Nothing can be said of a batch alone."""

    def finding(self, rows: int) -> Finding:  # noqa: ARG002 the port's signature
        found = self._find(self._columns)
        where = ", ".join(self._columns)
        examples = [Example(each.row, where, shown(pa.scalar(", ".join(each.values)))) for each in found.first]
        return Finding(found.rows == 0, found.rows, tuple(examples))


def _microseconds(moment: pa.Scalar) -> int:
    days_or_microseconds: int = pc.cast(moment, pa.int32() if pa.types.is_date32(moment.type) else pa.int64()).as_py()
    return days_or_microseconds * 86_400_000_000 if pa.types.is_date32(moment.type) else days_or_microseconds
