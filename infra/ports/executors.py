"""Where programs run. Implementations: one module each in `infra/executors/`, found through `oasthouse.executors`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from infra.crypto import SecretValue
from infra.errors import InvalidInputError, UnavailableError

# As many characters of one line of a program's output are kept.
MAX_LINE = 2_000


class ProgramFailedError(InvalidInputError):
    """The program ended, and not well; `detail` has its exit code, signal or the words of where it ran."""

    code = "program-failed"
    title = "The program failed"


class ExecutorRefusedError(InvalidInputError):
    """Where the program should run says no, and will say so again."""

    code = "executor-refused"
    title = "The program was not run"


class ExecutorUnreachableError(UnavailableError):
    """Where the program runs does not answer, or is busy. What runs there goes on."""

    code = "executor-unreachable"
    title = "The executor does not answer"


class ProgramsNotValidError(InvalidInputError):
    """The operator's file of programs says something that no executor understands."""

    code = "programs-not-valid"
    title = "The file of programs is not valid"


@dataclass(frozen=True)
class Launch:
    """One run of a program. `arguments` are those of the job; what the operator wrote comes before them."""

    run_id: UUID
    attempt: int
    project: str
    job: str | None
    arguments: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """By which a program knows whose work it does."""
        return {
            "OAST_RUN_ID": str(self.run_id),
            "OAST_JOB": self.job or "",
            "OAST_PROJECT": self.project,
            "OAST_ATTEMPT": str(self.attempt),
        }


class ProgramState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Look:
    """How far a program is. `detail` says it in a few words, `lines` are those of its output since the last look."""

    state: ProgramState
    detail: str = ""
    lines: tuple[str, ...] = ()


class OperatorSecrets(Protocol):
    """Secrets that the operator names; no rule about projects' prefixes holds here."""

    def require_reference(self, text: str) -> None:
        """Raises SecretRefInvalidError where no store could have such a secret; asks none."""

    def resolve(self, text: str) -> SecretValue:
        """The value as it is now; raises as `SecretStore.resolve` does."""


class Executor(Protocol):
    """Runs one program of the operator's. Nothing is connected before the first call."""

    @property
    def is_remote(self) -> bool:
        """Whether a program outlives the process that started it, and is found again by its handle."""

    @property
    def look_seconds(self) -> float:
        """Time between two looks."""

    def start(self, launch: Launch) -> str:
        """A handle of at most 256 characters.

        A remote program is started once for each run: again for the same run, this gives the same handle.
        Raises ExecutorRefusedError, ExecutorUnreachableError, or as `OperatorSecrets.resolve` does.
        """

    def look(self, handle: str) -> Look:
        """Raises as `start` does."""

    def stop(self, handle: str) -> None:
        """Returns once it has ended or was told to; also where it is no longer known. Raises as `start` does."""


class ExecutorKind(Protocol):
    """One way of running programs, as it is registered."""

    def open(self, fields: Mapping[str, Any], secrets: OperatorSecrets) -> Executor:
        """The executor of a program with these fields. Raises ProgramsNotValidError with one of `errors` for each wrong one."""
