"""One query on its way, as the gateway sees it: messages from its process, and the bytes of its answer."""

import io
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa

from infra.engines.failures import EngineFailureError, failure_of
from infra.engines.nursery import QueryProcess, is_readable
from infra.engines.protocol import Ending, Job, Messages, schema_of, send_job
from infra.engines.spill import SpillDirectory
from infra.errors import EngineLimitError, GatewayError, UnavailableError
from infra.ports.engine import Abandoned

END_OF_STREAM: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_CHUNK_BYTES: Final = 1 << 18
ASK_EVERY: Final = 0.2  # seconds
# How long after the deadline the end of a killed process, which may have gigabytes to give back, is waited for.
_GRACE: Final = 0.4
_CLOSE_WAIT: Final = 2.0


class ProcessRun:
    """Implements `infra.ports.engine.BatchStream`. One thread reads it; any may ask whether it is over, or stop it."""

    def __init__(self, process: QueryProcess, spill: SpillDirectory, deadline: float) -> None:
        self._process = process
        self._spill = spill
        self._deadline = deadline
        self._messages = Messages(process.control)
        self._answer = _Pipe(process.answer, self._remaining)
        self._is_closed = False
        self._schema: pa.Schema | None = None

    @property
    def schema(self) -> pa.Schema:
        assert self._schema is not None, "a run is handed out once it has started"
        return self._schema

    @property
    def is_over(self) -> bool:
        """Whether its process has ended. That frees its slot and its disk; the answer may still be on its way."""
        if self._process.life.ending() is None:
            return False
        self._spill.remove()
        if self._is_closed:
            self._process.life.close()
        return True

    def start(self, job: Job, abandoned: Abandoned | None) -> None:
        """Hand over the job and wait for the first batch or the end; an error until then is raised here."""
        try:
            self._process.control.settimeout(max(self._remaining(), 0.001))
            send_job(self._process.control, job)
        except OSError as error:
            raise self._failure(None) from error
        self._wait_for_message(abandoned)
        message = self._message()
        if message is None or message.get("kind") != "started":
            raise self._failure(message)
        try:
            self._schema = schema_of(message["schema"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._failure(None) from error

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from pa.ipc.open_stream(io.BufferedReader(self._answer, _CHUNK_BYTES))
        except (pa.ArrowException, OSError) as error:
            raise self._failure(self._message()) from error
        self._require_done()

    def chunks(self) -> Iterator[bytes]:
        while chunk := self._answer.read(_CHUNK_BYTES):
            yield chunk
        self._require_done()
        yield END_OF_STREAM

    def stop(self) -> None:
        """Kill it if it still runs; whoever reads it gets an error."""
        self._process.life.ask_to_end()

    def wait(self, seconds: float) -> bool:
        """Whether it is over within so many seconds."""
        return self._process.life.ending(seconds) is not None and self.is_over

    def close(self) -> None:
        """For the thread that reads it. The process may outlive this for a moment, and holds its slot until then."""
        self.stop()
        self.wait(min(_CLOSE_WAIT, max(self._remaining(), 0.05)))
        self._process.close_answer()
        self._is_closed = True

    def _wait_for_message(self, abandoned: Abandoned | None) -> None:
        while not is_readable(self._process.control.fileno(), min(ASK_EVERY, self._remaining())):
            if self._remaining() == 0:
                raise too_late()
            require_wanted(abandoned)

    def _message(self) -> dict[str, Any] | None:
        self._process.control.settimeout(max(self._remaining(), 0.001))
        try:
            return self._messages.read()
        except OSError:
            return None

    def _require_done(self) -> None:
        message = self._message()
        if message is None or message.get("kind") != "done":
            raise self._failure(message)

    def _failure(self, message: dict[str, Any] | None) -> GatewayError:
        """What the process said, or how it ended without a word."""
        if message is not None and message.get("kind") == "failed":
            return failure_of(message)
        return _silent_failure(self._process.life.ending(max(self._remaining(), 0.05)))

    def _remaining(self) -> float:
        return max(0.0, self._deadline + _GRACE - time.monotonic())


class _Pipe(io.RawIOBase):
    def __init__(self, descriptor: int, remaining: Callable[[], float]) -> None:
        self._descriptor = descriptor
        self._remaining = remaining

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # At the deadline the process is killed, which ends the pipe; this is for one that does not die.
        if not is_readable(self._descriptor, self._remaining()):
            raise too_late()
        return os.readv(self._descriptor, [buffer])


def _silent_failure(ending: Ending | None) -> GatewayError:
    failure: GatewayError
    match ending:
        case None | Ending(_, Ending.AT_DEADLINE) | Ending(Ending.OUT_OF_CPU):
            failure = too_late()
        case Ending(_, Ending.AS_ASKED):
            failure = UnavailableError("The query was stopped.", retry_after=2)
        case Ending(_, Ending.WITH_ZYGOTE):
            failure = UnavailableError("The query engine had to start again.", retry_after=2)
        case Ending(Ending.KILLED):
            failure = EngineLimitError("The query was stopped from outside: the machine has run out of memory.")
        case _:
            failure = GatewayError("The query engine broke down.")
    failure.__cause__ = EngineFailureError(f"The query's process ended: {ending}.")
    return failure


def require_wanted(abandoned: Abandoned | None) -> None:
    if abandoned is not None and abandoned():
        raise UnavailableError("Nobody waits for the answer any more.")


def too_late() -> EngineLimitError:
    return EngineLimitError("The query did not finish in time.", hint="Ask for fewer rows or columns.")
