"""`oast demo`, run as people run it."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.demo import INTERRUPTED, DemoNotInstalledError, DemoPartFailedError, local, processes, run_demo
from infra.errors import InvalidInputError
from tests.examples.demos import SECRET, lines_until, processes_of, start, tour_of

FIXTURE_TOUR = 'print("tour runs", flush=True)\n'


def test_the_demo_shows_the_product_and_leaves_nothing_behind(demo_home):
    # The caller's own settings lead nowhere; had a part of the demo used one, it would have failed.
    astray = {
        "OAST_DATABASE_URL": "sqlite:////nowhere/oasthouse.db",
        "AWS_PROFILE": "nobody",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    process = start(**astray)
    output, _ = process.communicate(timeout=200)

    assert process.returncode == 0, output
    assert not SECRET.search(output)
    assert "Traceback" not in output
    assert float(re.search(r"^R²\s+(\S+)$", output, re.MULTILINE)[1]) == pytest.approx(0.964, abs=0.01)
    assert re.search(r"^RMSE\s+2\.\d+ positions$", output, re.MULTILINE)
    assert "from Secrets Manager: hopsworks/project/football/role/TourNotebooks" in output
    assert "from Parameter Store: /hopsworks/project/venues/role/TourNotebooks/type/api-key" in output
    assert "Before: There is no feature 'average_attendance'" in output
    assert "rivals: There is no feature 'average_attendance'" in output
    assert "allowed  share " in output
    assert "team_budget: has another type" in output
    assert "/api/v1/docs" in output
    assert list(demo_home.iterdir()) == []
    assert processes_of(demo_home) == []


def test_a_kept_gateway_answers_until_ctrl_c(demo_home, tmp_path):
    process = start("--keep", "--tour", tour_of(tmp_path, FIXTURE_TOUR))
    try:
        output = lines_until(process, "curl")
        key_file = Path(re.search(r'api_key_file="([^"]+)"', output)[1])
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert SECRET.fullmatch(key_file.read_text().strip())
        command = output.splitlines()[-1].strip()
        answer = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=30)
        assert '"project":"football"' in answer.stdout.replace(" ", "")
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)

    assert process.returncode == 0, rest
    assert not SECRET.search(output + rest)
    assert list(demo_home.iterdir()) == []
    assert processes_of(demo_home) == []


def test_a_killed_demo_stops_everything(demo_home, tmp_path):
    process = start("--tour", tour_of(tmp_path, FIXTURE_TOUR + "import time\ntime.sleep(600)\n"))
    lines_until(process, "tour runs")
    process.terminate()
    output, _ = process.communicate(timeout=60)

    assert process.returncode == INTERRUPTED, output
    assert list(demo_home.iterdir()) == []
    assert processes_of(demo_home) == []


def test_the_exit_code_is_the_tours_and_the_role_its_alone(demo_home, tmp_path, capfd):
    before = dict(os.environ)
    show = 'import os\nprint(sorted(name for name in os.environ if name.startswith("AWS_")))\nraise SystemExit(7)\n'
    assert run_demo(tour_of(tmp_path, show), keep=False) == 7
    assert "AWS_SESSION_TOKEN" in capfd.readouterr().out
    assert dict(os.environ) == before
    assert list(demo_home.iterdir()) == []


def test_no_tour_is_said_with_the_way_to_one(tmp_path):
    with pytest.raises(InvalidInputError, match="no tour at") as caught:
        run_demo(str(tmp_path / "tour.py"), keep=False)
    assert "--tour" in caught.value.hint


def test_missing_packages_are_said_with_the_line_that_installs_them(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_NEEDED", ("boto3", "a_package_that_nobody_has"))
    with pytest.raises(DemoNotInstalledError, match="a_package_that_nobody_has") as caught:
        run_demo(tour_of(tmp_path, FIXTURE_TOUR), keep=False)
    assert 'pip install "oasthouse[demo]"' in caught.value.hint


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit('no clouds today')", r"aws process ended with exit code 1(.|\n)*no clouds today"),
        ("import time; time.sleep(600)", r"aws process is not ready after"),
    ],
    ids=["dies", "never answers"],
)
def test_a_server_that_does_not_start_is_given_up_with_the_end_of_its_log(tmp_path, monkeypatch, code, said):
    monkeypatch.setattr(processes, "START_SECONDS", 5.0 if "raise" in code else 0.3)
    command, port = (sys.executable, "-c", code), processes.free_ports(1)[0]
    with (
        processes.running("aws", command, {}, tmp_path, port, "/") as part,
        pytest.raises(DemoPartFailedError, match=said),
    ):
        processes.await_ready(part)
    assert part.process.returncode is not None


def test_a_server_that_ignores_the_request_to_stop_is_killed(monkeypatch):
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=True)
    with process.stdout as ready:
        ready.readline()
        started = time.monotonic()
        processes.stop(process)
    assert process.returncode == -signal.SIGKILL
    assert time.monotonic() - started < 5
