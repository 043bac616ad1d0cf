"""`oast demo --aws`, run as people run it."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.demo import (
    INTERRUPTED,
    DemoNotInstalledError,
    DemoPartFailedError,
    on_s3,
    processes,
    run_aws_demo,
    seaweedfs,
    store,
)
from tests.examples.demos import ROOT, SECRET, lines_until, processes_of, start, tour_of

EXAMPLES = ROOT / "examples"
# How tokens of SeaweedFS, of moto and of the gateway begin, and ids of keys, beside which a secret would stand.
CREDENTIALS = re.compile(r"eyJ|FQoG|\b(AKIA|ASIA)[0-9A-Z]{12}")
TELLS_ITS_KEYS = """
import json, os, runpy, sys
from pathlib import Path

names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
Path({file!r}).write_text(json.dumps([os.environ[name] for name in names]))
sys.path.insert(0, {examples!r})
runpy.run_path({examples!r} + "/tour_aws.py", run_name="__main__")
"""


def test_the_demo_shows_the_product_on_aws_and_leaves_nothing_behind(demo_home, tmp_path):
    # The caller's own settings lead nowhere; had a part of the demo used one, it would have failed.
    astray = {
        "OAST_WAREHOUSE__URL": "s3://nowhere",
        "AWS_PROFILE": "nobody",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    keys = tmp_path / "keys.json"
    tour = tour_of(tmp_path, TELLS_ITS_KEYS.format(file=str(keys), examples=str(EXAMPLES)))
    process = start("--aws", "--tour", tour, **astray)
    output, _ = process.communicate(timeout=200)

    assert process.returncode == 0, output
    _show_no_secret(output, json.loads(keys.read_text()))
    _show_each_step(output)
    assert list(demo_home.iterdir()) == []
    assert processes_of(demo_home) == []


def _show_no_secret(output, keys):
    assert not SECRET.search(output)
    assert not CREDENTIALS.search(output)
    assert len(keys) == 3
    assert [key for key in keys if key in output] == []


def _show_each_step(output):
    assert "Traceback" not in output
    assert "$ oast project vending football on --as ada\nCredentials for tables of football: on\n" in output
    assert "from Secrets Manager: hopsworks/project/football/role/TourNotebooks" in output
    assert "with no stored key, as arn:aws:iam::123456789012:role/TourNotebooks" in output
    assert "With the key: presigned (This needs the scope 'data:vend'" in output
    assert "With the role: direct (" in output
    assert "S3 is not read directly" not in output
    assert output.count(": AccessDenied\n") == 3
    assert float(re.search(r"^R²\s+(\S+)$", output, re.MULTILINE)[1]) == pytest.approx(0.964, abs=0.01)
    files = re.findall(r"bytes  s3://customer-lake/models/team_position_prediction_1/(\S+)$", output, re.MULTILINE)
    assert files == ["manifest.json", "part-00000.parquet"]


def test_ctrl_c_half_way_leaves_nothing(demo_home):
    process = start("--aws", PYTHONUNBUFFERED="1")
    try:
        lines_until(process, "Write feature groups")
        assert any("/weed " in command for command in processes_of(demo_home))
    finally:
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == INTERRUPTED, output
    assert list(demo_home.iterdir()) == []
    assert processes_of(demo_home) == []


def test_a_store_that_does_not_start_is_given_up_with_the_end_of_its_log(demo_home, tmp_path, monkeypatch):
    tries = []

    def broken(*_arguments):
        tries.append(1)
        return [sys.executable, "-c", "raise SystemExit('no room today')"]

    monkeypatch.setattr(store, "start_command", broken)
    with pytest.raises(DemoPartFailedError, match=r"store process ended with exit code 1(.|\n)*no room today"):
        run_aws_demo(tour_of(tmp_path, "raise SystemExit('never begins')"))
    assert len(tries) == 3, "a port may be taken"
    assert list(demo_home.iterdir()) == []
    assert processes_of(demo_home) == []


def test_without_the_store_it_is_said_how_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(on_s3, "find_program", lambda: None)
    with pytest.raises(DemoNotInstalledError, match="needs SeaweedFS") as caught:
        run_aws_demo(tour_of(tmp_path, ""))
    assert "make demo-aws" in caught.value.hint


def test_the_store_is_found_beside_this_python_first(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert seaweedfs.find_program() == str(Path(sys.executable).with_name("weed"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert seaweedfs.find_program() is None


def test_it_ends_by_itself_and_so_keeps_nothing_up():
    answer = CliRunner().invoke(main, ["demo", "--aws", "--keep"])
    assert answer.exit_code == 2
    assert "leave out --keep" in answer.output


def test_a_command_that_fails_is_told_with_what_it_said():
    failing = (sys.executable, "-c", "raise SystemExit('no such project')")
    with pytest.raises(DemoPartFailedError, match=r"Setting up failed:\n    no such project"):
        processes.run_quietly(failing, {}, "Setting up")
