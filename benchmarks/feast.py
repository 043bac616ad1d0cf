"""Feast in an environment of its own: it needs other versions of what we need too."""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

_PINNED = Path(__file__).with_name("feast.txt")


def feast_python() -> str:
    """The interpreter of the environment, which is made on first use and kept below the user's cache directory."""
    digest = hashlib.sha256(_PINNED.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "oasthouse-benchmarks" / f"feast-{digest}"
    python, complete = directory / "bin" / "python", directory / "complete"
    if not complete.exists():
        print(f"installing feast into {directory} …", file=sys.stderr)
        venv.create(directory, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps", "-r"]
        subprocess.run([*install, str(_PINNED)], check=True, stdout=sys.stderr)
        complete.touch()
    return str(python)
