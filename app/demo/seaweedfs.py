"""SeaweedFS, a real object store that enforces session policies: its configuration, and the command that starts it."""

import base64
import json
import secrets
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PROGRAM: Final = "weed"
PORTS: Final = 8
"""How many it listens on, the first being that of S3 and STS."""
ROLE_ARN: Final = "arn:aws:iam::000000000000:role/DataRole"
"""A role that anybody with keys may assume, and that may read and write everything: a session policy has to say less."""
EVERYTHING: Final = ("Admin", "Read", "Write", "List", "Tagging")

# gRPC ports are named too: their default is port + 10000, which may be taken.
_LISTENERS = ("s3", "master", "volume", "filer")


@dataclass(frozen=True)
class Identity:
    """Somebody with keys. `actions` are those of SeaweedFS, `Read` or, in one bucket, `Read:bucket`."""

    name: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    actions: Sequence[str] = EVERYTHING

    @classmethod
    def drawn(cls, name: str, actions: Sequence[str]) -> "Identity":
        return cls(name, f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30), actions)


def start_command(
    root: Path, ports: Sequence[int], identities: Sequence[Identity], *, signing_key: bytes | None = None
) -> list[str]:
    """The command, after its configuration has been written below `root`. It listens on loopback only.

    Sessions are signed with `signing_key`, by default one that nobody knows.
    """
    accounts, iam, data = root / "identities.json", root / "iam.json", root / "data"
    _write_private(accounts, {"identities": [_account(identity) for identity in identities]})
    _write_private(iam, _iam(signing_key or secrets.token_bytes(32)))
    data.mkdir()
    names = [f"{listener}.port{kind}" for listener in _LISTENERS for kind in ("", ".grpc")]
    return [
        find_program() or PROGRAM,
        "-logtostderr=true",  # or else into files of the machine's temporary directory, which stay
        "server",
        f"-dir={data}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=0",
        "-filer",
        "-s3",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.config={accounts}",
        f"-s3.iam.config={iam}",
        *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
    ]


def find_program() -> str | None:
    """Beside this Python, as pip installs it, or else on the path."""
    return shutil.which(PROGRAM, path=str(Path(sys.executable).parent)) or shutil.which(PROGRAM)


def _write_private(path: Path, content: object) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))


def _account(identity: Identity) -> dict[str, object]:
    keys = {"accessKey": identity.access_key_id, "secretKey": identity.secret_access_key}
    return {"name": identity.name, "credentials": [keys], "actions": list(identity.actions)}


def _iam(signing_key: bytes) -> dict[str, object]:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]}
    allowed = [{"Effect": "Allow", "Action": [f"{service}:*"], "Resource": ["*"]} for service in ("s3", "sts")]
    role = {
        "roleName": ROLE_ARN.rpartition("/")[2],
        "roleArn": ROLE_ARN,
        "trustPolicy": {"Version": "2012-10-17", "Statement": [trust]},
        "attachedPolicies": ["S3All"],
    }
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "seaweedfs-sts",
            "signingKey": base64.b64encode(signing_key).decode(),
        },
        "policy": {"defaultEffect": "Deny"},
        "roles": [role],
        "policies": [{"name": "S3All", "document": {"Version": "2012-10-17", "Statement": allowed}}],
    }
