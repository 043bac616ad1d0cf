"""The README's first steps, run as they are written; only port and environment are this test's own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from hops.featurestore.credentials import parameterstore, secretsmanager
from hops.featurestore.credentials.errors import iam_statement
from tests.docs.pages import fences, read

README = read("README.md")
FIRST_STEPS = README.partition("## First steps on a laptop")[2].partition("\n## ")[0]
ACTIVATE, SERVE = ". .venv/bin/activate", "oast serve"
START_SECONDS = 60


def test_first_steps(tmp_path: Path) -> None:
    commands = fences(FIRST_STEPS, "bash")[0].splitlines()
    assert commands[0] == ACTIVATE
    assert commands[-1] == SERVE
    port = _free_port()
    environment = _environment({"OAST_SERVER__PORT": str(port), "OAST_SERVER__WORKERS": "1"})
    _run(["bash", "-euc", "\n".join(commands[1:-1])], tmp_path, environment)
    with _serving(tmp_path, environment, port):
        notebook = fences(FIRST_STEPS, "python")[0]
        assert "http://127.0.0.1:8181" in notebook
        printed = _run([sys.executable, "-c", notebook.replace(":8181", f":{port}")], tmp_path, environment)
    assert "Connected to project football" in printed
    assert "inner join on team_id" in printed
    assert re.search(r"^2 +3 +21\.0 +5200$", printed, re.MULTILINE), printed


def test_secret_names_and_statements_are_those_of_the_sdk() -> None:
    statements = [json.loads(block) for block in fences(README, "json")]
    assert [json.loads(iam_statement(s["Action"], s["Resource"])) for s in statements] == statements
    for statement, store, action in zip(
        statements, (secretsmanager, parameterstore), ("secretsmanager:GetSecretValue", "ssm:GetParameter"), strict=True
    ):
        documented = re.search(r"`(/?hopsworks/project/[^`]+)`", store.find_key.__doc__ or "")
        assert documented
        name = documented[1].replace("<project>", "football").replace("<role>", "MyNotebookRole")
        assert statement["Action"] == action
        assert statement["Resource"].endswith((f":secret:{name}-??????", f":parameter{name}"))
        assert name in README.replace(statement["Resource"], "")


def test_the_place_for_the_benchmarks_is_there() -> None:
    assert "## Performance\n" in README


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    """As activated, and without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("OAST_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "OAST_LOG_LEVEL": "warning", **added}


def _run(command: list[str], directory: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def _serving(directory: Path, environment: Mapping[str, str], port: int) -> Iterator[None]:
    with (directory / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            SERVE.split(), cwd=directory, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_ready(port):
            assert process.poll() is None, (directory / "serve.log").read_text()
            assert time.monotonic() < deadline, (directory / "serve.log").read_text()
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
