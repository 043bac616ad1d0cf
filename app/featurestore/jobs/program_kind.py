"""Programs as jobs: started where the operator said, followed until they end."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from app.featurestore.jobs.arguments import Arguments
from app.featurestore.jobs.handlers import Run
from app.featurestore.jobs.programs import Program, Programs
from app.featurestore.jobs.queue import MAX_ATTEMPTS
from infra.database.unit_of_work import Database
from infra.errors import GatewayError, InvalidInputError, UnavailableError
from infra.ports.executors import Executor, Launch, Look, ProgramFailedError, ProgramState
from tenancy.access import Authorizer
from tenancy.actions import Action

# The handle of a run that may have been started: whoever stored this died, or got no answer.
STARTING = "?"
# A remote program goes on while nobody can ask it; only then is the run put back into the queue.
_OUTAGE_SECONDS = 900.0


def _passable(text: str) -> str:
    """What an operating system takes as an argument, and a database as text."""
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    text.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
    return text


@dataclass(frozen=True)
class RunProgram:
    """Which program of the operator's list, and what is added to its command."""

    program: str
    arguments: Annotated[
        tuple[Annotated[str, Field(max_length=1_000), AfterValidator(_passable)], ...], Field(max_length=100)
    ] = ()


class ProgramKind:
    """Implements `JobKind`, `LimitedKind` and `StoppableKind`."""

    launches = Action.JOB_RUN

    def __init__(
        self,
        *,
        database: Database,
        authorizer: Authorizer,
        programs: Programs,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._programs = programs
        self._pause = pause
        self._arguments = Arguments(RunProgram)

    def accept(self, project: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        stored = self._arguments.accept(arguments)
        program = self._programs.get(project, stored["program"])
        if stored["arguments"] and not program.takes_arguments:
            raise InvalidInputError(
                f"Program {program.name!r} takes no arguments.",
                hint="Leave them out; the operator may allow them.",
                errors=[{"field": "arguments", "message": "must be empty"}],
            )
        return stored

    def subject(self, project_id: UUID, arguments: Mapping[str, Any]) -> str:
        """The same program with other arguments does other work, and may run at the same time."""
        given = sha256("\0".join(arguments["arguments"]).encode()).hexdigest()[:16]
        return f"program:{project_id}:{arguments['program']}:{given}"

    def max_attempts(self, project: str, arguments: Mapping[str, Any]) -> int:
        program = self._programs.find(project, arguments["program"])
        return MAX_ATTEMPTS if program is not None and program.is_repeatable else 1

    def run(self, run: Run) -> dict[str, Any]:
        # The list, and the member's role, as they are now: both may have changed since the job was saved.
        stored = self.accept(run.project, run.arguments)
        with self._database.read() as session:
            self._authorizer.require(session, run.context.principal, Action.JOB_RUN, run.project)
        program = self._programs.get(run.project, stored["program"])
        handle = self._start(program.executor, run)
        try:
            look = self._follow(program.executor, run, handle)
        finally:
            if not program.executor.is_remote:
                program.executor.stop(handle)
        return _answer(program, look)

    def stop(self, run: Run) -> None:
        assert run.handle is not None
        executor = self._programs.elsewhere(run.arguments["program"])
        # Starting it again gives the run that there is; where there was none, it is a short one.
        handle = executor.start(_launch(run)) if run.handle == STARTING else run.handle
        executor.stop(handle)
        run.log.line("What still ran elsewhere was told to stop.")

    def _start(self, executor: Executor, run: Run) -> str:
        run.log.progress("starting")
        if not executor.is_remote:
            return executor.start(_launch(run))
        if run.handle not in (None, STARTING):
            run.log.line(f"Attempt {run.attempt} goes on with what runs already.")
            return run.handle
        # Stored first: who is killed while he waits for an answer leaves a trace to stop it by.
        run.keep_handle(STARTING)
        try:
            handle = executor.start(_launch(run))
        except UnavailableError:
            raise
        except GatewayError:
            run.keep_handle(None)
            raise
        run.keep_handle(handle)
        return handle

    def _follow(self, executor: Executor, run: Run, handle: str) -> Look:
        while True:
            look = self._look(executor, run, handle)
            run.log.lines(look.lines)
            if look.state is not ProgramState.RUNNING:
                break
            run.log.progress(look.detail or "running")
            self._pause(executor.look_seconds)
        if executor.is_remote:
            run.keep_handle(None)
        return look

    def _look(self, executor: Executor, run: Run, handle: str) -> Look:
        waited = 0.0
        while True:
            try:
                return executor.look(handle)
            except UnavailableError as error:
                if waited >= _OUTAGE_SECONDS:
                    raise
                if not waited:
                    run.log.line(f"{error.detail} It will be asked again.", "warning")
                seconds = error.retry_after or executor.look_seconds
                self._pause(seconds)
                waited += seconds


def _launch(run: Run) -> Launch:
    return Launch(run.id, run.attempt, run.project, run.job, tuple(run.arguments["arguments"]))


def _answer(program: Program, look: Look) -> dict[str, Any]:
    if look.state is ProgramState.FAILED:
        raise ProgramFailedError(
            f"Program {program.name!r} failed: {look.detail}.", hint="The run's log has what it said."
        )
    return {"program": program.name, "executor": program.executor_kind, "outcome": look.detail}
