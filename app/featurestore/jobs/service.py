"""Use cases around jobs and their runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.featurestore.jobs.errors import JobRunningError, JobStaleError, RunEndedError, RunNotEndedError
from app.featurestore.jobs.handlers import JobKind, attempts_of
from app.featurestore.jobs.infos import JobInfo, LineInfo, RunInfo
from app.featurestore.jobs.models import ACTIVE, Job, JobRun, JobRunLine, RunState
from app.featurestore.jobs.queue import RunOrder, RunQueue
from app.featurestore.jobs.repository import JobRepository, RunRepository
from app.featurestore.jobs.requester import Requester
from app.featurestore.jobs.schedules import next_time
from infra.clock import Clock
from infra.database.paging import Page, PageRequest, paginate, paginate_latest
from infra.database.unit_of_work import Database, UnitOfWork
from infra.errors import ConflictError, InvalidInputError
from infra.ids import IdFactory
from infra.registry import Registry
from tenancy.access import Access, Authorizer, require_creator_or_owner
from tenancy.actions import Action
from tenancy.audit.service import AuditLog
from tenancy.names import require_name
from tenancy.principals import RequestContext

MANUAL, SCHEDULE = "manual", "schedule"


@dataclass(frozen=True)
class SaveJob:
    """`kind` says what the arguments mean; `schedule` is five fields of cron, read by clocks in `time_zone`."""

    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    feature_groups: tuple[str, ...] = ()
    schedule: str | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True)
class RunFilter:
    job: str | None = None
    state: str | None = None
    kind: str | None = None


class JobService:
    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        audit: AuditLog,
        clock: Clock,
        ids: IdFactory,
        queue: RunQueue,
        kinds: Registry[JobKind],
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._queue = queue
        self._kinds = kinds

    def save(
        self, context: RequestContext, project: str, name: str, command: SaveJob, expected_revision: int | None = None
    ) -> JobInfo:
        """Make the job, or change it: from now on it runs for who saved it last."""
        require_name(name, "job")
        action = self._action(command.kind)
        next_run_at = self._next_run(command.schedule, command.time_zone)
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.JOB_SAVE, project)
            self._authorizer.require(uow.session, context.principal, action, project)
            arguments = self._kinds.load(command.kind).accept(access.project, command.arguments)
            job = JobRepository(uow.session).find(access.project_id, name, for_update=True)
            if job is None:
                job = self._new_job(context, access, name)
                uow.session.add(job)
            else:
                require_creator_or_owner(context.principal, job.created_by)
                if expected_revision not in (None, job.revision):
                    raise JobStaleError(f"The job is at revision {job.revision}, not {expected_revision}.")
            job.kind, job.arguments, job.description = command.kind, arguments, command.description
            job.feature_groups = list(command.feature_groups)
            job.schedule, job.time_zone, job.next_run_at = command.schedule, command.time_zone, next_run_at
            job.requester = Requester.of(context.principal).stored()
            job.updated_at = self._clock.now()
            self._flush(uow, name)
            self._record(uow, context, Action.JOB_SAVE, job.project_id, name, kind=command.kind)
            uow.commit()
            uow.session.refresh(job)
            return JobInfo.of(job, None)

    def get(self, context: RequestContext, project: str, name: str) -> JobInfo:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.JOB_READ, project)
            return self._with_last_run(session, JobRepository(session).get(access.project_id, name))

    def list_jobs(self, context: RequestContext, project: str, page: PageRequest) -> Page[JobInfo]:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.JOB_READ, project)
            found: Page[Job] = paginate(session, JobRepository(session).of_project(access.project_id), page, [Job.name])
            return found.map(lambda job: self._with_last_run(session, job))

    def delete(self, context: RequestContext, project: str, name: str) -> None:
        """Its runs stay in the history; one that is under way is cancelled."""
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.JOB_DELETE, project)
            job = JobRepository(uow.session).get(access.project_id, name, for_update=True)
            require_creator_or_owner(context.principal, job.created_by)
            active = RunRepository(uow.session).active_of(job)
            if active is not None:
                self._request_cancel(active)
            uow.session.flush()
            uow.session.delete(job)
            self._record(uow, context, Action.JOB_DELETE, access.project_id, name)
            uow.commit()

    def start(
        self, context: RequestContext, project: str, name: str, arguments: Mapping[str, Any] | None = None
    ) -> RunInfo:
        """Start a saved job, for who starts it; `arguments` replace those saved with it, one by one."""
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.JOB_RUN, project)
            job = JobRepository(uow.session).get(access.project_id, name, for_update=True)
            self._authorizer.require(uow.session, context.principal, self._action(job.kind), project)
            _require_none(RunRepository(uow.session).active_of(job))
            kind = self._kinds.load(job.kind)
            chosen = kind.accept(access.project, {**job.arguments, **(arguments or {})})
            run = self._queue.enqueue(
                uow.session,
                RunOrder(
                    project_id=access.project_id,
                    kind=job.kind,
                    subject=kind.subject(access.project_id, chosen),
                    arguments=chosen,
                    trigger=MANUAL,
                    requested_by=context.principal.name,
                    requester=Requester.of(context.principal).stored(),
                    job_id=job.id,
                    job_name=job.name,
                    max_attempts=attempts_of(kind, access.project, chosen),
                ),
            )
            return self._accepted(uow, context, run)

    def get_run(self, context: RequestContext, project: str, run_id: UUID) -> RunInfo:
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.JOB_READ, project)
            return RunInfo.of(RunRepository(session).get(access.project_id, run_id))

    def list_runs(
        self, context: RequestContext, project: str, page: PageRequest, only: RunFilter | None = None
    ) -> Page[RunInfo]:
        """The latest first."""
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.JOB_READ, project)
            query = RunRepository(session).of_project(access.project_id)
            if only is not None:
                wanted = {JobRun.job_name: only.job, JobRun.state: only.state, JobRun.kind: only.kind}
                query = query.where(*(column == value for column, value in wanted.items() if value is not None))
            found: Page[JobRun] = paginate_latest(session, query, page, JobRun.id)
            return found.map(RunInfo.of)

    def read_log(
        self, context: RequestContext, project: str, run_id: UUID, page: PageRequest, after: int = 0
    ) -> Page[LineInfo]:
        """Lines with a number above `after`, in order."""
        with self._database.read() as session:
            access = self._authorizer.require(session, context.principal, Action.JOB_READ_LOG, project)
            runs = RunRepository(session)
            lines = runs.lines(runs.get(access.project_id, run_id).id, after)
            found: Page[JobRunLine] = paginate(session, lines, page, [JobRunLine.number])
            return found.map(LineInfo.of)

    def cancel(self, context: RequestContext, project: str, run_id: UUID) -> RunInfo:
        """A run that waits ends at once, one under way within seconds; one that has ended is refused."""
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.JOB_RUN, project)
            run = RunRepository(uow.session).get(access.project_id, run_id, for_update=True)
            require_creator_or_owner(context.principal, run.requested_by)
            if run.state not in ACTIVE:
                raise RunEndedError(f"The run has {run.state}.", hint="Start the job again, or retry the run.")
            self._request_cancel(run)
            self._record(uow, context, Action.JOB_RUN, access.project_id, str(run.id), cancelled=True)
            uow.commit()
            return RunInfo.of(run)

    def retry(self, context: RequestContext, project: str, run_id: UUID) -> RunInfo:
        """The same work again as a new run, for who asks."""
        with self._database.write() as uow:
            access = self._authorizer.require(uow.session, context.principal, Action.JOB_RUN, project)
            runs = RunRepository(uow.session)
            old = runs.get(access.project_id, run_id)
            if old.state in ACTIVE:
                raise RunNotEndedError(f"The run is {old.state}.", hint="Wait for it, or cancel it first.")
            if old.job_id is not None:
                JobRepository(uow.session).lock(old.job_id)
            _require_none(runs.active_like(old))
            kind = self._kinds.load(old.kind)
            launches = kind.launches
            if launches is not None:
                self._authorizer.require(uow.session, context.principal, launches, project)
            order = RunOrder(
                project_id=old.project_id,
                kind=old.kind,
                subject=old.subject,
                arguments=old.arguments,
                trigger=MANUAL,
                requested_by=context.principal.name,
                requester=Requester.of(context.principal).stored() if launches is not None else {},
                job_id=old.job_id,
                job_name=old.job_name,
                max_attempts=attempts_of(kind, access.project, old.arguments),
            )
            return self._accepted(uow, context, self._queue.enqueue(uow.session, order))

    def _accepted(self, uow: UnitOfWork, context: RequestContext, run: JobRun) -> RunInfo:
        uow.session.flush()
        uow.session.refresh(run)
        info = RunInfo.of(run)
        self._record(uow, context, Action.JOB_RUN, run.project_id, str(run.id), kind=run.kind, job=run.job_name)
        context.remember(uow.session, info)
        uow.commit()
        return info

    def _request_cancel(self, run: JobRun) -> None:
        run.cancel_requested = True
        if run.state == RunState.QUEUED.value:
            run.state, run.finished_at = RunState.CANCELLED.value, self._clock.now()
            # What an earlier attempt has running elsewhere need not wait for the time of the next one.
            run.not_before = min(run.not_before, run.finished_at)

    def _action(self, kind: str) -> Action:
        """What somebody must be allowed to do who launches this kind; raises InvalidInputError where nobody can."""
        launches = self._kinds.load(kind).launches
        if launches is None:
            raise InvalidInputError(f"Runs of kind {kind[:32]!r} are started by the gateway alone.")
        return launches

    def _next_run(self, schedule: str | None, time_zone: str) -> datetime | None:
        return None if schedule is None else next_time(schedule, time_zone, self._clock.now())

    def _new_job(self, context: RequestContext, access: Access, name: str) -> Job:
        return Job(
            id=self._ids(),
            project_id=access.project_id,
            name=name,
            created_at=self._clock.now(),
            created_by=context.principal.name,
        )

    def _with_last_run(self, session: Session, job: Job) -> JobInfo:
        runs = RunRepository(session).of_project(job.project_id).where(JobRun.job_id == job.id)
        return JobInfo.of(job, session.scalar(runs.order_by(JobRun.id.desc()).limit(1)))

    def _flush(self, uow: UnitOfWork, name: str) -> None:
        try:
            uow.flush_or(ConflictError(f"Somebody else just made a job {name!r}."))
        except StaleDataError as error:
            raise JobStaleError("Somebody else changed the job meanwhile; read it again.") from error

    def _record(
        self, uow: UnitOfWork, context: RequestContext, action: Action, project_id: UUID, subject: str, **detail: object
    ) -> None:
        self._audit.record(uow.session, context, action, project_id=project_id, subject=subject, **detail)


def _require_none(active: JobRun | None) -> None:
    """One run at a time."""
    if active is not None:
        of = f"of job {active.job_name!r}" if active.job_name else "about the same thing"
        raise JobRunningError(f"Run {active.id} {of} is {active.state}.", hint="Wait for it, or cancel it.")
