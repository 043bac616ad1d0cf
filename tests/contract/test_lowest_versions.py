"""The SDK at the lowest versions that it names, against a gateway of today. `make lowest` makes that environment."""

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.served import served

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("OAST_LOWEST_PYTHON")


@pytest.mark.skipif(PYTHON is None, reason="`make lowest` runs it, where there is a Python 3.9")
def test_a_notebooks_work_at_the_lowest_versions(tmp_path: Path) -> None:
    assert PYTHON
    with served(tmp_path) as gateway:
        key = gateway.oast("key", "create", "football", "--member", "ada")["key"]
        key_file = tmp_path / "football.key"
        key_file.touch(0o600)
        key_file.write_text(key)
        script = ROOT / "tests" / "lab" / "lowest.py"
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OAST_"))}
        command = [PYTHON, str(script), gateway.address, str(key_file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=plain)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Python 3.9." in done.stdout
    assert "pandas 1.5.0 pyarrow 10.0.0" in done.stdout


def test_the_lowest_versions_are_those_of_the_makefile() -> None:
    project = tomllib.loads((ROOT / "cloud_sdk" / "pyproject.toml").read_text())["project"]
    named = dict(
        each.partition(",")[0].split(">=")
        for each in [*project["dependencies"], *project["optional-dependencies"]["aws"]]
    )
    makefile = (ROOT / "Makefile").read_text()
    for package, version in named.items():
        exact = ".".join([*version.split("."), "0", "0"][:3])
        assert f"{package}=={exact} " in makefile, package
    assert project["requires-python"] == ">=3.9"
