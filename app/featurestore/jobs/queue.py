"""The queue of runs: rows of the metadata database, taken under a lease.

A run is enqueued in the transaction of what made it necessary, so that neither exists without the other. A worker takes it
for a while and renews the lease; when the worker dies the lease ends and the next one takes the run, under the next number of
attempt. Whatever an attempt changes, it changes in a transaction that first finds its own number still standing.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from app.featurestore.jobs.errors import AttemptLostError
from app.featurestore.jobs.models import JobRun, RunState
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import GatewayError, UnavailableError
from infra.ids import IdFactory
from tenancy.projects.models import Project

LEASE = timedelta(seconds=30)
MAX_ATTEMPTS = 3
# With those that died with their worker.
MOST_ATTEMPTS = 12
# A part that did not answer is asked again after so long, then twice that.
BACKOFF = timedelta(seconds=20)
LONGEST_BACKOFF = timedelta(minutes=10)
_STOP_AGAIN, _STOPPING = timedelta(minutes=1), timedelta(days=1)
_MOST_LEFT_BEHIND = 10


@dataclass(frozen=True)
class RunOrder:
    """What is to be done. `requester` is {} for what the gateway does of itself."""

    project_id: UUID
    kind: str
    subject: str
    arguments: dict[str, Any]
    trigger: str
    requested_by: str
    requester: dict[str, Any] = field(default_factory=dict)
    job_id: UUID | None = None
    job_name: str | None = None
    max_attempts: int = MAX_ATTEMPTS


@dataclass(frozen=True)
class Attempt:
    """A run as a worker holds it."""

    run_id: UUID
    number: int


class RunQueue:
    def __init__(self, *, database: Database, clock: Clock, ids: IdFactory) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._turn = itertools.count(1)
        self._turns: dict[UUID, int] = {}

    def enqueue(self, session: Session, order: RunOrder) -> JobRun:
        """In the transaction of the caller."""
        now = self._clock.now()
        run = JobRun(
            id=self._ids(),
            **vars(order),
            state=RunState.QUEUED.value,
            queued_at=now,
            not_before=now,
            attempt=0,
            cancel_requested=False,
            stage="",
            rows=0,
            bytes=0,
        )
        session.add(run)
        return run

    def enqueue_unless_waiting(self, session: Session, order: RunOrder) -> None:
        """Not again while one of the same kind about the same thing waits: it will see what this one would have seen."""
        waiting = select(JobRun.id).where(
            JobRun.subject == order.subject, JobRun.kind == order.kind, JobRun.state == RunState.QUEUED.value
        )
        if session.scalar(waiting.limit(1)) is None:
            self.enqueue(session, order)

    def take(self, worker: str, *, per_project: int) -> Attempt | None:
        """A run that is due; None if there is none.

        Projects take turns, each with its oldest run: however many one of them has queued, the others wait for one of these
        at the most. A project that has `per_project` under way at this worker is left out.
        """
        for project_id in self._next_projects(worker, per_project):
            attempt = self._take_of(project_id, worker, per_project)
            if attempt is not None:
                self._turns[project_id] = next(self._turn)
                return attempt
        return None

    def _next_projects(self, worker: str, per_project: int) -> list[UUID]:
        """Those that have something due, who waited longest for a turn first. Looking costs no lock, and mostly there is none."""
        oldest = func.min(JobRun.not_before)
        due = (
            select(JobRun.project_id).where(self._due(worker, per_project)).group_by(JobRun.project_id).order_by(oldest)
        )
        with self._database.read() as session:
            return sorted(session.scalars(due), key=lambda project_id: self._turns.get(project_id, 0))

    def _take_of(self, project_id: UUID, worker: str, per_project: int) -> Attempt | None:
        due = select(JobRun.id).where(self._due(worker, per_project), JobRun.project_id == project_id)
        with self._database.write() as uow:
            # Two workers that look at once would find two runs about the same thing, and neither see the other take one.
            turn = select(Project.id).where(Project.id == project_id).with_for_update(key_share=True, skip_locked=True)
            if uow.session.scalar(turn) is None:
                return None
            oldest = due.order_by(JobRun.not_before, JobRun.id).limit(1)
            found = uow.session.scalar(oldest.with_for_update(skip_locked=True, of=JobRun))
            if found is None:
                return None
            run = uow.session.get_one(JobRun, found)
            now = self._clock.now()
            run.state, run.worker, run.lease_until = RunState.RUNNING.value, worker, now + LEASE
            run.started_at = run.started_at or now
            run.attempt += 1
            uow.commit()
            return Attempt(run.id, run.attempt)

    def renew(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Keep the leases; returns the attempts that are to stop, because they were cancelled or are no longer theirs."""
        if not attempts:
            return []
        with self._database.write() as uow:
            found = uow.session.scalars(select(JobRun).where(_any_of(attempts)).with_for_update(of=JobRun))
            runs = {Attempt(run.id, run.attempt): run for run in found}
            for run in runs.values():
                run.lease_until = self._clock.now() + LEASE
            uow.commit()
            return [attempt for attempt in attempts if attempt not in runs or runs[attempt].cancel_requested]

    def recover(self) -> int:
        """Put back what died with its worker, or fail it where that happened too often; returns how many."""
        now = self._clock.now()
        lost = and_(JobRun.state == RunState.RUNNING.value, JobRun.lease_until < now)
        with self._database.read() as session:
            if session.scalar(select(JobRun.id).where(lost).limit(1)) is None:
                return 0
        with self._database.write() as uow:
            runs = list(uow.session.scalars(select(JobRun).where(lost).with_for_update(skip_locked=True, of=JobRun)))
            for run in runs:
                if 1 < run.max_attempts < MOST_ATTEMPTS:
                    # A worker that dies takes all of its runs along: that is seldom the fault of any one of them.
                    run.max_attempts += 1
                self._put_back(run, _worker_lost(run), now)
            uow.commit()
        return len(runs)

    def note_progress(self, attempt: Attempt, stage: str, rows: int, size: int) -> None:
        with self._database.write() as uow:
            uow.session.execute(update(JobRun).where(_is(attempt)).values(stage=stage[:64], rows=rows, bytes=size))
            uow.commit()

    def succeed(self, session: Session, attempt: Attempt, result: dict[str, Any]) -> None:
        """In the transaction of the effect. Raises AttemptLostError, which must undo the effect."""
        ended = session.execute(
            update(JobRun)
            .where(_is(attempt))
            .values(state=RunState.SUCCEEDED.value, result=result, finished_at=self._clock.now(), lease_until=None)
        )
        if ended.rowcount != 1:  # type: ignore[attr-defined]  # SQLAlchemy types a DML result as any result
            raise AttemptLostError("Another attempt of the run was begun, or it was cancelled.")

    def fail(self, attempt: Attempt, error: GatewayError) -> None:
        """Give up, or try again later where the reason may pass."""
        with self._database.write() as uow:
            run = uow.session.scalar(select(JobRun).where(_is(attempt)).with_for_update(of=JobRun))
            if run is not None and isinstance(error, UnavailableError) and not run.cancel_requested:
                self._put_back(
                    run, described(error), self._clock.now() + min(BACKOFF * 2 ** (run.attempt - 1), LONGEST_BACKOFF)
                )
            elif run is not None:
                self._end(run, RunState.FAILED, described(error))
            uow.commit()

    def end_cancelled(self, attempt: Attempt) -> None:
        """The attempt was stopped; if it had its effect before, that stands."""
        with self._database.write() as uow:
            run = uow.session.scalar(select(JobRun).where(_is(attempt)).with_for_update(of=JobRun))
            if run is not None:
                self._end(run, RunState.CANCELLED, None)
            uow.commit()

    def give_back(self, attempt: Attempt) -> None:
        """The worker stops in good order: another one may take the run at once, and this attempt does not count.

        A run that may be begun once has been; it fails.
        """
        with self._database.write() as uow:
            run = uow.session.scalar(select(JobRun).where(_is(attempt)).with_for_update(of=JobRun))
            if run is not None and run.max_attempts == 1:
                self._put_back(run, _worker_stopped(), self._clock.now())
            elif run is not None:
                run.state, run.lease_until, run.max_attempts = RunState.QUEUED.value, None, run.max_attempts + 1
            uow.commit()

    def keep_handle(self, attempt: Attempt, handle: str | None) -> None:
        """Raises AttemptLostError where the attempt no longer stands: another one has what runs elsewhere, or stops it."""
        with self._database.write() as uow:
            kept = uow.session.execute(update(JobRun).where(_is(attempt)).values(handle=handle))
            uow.commit()
        if kept.rowcount != 1:  # type: ignore[attr-defined]  # SQLAlchemy types a DML result as any result
            raise AttemptLostError("Another attempt of the run was begun, or it was cancelled.")

    def left_behind(self) -> list[UUID]:
        """Runs that have ended while something of theirs may still run elsewhere."""
        left = select(JobRun.id).where(
            JobRun.handle.is_not(None),
            JobRun.state.in_((RunState.FAILED.value, RunState.CANCELLED.value)),
            JobRun.not_before <= self._clock.now(),
        )
        with self._database.read() as session:
            return list(session.scalars(left.limit(_MOST_LEFT_BEHIND)))

    def forget_handle(self, run_id: UUID) -> None:
        with self._database.write() as uow:
            uow.session.execute(update(JobRun).where(JobRun.id == run_id).values(handle=None))
            uow.commit()

    def stop_later(self, run_id: UUID) -> bool:
        """What could not be stopped now is tried again in a minute, for a day; False once that is over."""
        with self._database.write() as uow:
            run = uow.session.get(JobRun, run_id)
            if run is None:
                return False
            now = self._clock.now()
            is_hopeful = run.finished_at is not None and now < run.finished_at + _STOPPING
            run.not_before = now + _STOP_AGAIN
            run.handle = run.handle if is_hopeful else None
            uow.commit()
            return is_hopeful

    def lost(self, attempt: Attempt) -> None:
        """The attempt's process died without a word."""
        with self._database.write() as uow:
            run = uow.session.scalar(select(JobRun).where(_is(attempt)).with_for_update(of=JobRun))
            if run is not None:
                self._put_back(run, _worker_lost(run), self._clock.now())
            uow.commit()

    def _put_back(self, run: JobRun, error: dict[str, Any], not_before: datetime) -> None:
        if run.cancel_requested:
            self._end(run, RunState.CANCELLED, None)
        elif run.attempt >= run.max_attempts:
            self._end(run, RunState.FAILED, error)
        else:
            run.state, run.lease_until, run.worker = RunState.QUEUED.value, None, None
            run.error, run.not_before = error, not_before

    def _end(self, run: JobRun, state: RunState, error: dict[str, Any] | None) -> None:
        run.state, run.error, run.finished_at, run.lease_until = state.value, error, self._clock.now(), None

    def _due(self, worker: str, per_project: int) -> ColumnElement[bool]:
        """Two at once about the same thing would undo or repeat each other's work."""
        other = aliased(JobRun)
        under_way = select(other.project_id).where(other.state == RunState.RUNNING.value)
        full = under_way.where(other.worker == worker).group_by(other.project_id).having(func.count() >= per_project)
        return and_(
            JobRun.state == RunState.QUEUED.value,
            JobRun.not_before <= self._clock.now(),
            JobRun.project_id.not_in(full),
            tuple_(JobRun.project_id, JobRun.subject).not_in(under_way.add_columns(other.subject)),
        )


def described(error: GatewayError) -> dict[str, Any]:
    """An error as a run keeps it; the fields are those of every other answer."""
    return {
        "code": error.code,
        "title": error.title,
        "detail": error.detail,
        "hint": error.hint,
        "candidates": list(error.candidates),
    }


def _is(attempt: Attempt) -> ColumnElement[bool]:
    return and_(
        JobRun.id == attempt.run_id,
        JobRun.attempt == attempt.number,
        JobRun.state == RunState.RUNNING.value,
    )


def _any_of(attempts: Sequence[Attempt]) -> ColumnElement[bool]:
    return or_(*map(_is, attempts))


def _worker_lost(run: JobRun) -> dict[str, Any]:
    return {
        "code": "worker-lost",
        "title": "The worker died",
        "detail": f"The process of attempt {run.attempt} ended without an answer: killed, out of memory, or with its machine.",
        "hint": "Its log, and that of the machine, may say why.",
        "candidates": [],
    }


def _worker_stopped() -> dict[str, Any]:
    return {
        "code": "worker-stopped",
        "title": "The worker was stopped",
        "detail": "The worker was stopped while the run was under way, and what it runs may be begun once only.",
        "hint": "See what it has done, and start the job again.",
        "candidates": [],
    }
