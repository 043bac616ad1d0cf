"""S3 of a demo: a warehouse's bucket and a customer's, each with an owner who has no keys to the other's."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.demo import processes
from app.demo.processes import DemoPartFailedError, Part, await_ready, free_ports, running
from app.demo.seaweedfs import EVERYTHING, PORTS, Identity, start_command

REGION = "us-east-1"
WAREHOUSE = "oasthouse-warehouse"
CUSTOMER = "customer-lake"

_ATTEMPTS = 3
_IN_A_BUCKET = ("Read", "Write", "List", "Tagging")


@dataclass(frozen=True)
class Store:
    """A running store, and the keys that lead to each bucket."""

    part: Part
    gateway: Identity
    customer: Identity

    @property
    def url(self) -> str:
        return self.part.url

    def customers_files(self) -> dict[str, int]:
        """Key → bytes, as the customer sees their own bucket."""
        listed = _client(self.part, self.customer).list_objects_v2(Bucket=CUSTOMER)
        return {entry["Key"]: entry["Size"] for entry in listed.get("Contents", [])}


def start_store(directory: Path, parts: ExitStack) -> Store:
    """Ready, with both buckets."""
    admin = Identity.drawn("admin", EVERYTHING)
    gateway = Identity.drawn("gateway", _actions(WAREHOUSE))
    customer = Identity.drawn("customer", _actions(CUSTOMER))
    for attempt in range(_ATTEMPTS):
        root = directory / f"store-{attempt}"
        root.mkdir()
        ports = free_ports(PORTS)
        command = start_command(root, ports, [admin, gateway, customer])
        with ExitStack() as tried:
            # No patience: its graceful end takes more than ten seconds, and the data goes with the directory.
            part = tried.enter_context(running("store", command, {}, root, ports[0], "/healthz", patience=0))
            if _is_up(part, is_last=attempt == _ATTEMPTS - 1):
                parts.push(tried.pop_all())
                break
    _make_buckets(part, admin)
    return Store(part, gateway, customer)


def _is_up(part: Part, *, is_last: bool) -> bool:
    """Of eight free ports one may be taken by somebody else before it is listened on."""
    try:
        await_ready(part)
    except DemoPartFailedError:
        if is_last:
            raise
        return False
    return True


def _make_buckets(part: Part, admin: Identity) -> None:
    """Its port answers before there is a volume to write to."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 needs the demo extra

    client = _client(part, admin)
    deadline = time.monotonic() + processes.START_SECONDS
    while True:
        try:
            for bucket in (WAREHOUSE, CUSTOMER):
                client.create_bucket(Bucket=bucket)
                client.put_object(Bucket=bucket, Key="ready", Body=b"")
                client.delete_object(Bucket=bucket, Key="ready")
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > deadline:
                raise DemoPartFailedError(f"The S3 server takes no files: {error}") from None
            time.sleep(0.1)
        else:
            return


def _client(part: Part, identity: Identity) -> Any:
    from boto3.session import Session  # noqa: PLC0415 needs the demo extra
    from botocore.config import Config  # noqa: PLC0415 needs the demo extra

    config = Config(s3={"addressing_style": "path"}, connect_timeout=2, read_timeout=10, retries={"max_attempts": 0})
    session = Session(identity.access_key_id, identity.secret_access_key, region_name=REGION)
    return session.client("s3", endpoint_url=part.url, config=config)


def _actions(bucket: str) -> tuple[str, ...]:
    return tuple(f"{action}:{bucket}" for action in _IN_A_BUCKET)
