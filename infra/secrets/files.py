"""`file:name`: a file in the operator's directory of secrets, as container platforms mount them."""

import re
from pathlib import Path

from infra.crypto import SecretValue
from infra.ports.secrets import (
    SecretAccessDeniedError,
    SecretNotFoundError,
    SecretRef,
    SecretRefInvalidError,
    SecretStage,
    SecretStoreUnavailableError,
)
from infra.secrets.stores import require_current

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MAX_BYTES = 64 * 1024


class FileSecretStore:
    """Implements `infra.ports.secrets.SecretStore`. Without a directory there are no such secrets."""

    is_local = True

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def path(self, ref: SecretRef) -> str:
        if not _NAME.fullmatch(ref.name) or ref.key is not None:
            raise SecretRefInvalidError("A file: reference is the plain name of a file, without folders and key.")
        return ref.name

    def resolve(self, ref: SecretRef, stage: SecretStage = SecretStage.CURRENT) -> SecretValue:
        require_current(stage)
        name = self.path(ref)
        if self._directory is None:
            raise SecretNotFoundError(
                "This gateway keeps no secrets in files.", hint="Its operator sets OAST_SECRETS__DIRECTORY."
            )
        return SecretValue(_read(self._directory / name).rstrip("\r\n"))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise SecretNotFoundError("There is no such file of a secret.") from error
    except PermissionError as error:
        raise SecretAccessDeniedError("The gateway may not read that file of a secret.") from error
    except OSError as error:
        raise SecretStoreUnavailableError("That file of a secret cannot be read.") from error
    if not content.strip() or len(content) > _MAX_BYTES:
        raise SecretNotFoundError(f"That file holds no secret: it is empty or larger than {_MAX_BYTES:,} bytes.")
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Not chained: the error carries the bytes.
        raise SecretNotFoundError("That file holds no text.") from None
