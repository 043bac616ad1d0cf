"""Ends a run that takes too long or is sent too much, whatever the driver is waiting for at that moment."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from infra.errors import EngineLimitError
from infra.ports.sources import SourceLimits

# A driver holds a whole batch before it shows any of it: a row of a gigabyte must be cut off while it arrives.
BATCH_WIRE_BYTES: Final = 64 * 1024 * 1024
_TICK_SECONDS: Final = 0.05
_RECEIVED = struct.Struct("@Q")
_RECEIVED_AT: Final = 128  # tcpi_bytes_received of Linux's struct tcp_info


class Watch:
    """A thread for the length of one run. `seconds_left` is the time to the deadline, at least one second.

    The deadline is the gateway's, not the server's: what a server promises (`statement_timeout`) a query can switch off.
    """

    def __init__(self, limits: SourceLimits, batch_wire_bytes: int = BATCH_WIRE_BYTES) -> None:
        self._limits = limits
        self._batch_wire_bytes = batch_wire_bytes
        self._ends_at = time.monotonic() + limits.deadline_seconds
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cancel: Callable[[], None] | None = None
        self._lap_started_at = 0
        self.reason: str | None = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="source-watch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._ends_at

    @property
    def seconds_left(self) -> float:
        return max(1.0, self._ends_at - time.monotonic())

    def over(self, connection: socket.socket, cancel: Callable[[], None] | None = None) -> None:
        """Watch this connection, a duplicate that is ours to close; `cancel` asks its server politely first."""
        with self._lock:
            self._socket, self._cancel = connection, cancel

    def stop(self) -> None:
        """To be called before the connection is closed: nothing is asked of it from here any more. Again is no error."""
        self._done.set()
        with self._lock:
            self._cancel = None
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def lap(self) -> None:
        """A batch was handed on: what was received until now is no longer in memory."""
        with self._lock:
            self._lap_started_at = self._received()

    def limit_error(self) -> EngineLimitError | None:
        """The limit that ended the run, if one did."""
        if self.reason is None and self.is_over:
            self.reason = _deadline(self._limits)
        return EngineLimitError(self.reason, hint=_HINT) if self.reason else None

    def _run(self) -> None:
        while not self._done.wait(_TICK_SECONDS):
            reason = self._broken_limit()
            if reason is not None:
                self.reason = reason
                self._end()
                return

    def _broken_limit(self) -> str | None:
        if self.is_over:
            return _deadline(self._limits)
        with self._lock:
            if self._received() - self._lap_started_at > self._batch_wire_bytes:
                return f"The source sent more than {self._batch_wire_bytes:,} bytes for one batch of rows."
        return None

    def _end(self) -> None:
        with self._lock:
            if self._cancel is not None:
                with suppress(Exception):  # drivers have errors of their own; the socket is shut in any case
                    self._cancel()
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _received(self) -> int:
        if self._socket is None:
            return 0
        with suppress(OSError, AttributeError, struct.error):
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            return int(_RECEIVED.unpack_from(info, _RECEIVED_AT)[0])
        return 0


_HINT = "Read fewer rows or columns, or narrow the query of the feature group."


def _deadline(limits: SourceLimits) -> str:
    return f"The source did not answer completely within {limits.deadline_seconds:g} s."
