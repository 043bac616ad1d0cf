"""Does one attempt of a run, from the row to its end."""

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.featurestore.jobs.errors import AttemptLostError
from app.featurestore.jobs.handlers import JobKind, Run
from app.featurestore.jobs.log import StoredRunLog
from app.featurestore.jobs.models import JobRun, RunState
from app.featurestore.jobs.queue import Attempt, RunQueue
from app.featurestore.jobs.requester import require_principal
from infra.clock import Clock
from infra.database.idempotency import IdempotencyLedger
from infra.database.unit_of_work import Database
from infra.errors import ErrorKind, GatewayError
from infra.registry import Registry
from tenancy.principals import RequestContext

_log = structlog.get_logger(__name__)


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
    ) -> None:
        self._database = database
        self._queue = queue
        self._ledger = ledger
        self._kinds = kinds
        self._clock = clock

    def execute(self, attempt: Attempt) -> None:
        """Returns when the attempt has ended, one way or the other; raises only what ends the process."""
        try:
            self._execute(attempt)
        except AttemptLostError:
            _log.info("attempt lost", run=str(attempt.run_id), attempt=attempt.number)
        except GatewayError as error:
            _log.info("run failed", run=str(attempt.run_id), code=error.code)
            self._queue.fail(attempt, error)
        except Exception:  # noqa: BLE001 a run must end whatever is wrong with it
            _log.exception("run failed", run=str(attempt.run_id))
            unforeseen = RunFailedError(
                "An error that was not foreseen.", hint=f"The gateway's log has it under run {attempt.run_id}."
            )
            self._queue.fail(attempt, unforeseen)

    def _execute(self, attempt: Attempt) -> None:
        run = self._prepared(attempt)
        result = self._kinds.load(run.kind).run(run)
        with self._database.write() as uow:
            # A kind that has its effect in the database has ended the run there, with the answer of that effect.
            if self._state(uow.session, attempt.run_id) == RunState.RUNNING.value:
                self._queue.succeed(uow.session, attempt, result)
            uow.commit()

    def _prepared(self, attempt: Attempt) -> Run:
        with self._database.read() as session:
            row = session.get_one(JobRun, attempt.run_id)
            principal = (
                require_principal(session, row.requester, row.project_id, row.project.name) if row.requester else None
            )
        context = None
        if principal is not None:
            # The same id in every attempt: what one of them has committed to a table, the next finds in its log.
            self._ledger.hold(row.id)
            context = RequestContext(principal, str(row.id), row.id, self._remember(attempt))
        return Run(
            id=row.id,
            project_id=row.project_id,
            project=row.project.name,
            kind=row.kind,
            subject=row.subject,
            arguments=row.arguments,
            requested_by=row.requested_by,
            log=StoredRunLog(self._database, self._queue, self._clock, attempt),
            job=row.job_name,
            own_context=context,
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
