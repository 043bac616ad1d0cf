"""A gateway as people run it: `oast init`, `oast serve`, and `oast` commands beside it."""

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from app.demo.processes import Environment, Part, run_quietly, running
from infra.crypto import SecretValue

PROMPT = "$ oast"

# -P: a folder `app` where the demo is run from must not be taken for this one.
_PYTHON = (sys.executable, "-P", "-c")
_OAST = (*_PYTHON, "from app.cli import main; main()")
# One process for all of them: each would take as long to start as all to run.
_COMMANDS = f"""
import json, sys
from app.cli import main
for command in json.loads(sys.argv[1]):
    print({PROMPT!r}, *command, flush=True)
    main(command, standalone_mode=False)
"""


def settings_for(directory: Path, port: int) -> dict[str, str]:
    scratch = directory / "tmp"
    scratch.mkdir()
    return {
        # What a gateway leaves that had to be killed goes with the directory.
        "TMPDIR": str(scratch),
        "OAST_DATA_DIR": str(directory / "data"),
        "OAST_ENVIRONMENT": "test",
        "OAST_SERVER__PORT": str(port),
    }


def init(settings: Environment) -> SecretValue:
    """The operator's key."""
    return SecretValue(json.loads(run_quietly((*_OAST, "init", "--json"), settings, "`oast init`"))["key"])


def serving(settings: Environment, directory: Path) -> AbstractContextManager[Part]:
    port = int(settings["OAST_SERVER__PORT"])
    return running("gateway", (*_OAST, "serve"), settings, directory, port, "/readyz")


def run_commands(settings: Environment, commands: Sequence[str]) -> str:
    """What `oast` says to each, below the line that was typed."""
    words = json.dumps([command.split() for command in commands])
    return run_quietly((*_PYTHON, _COMMANDS, words), settings, "Setting up projects with `oast`")
