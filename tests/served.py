"""The gateway as users run it: `oast serve` under gunicorn, in processes of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

OAST = str(Path(sys.executable).parent / "oast")
START_SECONDS = 60


@dataclass
class Served:
    environment: dict[str, str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def oast(self, *arguments: str) -> Any:
        """A command's JSON answer."""
        done = subprocess.run(
            [OAST, *arguments, "--json"], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [OAST, "serve"], env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        """To the whole process group, as a machine that goes down would."""
        assert self.process is not None
        os.killpg(self.process.pid, number)
        self.process.wait(40)

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self.address}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


@contextmanager
def served(directory: Path, **settings: str) -> Iterator[Served]:
    """An initialised gateway with project `football` of `ada`, serving."""
    directory.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not re.match(r"OAST_|AWS_", name)}
    # Statistics of every commit would keep the machine busy that the other tests share.
    kept["OAST_STATISTICS__AFTER_COMMITS"] = "false"
    environment = {**kept, "OAST_DATA_DIR": str(directory / "data"), "OAST_SERVER__PORT": str(port), **settings}
    gateway = Served(environment, port, directory / "gateway.log")
    gateway.oast("init")
    gateway.oast("project", "create", "football", "--owner", "ada")
    gateway.start()
    try:
        yield gateway
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.signal(signal.SIGTERM)
