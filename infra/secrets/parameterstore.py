"""`aws-ssm:/<path>`: AWS Systems Manager Parameter Store, decrypted."""

import re
from functools import cached_property
from typing import Any

from infra.crypto import SecretValue
from infra.ports.secrets import SecretNotFoundError, SecretRef, SecretRefInvalidError, SecretStage
from infra.secrets.aws import AwsOptions, open_client, translated
from infra.secrets.stores import require_current

_NAME = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")


class ParameterStore:
    """Implements `infra.ports.secrets.SecretStore`."""

    is_local = False

    def __init__(self, options: AwsOptions) -> None:
        self._options = options

    def path(self, ref: SecretRef) -> str:
        if not _NAME.fullmatch(ref.name) or ref.key is not None:
            raise SecretRefInvalidError("An aws-ssm: reference is a path that starts with a slash, without a key.")
        return ref.name.removeprefix("/")

    def resolve(self, ref: SecretRef, stage: SecretStage = SecretStage.CURRENT) -> SecretValue:
        require_current(stage)
        self.path(ref)
        with translated():
            answer = self._client.get_parameter(Name=ref.name, WithDecryption=True)
        value = answer["Parameter"]["Value"]
        if not value:
            raise SecretNotFoundError("That parameter is empty.")
        return SecretValue(value)

    @cached_property
    def _client(self) -> Any:
        return open_client("ssm", self._options)
