"""Statistics as runs of the queue."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from app.featurestore.jobs.handlers import Run
from app.featurestore.statistics.maths.compute import compute_statistics
from app.featurestore.statistics.maths.options import StatisticsOptions
from app.featurestore.statistics.models import Statistics
from app.featurestore.statistics.repository import StatisticsRepository
from app.featurestore.statistics.subjects import Scan, Subject, SubjectKind, run_subject
from infra.clock import Clock
from infra.database.unit_of_work import Database
from infra.errors import InvalidInputError
from infra.ids import IdFactory
from tenancy.actions import Action


class StatisticsKind:
    """Implements `JobKind`. The gateway alone starts it: who may ask for it is asked where it is asked for."""

    launches: Action | None = None

    def __init__(
        self, *, database: Database, clock: Clock, ids: IdFactory, subjects: Mapping[str, SubjectKind]
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._subjects = subjects

    def accept(self, project: str, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 the port's signature
        raise InvalidInputError(f"Statistics in {project!r} are asked for at the feature group itself.")

    def subject(self, project_id: UUID, arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 the port's signature
        return run_subject(arguments["of"], UUID(arguments["id"]))

    def run(self, run: Run) -> dict[str, Any]:
        kind = self._subjects[run.arguments["of"]]
        with self._database.read() as session:
            subject = kind.find(session, run.project_id, UUID(run.arguments["id"]))
            if subject is None:
                return {"skipped": "It was deleted meanwhile."}
            opened = kind.rows(session, subject)
        scan = opened()
        options = StatisticsOptions.of(run.arguments["options"] or subject.options)
        content = compute_statistics(scan, options, run.log.progress)
        with self._database.write() as uow:
            if kind.hold(uow.session, subject):
                StatisticsRepository(uow.session).replace(self._row(subject, scan, options, content, run))
            uow.commit()
        run.log.line(f"Statistics of {subject.name} version {subject.version}: {content['rows']:,} rows.")
        return {"state": scan.state, "rows": content["rows"], "columns": len(content["columns"])}

    def _row(
        self, subject: Subject, scan: Scan, options: StatisticsOptions, content: dict[str, Any], run: Run
    ) -> Statistics:
        return Statistics(
            id=self._ids(),
            project_id=subject.project_id,
            subject_id=subject.id,
            state=scan.state,
            rows=content["rows"],
            options=asdict(options),
            content=content,
            computed_at=self._clock.now(),
            computed_by=run.requested_by,
        )
