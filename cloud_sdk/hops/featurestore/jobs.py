"""Jobs of the connection's own project, and their runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Union

from hops.featurestore.arguments import checked_name, is_whole, kind_of, plain, shown
from hops.featurestore.errors import InvalidInputError
from hops.featurestore.metadata import from_json
from hops.featurestore.runs import JobRun, RunLog, run_id_of, run_path
from hops.featurestore.session import PAGE, Operations, Session, url_path
from hops.featurestore.upload import command_request

STATES = ("queued", "running", "succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Job:
    """What a project does again and again. `last_run` is None until it first ran, `schedule` five fields of cron."""

    name: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    feature_groups: Sequence[str] = ()
    schedule: Optional[str] = None
    time_zone: str = "UTC"
    next_run_at: Optional[str] = None
    last_run: Optional[JobRun] = None
    project: Optional[str] = None
    id: Optional[str] = None
    created_at: Optional[str] = None
    created_by: Optional[str] = None
    updated_at: Optional[str] = None
    revision: Optional[int] = None

    def __repr__(self) -> str:
        when = f", at {self.schedule!r} {self.time_zone}" if self.schedule else ""
        last = f", last run {self.last_run.state}" if self.last_run else ""
        return f"Job {self.name!r} of kind {self.kind!r}{when}{last}"


class JobOperations(Operations):
    def create_job(
        self,
        name: str,
        kind: str,
        arguments: Optional[Mapping[str, Any]] = None,
        *,
        description: str = "",
        feature_groups: Optional[Sequence[str]] = None,
        schedule: Optional[str] = None,
        time_zone: str = "UTC",
    ) -> Job:
        optional = {
            "arguments": _arguments(arguments),
            "description": description,
            "feature_groups": list(feature_groups or ()),
            "schedule": schedule,
        }
        body = {"kind": kind, "time_zone": time_zone, **{key: value for key, value in optional.items() if value}}
        return _job(self._session, self._session.send("PUT", job_path(self._session, name), body))

    def get_job(self, name: str) -> Job:
        return _job(self._session, self._session.get(job_path(self._session, name)))

    def get_jobs(self) -> List[Job]:
        listed = self._session.pages(url_path("projects", self._session.project, "jobs"))
        return [_job(self._session, each) for each in listed]

    def delete_job(self, name: str) -> None:
        self._session.send("DELETE", job_path(self._session, name))

    def run_job(
        self,
        name: str,
        *,
        arguments: Optional[Mapping[str, Any]] = None,
        wait: bool = False,
        timeout: Optional[float] = None,
    ) -> JobRun:
        body = {"arguments": _arguments(arguments)} if arguments else {}
        return self._started(job_path(self._session, name, "runs"), body, wait, timeout)

    def get_run(self, run_id: str) -> JobRun:
        return JobRun(self._session, self._session.get(run_path(self._session, run_id_of(run_id))))

    def get_runs(
        self,
        *,
        job: Optional[str] = None,
        state: Optional[str] = None,
        kind: Optional[str] = None,
        limit: int = 100,
    ) -> List[JobRun]:
        if state is not None and state not in STATES:
            raise InvalidInputError(f"state={shown(state)} is no state of a run.", candidates=STATES)
        count = plain(limit)
        if not is_whole(count) or count < 1:
            raise InvalidInputError(f"limit={shown(limit)} is no number of runs.")
        asked = {"job": job, "state": state, "kind": kind, "limit": min(count, PAGE)}
        query = {key: value for key, value in asked.items() if value is not None}
        path = url_path("projects", self._session.project, "runs")
        listed = self._session.pages(path, **query)
        return [JobRun(self._session, each) for each in itertools.islice(listed, count)]

    def get_run_log(self, run_id: Union[str, JobRun]) -> RunLog:
        return self._run(run_id).log()

    def cancel_run(self, run_id: Union[str, JobRun]) -> JobRun:
        return self._run(run_id).cancel()

    def retry_run(self, run_id: Union[str, JobRun], *, wait: bool = False, timeout: Optional[float] = None) -> JobRun:
        return self._started(run_path(self._session, run_id_of(run_id), "retry"), {}, wait, timeout)

    def wait_for_run(self, run: Union[str, JobRun], timeout: Optional[float] = None) -> JobRun:
        return self._run(run).wait(timeout)

    def _started(self, path: str, body: Mapping[str, Any], wait: bool, timeout: Optional[float]) -> JobRun:
        run = JobRun(self._session, self._session.transport.json(command_request(path, body)))
        return run.wait(timeout) if wait else run

    def _run(self, run: Union[str, JobRun]) -> JobRun:
        """The one that the caller holds, so that it is up to date afterwards; else one that nobody has looked at yet."""
        if isinstance(run, JobRun):
            return run
        return JobRun(self._session, {"id": run_id_of(run), "kind": "", "state": "unknown"})


def job_path(session: Session, name: str, *rest: str) -> str:
    return url_path("projects", session.project, "jobs", checked_name(name, "job"), *rest)


def _job(session: Session, answer: Mapping[str, Any]) -> Job:
    last = answer.get("last_run")
    return from_json(Job, {**answer, "last_run": JobRun(session, last) if last else None})


def _arguments(given: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    raise InvalidInputError(
        f"arguments= is {kind_of(given)} and not a dict.",
        hint='Such as {"name": "winners", "query": {"features": […]}}.',
    )
