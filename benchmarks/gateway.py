"""A gateway as users run it, with its processes under observation."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from signal import SIGTERM
from tempfile import TemporaryDirectory

import psutil  # type: ignore[import-untyped]  # psutil ships no types

from benchmarks.memory import PeakMemory, private_megabytes, watched
from hops import featurestore as fs
from tests.served import Served, served

PROJECT = "football"
GATEWAY, QUERY = "gateway", "query"
_ENGINE = "infra.engines.zygote"
_ENDING = 5.0  # seconds


class Gateway:
    """`oast serve` with its defaults: two workers, SQLite, a warehouse on disk, all in a directory of its own."""

    def __init__(self, running: Served, directory: Path) -> None:
        self._running = running
        self._log = directory / "gateway.log"
        self.key_file = directory / "key"
        self.key_file.touch(0o600)
        self.key_file.write_text(running.oast("key", "create", PROJECT, "--member", "ada")["key"])
        self.warehouse = directory / "data" / "warehouse"
        self.scratch = directory / "tmp"
        self._idle = self._private()

    @property
    def address(self) -> str:
        return self._running.address

    def connect(self, key_file: Path | None = None) -> fs.Connection:
        key = str(key_file or self.key_file)
        return fs.connect(self.address, PROJECT, secrets_store="local", api_key_file=key, quiet=True)

    def vending_key(self) -> Path:
        """Of a key that may have credentials for tables, in a project that gives them out."""
        self._running.oast("project", "vending", PROJECT, "on", "--as", "ada")
        scopes = [text for scope in ("featurestore", "project", "data:vend") for text in ("--scope", scope)]
        path = self.key_file.with_name("vending-key")
        path.touch(0o600)
        path.write_text(self._running.oast("key", "create", PROJECT, "--member", "ada", *scopes)["key"])
        return path

    def restart(self) -> None:
        """Forget what earlier requests left in memory."""
        self._running.signal(SIGTERM)
        self._running.start()
        self._idle = self._private()

    def cpu_seconds(self) -> float:
        """Of what has ended too: each query runs in a process of its own, and its parent keeps the account."""
        self._await_queries()
        return sum(_cpu_seconds(process) for process in self._processes())

    def processes(self) -> Mapping[str, list[psutil.Process]]:
        """The gateway's own, the ones from which queries are forked among them; and the queries'."""
        found = self._processes()
        engines = {process.pid for process in found if _is_engine(process)}
        queries = [process for process in found if _parent(process) in engines]
        return {GATEWAY: [process for process in found if process not in queries], QUERY: queries}

    def watched_memory(self) -> AbstractContextManager[PeakMemory]:
        """Over what its processes had before their first request."""
        return watched(self.processes, {GATEWAY: self._idle})

    def _await_queries(self) -> None:
        """One that ends while its time is asked for would be counted nowhere."""
        until = time.monotonic() + _ENDING
        while self.processes()[QUERY] and time.monotonic() < until:
            time.sleep(0.01)

    def _private(self) -> float:
        return private_megabytes(self._processes())

    def _processes(self) -> list[psutil.Process]:
        assert self._running.process is not None, "not started"
        master = psutil.Process(self._running.process.pid)
        return [master, *master.children(recursive=True)]


@contextmanager
def running_gateway(**settings: str) -> Iterator[Gateway]:
    """What it puts aside goes below `scratch`; `settings` are variables of its environment."""
    with TemporaryDirectory(prefix="oast-bench-") as name:
        directory = Path(name)
        (directory / "tmp").mkdir()
        with served(directory, **{"TMPDIR": str(directory / "tmp"), **settings}) as running:
            yield Gateway(running, directory)


def _cpu_seconds(process: psutil.Process) -> float:
    with suppress(psutil.Error):  # it ended a moment ago: its parent has it now
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def _is_engine(process: psutil.Process) -> bool:
    try:
        return _ENGINE in process.cmdline()
    except psutil.Error:
        return False


def _parent(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.Error:
        return None
