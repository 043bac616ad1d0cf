"""`env:OAST_SECRET_…`: variables of the gateway's own process, for a laptop or a single machine."""

import os
import re

from infra.crypto import SecretValue
from infra.ports.secrets import SecretNotFoundError, SecretRef, SecretRefInvalidError, SecretStage
from infra.secrets.stores import require_current

# Any other variable may hold what is nobody's to give away: the database's password, AWS keys.
PREFIX = "OAST_SECRET_"
_NAME = re.compile(PREFIX + r"[A-Z0-9_]{1,100}")


class EnvironmentSecretStore:
    """Implements `infra.ports.secrets.SecretStore`."""

    is_local = True

    def path(self, ref: SecretRef) -> str:
        if not _NAME.fullmatch(ref.name) or ref.key is not None:
            raise SecretRefInvalidError(f"An env: reference names a variable {PREFIX}…, without a key.")
        return ref.name

    def resolve(self, ref: SecretRef, stage: SecretStage = SecretStage.CURRENT) -> SecretValue:
        require_current(stage)
        value = os.environ.get(self.path(ref))
        if not value:
            raise SecretNotFoundError("The gateway has no such variable, or it is empty.")
        return SecretValue(value)
