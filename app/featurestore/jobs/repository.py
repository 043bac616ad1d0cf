from difflib import get_close_matches
from uuid import UUID

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session

from app.featurestore.jobs.errors import JobNotFoundError, RunNotFoundError
from app.featurestore.jobs.models import ACTIVE, Job, JobRun, JobRunLine


class JobRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_project(self, project_id: UUID) -> Select[Job]:
        return select(Job).where(Job.project_id == project_id)

    def find(self, project_id: UUID, name: str, *, for_update: bool = False) -> Job | None:
        query = self.of_project(project_id).where(Job.name == name)
        return self._session.scalar(query.with_for_update(of=Job) if for_update else query)

    def lock(self, job_id: UUID) -> None:
        """Whoever starts a run of it at this moment is waited for."""
        self._session.scalar(select(Job.id).where(Job.id == job_id).with_for_update())

    def get(self, project_id: UUID, name: str, *, for_update: bool = False) -> Job:
        job = self.find(project_id, name, for_update=for_update)
        if job is None:
            known = list(self._session.scalars(select(Job.name).where(Job.project_id == project_id)))
            raise JobNotFoundError(
                f"There is no job {name[:80]!r}.", candidates=get_close_matches(name, sorted(known), n=5, cutoff=0.5)
            )
        return job


class RunRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_project(self, project_id: UUID) -> Select[JobRun]:
        return select(JobRun).where(JobRun.project_id == project_id)

    def get(self, project_id: UUID, run_id: UUID, *, for_update: bool = False) -> JobRun:
        query = self.of_project(project_id).where(JobRun.id == run_id)
        run = self._session.scalar(query.with_for_update(of=JobRun) if for_update else query)
        if run is None:
            raise RunNotFoundError(f"There is no run {run_id}.")
        return run

    def active_of(self, job: Job) -> JobRun | None:
        query = self.of_project(job.project_id).where(JobRun.job_id == job.id, JobRun.state.in_(ACTIVE))
        return self._session.scalar(query.limit(1))

    def active_like(self, run: JobRun) -> JobRun | None:
        """Of the same job; where the run belongs to none, about the same thing."""
        is_same = (
            JobRun.job_id == run.job_id
            if run.job_id
            else and_(JobRun.job_id.is_(None), JobRun.kind == run.kind, JobRun.subject == run.subject)
        )
        return self._session.scalar(self.of_project(run.project_id).where(is_same, JobRun.state.in_(ACTIVE)).limit(1))

    def lines(self, run_id: UUID, after: int) -> Select[JobRunLine]:
        return select(JobRunLine).where(JobRunLine.run_id == run_id, JobRunLine.number > after)
