"""The processes of a demo: started, waited for, and stopped whatever happens."""

import http.client
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.errors import UnavailableError

START_SECONDS = 60.0
STOP_SECONDS = 5.0
_LOG_LINES = 15
# A proxy is taken away and not just excepted for this machine: DuckDB knows no exceptions.
_ASTRAY = re.compile(r"OAST_|AWS_|(HTTP|HTTPS|ALL)_PROXY$", re.IGNORECASE)

Environment = Mapping[str, str]


class DemoPartFailedError(UnavailableError):
    """A process of the demo ended, or did not become ready in time."""

    code = "demo-part-failed"


@dataclass(frozen=True)
class Part:
    """A running server, `path` answering 200 once it is ready."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    port: int
    path: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    settings: Environment,
    directory: Path,
    port: int,
    path: str,
    *,
    patience: float | None = None,
) -> Iterator[Part]:
    """`patience` is how many seconds it has for its end."""
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches this process alone, which then stops the others one by one.
        process = subprocess.Popen(  # noqa: S603 our own command
            command,
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Part(name, process, log, port, path)
    finally:
        stop(process, patience)


def stop(process: subprocess.Popen[bytes], patience: float | None = None) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS if patience is None else patience)
    except subprocess.TimeoutExpired:
        # The whole session: a server that does not end cannot be trusted to end its workers.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_script(command: Sequence[str], settings: Environment) -> int:
    """Its exit code; what it prints is shown as it comes."""
    process = subprocess.Popen(  # noqa: S603 the script that the caller named
        command, env=environment(settings), start_new_session=True
    )
    try:
        return process.wait()
    finally:
        stop(process)


def run_quietly(command: Sequence[str], settings: Environment, what: str) -> str:
    """What it prints, once it has ended well."""
    done = subprocess.run(  # noqa: S603 our own command
        command, env=environment(settings), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoPartFailedError(f"{what} failed:\n{tail(done.stderr)}")
    return done.stdout


def await_ready(part: Part) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(part):
        ended = part.process.poll()
        if ended is None and time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        how = f"is not ready after {START_SECONDS:.0f} s" if ended is None else f"ended with exit code {ended}"
        raise DemoPartFailedError(f"The {part.name} process {how}. Its log ends with:\n{tail(part.log.read_text())}")


def _answers(part: Part) -> bool:
    try:
        return send(part, "GET", part.path)[0] == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def send(part: Part, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    # http.client, because it follows no proxy from the environment: these are on loopback.
    connection = http.client.HTTPConnection("127.0.0.1", part.port, timeout=10)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def environment(added: Environment) -> dict[str, str]:
    """The caller's, without what could lead a part of the demo to a real gateway, a real AWS account or a proxy."""
    kept = {name: value for name, value in os.environ.items() if not _ASTRAY.match(name)}
    no_files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **no_files, "AWS_EC2_METADATA_DISABLED": "true", **added}


@contextmanager
def own_environment() -> Iterator[None]:
    """The same for this process: boto3 reads profiles and more from the environment, whatever arguments it is given."""
    callers = dict(os.environ)
    ours = environment({})
    os.environ.clear()
    os.environ.update(ours)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(callers)


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def tail(log: str) -> str:
    return "\n".join(f"    {line}" for line in log.splitlines()[-_LOG_LINES:]) or "    (nothing)"
