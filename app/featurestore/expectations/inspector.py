"""Holds rows against the rules of their group before they are written."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy.orm import Session

from app.featurestore.expectations.models import INSERT, ValidationReport
from app.featurestore.expectations.repository import ValidationReportRepository
from app.featurestore.feature_groups.conform import ConformedFrame
from app.featurestore.feature_groups.inspection import Admission, Inspection
from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.validation.evaluation import Evaluator, RowsToCheck
from app.featurestore.validation.expectations import STRICT, Expectations
from app.featurestore.validation.report import Report
from infra.clock import Clock
from infra.database.idempotency import IdempotencyLedger
from infra.database.unit_of_work import Database
from infra.ids import IdFactory
from tenancy.principals import RequestContext


@dataclass(frozen=True)
class Author:
    """Under which id a report is kept, and who had the rows looked at."""

    report_id: UUID
    name: str


class ReportWriter:
    """Makes rows of the database of reports."""

    def __init__(self, *, clock: Clock, ids: IdFactory) -> None:
        self._clock = clock
        self._ids = ids

    def author(self, context: RequestContext) -> Author:
        return Author(context.claim_id or self._ids(), context.principal.name)

    def row(
        self, report: Report, author: Author, project_id: UUID, feature_group_id: UUID, of: str
    ) -> ValidationReport:
        return ValidationReport(
            id=author.report_id,
            project_id=project_id,
            feature_group_id=feature_group_id,
            of=of,
            policy=report.policy,
            passed=report.passed,
            rows=report.rows,
            content={"results": report.as_json()},
            at=self._clock.now(),
            by=author.name,
        )


class NothingAsked:
    """Implements `Admission` where there are no rows, or no rules."""

    summary: dict[str, Any] | None = None

    def keep(self, session: Session, group: FeatureGroup, table_version: int) -> None:
        """There is nothing to keep."""


@dataclass(frozen=True)
class Admitted:
    """Implements `Admission`."""

    report: Report
    author: Author
    writer: ReportWriter

    @property
    def summary(self) -> dict[str, Any] | None:
        return {
            "report": str(self.author.report_id),
            "passed": self.report.passed,
            "rules": len(self.report.results),
            "rules_failed": len(self.report.failed),
        }

    def keep(self, session: Session, group: FeatureGroup, table_version: int) -> None:
        row = self.writer.row(self.report, self.author, group.project_id, group.id, INSERT)
        row.table_version = table_version
        ValidationReportRepository(session).keep(row)


@dataclass(frozen=True)
class AdmittedBefore:
    """Implements `Admission` where an earlier attempt was admitted, and died after its rows were committed."""

    report: ValidationReport

    @property
    def summary(self) -> dict[str, Any] | None:
        results = self.report.content["results"]
        return {
            "report": str(self.report.id),
            "passed": self.report.passed,
            "rules": len(results),
            "rules_failed": sum(not result["passed"] for result in results),
        }

    def keep(self, session: Session, group: FeatureGroup, table_version: int) -> None:
        ValidationReportRepository(session).note_version(group.id, self.report.id, table_version)


class ExpectationInspector:
    """Implements `RowInspector`."""

    def __init__(
        self, *, database: Database, evaluator: Evaluator, ledger: IdempotencyLedger, writer: ReportWriter
    ) -> None:
        self._database = database
        self._evaluator = evaluator
        self._ledger = ledger
        self._writer = writer

    def accept(self, expectations: dict[str, Any] | None, schema: pa.Schema) -> dict[str, Any] | None:
        if expectations is None:
            return None
        read = Expectations.read(expectations)
        read.require_fit(schema)
        return read.as_json()

    def admit(self, context: RequestContext, inspection: Inspection, rows: ConformedFrame | None) -> Admission:
        if inspection.expectations is None or rows is None:
            return NothingAsked()
        report = self._evaluator.evaluate(Expectations.read(inspection.expectations), _to_check(rows))
        author = self._writer.author(context)
        # On its own: a rejected insert leaves nothing else behind, and what dies after its commit could not tell any more.
        self._keep(report, author, inspection)
        if report.policy == STRICT and not report.passed and not self._was_admitted(context, inspection):
            raise report.as_error(
                "Nothing was written.",
                "Mend the rows that `errors` shows and insert again, or ask for a change of the rules or of their policy.",
            )
        return Admitted(report, author, self._writer)

    def admitted(self, context: RequestContext, inspection: Inspection) -> Admission:
        if context.claim_id is None or inspection.feature_group_id is None:
            return NothingAsked()
        with self._database.read() as session:
            reports = ValidationReportRepository(session)
            report = reports.find(inspection.project_id, inspection.feature_group_id, context.claim_id)
        return NothingAsked() if report is None else AdmittedBefore(report)

    def _was_admitted(self, context: RequestContext, inspection: Inspection) -> bool:
        """Whether an earlier attempt was, with these very rows: they may be in the table, whatever is asked by now."""
        if context.claim_id is None or inspection.is_read_again:
            return False
        return self._ledger.is_pinned(context.claim_id)

    def _keep(self, report: Report, author: Author, inspection: Inspection) -> None:
        if inspection.feature_group_id is None:
            return
        row = self._writer.row(report, author, inspection.project_id, inspection.feature_group_id, INSERT)
        with self._database.write() as uow:
            ValidationReportRepository(uow.session).keep(row)
            uow.commit()


def _to_check(rows: ConformedFrame) -> RowsToCheck:
    def read(columns: Any) -> pa.RecordBatchReader:
        schema = pa.schema([rows.schema.field(column) for column in columns])
        batches = (batch.select(list(columns)) for batch in rows.reader())
        return pa.RecordBatchReader.from_batches(schema, batches)

    return RowsToCheck(rows.schema, read)
