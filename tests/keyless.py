"""What tests of keyless logins share: being a role, and signing what the SDK signs, or nearly that."""

import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from hops.featurestore.connection import Connection, open_connection
from hops.featurestore.retries import RetryPolicy
from tenancy.role_bindings.service import BindRole
from tests.lab.identity import ACCOUNT, Caller
from tests.world import World

SERVER = "gateway.example.com"
REGION = "eu-west-1"
ARN = f"arn:aws:iam::{ACCOUNT}:role/Notebooks"
BODY = "Action=GetCallerIdentity&Version=2011-06-15"
CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"


def use_role(monkeypatch: pytest.MonkeyPatch, caller: Caller, region: str | None = REGION) -> None:
    """This process is that caller, as boto3 finds it in the environment."""
    credentials = caller.credentials
    values = {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def signed(
    caller: Caller,
    *,
    region: str = REGION,
    server_id: str = SERVER,
    when: datetime | None = None,
    project: str = "football",
    method: str = "POST",
    host: str = "",
    path: str = "/",
    body: str = BODY,
    service: str = "sts",
    headers: Mapping[str, str | None] | None = None,
    payload: str | None = None,
) -> dict[str, Any]:
    """The body of a login. `headers` are signed in place of, or without, those that the SDK signs."""
    stamp = (when or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    nonce = secrets.token_hex(16)
    usual = {
        "Content-Type": CONTENT_TYPE,
        "Host": host or f"sts.{region}.amazonaws.com",
        "X-Amz-Date": stamp,
        "X-Amz-Security-Token": caller.credentials.token,
        "X-Oast-Nonce": nonce,
        "X-Oast-Server-ID": server_id,
    }
    chosen = {name: value for name, value in {**usual, **(headers or {})}.items() if value is not None}
    url = f"https://{host or f'sts.{region}.amazonaws.com'}{path}"
    request = AWSRequest(method, url, headers=chosen, data=body)
    request.context["timestamp"] = stamp
    signer = SigV4Auth(caller.credentials, service, region)
    canonical = signer.canonical_request(request)
    if payload is not None:
        canonical = canonical.rpartition("\n")[0] + "\n" + payload
    names = signer.signed_headers(signer.headers_to_sign(request))
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    return {
        "project": project,
        "region": region,
        "server_id": server_id,
        "nonce": nonce,
        "amz_date": stamp,
        "authorization": f"AWS4-HMAC-SHA256 Credential={caller.credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}",
        "security_token": caller.credentials.token,
    }


def bind(world: World, arn: str = ARN, **options: Any) -> None:
    world.container.role_bindings.bind(world.operator, "football", BindRole(arn, **{"member": "ada", **options}))


def connect(world: World, **options: Any) -> Connection:
    chosen = {"secrets_store": "iam", "quiet": True, "retries": RetryPolicy(attempts=1), **options}
    return open_connection(world.address, chosen.pop("project", "football"), **chosen)


def in_threads(targets: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
