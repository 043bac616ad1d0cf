"""Does one attempt of a run, from the row to its end."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.featurestore.jobs.errors import AttemptLostError
from app.featurestore.jobs.handlers import JobKind, Run, StoppableKind
from app.featurestore.jobs.log import StoredRunLog
from app.featurestore.jobs.models import Job, JobRun, RunState
from app.featurestore.jobs.queue import Attempt, RunQueue
from app.featurestore.jobs.requester import require_principal
from infra.clock import Clock
from infra.database.idempotency import IdempotencyLedger
from infra.database.unit_of_work import Database
from infra.errors import ErrorKind, GatewayError, UnavailableError
from infra.registry import Registry
from tenancy.principals import RequestContext

# Lets the named feature groups of a project show a job that computes them.
Linked = Callable[[Session, UUID, Sequence[str], str], None]
_TELLINGS, _TELL_SECONDS = 100, 3.0
_log = structlog.get_logger(__name__)


def _links_nothing(_session: Session, _project_id: UUID, _feature_groups: Sequence[str], _job: str) -> None:
    pass


class RunFailedError(GatewayError):
    """An error that is ours to mend, and nobody foresaw; the gateway's log has it under the run's id."""

    code = "internal-error"
    kind = ErrorKind.INTERNAL
    title = "The gateway failed"


class RunExecution:
    def __init__(
        self,
        *,
        database: Database,
        queue: RunQueue,
        ledger: IdempotencyLedger,
        kinds: Registry[JobKind],
        clock: Clock,
        linked: Linked = _links_nothing,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._queue = queue
        self._ledger = ledger
        self._kinds = kinds
        self._clock = clock
        self._linked = linked
        self._pause = pause

    def execute(self, attempt: Attempt) -> None:
        """Returns when the attempt has ended, one way or the other; raises only what ends the process."""
        try:
            self._execute(attempt)
        except AttemptLostError:
            _log.info("attempt lost", run=str(attempt.run_id), attempt=attempt.number)
        except GatewayError as error:
            _log.info("run failed", run=str(attempt.run_id), code=error.code)
            self._surely(partial(self._queue.fail, attempt, error))
        except Exception:  # noqa: BLE001 a run must end whatever is wrong with it
            _log.exception("run failed", run=str(attempt.run_id))
            unforeseen = RunFailedError(
                "An error that was not foreseen.", hint=f"The gateway's log has it under run {attempt.run_id}."
            )
            self._surely(partial(self._queue.fail, attempt, unforeseen))

    def _execute(self, attempt: Attempt) -> None:
        run = self._prepared(attempt)
        result = self._kinds.load(run.kind).run(run)
        self._surely(partial(self._succeed, attempt, result))
        if run.job is not None:
            self._link(attempt)

    def _succeed(self, attempt: Attempt, result: dict[str, Any]) -> None:
        with self._database.write() as uow:
            # A kind that has its effect in the database has ended the run there, with the answer of that effect.
            if self._state(uow.session, attempt.run_id) == RunState.RUNNING.value:
                self._queue.succeed(uow.session, attempt, result)
            uow.commit()

    def _surely(self, end: Callable[[], None]) -> None:
        """How a run ended is told again while the database is away: what took hours would be done anew, or count as failed."""
        for _ in range(_TELLINGS):
            try:
                return end()
            except UnavailableError:
                self._pause(_TELL_SECONDS)
        return end()

    def stop_left_behind(self) -> int:
        """Stop what ended runs still have running elsewhere; returns how many were looked at.

        Asked again and again by every worker, so that no crash between an end and its stopping leaves anything running.
        """
        left = self._queue.left_behind()
        for run_id in left:
            try:
                self._stop(run_id)
            except Exception as error:  # noqa: BLE001 one that cannot be stopped must not keep the others running
                reason = error.detail if isinstance(error, GatewayError) else type(error).__name__
                is_hopeful = self._queue.stop_later(run_id)
                _log.warning("not stopped" if is_hopeful else "stopping given up", run=str(run_id), reason=reason)
        return len(left)

    def _stop(self, run_id: UUID) -> None:
        with self._database.read() as session:
            row = session.get_one(JobRun, run_id)
            project = row.project.name
        kind = self._kinds.load(row.kind)
        if isinstance(kind, StoppableKind):
            kind.stop(self._run(row, project, Attempt(row.id, row.attempt), None))
        self._queue.forget_handle(run_id)

    def _link(self, attempt: Attempt) -> None:
        try:
            with self._database.write() as uow:
                row = uow.session.get_one(JobRun, attempt.run_id)
                job = uow.session.get(Job, row.job_id) if row.job_id else None
                if job is not None and job.feature_groups:
                    self._linked(uow.session, row.project_id, job.feature_groups, job.name)
                uow.commit()
        except StaleDataError:
            # Somebody changed a group at this moment; the next run links it.
            _log.info("not linked", run=str(attempt.run_id))

    def _prepared(self, attempt: Attempt) -> Run:
        with self._database.read() as session:
            row = session.get_one(JobRun, attempt.run_id)
            project = row.project.name
            principal = require_principal(session, row.requester, row.project_id, project) if row.requester else None
        context = None
        if principal is not None:
            # The same id in every attempt: what one of them has committed to a table, the next finds in its log.
            self._ledger.hold(row.id)
            context = RequestContext(principal, str(row.id), row.id, self._remember(attempt))
        return self._run(row, project, attempt, context)

    def _run(self, row: JobRun, project: str, attempt: Attempt, context: RequestContext | None) -> Run:
        return Run(
            id=row.id,
            project_id=row.project_id,
            project=project,
            kind=row.kind,
            subject=row.subject,
            arguments=row.arguments,
            requested_by=row.requested_by,
            log=StoredRunLog(self._database, self._queue, self._clock, attempt),
            job=row.job_name,
            own_context=context,
            attempt=attempt.number,
            handle=row.handle,
            keep_handle=lambda handle: self._queue.keep_handle(attempt, handle),
        )

    def _remember(self, attempt: Attempt) -> Any:
        def remember(session: Session, answer: Any) -> None:
            self._queue.succeed(session, attempt, _summary(answer))

        return remember

    def _state(self, session: Session, run_id: UUID) -> str | None:
        return session.scalar(select(JobRun.state).where(JobRun.id == run_id))


def _summary(answer: Any) -> dict[str, Any]:
    """The plain values of an answer: numbers and names, not its lists."""
    fields = vars(answer) if hasattr(answer, "__dict__") else {}
    return {name: value for name, value in fields.items() if isinstance(value, str | int | float | bool)}
