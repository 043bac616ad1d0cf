"""The gateway's side of the zygote: starts it on first use, starts it again when it has died, asks it for processes."""

import os
import select
import socket
import subprocess
import sys
import threading
import weakref
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

from infra.engines.protocol import Ending, ForkRequest
from infra.errors import UnavailableError

_PIPE_BYTES: Final = 1 << 20
_F_SETPIPE_SZ: Final = 1031
_ATTEMPTS: Final = 2
_END_WAIT: Final = 5.0
# Nothing of the gateway's environment but this: it holds keys and passwords. The last is how tests see what has run.
_PASSED_ON: Final = (
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "COVERAGE_PROCESS_CONFIG",
)


class Life:
    """Ends a query's process and knows when it has ended. Any thread may ask; the one that made it closes it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._guard = threading.Lock()
        self._ending: Ending | None = None
        # Once nobody can ask for its end any more, this asks for it.
        weakref.finalize(self, connection.close)

    def ask_to_end(self) -> None:
        """Kills it. Asking again, or too late, does nothing."""
        with self._guard:
            if self._ending is None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_WR)

    def ending(self, seconds: float = 0.0) -> Ending | None:
        """How it ended; None if it has not within `seconds`. The thread that made it alone may give it time."""
        if self._ending is None and seconds > 0:
            is_readable(self._connection.fileno(), seconds)
        with self._guard:
            if self._ending is None and is_readable(self._connection.fileno(), 0):
                try:
                    self._ending = Ending.unpacked(self._connection.recv(4096))
                except OSError:
                    self._ending = Ending(0, Ending.WITH_ZYGOTE)
            return self._ending

    def close(self) -> None:
        with self._guard:
            self._ending = self._ending or Ending(0, Ending.WITH_ZYGOTE)
            self._connection.close()


@dataclass(frozen=True)
class QueryProcess:
    """`control` takes a job and gives messages, `answer` gives bytes."""

    control: socket.socket
    answer: int
    life: Life

    def close_answer(self) -> None:
        """`life` goes on: the process may take a moment to end."""
        self.control.close()
        os.close(self.answer)


class Zygote:
    """One running zygote. `reach` is `local` or `remote`: whether its queries need a network."""

    def __init__(self, reach: str) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 nothing in it comes from elsewhere
                [sys.executable, "-I", "-m", "infra.engines.zygote", str(theirs.fileno()), reach],
                env=_environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        self._finalizer = weakref.finalize(self, _end, self._socket, self._process)

    @property
    def is_alive(self) -> bool:
        return self._finalizer.alive and self._process.poll() is None

    def fork(self, request: ForkRequest) -> QueryProcess:
        """Raises OSError when the zygote has died."""
        with ExitStack() as theirs, ExitStack() as ours:
            control, their_control = socket.socketpair()
            life, their_life = socket.socketpair()
            answer, their_answer = os.pipe()
            for connection in (their_control, their_life):
                theirs.enter_context(connection)
            theirs.callback(os.close, their_answer)
            process = QueryProcess(control, answer, Life(life))
            ours.callback(process.life.close)
            ours.callback(process.close_answer)
            _widen(answer)
            given = [their_control.fileno(), their_answer, their_life.fileno()]
            socket.send_fds(self._socket, [request.packed()], given)
            ours.pop_all()
        return process

    def end(self) -> None:
        """Its queries end with it."""
        self._finalizer()

    def forget(self) -> None:
        """In a fork of the gateway: it is the parent's."""
        self._finalizer.detach()
        self._socket.close()
        self._process.returncode = 0


_zygotes: dict[str, Zygote] = {}
_guard = threading.Lock()


def fork_query(request: ForkRequest, reach: str) -> QueryProcess:
    """One zygote serves every engine of this process: it holds nothing that belongs to any of them."""
    for _ in range(_ATTEMPTS):
        zygote = _living(reach)
        try:
            return zygote.fork(request)
        except OSError:
            zygote.end()
    raise UnavailableError("The query engine could not be started.", retry_after=2)


def is_readable(descriptor: int, seconds: float) -> bool:
    """Not `select`, which knows no descriptors over 1023."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _living(reach: str) -> Zygote:
    with _guard:
        zygote = _zygotes.get(reach)
        if zygote is None or not zygote.is_alive:
            if zygote is not None:
                zygote.end()
            zygote = _zygotes[reach] = Zygote(reach)
        return zygote


def _forget_all() -> None:
    global _guard  # noqa: PLW0603 another thread of the parent may have held it
    _guard = threading.Lock()
    for zygote in _zygotes.values():
        zygote.forget()
    _zygotes.clear()


os.register_at_fork(after_in_child=_forget_all)


def _end(connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
    connection.close()
    try:
        process.wait(_END_WAIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    found = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # Arrow's own allocator reserves address space that it does not use; here address space is the limit.
    return {"ARROW_DEFAULT_MEMORY_POOL": "system", **found}


def _widen(pipe: int) -> None:
    """Best effort: a large pipe means fewer turns between the two processes."""
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 not on every system

        with suppress(OSError):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
