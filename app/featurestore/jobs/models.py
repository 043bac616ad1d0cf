from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from infra.database.base import Base
from tenancy.projects.models import Project


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (RunState.QUEUED.value, RunState.RUNNING.value)


class Job(Base):
    """Something that a project does again and again: what, with which arguments, when, and what it computes."""

    __tablename__ = "job"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    name: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(32))
    description: Mapped[str] = mapped_column(Text)
    arguments: Mapped[dict[str, Any]]
    # Names of feature groups as `name_version`; they may not be there yet.
    feature_groups: Mapped[list[str]]
    schedule: Mapped[str | None] = mapped_column(String(100))
    time_zone: Mapped[str] = mapped_column(String(64))
    next_run_at: Mapped[datetime | None] = mapped_column(index=True)
    # For whom it runs when nobody starts it: see `requester.py`.
    requester: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))
    updated_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(Integer)

    project: Mapped[Project] = relationship(lazy="joined", viewonly=True)

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 SQLAlchemy's declarative form


class JobRun(Base):
    """One piece of work: a row of the queue until it has ended, a line of the history afterwards."""

    __tablename__ = "job_run"
    __table_args__ = (Index(None, "state", "not_before"), Index(None, "project_id", "id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    # None for what the gateway itself has to do, such as statistics after a commit, and once the job was deleted.
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey(Job.id, ondelete="SET NULL"), index=True)
    job_name: Mapped[str | None] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(32))
    # What it is about, such as `feature-group:<id>`.
    subject: Mapped[str] = mapped_column(String(160), index=True)
    arguments: Mapped[dict[str, Any]]
    trigger: Mapped[str] = mapped_column(String(16))
    requester: Mapped[dict[str, Any]]
    requested_by: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16))
    queued_at: Mapped[datetime]
    not_before: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # Counts up each time a worker takes the run; an attempt that lost its lease can no longer change anything.
    attempt: Mapped[int] = mapped_column(Integer)
    max_attempts: Mapped[int] = mapped_column(Integer)
    worker: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    # By which a kind finds again what it has running elsewhere. None once that has ended: a run that has ended and still has
    # one has left something behind, which is to be stopped.
    handle: Mapped[str | None] = mapped_column(String(256), index=True)
    cancel_requested: Mapped[bool] = mapped_column(Boolean)
    stage: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]

    project: Mapped[Project] = relationship(lazy="joined", viewonly=True)


class JobRunLine(Base):
    """A line of a run's log."""

    __tablename__ = "job_run_line"

    run_id: Mapped[UUID] = mapped_column(ForeignKey(JobRun.id, ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime]
    level: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
