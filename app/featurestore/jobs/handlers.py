"""What it takes to be a kind of job. A new kind is a new class like this, registered in bootstrap or by an entry point."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from app.featurestore.jobs.queue import MAX_ATTEMPTS
from tenancy.actions import Action
from tenancy.principals import RequestContext


class RunLog(Protocol):
    """Where a run says how far it is. Both are cheap to call often: what comes too fast is left out."""

    def progress(self, stage: str, rows: int = 0, size: int = 0) -> None:
        """`stage` in a word or two; rows and bytes done in it."""

    def line(self, text: str, level: str = "info") -> None:
        """One line of the run's log. It is shown to members of the project: no secrets."""

    def lines(self, texts: Sequence[str]) -> None:
        """Several at once, which costs as much as one."""


def _keeps_none(_handle: str | None) -> None:
    raise NotImplementedError("This run keeps no handle.")


@dataclass(frozen=True)
class Run:
    """A run under way.

    `context` is that of a request: its principal is who the run acts for, its `remember` ends the run in the transaction of
    its effect, so that an effect is never had twice. It is None for what the gateway does of itself. `job` is the name of the
    one that it is a run of.

    `handle` is what an earlier attempt gave to `keep_handle`: by it a kind finds again what it has running elsewhere. It is
    kept until it is replaced by None; when the run ends with one, `StoppableKind.stop` is called.
    """

    id: UUID
    project_id: UUID
    project: str
    kind: str
    subject: str
    arguments: Mapping[str, Any]
    requested_by: str
    log: RunLog
    job: str | None = None
    own_context: RequestContext | None = None
    attempt: int = 1
    handle: str | None = None
    keep_handle: Callable[[str | None], None] = _keeps_none

    @property
    def context(self) -> RequestContext:
        assert self.own_context is not None, "this kind of run acts for somebody"
        return self.own_context


class JobKind(Protocol):
    """One kind of work. `launches` is what somebody must be allowed to do who starts it; None: only the gateway does."""

    @property
    def launches(self) -> Action | None: ...

    def accept(self, project: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as they are stored, checked; raises InvalidInputError naming every wrong one."""

    def subject(self, project_id: UUID, arguments: Mapping[str, Any]) -> str:
        """What the run is about: two with the same subject never run at once."""

    def run(self, run: Run) -> dict[str, Any]:
        """Do it; the result is kept with the run. May be called again after a crash: effects must be had once."""


@runtime_checkable
class LimitedKind(Protocol):
    """A kind whose runs may not be repeated as often as others."""

    def max_attempts(self, project: str, arguments: Mapping[str, Any]) -> int:
        """1: what was begun is never begun again. Answers for arguments that are no longer valid, too."""


@runtime_checkable
class StoppableKind(Protocol):
    """A kind with something running elsewhere, which killing the run's process does not stop."""

    def stop(self, run: Run) -> None:
        """Stop what `run.handle` names; the run has ended. Called again later if it raises, and maybe by two workers."""


def attempts_of(kind: JobKind, project: str, arguments: Mapping[str, Any]) -> int:
    return kind.max_attempts(project, arguments) if isinstance(kind, LimitedKind) else MAX_ATTEMPTS
