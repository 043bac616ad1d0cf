"""A program as a process of the worker's machine; `spark-submit` and clients of Spark Connect are such programs too.

No shell, a clean environment, a guard that ends it with its run. Memory and processors are limited by what the operator puts
around the worker, or into the command: `prlimit`, `nice`, a container.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, cast

from pydantic import field_validator

from infra.executors import guard
from infra.executors.options import Options, Text, Texts, Words, read_options
from infra.executors.output import Output
from infra.ports.executors import ExecutorRefusedError, Launch, Look, OperatorSecrets, ProgramState

_ALWAYS: Mapping[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_LENT = "OAST_SECRET_"
_STOP_SECONDS = 15.0
_REST_SECONDS = 2.0


class LocalOptions(Options):
    command: Words
    environment: Texts = ()
    directory: Text | None = None

    @field_validator("command")
    @classmethod
    def _is_absolute(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if not Path(command[0]).is_absolute():
            raise ValueError("must begin with an absolute path: which program it is must not depend on PATH")
        return command

    @field_validator("directory")
    @classmethod
    def _is_absolute_too(cls, directory: str | None) -> str | None:
        if directory is not None and not Path(directory).is_absolute():
            raise ValueError("must be an absolute path")
        return directory

    @field_validator("environment")
    @classmethod
    def _are_no_settings(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        refused = [name for name in names if "=" in name or (name.startswith("OAST_") and not name.startswith(_LENT))]
        if refused:
            raise ValueError(f"must list names of variables, and none of the gateway's own settings: {refused[0]}")
        return names


class LocalKind:
    """Implements `infra.ports.executors.ExecutorKind`."""

    def open(self, fields: Mapping[str, Any], secrets: OperatorSecrets) -> "LocalExecutor":  # noqa: ARG002 the port's signature
        return LocalExecutor(read_options(LocalOptions, fields))


@dataclass
class _Running:
    guard: subprocess.Popen[bytes]
    output: Output


class LocalExecutor:
    """Implements `infra.ports.executors.Executor`; a handle counts in the process that started the program."""

    is_remote: ClassVar[bool] = False
    look_seconds: ClassVar[float] = 0.2

    def __init__(self, options: LocalOptions) -> None:
        self._options = options
        self._running: dict[str, _Running] = {}

    def start(self, launch: Launch) -> str:
        home = tempfile.mkdtemp(prefix="oast-program-")
        try:
            # The guard has its own session: it must outlive whoever kills the run, by a moment.
            started = subprocess.Popen(  # noqa: S603 the operator's command
                [sys.executable, "-I", "-S", guard.__file__, home, *self._options.command, *launch.arguments],
                cwd=self._options.directory or home,
                env=self._environment(launch, home),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            Path(home).rmdir()
            raise ExecutorRefusedError(
                f"The program cannot be started: {error.strerror}.", hint="The operator looks at its directory."
            ) from error
        handle = str(started.pid)
        self._running[handle] = _Running(started, Output(cast("IO[bytes]", started.stdout)))
        return handle

    def look(self, handle: str) -> Look:
        running = self._running[handle]
        code = running.guard.poll()
        if code is None:
            return Look(ProgramState.RUNNING, lines=running.output.take())
        lines = running.output.take_rest(_REST_SECONDS)
        self._forget(handle)
        if code == 0:
            return Look(ProgramState.SUCCEEDED, "exit code 0", lines)
        return Look(ProgramState.FAILED, _ending(code), lines)

    def stop(self, handle: str) -> None:
        if handle in self._running:
            self._forget(handle).wait(_STOP_SECONDS)

    def _forget(self, handle: str) -> subprocess.Popen[bytes]:
        started = self._running.pop(handle).guard
        cast("IO[bytes]", started.stdin).close()
        return started

    def _environment(self, launch: Launch, home: str) -> dict[str, str]:
        """Nothing of the worker's by itself: it knows where the pepper and the database are."""
        usual = {name: os.environ.get(name, default) for name, default in _ALWAYS.items()}
        handed = {name: os.environ[name] for name in self._options.environment if name in os.environ}
        return {**usual, "HOME": home, **handed, **launch.variables}


def _ending(code: int) -> str:
    if code > 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    return f"killed by {name}" + (", perhaps because memory ran out" if -code == signal.SIGKILL else "")
