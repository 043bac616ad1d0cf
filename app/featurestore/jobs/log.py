"""What a run says while it runs: progress, and lines."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.featurestore.jobs.models import JobRun, JobRunLine
from app.featurestore.jobs.queue import Attempt, RunQueue
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import UnavailableError
from infra.observability.logs import redact

MAX_LINES = 2_000
MAX_TEXT = 2_000
_SECONDS_BETWEEN_PROGRESS = 1.0
# Colours and moving cursors mean nothing here, and PostgreSQL takes no NUL.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_log = structlog.get_logger(__name__)


@dataclass
class StoredRunLog:
    """Implements `RunLog`: into the database, and what cannot be stored just now is left out rather than failing the work."""

    database: Database
    queue: RunQueue
    clock: Clock
    attempt: Attempt
    _told_at: float = 0.0
    _told_stage: str = ""
    _is_full: bool = False

    def progress(self, stage: str, rows: int = 0, size: int = 0) -> None:
        now = time.monotonic()
        if stage == self._told_stage and now - self._told_at < _SECONDS_BETWEEN_PROGRESS:
            return
        self._told_at, self._told_stage = now, stage
        try:
            self.queue.note_progress(self.attempt, stage, rows, size)
        except UnavailableError:
            _log.warning("progress not stored", run=str(self.attempt.run_id))

    def line(self, text: str, level: str = "info") -> None:
        self._store([text], level)

    def lines(self, texts: Sequence[str]) -> None:
        if texts:
            self._store(texts, "info")

    def _store(self, texts: Sequence[str], level: str) -> None:
        if self._is_full:
            return
        try:
            with self.database.write() as uow:
                if not _is_held(uow.session, self.attempt):
                    self._is_full = True
                    return
                first = _lines(uow.session, self.attempt) + 1
                for number, text in enumerate(texts[: MAX_LINES + 1 - first], first):
                    said = text if number < MAX_LINES else "There are more lines; they are left out."
                    line = JobRunLine(run_id=self.attempt.run_id, number=number, at=self.clock.now(), level=level)
                    line.text = _shown(said)
                    uow.session.add(line)
                uow.commit()
                self._is_full = first + len(texts) > MAX_LINES
        except UnavailableError:
            _log.warning("line not stored", run=str(self.attempt.run_id))


def _shown(text: str) -> str:
    return redact(_CONTROL.sub("", text[: 2 * MAX_TEXT]))[:MAX_TEXT]


def _is_held(session: Session, attempt: Attempt) -> bool:
    """Whether it still is the latest attempt. Locked: whoever else writes lines of this run would take the same numbers."""
    held = select(JobRun.id).where(JobRun.id == attempt.run_id, JobRun.attempt == attempt.number)
    return session.scalar(held.with_for_update()) is not None


def _lines(session: Session, attempt: Attempt) -> int:
    counted = select(func.count()).where(JobRunLine.run_id == attempt.run_id)
    return session.scalar(counted) or 0
