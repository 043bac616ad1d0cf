"""The text of an API key: `oast_<live|test>_<id>_<secret><crc>`.

Base62 without separators, so that a double click selects the whole key; a checksum, so that scanners and we recognise
garbage without asking the database (the checksum is no security). The form follows GitHub's tokens
(https://github.blog/engineering/behind-githubs-new-authentication-token-formats/).
"""

import re
import secrets
import zlib
from dataclasses import dataclass

from infra.crypto import SecretValue

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 16
_SECRET_LENGTH = 43  # base62 of 32 random bytes
_CRC_LENGTH = 6
KEY_PATTERN = re.compile(r"oast_(live|test)_([0-9A-Za-z]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")


@dataclass(frozen=True)
class Token:
    environment: str
    key_id: str
    secret: SecretValue

    def text(self) -> SecretValue:
        body = f"oast_{self.environment}_{self.key_id}_{self.secret.reveal()}"
        return SecretValue(body + _checksum(body))


def mint(environment: str) -> Token:
    """A new key with 256 random bits."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    return Token(environment, key_id, SecretValue(_base62(secrets.randbits(256), _SECRET_LENGTH)))


def find_token(text: str) -> Token | None:
    """The token in `text`, or None where it is malformed or mistyped."""
    match = KEY_PATTERN.fullmatch(text)
    if match is None or _checksum(text[:-_CRC_LENGTH]) != match[4]:
        return None
    return Token(match[1], match[2], SecretValue(match[3]))


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CRC_LENGTH)


def _base62(number: int, width: int) -> str:
    digits = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits)).rjust(width, "0")
