"""Programs under the real worker: what ends with a run, and what is stopped elsewhere."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3

from tests.lab.databricks import JOB, TOKEN, Workspace, running_workspace
from tests.served import Served, served

PROJECT = "/api/v1/projects/football"
PATIENCE = 60
# Says who it is and what it was given, then works on with a child.
PROGRAM = """
import json, os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(90)"], start_new_session=True)
print(json.dumps([os.getpid(), child.pid, dict(os.environ)]), flush=True)
time.sleep(float(sys.argv[1]))
"""


class Football:
    def __init__(self, gateway: Served) -> None:
        self.gateway = gateway
        self.key = gateway.oast("key", "create", "football", "--member", "ada")["key"]

    def send(self, method: str, path: str, **options: Any) -> Any:
        answer = urllib3.request(
            method,
            f"{self.gateway.address}{PROJECT}{path}",
            headers={"Authorization": f"ApiKey {self.key}"},
            retries=False,
            timeout=30,
            **options,
        )
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    def start(self, program: str, *arguments: str) -> str:
        body = {"kind": "program", "arguments": {"program": program, "arguments": arguments}}
        self.send("PUT", f"/jobs/{program}", json=body)
        return str(self.send("POST", f"/jobs/{program}/runs", json={})["id"])

    def until(self, holds: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := holds()):
            assert time.monotonic() < deadline, self.gateway.log.read_text()[-3000:]
            time.sleep(0.05)
        return found

    def ended(self, run_id: str) -> dict[str, Any]:
        run = self.until(lambda: (run := self.send("GET", f"/runs/{run_id}"))["finished_at"] and run)
        return dict(run)

    def said(self, run_id: str) -> Any:
        """Process, child and environment of a program that runs."""
        lines = self.until(lambda: self.send("GET", f"/runs/{run_id}/log")["items"])
        return json.loads(lines[0]["text"])

    def gone(self, *processes: int) -> bool:
        return bool(self.until(lambda: not any(map(psutil.pid_exists, processes))))


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with running_workspace() as workspace:
        yield workspace


@pytest.fixture(scope="module")
def football(tmp_path_factory: pytest.TempPathFactory, workspace: Workspace) -> Iterator[Football]:
    directory = tmp_path_factory.mktemp("programs")
    (directory / "program.py").write_text(PROGRAM)
    programs = directory / "programs.toml"
    local = f"executor = 'local'\ncommand = ['{sys.executable}', '{directory / 'program.py'}']"
    remote = f"executor = 'databricks'\nhost = '{workspace.address}'\njob_id = {JOB}\ntoken = 'env:OAST_SECRET_TOKEN'"
    tables = {"worker": local, "remote": f"{remote}\nlook_seconds = 0.2"}
    common = "projects = ['football']\narguments = 'any'"
    programs.write_text("\n".join(f"[{name}]\n{common}\n{table}" for name, table in tables.items()))
    settings = {
        "OAST_JOBS__PROGRAMS": str(programs),
        "OAST_SECRET_TOKEN": TOKEN,
        "OAST_PEPPER_FILE": str(directory / "pepper"),
    }
    with served(directory, **settings) as gateway:
        yield Football(gateway)


def test_a_program_ends_and_knew_nothing_of_the_gateway(football: Football) -> None:
    run_id = football.start("worker", "0")
    process, child, given = football.said(run_id)
    run = football.ended(run_id)
    assert (run["state"], run["result"]["outcome"]) == ("succeeded", "exit code 0"), run
    assert {name for name in given if name.startswith("OAST_")} == {
        "OAST_RUN_ID",
        "OAST_JOB",
        "OAST_PROJECT",
        "OAST_ATTEMPT",
    }
    assert (given["OAST_RUN_ID"], given["OAST_JOB"]) == (run_id, "worker")
    assert "pepper" not in str(given)
    assert football.gone(process, child)
    assert not Path(given["HOME"]).exists()


def test_a_cancelled_program_is_killed_with_its_children(football: Football) -> None:
    run_id = football.start("worker", "60")
    process, child, given = football.said(run_id)
    football.send("POST", f"/runs/{run_id}/cancel")
    assert football.ended(run_id)["state"] == "cancelled"
    assert football.gone(process, child)
    assert football.until(lambda: not Path(given["HOME"]).exists())


def test_a_program_whose_run_dies_is_killed_and_not_begun_again(football: Football) -> None:
    run_id = football.start("worker", "60")
    process, child, _ = football.said(run_id)
    guard = psutil.Process(process).parent()
    assert guard is not None
    run_process = guard.parent()
    assert run_process is not None
    assert os.getpgid(run_process.pid) == run_process.pid
    run_process.send_signal(signal.SIGKILL)
    run = football.ended(run_id)
    assert (run["state"], run["error"]["code"], run["attempt"]) == ("failed", "worker-lost", 1)
    assert football.gone(process, child, guard.pid)


def test_a_cancelled_remote_program_is_stopped_there(football: Football, workspace: Workspace) -> None:
    known = set(workspace.runs)
    run_id = football.start("remote")
    made = football.until(lambda: next(iter(set(workspace.runs) - known), None))
    football.until(lambda: football.send("GET", f"/runs/{run_id}")["stage"] == "RUNNING")
    football.send("POST", f"/runs/{run_id}/cancel")
    assert football.ended(run_id)["state"] == "cancelled"
    football.until(lambda: workspace.runs[made]["state"].get("result_state") == "CANCELED")


@pytest.mark.timeout(180)
def test_a_server_that_stops_leaves_a_remote_program_alone(football: Football, workspace: Workspace) -> None:
    known = set(workspace.runs)
    run_id = football.start("remote", "again")
    made = football.until(lambda: next(iter(set(workspace.runs) - known), None))
    football.until(lambda: football.send("GET", f"/runs/{run_id}")["stage"] == "RUNNING")
    football.gateway.signal(signal.SIGTERM)
    assert "result_state" not in workspace.runs[made]["state"]
    football.gateway.start()
    football.until(lambda: football.send("GET", f"/runs/{run_id}")["attempt"] == 2)
    workspace.end(made)
    run = football.ended(run_id)
    assert (run["state"], set(workspace.runs) - known) == ("succeeded", {made})
