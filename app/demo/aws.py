"""AWS without an account: moto's Secrets Manager, Parameter Store and STS, and a role that somebody assumes there."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from app.demo.processes import Environment, Part, running

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLE = "TourNotebooks"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
ANY_KEYS = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo"}  # moto takes any

# -P: a folder `moto` where the demo is run from must not be taken for the package.
_MOTO = (sys.executable, "-P", "-m", "moto.server")


def running_aws(directory: Path, port: int) -> AbstractContextManager[Part]:
    return running("aws", (*_MOTO, "-H", "127.0.0.1", "-p", str(port)), {}, directory, port, "/moto-api/")


def client(aws: Part, service: str) -> Any:
    """An administrator's; call it with `own_environment`."""
    from boto3.session import Session  # noqa: PLC0415 needs the demo extra

    keys = (ANY_KEYS["AWS_ACCESS_KEY_ID"], ANY_KEYS["AWS_SECRET_ACCESS_KEY"])
    session: Any = Session(*keys, region_name=REGION)  # its types name services one by one
    return session.client(service, endpoint_url=aws.url)


def assume_role(aws: Part) -> Environment:
    """The environment of a notebook that runs under the role."""
    assumed = client(aws, "sts").assume_role(RoleArn=ROLE_ARN, RoleSessionName="tour")
    credentials = assumed["Credentials"]
    return {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }
