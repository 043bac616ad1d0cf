"""Jobs of the project, and what runs in the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, List, Optional, Union

from hops.featurestore.default import default_connection
from hops.featurestore.jobs import Job
from hops.featurestore.runs import JobRun, RunLog


def create_job(
    name: str, kind: str, arguments: Optional[Mapping[str, Any]] = None, *, description: str = "",
    feature_groups: Optional[Sequence[str]] = None, schedule: Optional[str] = None, time_zone: str = "UTC",
) -> Job:  # fmt: skip
    """Save a job, or change the one of that name; from then on it runs for who saved it last.

    - `kind`: what it does, such as "training_dataset"; `arguments` are that kind's own.
    - `schedule`: five fields of cron, read by the clocks of `time_zone`: "15 3 * * *" is a quarter past three each night.
    - `feature_groups`: names of those it is about, as `group_version`, for who looks it up.

    Raises ScheduleNotValidError, or InvalidInputError with every argument that is wrong.
    """
    return default_connection().create_job(
        name, kind, arguments, description=description, feature_groups=feature_groups, schedule=schedule,
        time_zone=time_zone,
    )  # fmt: skip


def get_job(name: str) -> Job:
    """With its schedule and its `last_run`. Raises JobNotFoundError."""
    return default_connection().get_job(name)


def get_jobs() -> List[Job]:
    """All of the project, by name."""
    return default_connection().get_jobs()


def delete_job(name: str) -> None:
    """A run of it that waits or is under way is cancelled; those that are over stay in `get_runs`."""
    default_connection().delete_job(name)


def run_job(
    name: str, *, arguments: Optional[Mapping[str, Any]] = None, wait: bool = False, timeout: Optional[float] = None
) -> JobRun:
    """Start a job now. `arguments` replace those saved with it, one by one, for this run.

    With `wait` as `wait_for_run`. Raises JobNotFoundError, JobRunningError.
    """
    return default_connection().run_job(name, arguments=arguments, wait=wait, timeout=timeout)


def get_run(run_id: str) -> JobRun:
    """Raises RunNotFoundError."""
    return default_connection().get_run(run_id)


def get_runs(
    *, job: Optional[str] = None, state: Optional[str] = None, kind: Optional[str] = None, limit: int = 100
) -> List[JobRun]:
    """The latest first, those that the gateway started by itself among them.

    `state` is "queued", "running", "succeeded", "failed" or "cancelled".
    """
    return default_connection().get_runs(job=job, state=state, kind=kind, limit=limit)


def get_run_log(run_id: Union[str, JobRun]) -> RunLog:
    """What it said so far, line by line."""
    return default_connection().get_run_log(run_id)


def cancel_run(run_id: Union[str, JobRun]) -> JobRun:
    """One that waits ends at once, one under way within seconds. Raises RunEndedError if it is over."""
    return default_connection().cancel_run(run_id)


def retry_run(run_id: Union[str, JobRun], *, wait: bool = False, timeout: Optional[float] = None) -> JobRun:
    """The same again, as a new run. Raises RunNotEndedError while the first one goes on."""
    return default_connection().retry_run(run_id, wait=wait, timeout=timeout)


def wait_for_run(run: Union[str, JobRun], timeout: Optional[float] = None) -> JobRun:
    """Wait until it has succeeded, and say meanwhile how far it is.

    Raises what it failed with, as the request would have, with `run_id`; RunCancelledError; or RunTimeoutError after
    `timeout` seconds. Interrupting it, as running out of time, leaves the run going. A gateway that is away for up to
    two minutes is waited for.
    """
    return default_connection().wait_for_run(run, timeout)
