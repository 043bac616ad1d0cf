"""`oast demo`: a gateway and a small AWS of its own, a tour through the SDK, and nothing left behind.

The way is: `oast init`, `oast serve`, projects and keys over the API, each key into Secrets Manager and Parameter Store
under the name that the SDK looks for, then the tour under an assumed role.
"""

import http
import json
import shlex
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from app.demo.aws import ROLE, assume_role, client, running_aws
from app.demo.gateway import init, serving, settings_for
from app.demo.processes import (
    DemoPartFailedError,
    Environment,
    Part,
    await_ready,
    free_ports,
    own_environment,
    run_script,
    send,
    tail,
)
from app.demo.stage import on_stage, require_packages, require_tour
from infra.crypto import SecretValue

PROJECTS = {"football": "ada", "venues": "vera", "rivals": "rob"}  # each with its data owner

_NEEDED = ("boto3", "hops", "moto", "sklearn")


def run_demo(tour: str, *, keep: bool) -> int:
    """The exit code of the tour; 130 if it was interrupted. Raises what keeps the tour from starting."""
    script = require_tour(tour)
    require_packages(_NEEDED)
    return on_stage(lambda directory, parts: _run(script, directory, parts, keep=keep))


def _run(script: Path, directory: Path, parts: ExitStack, *, keep: bool) -> int:
    click.echo("Starting a gateway, and a local Secrets Manager, Parameter Store and STS …")
    gateway, aws, operator_key = _start(directory, parts)
    keys = _make_projects(gateway, operator_key)
    with own_environment():
        role = _store_keys(aws, keys)
    click.echo(f"The gateway is at {gateway.url}; {len(keys)} projects have their key stored for the role {ROLE}.")
    code = run_script((sys.executable, str(script), gateway.url), role)
    if keep:
        _keep_up(gateway, directory, keys["football"])
    else:
        click.echo("\nGateway and data are gone again; `make demo KEEP=1` (or `oast demo --keep`) leaves them up.")
    return code


def _start(directory: Path, parts: ExitStack) -> tuple[Part, Part, SecretValue]:
    gateway_port, aws_port = free_ports(2)
    settings = settings_for(directory, gateway_port)
    # AWS first: it starts while the gateway is being initialised.
    aws = parts.enter_context(running_aws(directory, aws_port))
    operator_key = init(settings)
    gateway = parts.enter_context(serving(settings, directory))
    for part in (gateway, aws):
        await_ready(part)
    return gateway, aws, operator_key


def _make_projects(gateway: Part, operator_key: SecretValue) -> dict[str, SecretValue]:
    """One project each, and a key of its data owner's."""
    keys = {}
    for project, owner in PROJECTS.items():
        _post(gateway, operator_key, "/projects", {"name": project, "owner": owner})
        issued = _post(gateway, operator_key, f"/projects/{project}/api-keys", {"name": "notebook", "member": owner})
        keys[project] = SecretValue(issued["key"])
    return keys


def _post(gateway: Part, key: SecretValue, path: str, body: Mapping[str, str]) -> Any:
    headers = {"Authorization": f"ApiKey {key.reveal()}", "Content-Type": "application/json"}
    status, answer = send(gateway, "POST", f"/api/v1{path}", json.dumps(body).encode(), **headers)
    if status != http.HTTPStatus.CREATED:
        raise DemoPartFailedError(f"POST {path} answered {status}: {answer.decode(errors='replace')}")
    return json.loads(answer)


def _store_keys(aws: Part, keys: Mapping[str, SecretValue]) -> Environment:
    """Put each key where the SDK looks for it; returns the environment of a notebook that runs under the role."""
    secrets_manager, parameter_store = client(aws, "secretsmanager"), client(aws, "ssm")
    for project, key in keys.items():
        name = f"hopsworks/project/{project}/role/{ROLE}"
        secrets_manager.create_secret(Name=name, SecretString=json.dumps({"api-key": key.reveal()}))
        parameter_store.put_parameter(Name=f"/{name}/type/api-key", Value=key.reveal(), Type="SecureString")
    return assume_role(aws)


def _keep_up(gateway: Part, directory: Path, key: SecretValue) -> None:
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
        f"The gateway ended with exit code {ended}. Its log ends with:\n{tail(gateway.log.read_text())}"
    )
