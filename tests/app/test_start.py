import os
import re
import subprocess
import sys
from pathlib import Path

STARTED = """
import sys
from app.cli import main
main(["init", "--json"], standalone_mode=False)
from app.factory import create_app
create_app()
heavy = {"pandas", "duckdb", "pyarrow.dataset", "scipy", "sklearn", "pyspark"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_what_takes_long_to_import_waits_until_it_is_used(tmp_path: Path) -> None:
    """A second of every command, and the memory of every process that answers requests."""
    clean = {name: value for name, value in os.environ.items() if not re.match(r"OAST_|AWS_", name)}
    environment = {**clean, "OAST_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", STARTED], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr
