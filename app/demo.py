"""`oast demo`: a gateway and a small AWS of its own, a tour through the SDK, and nothing left behind.

Every part is a process as in real life, on loopback; what they need is passed by environment, the caller's own `OAST_…`
and `AWS_…` variables are kept from them. The way is: `oast init`, `oast serve`, projects and keys over the API, each key
into Secrets Manager and Parameter Store under the name that the SDK looks for, then the tour under an assumed role.
"""

import http.client
import importlib.util
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from infra.crypto import SecretValue
from infra.errors import InvalidInputError, UnavailableError

PROJECTS = {"football": "ada", "venues": "vera", "rivals": "rob"}  # each with its data owner
ROLE = "TourNotebooks"
REGION = "eu-west-1"
INTERRUPTED = 128 + signal.SIGINT

_ACCOUNT = "123456789012"
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_LOG_LINES = 15
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NEEDED = ("boto3", "hops", "moto", "sklearn")
# -P: a folder `app` where the demo is run from must not be taken for this one.
_OAST = (sys.executable, "-P", "-c", "from app.cli import main; main()")
_MOTO = (sys.executable, "-P", "-m", "moto.server")

Environment = Mapping[str, str]


class DemoNotInstalledError(InvalidInputError):
    """The demo extra is missing."""

    code = "demo-not-installed"


class DemoPartFailedError(UnavailableError):
    """A process of the demo ended, or did not become ready in time."""

    code = "demo-part-failed"


@dataclass(frozen=True)
class _Part:
    """A running server, `path` answering 200 once it is ready."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    port: int
    path: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def run_demo(tour: str, *, keep: bool) -> int:
    """The exit code of the tour; 130 if it was interrupted. Raises what keeps the tour from starting."""
    script = _require_tour(tour)
    _require_extra()
    try:
        with _signals_as_interrupt(), ExitStack() as parts:
            return _run(script, parts, keep=keep)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(script: Path, parts: ExitStack, *, keep: bool) -> int:
    directory = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="oast-demo-", ignore_cleanup_errors=True)))
    click.echo("Starting a gateway, and a local Secrets Manager, Parameter Store and STS …")
    gateway, aws, operator_key = _start(directory, parts)
    keys = _make_projects(gateway, operator_key)
    with _own_environment():
        role = _store_keys(aws, keys)
    click.echo(f"The gateway is at {gateway.url}; {len(keys)} projects have their key stored for the role {ROLE}.")
    code = _run_tour(script, gateway, role)
    if keep:
        _keep_up(gateway, directory, keys["football"])
    else:
        click.echo("\nGateway and data are gone again; `make demo KEEP=1` (or `oast demo --keep`) leaves them up.")
    return code


def _require_tour(tour: str) -> Path:
    script = Path(tour)
    if not script.is_file():
        hint = "Run it in a checkout of the repository, or name a script: oast demo --tour path/to/tour.py"
        raise InvalidInputError(f"There is no tour at {script.absolute()}.", hint=hint)
    return script.absolute()


def _require_extra() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise DemoNotInstalledError(
            f"The demo needs packages that are not installed: {', '.join(missing)}.",
            hint='pip install "oasthouse[demo]"   (in a checkout: make demo)',
        )


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """A closed terminal and a `kill` end the demo as Ctrl-C does: by default they would leave the servers running."""
    before = {number: signal.signal(number, _interrupt) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 the signature of a signal handler
    # Only the first counts: another one, in the middle of the stopping, would leave a server behind.
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


def _start(directory: Path, parts: ExitStack) -> tuple[_Part, _Part, SecretValue]:
    gateway_port, aws_port = _free_ports(2)
    settings = {
        "OAST_DATA_DIR": str(directory / "data"),
        "OAST_ENVIRONMENT": "test",
        "OAST_SERVER__PORT": str(gateway_port),
    }
    # AWS first: it starts while the gateway is being initialised.
    aws_command = (*_MOTO, "-H", "127.0.0.1", "-p", str(aws_port))
    aws = parts.enter_context(_running("aws", aws_command, {}, directory, aws_port, "/moto-api/"))
    operator_key = _init(settings)
    gateway = parts.enter_context(_running("gateway", (*_OAST, "serve"), settings, directory, gateway_port, "/readyz"))
    for part in (gateway, aws):
        _await_ready(part)
    return gateway, aws, operator_key


def _init(settings: Environment) -> SecretValue:
    done = subprocess.run(  # noqa: S603 our own command
        (*_OAST, "init", "--json"), env=_environment(settings), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoPartFailedError(f"`oast init` failed:\n{_tail(done.stderr)}")
    return SecretValue(json.loads(done.stdout)["key"])


@contextmanager
def _running(
    name: str, command: Sequence[str], settings: Environment, directory: Path, port: int, path: str
) -> Iterator[_Part]:
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches this process alone, which then stops the others one by one.
        process = subprocess.Popen(  # noqa: S603 our own command
            command,
            env=_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _Part(name, process, log, port, path)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # The whole session: a server that does not end cannot be trusted to end its workers.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await_ready(part: _Part) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(part):
        ended = part.process.poll()
        if ended is None and time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        how = f"is not ready after {_START_SECONDS:.0f} s" if ended is None else f"ended with exit code {ended}"
        raise DemoPartFailedError(f"The {part.name} process {how}. Its log ends with:\n{_tail(part.log.read_text())}")


def _answers(part: _Part) -> bool:
    try:
        return _send(part, "GET", part.path)[0] == http.HTTPStatus.OK
    except OSError:
        return False


def _send(part: _Part, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    # http.client, because it follows no proxy from the environment: these are on loopback.
    connection = http.client.HTTPConnection("127.0.0.1", part.port, timeout=10)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _make_projects(gateway: _Part, operator_key: SecretValue) -> dict[str, SecretValue]:
    """One project each, and a key of its data owner's."""
    keys = {}
    for project, owner in PROJECTS.items():
        _post(gateway, operator_key, "/projects", {"name": project, "owner": owner})
        issued = _post(gateway, operator_key, f"/projects/{project}/api-keys", {"name": "notebook", "member": owner})
        keys[project] = SecretValue(issued["key"])
    return keys


def _post(gateway: _Part, key: SecretValue, path: str, body: Mapping[str, str]) -> Any:
    headers = {"Authorization": f"ApiKey {key.reveal()}", "Content-Type": "application/json"}
    status, answer = _send(gateway, "POST", f"/api/v1{path}", json.dumps(body).encode(), **headers)
    if status != http.HTTPStatus.CREATED:
        raise DemoPartFailedError(f"POST {path} answered {status}: {answer.decode(errors='replace')}")
    return json.loads(answer)


def _store_keys(aws: _Part, keys: Mapping[str, SecretValue]) -> dict[str, str]:
    """Put each key where the SDK looks for it; returns the environment of a notebook that runs under the role."""
    from boto3.session import Session  # noqa: PLC0415 needs the demo extra

    admin = Session(aws_access_key_id="demo", aws_secret_access_key="demo", region_name=REGION)  # noqa: S106 moto takes any
    secrets_manager = admin.client("secretsmanager", endpoint_url=aws.url)
    parameter_store = admin.client("ssm", endpoint_url=aws.url)
    for project, key in keys.items():
        name = f"hopsworks/project/{project}/role/{ROLE}"
        secrets_manager.create_secret(Name=name, SecretString=json.dumps({"api-key": key.reveal()}))
        parameter_store.put_parameter(Name=f"/{name}/type/api-key", Value=key.reveal(), Type="SecureString")
    sts = admin.client("sts", endpoint_url=aws.url)
    assumed = sts.assume_role(RoleArn=f"arn:aws:iam::{_ACCOUNT}:role/{ROLE}", RoleSessionName="tour")
    credentials = assumed["Credentials"]
    return {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


def _run_tour(script: Path, gateway: _Part, role: Environment) -> int:
    process = subprocess.Popen(  # noqa: S603 the script that the caller named
        (sys.executable, str(script), gateway.url), env=_environment(role), start_new_session=True
    )
    try:
        return process.wait()
    finally:
        _stop(process)


def _keep_up(gateway: _Part, directory: Path, key: SecretValue) -> None:
    """Until Ctrl-C, which is the way to end it and so no failure."""
    file = directory / "football.key"
    file.touch(mode=0o600)
    file.write_text(f"{key.reveal()}\n")
    click.echo(f"\nThe gateway stays up at {gateway.url} until Ctrl-C. Football's API key is in {file}:")
    click.echo(f'    fs.connect("{gateway.url}", "football", secrets_store="local", api_key_file="{file}")')
    click.echo(f'    curl -H "Authorization: ApiKey $(cat {shlex.quote(str(file))})" {gateway.url}/api/v1/me')
    try:
        ended = gateway.process.wait()
    except KeyboardInterrupt:
        click.echo("\nStopping.")
        return
    raise DemoPartFailedError(
        f"The gateway ended with exit code {ended}. Its log ends with:\n{_tail(gateway.log.read_text())}"
    )


def _environment(added: Environment) -> dict[str, str]:
    """The caller's, without what could lead a part of the demo to a real gateway, a real AWS account or a proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("OAST_", "AWS_"))}
    no_files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    no_proxy = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return {**kept, **no_files, **no_proxy, "AWS_EC2_METADATA_DISABLED": "true", **added}


@contextmanager
def _own_environment() -> Iterator[None]:
    """The same for this process: boto3 reads profiles and more from the environment, whatever arguments it is given."""
    callers = dict(os.environ)
    ours = _environment({})
    os.environ.clear()
    os.environ.update(ours)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(callers)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _tail(log: str) -> str:
    return "\n".join(f"    {line}" for line in log.splitlines()[-_LOG_LINES:]) or "    (nothing)"
