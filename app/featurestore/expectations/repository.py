from uuid import UUID

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from app.featurestore.expectations.models import ValidationReport
from app.featurestore.feature_groups.models import FeatureGroup

KEPT = 200
"""Reports of one feature group that are kept, the latest."""


class ValidationReportRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_group(self, project_id: UUID, feature_group_id: UUID) -> Select[ValidationReport]:
        of = ValidationReport.project_id == project_id, ValidationReport.feature_group_id == feature_group_id
        return select(ValidationReport).where(*of)

    def find(self, project_id: UUID, feature_group_id: UUID, report_id: UUID) -> ValidationReport | None:
        return self._session.scalar(self.of_group(project_id, feature_group_id).where(ValidationReport.id == report_id))

    def note_version(self, feature_group_id: UUID, report_id: UUID, table_version: int) -> None:
        """The version that the rows of the report made, which is known only once they are committed."""
        same = ValidationReport.feature_group_id == feature_group_id, ValidationReport.id == report_id
        self._session.execute(update(ValidationReport).where(*same).values(table_version=table_version))

    def keep(self, report: ValidationReport) -> None:
        """In the place of one with its id. The oldest go where there are too many; none is kept of a group that is gone."""
        # One after the other: two attempts of one request may be here at once.
        group = select(FeatureGroup.id).where(FeatureGroup.id == report.feature_group_id).with_for_update()
        if self._session.scalar(group) is None:
            return
        same = ValidationReport.feature_group_id == report.feature_group_id
        of_this = select(ValidationReport.table_version).where(same, ValidationReport.id == report.id)
        if report.table_version is None and self._session.scalar(of_this) is not None:
            # Another attempt has ended meanwhile: that its rows are in the table is not forgotten.
            return
        self._session.execute(delete(ValidationReport).where(same, ValidationReport.id == report.id))
        self._session.add(report)
        self._session.flush()
        newest = select(ValidationReport.id).where(same).order_by(ValidationReport.id.desc())
        first_too_many = self._session.scalar(newest.offset(KEPT).limit(1))
        if first_too_many is not None:
            self._session.execute(delete(ValidationReport).where(same, ValidationReport.id <= first_too_many))
