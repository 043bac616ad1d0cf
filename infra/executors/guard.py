"""Stands over one program, in a process of its own: `python -I -S guard.py <directory to remove> <command> …`.

Who started it holds its standard input, and says nothing there. The end of that is the end of all: whoever was killed, the
program and every process that it left behind are killed too. Exit code or signal are the program's own. Imports nothing of ours.
"""

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_NOT_STARTED = 127
_PATIENCE_SECONDS = 10.0
_PROCESSES = Path("/proc")


def _adopt_orphans() -> None:
    """Processes that a program detaches from itself become children of this one, and are found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _parents() -> dict[int, int]:
    found = {}
    for stat in _PROCESSES.glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in brackets may hold anything, brackets too.
            found[int(stat.parent.name)] = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
    return found


def _below(process: int) -> set[int]:
    parents, found, added = _parents(), set[int](), {process}
    while added:
        added = {child for child, parent in parents.items() if parent in added} - found
        found |= added
    return found


def _kill_all() -> None:
    """Again until none is left: one may have been born meanwhile."""
    ends_at = time.monotonic() + _PATIENCE_SECONDS
    while (processes := _below(os.getpid())) and time.monotonic() < ends_at:
        for process in processes:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def _end_with_my_starter(directory: str) -> None:
    while os.read(0, 1):
        pass
    _kill_all()
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(1)


def _end_as(code: int) -> None:
    """With the program's exit code, or by its signal."""
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def main(directory: str, command: list[str]) -> None:
    _adopt_orphans()
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)  # noqa: S603 the operator's command
    except OSError as error:
        # Not which: what the command is, is the operator's own business.
        print(f"The program cannot be started: {error.strerror}.", flush=True)  # noqa: T201 the run's log
        shutil.rmtree(directory, ignore_errors=True)
        os._exit(_NOT_STARTED)
    # The program's own limits are its own; this process, which ends by the same signal, leaves no second core.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_my_starter, args=(directory,), daemon=True).start()
    code = program.wait()
    _kill_all()
    shutil.rmtree(directory, ignore_errors=True)
    _end_as(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
