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
_RENEW_SECONDS = 5.0
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
    """Runs until `stop()`; then runs under way are given back to the queue."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._container: Container = build_container(settings)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._under_way: list[_Under] = []
        self._stopping = threading.Event()
        self._next_renewal = self._next_purge = 0.0
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["app.worker"])
        # It inherits what is ignored: a signal to the whole group must not take it away before its runs were given back.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        forkserver.ensure_running()

    def stop(self) -> None:
        self._stopping.set()

    def work(self) -> None:
        _log.info("worker started", worker=self._name, slots=self._settings.jobs.slots)
        # Apart: who is told to stop may take his time to answer, and leases must be renewed meanwhile.
        threading.Thread(target=self._stop_left_behind, name="stopping", daemon=True).start()
        threading.Thread(target=self._prove_vending, name="vending", daemon=True).start()
        while not self._stopping.is_set():
            try:
                self._turn()
            except GatewayError as error:
                # The database may be away for a while; what was taken is kept by its lease, or taken by another worker.
                _log.warning("worker waits", error=error.detail)
                self._stopping.wait(2)
            self._stopping.wait(_LOOK_SECONDS)
        self._give_back()

    def _stop_left_behind(self) -> None:
        while not self._stopping.wait(_STOP_LOOK_SECONDS):
            try:
                self._container.execution.stop_left_behind()
            except GatewayError as error:
                _log.warning("stopping waits", error=error.detail)

    def _prove_vending(self) -> None:
        """Daily; what failed is logged there, and keeps until it is looked at again."""
        while True:
            try:
                self._container.vending_proofs.renew()
            except GatewayError as error:
                _log.warning("vending not proven", error=error.detail)
            if self._stopping.wait(_PROOF_SECONDS):
                return

    def _turn(self) -> None:
        self._reap()
        now = time.monotonic()
        if now >= self._next_renewal:
            self._next_renewal = now + _RENEW_SECONDS
            self._container.runs.recover()
            self._container.scheduler.enqueue_due()
        self._renew()
        if now >= self._next_purge:
            self._next_purge = now + _PURGE_SECONDS
            self._container.locations.purge()
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
            self._container.runs.give_back(under.attempt)
        self._container.database.engine.dispose()
        _log.info("worker stopped", worker=self._name)


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
