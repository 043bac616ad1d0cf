"""What is told of jobs and runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.featurestore.jobs.models import Job, JobRun, JobRunLine


@dataclass(frozen=True)
class RunInfo:
    """`stage`, `rows` and `bytes` tell how far it is; `error` has the fields of any other error."""

    id: UUID
    project: str
    job: str | None
    kind: str
    subject: str
    arguments: dict[str, Any]
    trigger: str
    requested_by: str
    state: str
    stage: str
    rows: int
    bytes: int
    attempt: int
    max_attempts: int
    cancel_requested: bool
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None

    @classmethod
    def of(cls, run: JobRun) -> "RunInfo":
        same = ("id", "kind", "subject", "arguments", "trigger", "requested_by", "state", "stage", "rows", "bytes")
        counted = ("attempt", "max_attempts", "cancel_requested", "queued_at", "started_at", "finished_at")
        values = {name: getattr(run, name) for name in (*same, *counted, "result", "error")}
        return cls(project=run.project.name, job=run.job_name, **values)


@dataclass(frozen=True)
class JobInfo:
    """`last_run` is None until it first ran."""

    id: UUID
    project: str
    name: str
    kind: str
    description: str
    arguments: dict[str, Any]
    feature_groups: list[str]
    schedule: str | None
    time_zone: str
    next_run_at: datetime | None
    last_run: RunInfo | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    revision: int

    @classmethod
    def of(cls, job: Job, last_run: JobRun | None) -> "JobInfo":
        same = ("id", "name", "kind", "description", "arguments", "feature_groups", "schedule", "time_zone")
        dated = ("next_run_at", "created_at", "created_by", "updated_at", "revision")
        values = {name: getattr(job, name) for name in (*same, *dated)}
        return cls(project=job.project.name, last_run=RunInfo.of(last_run) if last_run else None, **values)


@dataclass(frozen=True)
class LineInfo:
    number: int
    at: datetime
    level: str
    text: str

    @classmethod
    def of(cls, line: JobRunLine) -> "LineInfo":
        return cls(line.number, line.at, line.level, line.text)
