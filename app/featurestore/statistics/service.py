"""Use cases around statistics. They are data: who may not read the rows reads none of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.featurestore.jobs.infos import RunInfo
from app.featurestore.jobs.queue import RunQueue
from app.featurestore.statistics.errors import StatisticsNotFoundError
from app.featurestore.statistics.follower import statistics_order
from app.featurestore.statistics.maths.drift import compare
from app.featurestore.statistics.maths.options import StatisticsOptions, require_options
from app.featurestore.statistics.models import Statistics
from app.featurestore.statistics.repository import StatisticsRepository
from app.featurestore.statistics.subjects import Subject, SubjectKind, SubjectRef
from infra.database.unit_of_work import Database
from tenancy.access import Access, Authorizer
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.principals import RequestContext


@dataclass(frozen=True)
class StatisticsInfo:
    """`state` is the version of a feature group's table, or the revision of a training dataset, that was looked at."""

    state: int
    rows: int
    options: dict[str, Any]
    computed_at: datetime
    content: dict[str, Any]

    @classmethod
    def of(cls, row: Statistics) -> "StatisticsInfo":
        return cls(row.state, row.rows, row.options, row.computed_at, row.content)


@dataclass(frozen=True)
class StatesInfo:
    """Of which states there are statistics."""

    state: int
    rows: int
    computed_at: datetime


@dataclass(frozen=True)
class StateRef:
    """One state of a subject, in the project `project`; None: the asking one, the latest state."""

    subject: SubjectRef
    project: str | None = None
    state: int | None = None


@dataclass(frozen=True)
class DriftQuestion:
    old: StateRef
    new: StateRef


class StatisticsService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        queue: RunQueue,
        subjects: Mapping[str, SubjectKind],
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._queue = queue
        self._subjects = subjects

    def update(
        self, context: RequestContext, project: str, ref: SubjectRef, options: StatisticsOptions | None = None
    ) -> RunInfo:
        """Have them computed, with other options than the subject's own where they are given."""
        kind = self._subjects[ref.kind]
        if options is not None:
            self._require_options(context, project, ref, options)
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, kind.updates, project)
            subject = kind.get(uow.session, access.project_id, ref)
            order = statistics_order(
                access.project_id,
                ref.kind,
                subject.id,
                context.principal.name,
                "manual",
                None if options is None else asdict(options),
            )
            run = self._queue.enqueue(uow.session, order)
            uow.session.flush()
            uow.session.refresh(run)
            info = RunInfo.of(run)
            self._audit.record(
                uow.session,
                context,
                kind.updates,
                project_id=access.project_id,
                subject=f"{ref.name} version {ref.version}",
                statistics=True,
            )
            context.remember(uow.session, info)
            uow.commit()
            return info

    def _require_options(
        self, context: RequestContext, project: str, ref: SubjectRef, options: StatisticsOptions
    ) -> None:
        """Before the writer's turn, for which nobody else should have to wait."""
        kind = self._subjects[ref.kind]
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, kind.updates, project)
            schema = kind.schema(session, kind.get(session, access.project_id, ref))
        require_options(options, schema)

    def get(self, context: RequestContext, project: str, ref: SubjectRef, state: int | None = None) -> StatisticsInfo:
        with self._database.read() as session:
            access, subject = self._load(session, context, project, ref)
            return StatisticsInfo.of(_require(session, access, subject, state))

    def list_states(self, context: RequestContext, project: str, ref: SubjectRef) -> list[StatesInfo]:
        """The latest first."""
        with self._database.read() as session:
            access, subject = self._load(session, context, project, ref)
            states = StatisticsRepository(session).states(access.project_id, subject.id)
            return [StatesInfo(*state) for state in states]

    def compare(self, context: RequestContext, project: str, question: DriftQuestion) -> dict[str, Any]:
        """How far one is from the other: two states of one subject, or of two, in any projects that the caller reads."""
        with self._database.read() as session:
            # The question is asked in the own project, whatever projects the two are of.
            self._authorizer.require(session, context.principal, Action.DRIFT_READ, project)
            old, new = (self._content(session, context, project, ref) for ref in (question.old, question.new))
        return compare(old, new)

    def _content(self, session: Session, context: RequestContext, project: str, ref: StateRef) -> dict[str, Any]:
        access, subject = self._load(session, context, ref.project or project, ref.subject)
        return _require(session, access, subject, ref.state).content

    def _load(self, session: Session, context: RequestContext, project: str, ref: SubjectRef) -> tuple[Access, Subject]:
        kind = self._subjects[ref.kind]
        access = self._authorizer.require(session, context.principal, kind.reads, project)
        return access, kind.get(session, access.project_id, ref)


def _require(session: Session, access: Access, subject: Subject, state: int | None) -> Statistics:
    repository = StatisticsRepository(session)
    found = repository.find(access.project_id, subject.id, state)
    if found is None:
        known = [str(each) for each, _, _ in repository.states(access.project_id, subject.id)][:10]
        of_state = "" if state is None else f" of state {state}"
        raise StatisticsNotFoundError(
            f"There are no statistics{of_state} of {subject.name!r} version {subject.version}.",
            candidates=known,
            hint="They are computed a little after each commit; ask for them anew with `update_featuregroup_stats`."
            if not known
            else "States that have some are in `candidates`.",
        )
    return found
