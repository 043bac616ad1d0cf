"""The walls around a query's process, each put up in a process of the test's own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.engines.landlock import landlock_version
from infra.engines.protocol import LOCAL, REMOTE

ROOT = Path(__file__).parents[2]

_CONFINED = """
import json, os, resource
from infra.engines.protocol import ForkRequest
from infra.engines.sandbox import confine_process
kept, closed = os.pipe()
confine_process(ForkRequest(1.0, 7, 4 << 30, 1 << 30), os.getppid(), {kept})
names = ("RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_AS")
limits = {name: resource.getrlimit(getattr(resource, name)) for name in names}
def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
print(json.dumps({"limits": limits, "kept": is_open(kept), "closed": is_open(closed), "leads": os.getpgrp() == os.getpid()}))
"""


def run(code: str, **environment: str) -> Any:
    command, given = [sys.executable, "-c", code], {**os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_process_is_confined() -> None:
    found = run(_CONFINED)
    assert found["limits"] == {
        "RLIMIT_CPU": [7, 8],
        "RLIMIT_FSIZE": [1 << 30, 1 << 30],
        "RLIMIT_NOFILE": [8192, 8192],
        "RLIMIT_AS": [4 << 30, 4 << 30],
    }
    assert (found["kept"], found["closed"], found["leads"]) == (True, False, True)


_GIVEN_UP = """
import ctypes, json, os, socket
from pathlib import Path
from infra.engines.protocol import Job
from infra.engines.sandbox import confine_files
from infra.ports.tables import DataFile, Snapshot
import pyarrow as pa
folder = Path({folder!r})
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
files = tuple(DataFile(str(folder / name), 1, 1, {{}}) for name in ("read", "gone"))
tables = {{"t": Snapshot(0, pa.schema([]), (), files)}}
confine_files(Job("", (), tables, None, True, "none", "1GB", 1, str(folder / "write"), 1), {reach!r})
def can(attempt):
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "yes"
def connect():
    with socket.socket() as client:
        client.connect(("127.0.0.1", 9))
print(json.dumps({{
    "read the file": can((folder / "read").read_bytes),
    "write the file": can(lambda: (folder / "read").write_bytes(b"x")),
    "read another": can((folder / "other").read_bytes),
    "list the folder": can(lambda: list(folder.iterdir())),
    "write where it may": can(lambda: (folder / "write" / "new").write_bytes(b"x")),
    "write beside it": can(lambda: (folder / "new").write_bytes(b"x")),
    "look at the parent": can(lambda: Path(f"/proc/{{os.getppid()}}/environ").read_bytes()),
    "signal the parent": can(lambda: os.kill(os.getppid(), 0)),
    "connect": can(connect),
}}))
"""


@pytest.mark.skipif(landlock_version() < 6, reason="the kernel's Landlock knows less")
@pytest.mark.parametrize("reach", [LOCAL, REMOTE])
def test_files_are_given_up(tmp_path: Path, reach: str) -> None:
    (tmp_path / "write").mkdir()
    for name in ("read", "other"):
        (tmp_path / name).write_bytes(b"x")
    assert run(_GIVEN_UP.format(folder=str(tmp_path), reach=reach), COVERAGE_PROCESS_CONFIG="") == {
        "read the file": "yes" if reach == LOCAL else "PermissionError",
        "write the file": "PermissionError",
        "read another": "PermissionError",
        "list the folder": "PermissionError",
        "write where it may": "yes",
        "write beside it": "PermissionError",
        "look at the parent": "PermissionError",
        "signal the parent": "PermissionError",
        "connect": "ConnectionRefusedError" if reach == REMOTE else "PermissionError",
    }
