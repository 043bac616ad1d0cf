"""AWS Systems Manager Parameter Store: a SecureString that is the key."""

from __future__ import annotations

from typing import Any, Dict, Union

from hops.featurestore.api_key import ApiKey
from hops.featurestore.credentials.aws import Aws, Target, read_first
from hops.featurestore.credentials.errors import SecretContentError
from hops.featurestore.credentials.found import FoundKey, KeyRequest

STORE = "Parameter Store"


def find_key(request: KeyRequest) -> FoundKey:
    """`/hopsworks/project/<project>/role/<role>/type/api-key`, else the older `/hopsworks/role/<role>/type/api-key`."""
    aws = Aws(request.region)
    role = aws.role()
    client = aws.client("ssm")
    scopes = (f"/hopsworks/project/{request.project}/role/{role.name}", f"/hopsworks/role/{role.name}")
    arn = f"arn:{role.partition}:ssm:{client.meta.region_name}:{role.account}:parameter"
    names = tuple(f"{scope}/type/api-key" for scope in scopes)
    targets = tuple(Target(STORE, "ssm:GetParameter", arn + name, name) for name in names)
    return read_first(
        targets, lambda asked: _key(client.get_parameter(Name=asked.name, WithDecryption=True), asked.name)
    )


def _key(answer: Dict[str, Any], name: str) -> Union[ApiKey, SecretContentError]:
    key = ApiKey(answer["Parameter"]["Value"].strip())
    return key if key.reveal() else SecretContentError(f"The parameter {name} is empty.")
