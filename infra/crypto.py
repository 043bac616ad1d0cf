"""Secret values, the pepper, and keyed hashes. Algorithms come from the standard library."""

import hashlib
import hmac
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from infra.errors import ConflictError, GatewayError

PEPPER_BYTES = 32


class PepperUnusableError(GatewayError):
    """The pepper file is missing, readable by others, or not one that `oast init` made."""

    code = "pepper-unusable"
    title = "The pepper cannot be used"


@dataclass(frozen=True, repr=False)
class SecretValue:
    """A secret in memory. It prints as `***`; `reveal()` is called once, at the edge that needs it."""

    _value: str

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: it would end in a file or a queue")


class Pepper:
    """Key of every stored key hash. It lives outside the database: who can write the database still cannot plant a key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.id = hashlib.sha256(b"oast-pepper-id" + key).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"Pepper(id={self.id!r})"

    def mac(self, purpose: str, *parts: str) -> bytes:
        """HMAC-SHA-256 over length-prefixed parts, so that no two lists of parts run together."""
        message = b"".join(len(part).to_bytes(4, "big") + part.encode() for part in (purpose, *parts))
        return hmac.new(self._key, message, hashlib.sha256).digest()

    @classmethod
    def create(cls, path: Path) -> "Pepper":
        """Write a new pepper with mode 0600; an existing file is never replaced."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError as error:
            raise ConflictError(f"There is a pepper at {path} already; every key depends on it.") from error
        path.write_text(secrets.token_hex(PEPPER_BYTES) + "\n", encoding="ascii")
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> "Pepper":
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            text = path.read_text(encoding="ascii")
            bytes.fromhex(text)
        except (OSError, ValueError) as error:
            raise PepperUnusableError(
                f"The pepper file {path.absolute()} cannot be read.",
                hint="Restore it from its backup; for a new gateway, run `oast init`. Without its pepper every key is void.",
            ) from error
        if mode & 0o077:
            raise PepperUnusableError(
                f"The pepper file {path} is readable by others (mode {mode:04o}).", hint=f"chmod 600 {path}"
            )
        return cls(_key_of(text, f"The pepper file {path}"))

    @classmethod
    def read(cls, secret: SecretValue) -> "Pepper":
        """From a secret store, in which it stands as in a file."""
        return cls(_key_of(secret.reveal(), "The secret that the pepper is read from"))


def _key_of(text: str, place: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        # Not chained: the error of a key of other letters repeats them.
        raise PepperUnusableError(f"{place} holds no hexadecimal number.") from None
    if len(key) != PEPPER_BYTES:
        raise PepperUnusableError(f"{place} holds {len(key)} bytes, not {PEPPER_BYTES}.")
    return key
