"""Forks a process for each query the gateway asks for, kills it in time, and says how it ended."""

import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NoReturn

from infra.engines.child import answer_job
from infra.engines.protocol import Ending, ForkRequest, receive_job
from infra.engines.sandbox import confine_files, confine_process

_DESCRIPTORS: Final = 3


@dataclass
class _Child:
    """`life` joins the gateway and the zygote: closed there, the process is killed here; closed here, it has ended."""

    pid: int
    life: socket.socket
    deadline: float
    why: str = Ending.BY_ITSELF


class Forker:
    def __init__(self, gateway: socket.socket, reach: str) -> None:
        self._gateway = gateway
        self._reach = reach
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._ended, written = os.pipe()
        for descriptor in (self._ended, written):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(written)
        self._selector.register(gateway, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)

    def run(self) -> None:
        """Until the gateway is gone."""
        try:
            while self._turn():
                pass
        finally:
            for child in self._children.values():
                os.kill(child.pid, signal.SIGKILL)

    def _turn(self) -> bool:
        for key, _ in self._selector.select(self._until_next_deadline()):
            if key.fileobj is self._gateway:
                if not self._serve():
                    return False
            elif key.fileobj == self._ended:
                os.read(self._ended, 4096)
            else:
                self._kill(key.data, Ending.AS_ASKED)
        now = time.monotonic()
        for child in self._children.values():
            if child.deadline <= now:
                self._kill(child, Ending.AT_DEADLINE)
        self._reap()
        return True

    def _until_next_deadline(self) -> float | None:
        living = [child.deadline for child in self._children.values() if child.why == Ending.BY_ITSELF]
        return max(0.0, min(living) - time.monotonic()) if living else None

    def _serve(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._gateway, ForkRequest.SIZE, _DESCRIPTORS)
        if len(data) < ForkRequest.SIZE:
            return False
        control, answer, life = descriptors
        with socket.socket(fileno=control) as theirs, socket.socket(fileno=life) as ours:
            try:
                self._fork(ForkRequest.unpacked(data), theirs, answer, ours)
            except OSError:
                pass  # no more processes, or no memory: closing all of them is the answer
            finally:
                os.close(answer)
        return True

    def _fork(self, request: ForkRequest, control: socket.socket, answer: int, life: socket.socket) -> None:
        zygote, pid = os.getpid(), os.fork()
        if pid == 0:
            self._become_query(request, zygote, control, answer)
        child = _Child(pid, life.dup(), time.monotonic() + request.seconds)
        self._children[pid] = child
        self._selector.register(child.life, selectors.EVENT_READ, child)

    def _become_query(self, request: ForkRequest, zygote: int, control: socket.socket, answer: int) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            confine_process(request, zygote, {control.fileno(), answer})
            job = receive_job(control)
            confine_files(job, self._reach)
            answer_job(job, control, answer)
        finally:
            # No destructors: they would wait for threads of the engine that only the zygote has.
            os._exit(0)

    def _kill(self, child: _Child, why: str) -> None:
        if child.why == Ending.BY_ITSELF:
            child.why = why
            os.kill(child.pid, signal.SIGKILL)
            # A closed connection stays readable: it would turn this loop until the process is reaped.
            self._selector.unregister(child.life)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                child = self._children.pop(ended[0])
                if child.why == Ending.BY_ITSELF:
                    self._selector.unregister(child.life)
                with child.life, suppress(OSError):
                    child.life.send(Ending(os.waitstatus_to_exitcode(ended[1]), child.why).packed())
