"""`aws-sm:<name or ARN>#<key>`: AWS Secrets Manager, the whole text or one key of a JSON object."""

import json
import re
from functools import cached_property
from typing import Any

from infra.crypto import SecretValue
from infra.ports.secrets import (
    SecretAccessDeniedError,
    SecretNotFoundError,
    SecretRef,
    SecretRefInvalidError,
    SecretStage,
)
from infra.secrets.aws import AwsOptions, open_client, translated

# `!` stands in the names that AWS's own services give, such as RDS for the passwords that it manages.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@=+!-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.@=+!-]*)*")
_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):secretsmanager:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):secret:(?P<name>.+)"
)


class SecretsManagerStore:
    """Implements `infra.ports.secrets.SecretStore`. A name is one of the gateway's own account and region.

    An ARN could lead anywhere: it is followed into the gateway's region and the accounts that its operator lists only.
    """

    is_local = False

    def __init__(self, options: AwsOptions, accounts: frozenset[str] = frozenset()) -> None:
        self._options = options
        self._accounts = accounts

    def path(self, ref: SecretRef) -> str:
        arn = _ARN.fullmatch(ref.name)
        name = arn["name"] if arn else ref.name
        if not _NAME.fullmatch(name):
            raise SecretRefInvalidError("An aws-sm: reference is the name or the ARN of a secret.")
        return name

    def resolve(self, ref: SecretRef, stage: SecretStage = SecretStage.CURRENT) -> SecretValue:
        self.path(ref)
        self._require_known_place(ref)
        with translated():
            answer = self._client.get_secret_value(SecretId=ref.name, VersionStage=stage.value)
        text = answer.get("SecretString")
        if not text:
            raise SecretNotFoundError("That secret holds no text.")
        return SecretValue(text if ref.key is None else _value_of(text, ref.key))

    def _require_known_place(self, ref: SecretRef) -> None:
        arn, here = _ARN.fullmatch(ref.name), self._client.meta
        if arn is None:
            return
        is_here = (arn["partition"], arn["region"]) == (here.partition, here.region_name)
        if not is_here or arn["account"] not in self._accounts:
            raise SecretAccessDeniedError(
                "That secret is in a region or an account which this gateway does not read.",
                hint="Name the secret in place of its ARN, or ask the operator about OAST_SECRETS__AWS_ACCOUNTS.",
            )

    @cached_property
    def _client(self) -> Any:
        return open_client("secretsmanager", self._options)


def _value_of(text: str, key: str) -> str:
    try:
        values = json.loads(text)
    except ValueError:
        # Not chained: the error carries the text.
        raise SecretNotFoundError("That secret is no JSON object, so it has no keys.") from None
    value = values.get(key) if isinstance(values, dict) else None
    if not isinstance(value, str) or not value:
        raise SecretNotFoundError("That secret has no text under this key.")
    return value
