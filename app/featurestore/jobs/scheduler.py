"""Makes runs of jobs whose time has come."""

from datetime import datetime

import structlog
from sqlalchemy import select

from app.featurestore.jobs.errors import ScheduleNotValidError
from app.featurestore.jobs.handlers import JobKind, attempts_of
from app.featurestore.jobs.models import Job
from app.featurestore.jobs.queue import RunOrder, RunQueue
from app.featurestore.jobs.repository import RunRepository
from app.featurestore.jobs.requester import saved_by
from app.featurestore.jobs.schedules import next_time
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.registry import Registry

_MOST_AT_ONCE = 100
_log = structlog.get_logger(__name__)


class Scheduler:
    def __init__(self, *, database: Database, queue: RunQueue, kinds: Registry[JobKind], clock: Clock) -> None:
        self._database = database
        self._queue = queue
        self._kinds = kinds
        self._clock = clock

    def enqueue_due(self) -> int:
        """Of times that passed while no worker was up, one run makes up for all; a job that still runs is left alone."""
        now = self._clock.now()
        due = select(Job.id).where(Job.next_run_at <= now)
        with self._database.read() as session:
            if session.scalar(due.limit(1)) is None:
                return 0
        with self._database.write() as uow:
            # Locked, so that of several workers one alone finds the job due.
            jobs = select(Job).where(Job.next_run_at <= now).order_by(Job.next_run_at).limit(_MOST_AT_ONCE)
            enqueued = 0
            for job in uow.session.scalars(jobs.with_for_update(skip_locked=True, of=Job)).all():
                job.next_run_at = self._next_time(job, now)
                if RunRepository(uow.session).active_of(job) is None:
                    self._queue.enqueue(uow.session, self._order(job, saved_by(uow.session, job)))
                    enqueued += 1
                else:
                    _log.info("schedule skipped", job=job.name, project=job.project.name)
            uow.commit()
        return enqueued

    def _next_time(self, job: Job, now: datetime) -> datetime | None:
        """None where its times can no longer be read, until it is saved again: the others must not wait for that."""
        assert job.schedule is not None
        try:
            return next_time(job.schedule, job.time_zone, now)
        except ScheduleNotValidError as error:
            _log.warning("schedule ended", job=job.name, project=job.project.name, reason=error.detail)
            return None

    def _order(self, job: Job, requested_by: str) -> RunOrder:
        subject, max_attempts = self._subject(job)
        return RunOrder(
            project_id=job.project_id,
            kind=job.kind,
            subject=subject,
            arguments=job.arguments,
            trigger="schedule",
            requested_by=requested_by,
            requester=job.requester,
            job_id=job.id,
            job_name=job.name,
            max_attempts=max_attempts,
        )

    def _subject(self, job: Job) -> tuple[str, int]:
        """What a run is about, and how often it is begun."""
        try:
            kind = self._kinds.load(job.kind)
            subject = kind.subject(job.project_id, job.arguments)
            return subject, attempts_of(kind, job.project.name, job.arguments)
        except Exception:  # noqa: BLE001 a kind that is gone, arguments of an earlier release: the run fails and says so
            _log.exception("job broken", job=job.name, project=job.project.name)
            return f"job:{job.id}", 1
