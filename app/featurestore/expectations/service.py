"""Use cases around what is expected of rows. Reports hold examples of them, so they are for who may read rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.featurestore.expectations.models import ValidationReport
from app.featurestore.expectations.repository import ValidationReportRepository
from app.featurestore.feature_groups.errors import RevisionStaleError
from app.featurestore.feature_groups.infos import group_schema
from app.featurestore.feature_groups.inspection import RowInspector
from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.feature_groups.registration import require_stored
from app.featurestore.feature_groups.repository import FeatureGroupRepository
from app.featurestore.feature_groups.service import commit_revision
from app.featurestore.jobs.infos import RunInfo
from app.featurestore.jobs.queue import RunOrder, RunQueue
from app.featurestore.jobs.requester import Requester
from app.featurestore.validation.expectations import STRICT
from infra.clock import Clock
from infra.database.paging import Page, PageRequest, paginate_latest
from infra.database.unit_of_work import Database, UnitOfWork
from infra.errors import InvalidInputError
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.principals import RequestContext

KIND = "validation"


@dataclass(frozen=True)
class ExpectationsInfo:
    """No rules where nothing is expected."""

    policy: str
    rules: list[dict[str, Any]]
    revision: int

    @classmethod
    def of(cls, group: FeatureGroup) -> "ExpectationsInfo":
        stored = group.expectations or {"policy": STRICT, "rules": []}
        return cls(stored["policy"], stored["rules"], group.revision)


@dataclass(frozen=True)
class ReportInfo:
    """`table_version` is None for an insert that was rejected, `by` where that is nobody's business."""

    id: UUID
    of: str
    table_version: int | None
    policy: str
    passed: bool
    rows: int
    results: list[dict[str, Any]]
    at: datetime
    by: str | None

    @classmethod
    def told(cls, row: ValidationReport, *, names_people: bool) -> "ReportInfo":
        same = {name: getattr(row, name) for name in ("id", "of", "table_version", "policy", "passed", "rows", "at")}
        return cls(**same, results=row.content["results"], by=row.by if names_people else None)


@dataclass(frozen=True)
class ExpectedGroup:
    """A group that has rules, for who may have its rows held against them."""

    id: UUID
    project_id: UUID
    expectations: dict[str, Any]


class ExpectationService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        clock: Clock,
        inspector: RowInspector,
        queue: RunQueue,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._inspector = inspector
        self._queue = queue

    def get(self, context: RequestContext, project: str, name: str, version: int) -> ExpectationsInfo:
        with self._database.read() as session:
            _, group = self._load(session, context, Action.FEATURE_GROUP_READ, project, name, version)
            return ExpectationsInfo.of(group)

    def set(
        self,
        context: RequestContext,
        project: str,
        name: str,
        version: int,
        expectations: Mapping[str, Any],
        expected_revision: int | None = None,
    ) -> ExpectationsInfo:
        """In the place of those that there are; for inserts that begin from now on. Rows in the table are not looked at."""
        with self._database.write() as uow:
            _, group = self._load(uow.session, context, Action.FEATURE_GROUP_UPDATE, project, name, version)
            require_stored(group)
            if expected_revision not in (None, group.revision):
                raise RevisionStaleError(f"The feature group is at revision {group.revision}, not {expected_revision}.")
            group.expectations = self._inspector.accept(dict(expectations), group_schema(group.features))
            self._finish(uow, context, group, rules=len(expectations["rules"]))
            return ExpectationsInfo.of(group)

    def remove(self, context: RequestContext, project: str, name: str, version: int) -> None:
        """The reports stay."""
        with self._database.write() as uow:
            _, group = self._load(uow.session, context, Action.FEATURE_GROUP_UPDATE, project, name, version)
            if group.expectations is not None:
                group.expectations = None
                self._finish(uow, context, group, rules=0)

    def list_reports(
        self, context: RequestContext, project: str, name: str, version: int, page: PageRequest
    ) -> Page[ReportInfo]:
        """The latest first. Who reads through a share sees nothing of rows that were rejected: they were never shared."""
        with self._database.read() as session:
            access, group = self._load(session, context, Action.FEATURE_GROUP_READ_ROWS, project, name, version)
            is_own = access.project_id == context.principal.project_id
            query = ValidationReportRepository(session).of_group(access.project_id, group.id)
            if not is_own:
                query = query.where(ValidationReport.table_version.is_not(None))
            found: Page[ValidationReport] = paginate_latest(session, query, page, ValidationReport.id)
            return found.map(lambda row: ReportInfo.told(row, names_people=is_own))

    def validate(self, context: RequestContext, project: str, name: str, version: int) -> RunInfo:
        """Have what is in the table now held against the rules, in the background."""
        with self._database.write() as uow:
            group = load_expected(uow.session, self._authorizer, context, project, name, version)
            order = RunOrder(
                project_id=group.project_id,
                kind=KIND,
                subject=run_subject(group.project_id, name, version),
                arguments={"feature_group": name, "version": version},
                trigger="manual",
                requested_by=context.principal.name,
                requester=Requester.of(context.principal).stored(),
            )
            run = self._queue.enqueue(uow.session, order)
            uow.session.flush()
            uow.session.refresh(run)
            info = RunInfo.of(run)
            self._record(uow, context, group.project_id, f"{name} version {version}", validation=True)
            context.remember(uow.session, info)
            uow.commit()
            return info

    def _finish(self, uow: UnitOfWork, context: RequestContext, group: FeatureGroup, **detail: Any) -> None:
        group.updated_at = self._clock.now()
        self._record(uow, context, group.project_id, f"{group.name} version {group.version}", **detail)
        commit_revision(uow)

    def _record(self, uow: UnitOfWork, context: RequestContext, project_id: UUID, subject: str, **detail: Any) -> None:
        self._audit.record(
            uow.session, context, Action.FEATURE_GROUP_UPDATE, project_id=project_id, subject=subject, **detail
        )

    def _load(
        self, session: Session, context: RequestContext, action: Action, project: str, name: str, version: int
    ) -> tuple[Access, FeatureGroup]:
        access = self._authorizer.require(session, context.principal, action, project)
        return access, FeatureGroupRepository(session).get(access.project_id, name, version)


def load_expected(
    session: Session, authorizer: Authorizer, context: RequestContext, project: str, name: str, version: int
) -> ExpectedGroup:
    """Raises InvalidInputError where there are no rules.

    Asks for the right to read rows, too: rules that one may set and hold against rows would tell what is in them.
    """
    access = authorizer.require(session, context.principal, Action.FEATURE_GROUP_UPDATE, project)
    authorizer.require(session, context.principal, Action.FEATURE_GROUP_READ_ROWS, project)
    group = require_stored(FeatureGroupRepository(session).get(access.project_id, name, version))
    if group.expectations is None:
        raise InvalidInputError(
            f"Feature group {name!r} version {version} has no rules.", hint="Set some with `set_expectations` first."
        )
    return ExpectedGroup(group.id, group.project_id, group.expectations)


def run_subject(project_id: UUID, name: str, version: int) -> str:
    return f"{KIND}:{project_id}:{name}_{version}"
