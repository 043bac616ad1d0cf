"""What it takes to be a kind of job. A new kind is a new class like this, registered in bootstrap or by an entry point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from tenancy.actions import Action
from tenancy.principals import RequestContext


class RunLog(Protocol):
    """Where a run says how far it is. Both are cheap to call often: what comes too fast is left out."""

    def progress(self, stage: str, rows: int = 0, size: int = 0) -> None:
        """`stage` in a word or two; rows and bytes done in it."""

    def line(self, text: str, level: str = "info") -> None:
        """One line of the run's log. It is shown to members of the project: no secrets."""


@dataclass(frozen=True)
class Run:
    """A run under way.

    `context` is that of a request: its principal is who the run acts for, its `remember` ends the run in the transaction of
    its effect, so that an effect is never had twice. It is None for what the gateway does of itself. `job` is the name of the
    one that it is a run of.
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
