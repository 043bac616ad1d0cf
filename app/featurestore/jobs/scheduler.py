"""Makes runs of jobs whose time has come."""

import structlog
from sqlalchemy import select

from app.featurestore.jobs.handlers import JobKind, attempts_of
from app.featurestore.jobs.models import Job
from app.featurestore.jobs.queue import RunOrder, RunQueue
from app.featurestore.jobs.repository import RunRepository
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
                assert job.schedule is not None
                job.next_run_at = next_time(job.schedule, job.time_zone, now)
                if RunRepository(uow.session).active_of(job) is None:
                    self._queue.enqueue(uow.session, self._order(job))
                    enqueued += 1
                else:
                    _log.info("schedule skipped", job=job.name, project=job.project.name)
            uow.commit()
        return enqueued

    def _order(self, job: Job) -> RunOrder:
        kind = self._kinds.load(job.kind)
        return RunOrder(
            project_id=job.project_id,
            kind=job.kind,
            subject=kind.subject(job.project_id, job.arguments),
            arguments=job.arguments,
            trigger="schedule",
            requested_by=job.created_by,
            requester=job.requester,
            job_id=job.id,
            job_name=job.name,
            max_attempts=attempts_of(kind, job.project.name, job.arguments),
        )
