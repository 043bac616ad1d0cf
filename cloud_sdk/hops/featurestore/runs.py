"""Runs in the background, as a notebook holds them: what they are about, how far they are, and waiting for them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, NoReturn, Optional, Union

from hops.featurestore.arguments import checked_name, is_whole, shown
from hops.featurestore.errors import (
    ConnectionFailedError,
    FeatureStoreError,
    InvalidInputError,
    RunCancelledError,
    RunTimeoutError,
    UnavailableError,
)
from hops.featurestore.metadata import from_json
from hops.featurestore.problems import error_from_run
from hops.featurestore.progress import RunProgress, find_display
from hops.featurestore.session import Session, url_path

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.2, 5.0, 1.5  # seconds, and by how much each is longer than the last
_MISSED = 120.0
"""Seconds without an answer, after which nobody believes any more that the gateway comes back by itself."""
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
_TOLD = ("name", "version", "state", "rows", "skipped")  # of a result, in one line
_ENDED = frozenset({SUCCEEDED, FAILED, CANCELLED})


@dataclass(frozen=True)
class RunLine:
    number: int
    at: str
    level: str
    text: str


class RunLog(List[RunLine]):
    """What a run said on its way; shows itself line by line."""

    def __repr__(self) -> str:
        return "\n".join(f"{line.at[:19]}  {line.level:<7}  {line.text}" for line in self) or "(no lines)"


class JobRun:
    """One piece of work in the background.

    It is as it was when somebody last looked: `refresh` looks again, `is_done` looks unless the end is known, and `wait`
    looks until then. `result` is what came out, `error` a dict with `code`, `detail` and `hint`; each None without one.
    """

    def __init__(self, session: Session, info: Mapping[str, Any]) -> None:
        self._session = session
        self._info: Dict[str, Any] = dict(info)

    @property
    def id(self) -> str:
        return str(self._info["id"])

    @property
    def job(self) -> Optional[str]:
        """The name of the job; None of what the gateway started by itself."""
        return self._info.get("job")

    @property
    def kind(self) -> str:
        return str(self._info["kind"])

    @property
    def state(self) -> str:
        """`queued`, `running`, `succeeded`, `failed` or `cancelled`."""
        return str(self._info["state"])

    @property
    def stage(self) -> str:
        return self._info.get("stage") or ""

    @property
    def rows(self) -> int:
        return self._info.get("rows") or 0

    @property
    def bytes(self) -> int:
        return self._info.get("bytes") or 0

    @property
    def arguments(self) -> Dict[str, Any]:
        return dict(self._info.get("arguments") or {})

    @property
    def result(self) -> Optional[Dict[str, Any]]:
        return self._info.get("result")

    @property
    def error(self) -> Optional[Dict[str, Any]]:
        return self._info.get("error")

    @property
    def is_done(self) -> bool:
        """Whether it has ended, well or not; asks the gateway, so that a loop over it ends."""
        if self.state not in _ENDED:
            self.refresh()
        return self.state in _ENDED

    def refresh(self) -> JobRun:
        self._info = self._session.get(run_path(self._session, self.id))
        return self

    def wait(self, timeout: Optional[float] = None) -> JobRun:
        """Until it has succeeded. Raises as `hops.featurestore.wait_for_run` does."""
        wait_for(self, timeout)
        return self

    def cancel(self) -> JobRun:
        """Raises RunEndedError if it is over already."""
        self._info = self._session.send("POST", run_path(self._session, self.id, "cancel"))
        return self

    def log(self) -> RunLog:
        """What it said so far."""
        listed = self._session.pages(run_path(self._session, self.id, "log"))
        return RunLog(from_json(RunLine, line) for line in listed)

    def to_dict(self) -> Dict[str, Any]:
        """As the gateway describes it, with times, attempts and who asked for it."""
        return dict(self._info)

    @property
    def session(self) -> Session:
        return self._session

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "A JobRun holds its connection and cannot be pickled; keep its id, and call fs.get_run(…) there."
        )

    def __repr__(self) -> str:
        about = f"of job {self.job!r}" if self.job else f"of kind {self.kind!r}"
        return f"Run {self.id} {about}: {self.state}{self._more()}"

    def _more(self) -> str:
        if self.error is not None:
            return f", {self.error.get('detail') or self.error.get('code')}"
        if self.result is not None:
            return "".join(f", {name}={self.result[name]!r}" for name in _TOLD if name in self.result)
        counts = [f"{self.rows:,} rows"] if self.rows else []
        return "".join(f", {each}" for each in ([self.stage] if self.stage else []) + counts)


def run_path(session: Session, run_id: str, *rest: str) -> str:
    return url_path("projects", session.project, "runs", run_id, *rest)


def run_id_of(run: Union[str, JobRun]) -> str:
    return run.id if isinstance(run, JobRun) else checked_name(run, "run")


def checked_timeout(timeout: Any) -> Optional[float]:
    if timeout is None:
        return None
    if (is_whole(timeout) or isinstance(timeout, float)) and timeout >= 0:
        return float(timeout)
    raise InvalidInputError(
        f"timeout={shown(timeout)} is no number of seconds.", hint="None waits as long as it takes."
    )


def wait_for(run: JobRun, timeout: Optional[float]) -> None:
    """Raises what the run failed with, RunCancelledError, or RunTimeoutError."""
    seconds = checked_timeout(timeout)
    transport = run.session.transport
    progress = RunProgress(find_display(transport.shows_progress), clock=transport.retries.clock)
    try:
        _watch(run, seconds, progress)
    except KeyboardInterrupt:
        sys.stderr.write(
            f"\nRun {run.id} goes on. Wait for it with fs.wait_for_run({run.id!r}), or fs.cancel_run(…).\n"
        )
        raise
    finally:
        progress.close(run.state)
    _require_success(run)


def _watch(run: JobRun, timeout: Optional[float], progress: RunProgress) -> None:
    policy = run.session.transport.retries
    started = heard = policy.clock()
    pause = _FIRST_PAUSE
    while True:
        failure = _missed(run.refresh)
        now = policy.clock()
        if failure is None:
            heard = now
        elif now - heard > _MISSED:
            raise failure
        if run.state in _ENDED:
            return
        progress.show(run.state, run.stage, run.rows, run.bytes)
        left = None if timeout is None else timeout - (now - started)
        if left is not None and left <= 0:
            raise _timed_out(run, timeout)
        policy.sleep(pause if left is None else min(pause, left))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)


def _missed(look: Callable[[], Any]) -> Optional[FeatureStoreError]:
    """Why there was no answer. A gateway that is started anew is away for longer than a request is repeated."""
    try:
        look()
    except (ConnectionFailedError, UnavailableError) as error:
        return error
    return None


def _timed_out(run: JobRun, timeout: Optional[float]) -> RunTimeoutError:
    error = RunTimeoutError(
        f"Run {run.id} is {run.state} after {timeout:,.0f} seconds of waiting, and goes on.",
        hint=f"Wait on with fs.wait_for_run({run.id!r}), or stop it with fs.cancel_run({run.id!r}).",
    )
    error.run_id = run.id
    return error


def _require_success(run: JobRun) -> None:
    if run.state == FAILED:
        raise error_from_run(run.id, run.error or {})
    if run.state == CANCELLED:
        error = RunCancelledError(f"Run {run.id} was cancelled.", hint=f"Start it again with fs.retry_run({run.id!r}).")
        error.run_id = run.id
        raise error
