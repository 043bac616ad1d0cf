"""Holds what is in a table now against the rules of its group."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from app.featurestore.expectations.inspector import ReportWriter
from app.featurestore.expectations.models import TABLE
from app.featurestore.expectations.repository import ValidationReportRepository
from app.featurestore.expectations.service import ExpectedGroup, load_expected
from app.featurestore.statistics.subjects import FEATURE_GROUP, FeatureGroupSubjects, Scan, SubjectRef
from app.featurestore.validation.evaluation import Evaluator, RowsToCheck
from app.featurestore.validation.expectations import Expectations
from app.featurestore.validation.report import Report
from infra.database.unit_of_work import Database
from tenancy.access import Authorizer
from tenancy.principals import RequestContext

Progress = Callable[[int], None]


@dataclass(frozen=True)
class TableValidation:
    """All rules hold. Numbers alone: it is told to who may look at runs, and not only to who may read rows."""

    passed: bool
    rows: int
    rules: int
    table_version: int
    report: str


class TableValidator:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        subjects: FeatureGroupSubjects,
        evaluator: Evaluator,
        writer: ReportWriter,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._subjects = subjects
        self._evaluator = evaluator
        self._writer = writer

    def validate(
        self, context: RequestContext, project: str, name: str, version: int, progress: Progress
    ) -> TableValidation:
        """Raises ValidationFailedError where a rule is broken, so that nobody takes the run for a success; the report is kept."""
        with self._database.read() as session:
            group = load_expected(session, self._authorizer, context, project, name, version)
            subject = self._subjects.get(session, group.project_id, SubjectRef(FEATURE_GROUP, name, version))
            opened = self._subjects.rows(session, subject)
        scan = opened()
        report = self._evaluator.evaluate(Expectations.read(group.expectations), _to_check(scan, progress))
        report_id = self._keep(context, group, report, scan.state)
        if not report.passed:
            raise report.as_error(
                f"The rows are those of version {scan.state} of the table.",
                "The group's validations have the report; who may read rows finds examples there.",
            )
        return TableValidation(True, report.rows, len(report.results), scan.state, report_id)  # noqa: FBT003 named above

    def _keep(self, context: RequestContext, group: ExpectedGroup, report: Report, table_version: int) -> str:
        row = self._writer.row(report, self._writer.author(context), group.project_id, group.id, TABLE)
        row.table_version = table_version
        with self._database.write() as uow:
            ValidationReportRepository(uow.session).keep(row)
            uow.commit()
        return str(row.id)


def _to_check(scan: Scan, progress: Progress) -> RowsToCheck:
    def batches(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in scan.batches(columns):
            yield batch
            rows += batch.num_rows
            progress(rows)

    def read(columns: Sequence[str]) -> pa.RecordBatchReader:
        schema = pa.schema([scan.schema.field(column) for column in columns])
        return pa.RecordBatchReader.from_batches(schema, batches(columns))

    return RowsToCheck(scan.schema, read, numbered=False)
