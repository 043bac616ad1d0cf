"""Holds rows against rules: one pass for all of them together, and one more for each that compares rows with each other."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from app.featurestore.validation.checks import Situation
from app.featurestore.validation.expectations import Expectations
from app.featurestore.validation.report import EXAMPLES, Finding, Report, RuleResult
from app.featurestore.validation.rules import Rule
from app.featurestore.validation.values import cut
from infra.clock import Clock
from infra.errors import EngineLimitError
from infra.ports.duplicates import DuplicateFinder

ReadColumns: TypeAlias = Callable[[Sequence[str]], pa.RecordBatchReader]
_LONGEST_DESCRIPTION = 200


@dataclass(frozen=True)
class RowsToCheck:
    """`read` opens the same rows from the start each time, of some columns. `numbered`: their order means something."""

    schema: pa.Schema
    read: ReadColumns
    numbered: bool = True


class Evaluator:
    """`seconds`: looking is given up after so long. Memory is bounded by one batch of the rows, and a few examples."""

    def __init__(self, *, duplicates: DuplicateFinder, clock: Clock, seconds: float) -> None:
        self._duplicates = duplicates
        self._clock = clock
        self._seconds = seconds

    def evaluate(self, expectations: Expectations, rows: RowsToCheck) -> Report:
        """Raises EngineLimitError, and what reading the rows raises; whether rules are broken is in the report."""
        situation = self._situation(rows)
        checks = [rule.begin(situation) for rule in expectations.rules]
        count = 0
        # A rule may look at no column, and rows of no columns have no number.
        for batch in rows.read(expectations.columns or rows.schema.names[:1]):
            for check in checks:
                situation.require_time()
                check.look(batch, count)
            count += batch.num_rows
        findings = [check.finding(count) for check in checks]
        results = [_result(*each, count) for each in zip(expectations.rules, findings, strict=True)]
        report = Report(expectations.policy, count, tuple(results))
        return report if rows.numbered else report.without_row_numbers()

    def _situation(self, rows: RowsToCheck) -> Situation:
        end = time.monotonic() + self._seconds

        def require_time() -> None:
            if time.monotonic() > end:
                raise EngineLimitError(
                    f"Holding the rows against the rules took more than {self._seconds:,.0f} seconds.",
                    hint="Insert the rows in parts, or simplify the patterns among the rules.",
                )

        return Situation(
            schema=rows.schema,
            now=self._clock.now(),
            find_duplicates=lambda columns: self._duplicates.find(
                lambda: _in_time(rows.read(columns), require_time), columns, EXAMPLES
            ),
            require_time=require_time,
        )


def _in_time(reader: pa.RecordBatchReader, require_time: Callable[[], None]) -> pa.RecordBatchReader:
    """The same rows, until looking has taken too long."""

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            require_time()
            yield batch

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _result(rule: Rule, finding: Finding, rows: int) -> RuleResult:
    return RuleResult(
        rule=rule.kind,
        name=rule.name,
        columns=rule.columns,
        description=cut(rule.describe(), _LONGEST_DESCRIPTION),
        passed=finding.passed,
        rows_passed=rows - finding.rows_failed,
        rows_failed=finding.rows_failed,
        examples=finding.examples,
    )
