"""The worker: takes runs from the queue and gives each a process of its own.

A process per run can be stopped whatever it is doing, and what goes wrong in it (memory, a crash in native code) ends that run
and nothing else. They are forked from a server that has imported the gateway and opened nothing.
"""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from multiprocessing.process import parent_process

import structlog

from app.bootstrap import build_container
from app.container import Container
from app.featurestore.jobs.errors import RunTooLongError
from app.featurestore.jobs.queue import Attempt
from app.settings import Settings
from infra.errors import GatewayError
from infra.observability.logs import configure_logs

_LOOK_SECONDS = 0.5
_RECOVER_SECONDS = 5.0
# After an outage other workers, too, need a moment to renew what they hold before anybody may take it for lost.
_PATIENCE_SECONDS = 15.0
_PURGE_SECONDS = 600.0
_STOP_LOOK_SECONDS = 5.0
_PROOF_SECONDS = 900.0
_STOP_SECONDS = 10.0
# Serving comes first where a worker shares the machine with the gateway.
_NICENESS = 5
_log = structlog.get_logger(__name__)


@dataclass
class _Under:
    """A run under way here."""

    attempt: Attempt
    process: ForkServerProcess
    deadline: float
    is_stopped: bool = False


class Worker:
    """Runs until `stop()`; then runs under way are given back to the queue.

    One that belongs to a server, `of` is its process, stops with it, even where that was killed: another server would bring
    another worker, and this one go on with settings that nobody gives any more.
    """

    def __init__(self, settings: Settings, of: int | None = None) -> None:
        self._settings = settings
        self._of = of
        self._container: Container = build_container(settings)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._under_way: list[_Under] = []
        self._stopping = threading.Event()
        self._next_recovery = 0.0
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["app.worker"])
        # It inherits what is ignored: a signal to the whole group must not take it away before its runs were given back.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        forkserver.ensure_running()

    def stop(self) -> None:
        self._stopping.set()

    def work(self) -> None:
        _log.info("worker started", worker=self._name, slots=self._settings.jobs.slots)
        self._besides(_STOP_LOOK_SECONDS, self._container.execution.stop_left_behind)
        self._besides(_PURGE_SECONDS, self._container.locations.purge)
        self._besides(_PURGE_SECONDS, self._container.history.forget_old)
        self._besides(_PURGE_SECONDS, self._container.logins.sweep)
        self._besides(_PROOF_SECONDS, self._container.vending_proofs.renew)
        while not self._is_over():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 the next turn may go well, and what runs here needs its lease
                self._wait_out(error)
            self._stopping.wait(_LOOK_SECONDS)
        self._stopping.set()
        self._give_back()

    def _wait_out(self, error: Exception) -> None:
        """The database may be away for a while; what was taken is kept by its lease, or taken by another worker."""
        _tell("worker waits", error)
        self._next_recovery = time.monotonic() + _PATIENCE_SECONDS
        self._stopping.wait(2)

    def _is_over(self) -> bool:
        return self._stopping.is_set() or self._of not in (None, os.getppid())

    def _besides(self, seconds: float, work: Callable[[], object]) -> None:
        """Again and again in a thread: it may take its time, and leases must be renewed meanwhile."""

        def repeat() -> None:
            while not self._stopping.is_set():
                try:
                    work()
                except Exception as error:  # noqa: BLE001 nobody else does it where this thread has ended
                    _tell(f"{work.__name__} waits", error)
                self._stopping.wait(seconds)

        threading.Thread(target=repeat, name=work.__name__, daemon=True).start()

    def _turn(self) -> None:
        self._reap()
        # Before anything is taken for lost: leases that ran out while this worker slept are its own.
        self._renew()
        if time.monotonic() >= self._next_recovery:
            self._next_recovery = time.monotonic() + _RECOVER_SECONDS
            self._container.runs.recover()
            self._container.scheduler.enqueue_due()
        while len(self._under_way) < self._settings.jobs.slots and self._start_one():
            pass

    def _start_one(self) -> bool:
        slots = self._settings.jobs.slots
        attempt = self._container.runs.take(self._name, per_project=max(1, slots - 1))
        if attempt is None:
            return False
        process = self._processes.Process(target=run_attempt, args=(self._settings, attempt), name=str(attempt.run_id))
        try:
            process.start()
        except (OSError, EOFError):
            # The server that forks is gone; the next run finds a new one.
            _log.exception("run not started", run=str(attempt.run_id))
            self._container.runs.give_back(attempt)
            return False
        self._under_way.append(_Under(attempt, process, time.monotonic() + self._settings.jobs.deadline_seconds))
        return True

    def _renew(self) -> None:
        stopped = self._container.runs.renew([under.attempt for under in self._under_way])
        for under in self._under_way:
            if under.attempt in stopped:
                self._stop(under)
            elif time.monotonic() > under.deadline and not under.is_stopped:
                self._container.runs.fail(under.attempt, RunTooLongError(self._settings.jobs.deadline_seconds))
                self._stop(under)

    def _stop(self, under: _Under) -> None:
        """There is nothing to leave in good order: what a run does counts only once it is done."""
        under.is_stopped = True
        try:
            # With the processes of the engine, and of commands.
            os.killpg(under.process.pid or 0, signal.SIGKILL)
        except ProcessLookupError:
            under.process.kill()

    def _reap(self) -> None:
        ended = [under for under in self._under_way if under.process.exitcode is not None]
        for under in ended:
            self._under_way.remove(under)
            under.process.close()
            # After an end in good order the run is no longer under way, and nothing is found to change.
            if under.is_stopped:
                self._container.runs.end_cancelled(under.attempt)
            else:
                self._container.runs.lost(under.attempt)

    def _give_back(self) -> None:
        for under in self._under_way:
            self._stop(under)
            under.process.join(_STOP_SECONDS)
            try:
                self._container.runs.give_back(under.attempt)
            except GatewayError as error:
                # Its lease ends by itself.
                _tell("run not given back", error)
        self._container.database.engine.dispose()
        _log.info("worker stopped", worker=self._name)


def _tell(what: str, error: Exception) -> None:
    if isinstance(error, GatewayError):
        _log.warning(what, error=error.detail)
    else:
        _log.error(what, exc_info=error)


def run_attempt(settings: Settings, attempt: Attempt) -> None:
    """The whole life of a run's process."""
    os.setsid()
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_the_worker, daemon=True).start()
    configure_logs(settings.log_level)
    container = build_container(settings)
    container.execution.execute(attempt)
    container.database.engine.dispose()


def _die_with_the_worker() -> None:
    """Somebody else will take the run: two at once would be one too many."""
    worker = parent_process()
    assert worker is not None
    worker.join()
    os.killpg(0, signal.SIGKILL)
