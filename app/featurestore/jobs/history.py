"""Forgets runs that ended long ago, with their logs: what starts every minute would fill the database otherwise."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, delete, or_, select
from sqlalchemy.orm import aliased

from app.featurestore.jobs.models import ACTIVE, JobRun, RunState
from infra.clock import Clock
from infra.database.unit_of_work import Database

# With up to 2,000 lines each: others write between two of these.
_AT_ONCE = 50
_ENDED = [state.value for state in RunState if state.value not in ACTIVE]


class RunHistory:
    def __init__(self, *, database: Database, clock: Clock, days: int) -> None:
        self._database = database
        self._clock = clock
        self._kept = timedelta(days=days)

    def forget_old(self) -> int:
        """The last run of each job stays, and what may still run elsewhere; returns how many went."""
        forgotten = 0
        while run_ids := self._next():
            with self._database.write() as uow:
                uow.session.execute(delete(JobRun).where(JobRun.id.in_(run_ids)))
                uow.commit()
            forgotten += len(run_ids)
        return forgotten

    def _next(self) -> list[UUID]:
        with self._database.read() as session:
            return list(session.scalars(self._old().limit(_AT_ONCE)))

    def _old(self) -> Select[UUID]:
        before, later = self._clock.now() - self._kept, aliased(JobRun)
        is_followed = select(later.id).where(later.job_id == JobRun.job_id, later.id > JobRun.id).exists()
        return select(JobRun.id).where(
            JobRun.state.in_(_ENDED),
            # Never later than the end; there is an index of it.
            JobRun.not_before < before,
            JobRun.finished_at < before,
            JobRun.handle.is_(None),
            or_(JobRun.job_id.is_(None), is_followed),
        )
