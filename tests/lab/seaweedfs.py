"""SeaweedFS: a real object store on loopback, with conditional puts and enforced session policies."""

import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import jwt
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.demo.processes import free_ports
from app.demo.seaweedfs import PORTS, ROLE_ARN, Identity, start_command
from infra.storage.location import S3Options, Warehouse, parse_warehouse

__all__ = ["ROLE_ARN", "SeaweedFs", "running_seaweedfs"]

_ADMIN = Identity("admin", "admin", "adminsecret")
_REGION = "us-east-1"
_SHARED_BUCKET = "warehouses"
_SIGNING_KEY = secrets.token_bytes(32)
_START_SECONDS = 60.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class SeaweedFs:
    """A running store. S3 and STS answer on the same endpoint; `options` are an administrator's."""

    endpoint_url: str
    pid: int

    @property
    def options(self) -> S3Options:
        return S3Options(
            region=_REGION,
            endpoint_url=self.endpoint_url,
            access_key_id=_ADMIN.access_key_id,
            secret_access_key=_ADMIN.secret_access_key,
        )

    def client(self, service: str = "s3", **config: Any) -> Any:
        """The administrator's client; `config` goes to botocore."""
        keys = {"AccessKeyId": _ADMIN.access_key_id, "SecretAccessKey": _ADMIN.secret_access_key}
        return self.client_with(keys, service, **config)

    def client_with(self, credentials: Mapping[str, str], service: str = "s3", **config: Any) -> Any:
        """A client with `credentials` as STS answers them."""
        signature = {"signature_version": "s3v4"} if service == "s3" else {}
        return boto3.session.Session().client(
            service,
            region_name=_REGION,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
            config=Config(s3={"addressing_style": "path"}, **signature, **config),
        )

    def new_bucket(self) -> str:
        name = f"bucket-{uuid4()}"
        self.client().create_bucket(Bucket=name)
        return name

    def new_warehouse(self) -> Warehouse:
        """A warehouse of its own: a fresh prefix of a bucket for all, since the first write to a bucket takes half a second."""
        return parse_warehouse(f"s3://{_SHARED_BUCKET}/warehouse-{uuid4()}", self.options)


def aged(session_token: str, seconds: int) -> str:
    """The token that the store's own STS would have given so long ago: it gives none for less than 15 minutes, to wait for."""
    claims = jwt.decode(session_token, _SIGNING_KEY, algorithms=["HS256"], issuer="seaweedfs-sts")
    earlier = {name: claims[name] - seconds for name in ("iat", "nbf", "exp")}
    return jwt.encode({**claims, **earlier}, _SIGNING_KEY, algorithm="HS256")


@contextmanager
def running_seaweedfs() -> Iterator[SeaweedFs]:
    with tempfile.TemporaryDirectory(prefix="seaweedfs-", ignore_cleanup_errors=True) as directory:
        process, endpoint = _started(Path(directory))
        try:
            yield SeaweedFs(endpoint, process.pid)
        finally:
            _stop(process)


def _started(directory: Path) -> tuple[subprocess.Popen[bytes], str]:
    for attempt in range(_ATTEMPTS):
        root = directory / str(attempt)
        root.mkdir()
        ports = free_ports(PORTS)
        process = _launch(root, ports)
        endpoint = f"http://127.0.0.1:{ports[0]}"
        if _is_ready(process, endpoint):
            return process, endpoint
        _stop(process)
    raise RuntimeError(f"SeaweedFS did not start: {(root / 'weed.log').read_text()[-2000:]}")


def _launch(root: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    command = start_command(root, ports, [_ADMIN], signing_key=_SIGNING_KEY)
    with (root / "weed.log").open("wb") as log:
        return subprocess.Popen(command, cwd=root, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def _is_ready(process: subprocess.Popen[bytes], endpoint: str) -> bool:
    """Ready when a bucket can be made and written: the S3 port answers before there is a volume to write to."""
    client = SeaweedFs(endpoint, process.pid).client(connect_timeout=1, read_timeout=5, retries={"max_attempts": 0})
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.create_bucket(Bucket=_SHARED_BUCKET)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"BucketAlreadyExists", "BucketAlreadyOwnedByYou"}:
                continue
        except BotoCoreError:
            time.sleep(0.1)
            continue
        try:
            client.put_object(Bucket=_SHARED_BUCKET, Key="ready", Body=b"ready")
        except (ClientError, BotoCoreError):
            time.sleep(0.1)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    # A graceful stop takes more than ten seconds, and the data goes with its directory.
    process.kill()
    process.wait()
