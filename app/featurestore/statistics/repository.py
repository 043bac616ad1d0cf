from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from app.featurestore.statistics.models import Statistics

KEPT = 200
"""States of one subject whose statistics are kept, the latest."""


class StatisticsRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_subject(self, project_id: UUID, subject_id: UUID) -> Select[Statistics]:
        return select(Statistics).where(Statistics.project_id == project_id, Statistics.subject_id == subject_id)

    def find(self, project_id: UUID, subject_id: UUID, state: int | None) -> Statistics | None:
        """The latest where no state is named."""
        found = self.of_subject(project_id, subject_id)
        if state is not None:
            found = found.where(Statistics.state == state)
        return self._session.scalar(found.order_by(Statistics.state.desc()).limit(1))

    def states(self, project_id: UUID, subject_id: UUID) -> Sequence[tuple[int, int, datetime]]:
        """State, rows and time of all that are kept, the latest first. Not what they hold, which may be megabytes of each."""
        told = Statistics.state, Statistics.rows, Statistics.computed_at
        found = self.of_subject(project_id, subject_id).with_only_columns(*told).order_by(Statistics.state.desc())
        return [(state, rows, at) for state, rows, at in self._session.execute(found)]

    def replace(self, statistics: Statistics) -> None:
        """Bring these in the place of any others of the same state; the oldest go where there are too many."""
        same = Statistics.subject_id == statistics.subject_id
        self._session.execute(delete(Statistics).where(same, Statistics.state == statistics.state))
        self._session.add(statistics)
        self._session.flush()
        kept = select(Statistics.state).where(same).order_by(Statistics.state.desc()).limit(KEPT)
        oldest = min(self._session.scalars(kept))
        self._session.execute(delete(Statistics).where(same, Statistics.state < oldest))

    def remove(self, subject_id: UUID) -> None:
        self._session.execute(delete(Statistics).where(Statistics.subject_id == subject_id))
