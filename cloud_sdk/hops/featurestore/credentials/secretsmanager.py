"""AWS Secrets Manager: a JSON secret whose field `api-key` is the key."""

from __future__ import annotations

import json
from typing import Any, Dict, Optional, Union

from hops.featurestore.api_key import ApiKey
from hops.featurestore.credentials.aws import Aws, Target, read_first
from hops.featurestore.credentials.errors import SecretContentError
from hops.featurestore.credentials.found import FoundKey, KeyRequest

STORE = "Secrets Manager"
FIELD = "api-key"


def find_key(request: KeyRequest) -> FoundKey:
    """`hopsworks/project/<project>/role/<role>`, else the older `hopsworks/role/<role>` that all projects share."""
    aws = Aws(request.region)
    role = aws.role()
    client = aws.client("secretsmanager")
    names = (f"hopsworks/project/{request.project}/role/{role.name}", f"hopsworks/role/{role.name}")
    arn = f"arn:{role.partition}:secretsmanager:{client.meta.region_name}:{role.account}:secret:"
    # AWS ends a secret's ARN with a hyphen and six characters of its own.
    targets = tuple(Target(STORE, "secretsmanager:GetSecretValue", f"{arn}{name}-??????", name) for name in names)
    return read_first(targets, lambda asked: _key(client.get_secret_value(SecretId=asked.name), asked.name))


def _key(answer: Dict[str, Any], name: str) -> Union[ApiKey, SecretContentError]:
    fields = _fields(answer)
    if fields is None:
        return SecretContentError(
            f"The secret {name} is not a JSON object of text.", hint=f'It must read {{"{FIELD}": "oast_…"}}.'
        )
    if FIELD not in fields:
        return SecretContentError(
            f"The secret {name} has no field {FIELD!r}; it has: {', '.join(sorted(fields)) or 'none'}."
        )
    if not isinstance(fields[FIELD], str) or not fields[FIELD].strip():
        return SecretContentError(f"The field {FIELD!r} of the secret {name} is empty.")
    return ApiKey(fields[FIELD].strip())


def _fields(answer: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    try:
        fields = json.loads(answer.get("SecretString") or "")
    except ValueError:  # its `doc` is the secret, so it goes no further than here
        return None
    return fields if isinstance(fields, dict) else None
