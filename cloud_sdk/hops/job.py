"""The original clients' helpers around jobs: `from hops import job`.

They answered what the server had sent. That is given here in the same shape, made of what `hops.featurestore` knows of
jobs and runs, whose `run_job`, `get_runs` and `create_job` tell more. Fields about machines of a cluster are None.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Dict, Optional

import hops.featurestore as fs
from hops.featurestore.arguments import shown
from hops.featurestore.default import default_connection
from hops.featurestore.errors import InvalidInputError, NotSupportedError
from hops.featurestore.jobs import Job
from hops.featurestore.runs import JobRun

__all__ = ["create_job", "get_last_execution_info", "launch_job", "start_job"]

_STATES = {
    "queued": ("ACCEPTED", "UNDEFINED"),
    "running": ("RUNNING", "UNDEFINED"),
    "succeeded": ("FINISHED", "SUCCEEDED"),
    "failed": ("FAILED", "FAILED"),
    "cancelled": ("KILLED", "KILLED"),
}


def create_job(job_name: str, kind: str = "training_dataset", arguments: Optional[Mapping[str, Any]] = None) -> Job:
    """Save a job as `hops.featurestore.create_job` does, and give it."""
    return fs.create_job(job_name, kind, arguments)


def launch_job(job_name: str, args: Any = None) -> Dict[str, Any]:
    """Start a job and do not wait. Gives the execution, a dict as in `get_last_execution_info`.

    `args` is a dict of arguments for this run, or, where the job runs a program, the text of its command line.
    Raises JobNotFoundError, JobRunningError.
    """
    return _execution(default_connection().run_job(job_name, arguments=_arguments(job_name, args)))


def start_job(job_name: str, args: Any = None) -> Dict[str, Any]:
    """The same as `launch_job`, under its other name."""
    return launch_job(job_name, args)


def get_last_execution_info(job_name: str) -> Dict[str, Any]:
    """`{"count": 1, "items": [execution]}`, or no items where the job has not run yet. Raises JobNotFoundError.

    An execution has `id`, `state` (ACCEPTED, RUNNING, FINISHED, FAILED, KILLED), `finalStatus` (UNDEFINED, SUCCEEDED,
    FAILED, KILLED), `submissionTime`, `user`, `duration` in milliseconds, and `error` with `code` and `detail`.
    """
    last = fs.get_job(job_name).last_run
    items = [_execution(last)] if last is not None else []
    return {"count": len(items), "items": items}


def _arguments(job_name: str, args: Any) -> Optional[Mapping[str, Any]]:
    if args is None or isinstance(args, Mapping):
        return args
    if isinstance(args, str) and fs.get_job(job_name).kind == "program":
        try:
            return {"arguments": shlex.split(args)}
        except ValueError as error:
            raise InvalidInputError(f"args={shown(args)} is no command line: {error}.") from error
    raise NotSupportedError(
        f"args={shown(args)}: job {job_name!r} runs no program, and has no command line.",
        hint="Give its arguments as a dict, or leave out args=.",
    )


def _execution(run: JobRun) -> Dict[str, Any]:
    told = run.to_dict()
    state, final = _STATES[run.state]
    return {
        "id": run.id,
        "state": state,
        "finalStatus": final,
        "submissionTime": told.get("queued_at"),
        "user": told.get("requested_by"),
        "hdfsUser": None,
        "appId": None,
        "stdoutPath": None,
        "stderrPath": None,
        "progress": 1.0 if run.state == "succeeded" else 0.0,
        "duration": _milliseconds(told.get("started_at"), told.get("finished_at")),
        "error": run.error,
    }


def _milliseconds(started: Optional[str], finished: Optional[str]) -> int:
    if not started or not finished:
        return 0
    since, until = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (started, finished))
    return round((until - since).total_seconds() * 1000)
