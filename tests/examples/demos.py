"""`oast demo` as people run it, and what it leaves behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECRET = re.compile(r"oast_(live|test)_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}")


def start(*arguments, **environment):
    oast = Path(sys.executable).with_name("oast")
    return subprocess.Popen(
        [oast, "demo", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As a shell does it: Ctrl-C goes to all of the session's group, and not to this process.
        start_new_session=True,
    )


def processes_of(home):
    """Command lines of what still runs and was told of `home`; each server of the demo is, by environment or arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            if str(home).encode() in environment and int(process.name) != os.getpid():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def tour_of(tmp_path, body):
    tour = tmp_path / "tour.py"
    tour.write_text(body)
    return str(tour)


def lines_until(process, wanted):
    seen = []
    for line in process.stdout:
        seen.append(line)
        if wanted in line:
            return "".join(seen)
    raise AssertionError(f"no {wanted!r} in:\n{''.join(seen)}")
