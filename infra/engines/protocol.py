"""What the gateway, the zygote and a query's process say to each other.

Down go pickles: the gateway trusts itself, and a query's process has nobody else to trust. Up go only JSON lines and an
Arrow stream, because a query's process may do anything once hostile SQL has found a hole in the engine.
"""

import base64
import json
import pickle
import signal
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from infra.ports.engine import Step
from infra.ports.tables import Snapshot
from infra.storage.location import S3Options

LOCAL: Final = "local"
REMOTE: Final = "remote"
"""How far a zygote's queries reach: to files of this machine, or over the network to a store."""

_LENGTH: Final = struct.Struct("!Q")
_MAX_LINE: Final = 4 << 20


@dataclass(frozen=True)
class StoredRows:
    """Rows that the gateway has put into a Parquet file, in their order."""

    path: str


@dataclass(frozen=True)
class Access:
    """The credentials with which trusted SQL reads below `scope`; scopes of one query do not overlap."""

    scope: str
    options: S3Options


@dataclass(frozen=True)
class Job:
    """Everything that a query's process is given. `spill` is the only folder it may write to."""

    sql: str
    steps: tuple[Step, ...]
    tables: Mapping[str, Snapshot | StoredRows]
    schema: pa.Schema | None
    trusted: bool
    compression: str
    memory_limit: str
    threads: int
    spill: str
    spill_bytes: int
    max_rows: int | None = None
    max_bytes: int | None = None
    exact_rows: int | None = None
    access: tuple[Access, ...] = ()


@dataclass(frozen=True)
class ForkRequest:
    """Asks the zygote for a process, which it kills after `seconds`; three descriptors go with it."""

    seconds: float
    cpu_seconds: int
    address_space: int
    file_bytes: int

    _FORM: ClassVar[struct.Struct] = struct.Struct("!dQQQ")
    SIZE: ClassVar[int] = _FORM.size

    def packed(self) -> bytes:
        return self._FORM.pack(self.seconds, self.cpu_seconds, self.address_space, self.file_bytes)

    @classmethod
    def unpacked(cls, data: bytes) -> "ForkRequest":
        return cls(*cls._FORM.unpack(data))


@dataclass(frozen=True)
class Ending:
    """How a query's process ended. `status` is its exit status, negative for a signal; `why` says who ended it."""

    BY_ITSELF: ClassVar[str] = "itself"
    AT_DEADLINE: ClassVar[str] = "deadline"
    AS_ASKED: ClassVar[str] = "asked"
    WITH_ZYGOTE: ClassVar[str] = "zygote"
    KILLED: ClassVar[int] = -signal.SIGKILL
    OUT_OF_CPU: ClassVar[int] = -signal.SIGXCPU

    status: int
    why: str

    def packed(self) -> bytes:
        return json.dumps([self.status, self.why]).encode()

    @classmethod
    def unpacked(cls, data: bytes) -> "Ending":
        """No data: the zygote has ended, and everything with it."""
        return cls(*json.loads(data)) if data else cls(0, cls.WITH_ZYGOTE)


def send_job(control: socket.socket, job: Job) -> None:
    data = pickle.dumps(job, pickle.HIGHEST_PROTOCOL)
    control.sendall(_LENGTH.pack(len(data)) + data)


def receive_job(control: socket.socket) -> Job:
    with control.makefile("rb") as file:
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        job: Job = pickle.loads(file.read(length))  # noqa: S301 from the gateway, on a socket that nobody else has
    return job


def send_message(control: socket.socket, kind: str, **content: Any) -> None:
    control.sendall(json.dumps({"kind": kind, **content}).encode() + b"\n")


class Messages:
    """The lines of a query's process, as they come."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._received = bytearray()

    def read(self) -> dict[str, Any] | None:
        """Wait for one line; None at the end, or once the process sends what is none."""
        while (end := self._received.find(b"\n")) < 0:
            data = self._control.recv(1 << 16) if len(self._received) < _MAX_LINE else b""
            if not data:
                return None
            self._received += data
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        try:
            message = json.loads(line)
        except ValueError:
            return None
        return message if isinstance(message, dict) else None


def schema_text(schema: pa.Schema) -> str:
    return base64.b64encode(schema.serialize()).decode()


def schema_of(text: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
