"""A gateway as users run it, with its processes under observation."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from tempfile import TemporaryDirectory

import psutil  # type: ignore[import-untyped]  # psutil ships no types

from hops import featurestore as fs
from tests.served import Served, served

PROJECT = "football"
_LOOK_EVERY = 0.01  # seconds
_MB = 1_000_000


@dataclass
class PeakMemory:
    megabytes: float = 0.0


class Gateway:
    """`oast serve` with its defaults: two workers, SQLite, a warehouse on disk, all in a directory of its own."""

    def __init__(self, running: Served, directory: Path) -> None:
        self._running = running
        self._key_file = directory / "key"
        self._key_file.touch(0o600)
        self._key_file.write_text(running.oast("key", "create", PROJECT, "--member", "ada")["key"])
        self.warehouse = directory / "data" / "warehouse"
        self._idle = self._private_bytes()

    def connect(self) -> fs.Connection:
        return fs.connect(
            self._running.address, PROJECT, secrets_store="local", api_key_file=str(self._key_file), quiet=True
        )

    def restart(self) -> None:
        """Forget what earlier requests left in memory."""
        self._running.signal(SIGTERM)
        self._running.start()
        self._idle = self._private_bytes()

    def cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in self._processes()]
        return float(sum(each.user + each.system for each in times))

    @contextmanager
    def watched_memory(self) -> Iterator[PeakMemory]:
        """The peak of what all processes have to themselves, over what they had before their first request."""
        peak, over = PeakMemory(), threading.Event()

        def look() -> None:
            while not over.wait(_LOOK_EVERY):
                peak.megabytes = max(peak.megabytes, (self._private_bytes() - self._idle) / _MB)

        watcher = threading.Thread(target=look, name="memory")
        watcher.start()
        try:
            yield peak
        finally:
            over.set()
            watcher.join()

    def _private_bytes(self) -> int:
        return sum(process.memory_full_info().uss for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        assert self._running.process is not None, "not started"
        master = psutil.Process(self._running.process.pid)
        return [master, *master.children(recursive=True)]


@contextmanager
def running_gateway() -> Iterator[Gateway]:
    with TemporaryDirectory(prefix="oast-bench-") as name, served(Path(name)) as running:
        yield Gateway(running, Path(name))
