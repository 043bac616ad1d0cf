"""Programs as processes of this machine: real ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from infra.executors.local import LocalExecutor, LocalKind
from infra.executors.output import FIRST_LINES, LAST_LINES
from infra.ports.executors import ExecutorRefusedError, Launch, Look, ProgramsNotValidError, ProgramState

PATIENCE = 20


def local(code: str = "pass", **fields: Any) -> LocalExecutor:
    """An executor of a Python program."""
    fields.setdefault("command", [sys.executable, "-c", code])
    return LocalKind().open(fields, None)  # type: ignore[arg-type]  # no secrets here


def launch(*arguments: str) -> Launch:
    return Launch(uuid4(), 2, "football", "players", arguments)


def wait_for(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def run(executor: LocalExecutor, *arguments: str) -> tuple[Look, list[str]]:
    handle, lines = executor.start(launch(*arguments)), []
    while True:
        look = executor.look(handle)
        lines += look.lines
        if look.state is not ProgramState.RUNNING:
            return look, lines
        time.sleep(0.02)


def test_a_program_that_succeeds() -> None:
    look, lines = run(
        local("import sys; print('out', sys.argv[1:]); print('err', file=sys.stderr)"), "--season", "20 19;"
    )
    assert (look.state, look.detail) == (ProgramState.SUCCEEDED, "exit code 0")
    assert sorted(lines) == ["err", "out ['--season', '20 19;']"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise SystemExit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL, perhaps because memory ran out"),
        ("import os; os.kill(os.getpid(), 15)", "killed by SIGTERM"),
        ("import os; os.abort()", "killed by SIGABRT"),
    ],
)
def test_a_program_that_fails_says_how(code: str, says: str) -> None:
    look, _ = run(local(code))
    assert (look.state, look.detail) == (ProgramState.FAILED, says)


def test_a_program_that_is_not_there() -> None:
    look, lines = run(local(command=["/nowhere/python"]))
    assert (look.state, look.detail) == (ProgramState.FAILED, "exit code 127")
    assert lines == ["The program cannot be started: No such file or directory."]
    with pytest.raises(ExecutorRefusedError, match="No such file"):
        local(directory="/nowhere").start(launch())


def test_of_a_long_output_the_beginning_and_the_end_are_kept() -> None:
    look, lines = run(local("print('\\n'.join(map(str, range(100_000))))"))
    assert look.state is ProgramState.SUCCEEDED
    assert lines[:2] == ["0", "1"]
    assert lines[FIRST_LINES - 1] == str(FIRST_LINES - 1)
    assert lines[FIRST_LINES] == f"… {100_000 - FIRST_LINES - LAST_LINES:,} lines are left out …"
    assert lines[-1] == "99999"
    assert len(lines) == FIRST_LINES + 1 + LAST_LINES


def test_output_that_is_no_text() -> None:
    code = "import sys; sys.stdout.buffer.write(b'\\xff\\xfe caf\\xc3\\xa9\\r\\n' + b'x' * 50_000)"
    _, lines = run(local(code))
    assert lines[0] == "\ufffd\ufffd café"
    assert all(len(line) <= 2_000 for line in lines)


def test_what_a_program_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_PEPPER_FILE", "/pepper")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never")
    monkeypatch.setenv("PLAYERS_DB", "db.example.com")
    monkeypatch.setenv("OAST_SECRET_KEY", "lent")
    code = "import os; [print(f'{name}={value}') for name, value in os.environ.items()]; print(os.getcwd())"
    executor = local(code, environment=["PLAYERS_DB", "OAST_SECRET_KEY", "ABSENT"])
    handle = executor.start(wanted := launch())
    lines: list[str] = []
    wait_for(lambda: (look := executor.look(handle), lines.extend(look.lines))[0].state is not ProgramState.RUNNING)
    given = dict(line.split("=", 1) for line in lines[:-1])
    home = given.pop("HOME")
    given.pop("LC_CTYPE", None)  # Python's own doing where LANG is C
    assert given == {
        "PATH": os.environ["PATH"],
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "PLAYERS_DB": "db.example.com",
        "OAST_SECRET_KEY": "lent",
        **wanted.variables,
    }
    assert wanted.variables["OAST_JOB"] == "players"
    assert lines[-1] == home
    assert not Path(home).exists()


def test_a_directory_of_the_operators_stays(tmp_path: Path) -> None:
    look, lines = run(local("import os; print(os.getcwd()); open('made', 'w').close()", directory=str(tmp_path)))
    assert (look.state, lines) == (ProgramState.SUCCEEDED, [str(tmp_path)])
    assert (tmp_path / "made").exists()


# A program with a child, and one that has left its session and its parent.
FAMILY = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(sleep, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    left = subprocess.Popen(sleep, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    os.write(write, str(left.pid).encode())
    os._exit(0)
print(child.pid, int(os.read(read, 20)), flush=True)
"""


def test_what_a_program_leaves_running_ends_with_it() -> None:
    look, lines = run(local(FAMILY))
    assert look.state is ProgramState.SUCCEEDED
    assert [pid for pid in map(int, lines[0].split()) if psutil.pid_exists(pid)] == []


def test_a_stopped_program_leaves_nothing() -> None:
    executor = local(FAMILY + "print(os.environ['HOME'], flush=True); time.sleep(60)")
    handle, lines = executor.start(launch()), list[str]()
    wait_for(lambda: (lines.extend(executor.look(handle).lines), len(lines) == 2)[1])
    executor.stop(handle)
    executor.stop(handle)
    assert [pid for pid in map(int, lines[0].split()) if psutil.pid_exists(pid)] == []
    assert not Path(lines[1]).exists()


STARTER = """
import sys, time
from uuid import uuid4
from infra.executors.local import LocalKind
from infra.ports.executors import Launch
executor = LocalKind().open({"command": [sys.executable, "-c", sys.argv[1]]}, None)
handle = executor.start(Launch(uuid4(), 1, "football", None))
while True:
    for line in executor.look(handle).lines:
        print(line, flush=True)
    time.sleep(0.05)
"""


def test_it_ends_with_who_started_it() -> None:
    """As a worker ends a run: SIGKILL, and no chance to tidy up."""
    family = FAMILY + "time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", STARTER, family], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        left = {int(pid) for pid in starter.stdout.readline().split()}
        left |= {process.pid for process in psutil.Process(starter.pid).children(recursive=True)}
        assert len(left) >= 3
        starter.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(map(psutil.pid_exists, left)))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"command": ["python"]}, "command"),
        ({"command": []}, "command"),
        ({"command": "/bin/true"}, "command"),
        ({"command": ["/bin/true", 1]}, "command.1"),
        ({"command": ["/bin/true"], "directory": "here"}, "directory"),
        ({"command": ["/bin/true"], "environment": ["OAST_PEPPER_FILE"]}, "environment"),
        ({"command": ["/bin/true"], "environment": ["A=B"]}, "environment"),
        ({"command": ["/bin/true"], "shell": True}, "shell"),
        ({}, "command"),
    ],
)
def test_fields_that_make_no_sense(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ProgramsNotValidError) as caught:
        LocalKind().open(fields, None)  # type: ignore[arg-type]  # no secrets here
    assert [each["field"] for each in caught.value.errors] == [field]
