"""AES-256-GCM with a key for each secret, which another key wraps: one of the operator's, or one of AWS's KMS."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.crypto import SecretValue
from infra.ports.sealing import Binding, Sealed, StoredSecretUnusableError
from infra.secrets.aws import AwsOptions, open_client, translated

KEY_BYTES: Final = 32
_NONCE: Final = 12
_FORM: Final = "oast-sealed-1"
_NOT_ITS_KEY: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException", "NotFoundException"})


class KeyWrapper(Protocol):
    """Wraps keys of secrets; what was wrapped for one binding is unwrapped for no other."""

    @property
    def id(self) -> str: ...

    def fresh(self, binding: Binding) -> tuple[bytes, bytes]:
        """A new key, plain and wrapped."""

    def wrap(self, key: bytes, binding: Binding) -> bytes: ...

    def unwrap(self, wrapped: bytes, binding: Binding) -> bytes:
        """Raises StoredSecretUnusableError."""


class LocalKey:
    """Implements `KeyWrapper` with 32 bytes that the operator keeps."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._key = AESGCM(key)
        self.id = f"local:{hashlib.sha256(b'oast-key-id' + key).hexdigest()[:12]}"

    def fresh(self, binding: Binding) -> tuple[bytes, bytes]:
        key = secrets.token_bytes(KEY_BYTES)
        return key, self.wrap(key, binding)

    def wrap(self, key: bytes, binding: Binding) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._key.encrypt(nonce, key, _bound("key", binding))

    def unwrap(self, wrapped: bytes, binding: Binding) -> bytes:
        return _decrypted(self._key, wrapped[:_NONCE], wrapped[_NONCE:], _bound("key", binding))


class KmsKey:
    """Implements `KeyWrapper` with a key that never leaves KMS. The context is in CloudTrail: it holds no place."""

    def __init__(self, key: str, options: AwsOptions) -> None:
        self._key = key
        self._options = options

    @cached_property
    def id(self) -> str:
        """Of the key, whatever alias leads to it now."""
        with translated():
            return f"kms:{self._client.describe_key(KeyId=self._key)['KeyMetadata']['Arn']}"

    def fresh(self, binding: Binding) -> tuple[bytes, bytes]:
        with translated():
            answer = self._client.generate_data_key(
                KeyId=self._key, KeySpec="AES_256", EncryptionContext=_context(binding)
            )
        return answer["Plaintext"], answer["CiphertextBlob"]

    def wrap(self, key: bytes, binding: Binding) -> bytes:
        with translated():
            answer = self._client.encrypt(KeyId=self._key, Plaintext=key, EncryptionContext=_context(binding))
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, binding: Binding) -> bytes:
        if not wrapped:  # botocore would not even send it
            raise _unusable()
        with translated():
            try:
                answer = self._client.decrypt(CiphertextBlob=wrapped, EncryptionContext=_context(binding))
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _NOT_ITS_KEY:
                    raise _unusable() from None
                raise
        return bytes(answer["Plaintext"])

    @cached_property
    def _client(self) -> Any:
        return open_client("kms", self._options)


class EnvelopeSealer:
    """Implements `infra.ports.sealing.SecretSealer`. The first key wraps; the others are there for what they wrapped."""

    def __init__(self, keys: Sequence[KeyWrapper]) -> None:
        self._current = keys[0]
        self._keys = keys

    def seal(self, value: SecretValue, binding: Binding) -> Sealed:
        key, wrapped = self._current.fresh(binding)
        nonce = secrets.token_bytes(_NONCE)
        text = AESGCM(key).encrypt(nonce, value.reveal().encode(), _bound("text", binding))
        return Sealed(self._current.id, wrapped, nonce, text)

    def open(self, sealed: Sealed, binding: Binding) -> SecretValue:
        key = self._wrapper(sealed).unwrap(sealed.wrapped_key, binding)
        return SecretValue(_decrypted(AESGCM(key), sealed.nonce, sealed.text, _bound("text", binding)).decode())

    def rewrapped(self, sealed: Sealed, binding: Binding) -> Sealed | None:
        if sealed.key_id == self._current.id:
            return None
        self.open(sealed, binding)
        key = self._wrapper(sealed).unwrap(sealed.wrapped_key, binding)
        return Sealed(self._current.id, self._current.wrap(key, binding), sealed.nonce, sealed.text)

    def _wrapper(self, sealed: Sealed) -> KeyWrapper:
        is_of_kms = sealed.key_id.startswith("kms:")
        for wrapper in self._keys:
            if isinstance(wrapper, KmsKey) is not is_of_kms:
                continue  # not even asked for its id: what is under a local key opens while KMS is away
            # KMS itself knows by which of its keys something was wrapped, and who may use that.
            if is_of_kms or wrapper.id == sealed.key_id:
                return wrapper
        raise _unusable()


def _bound(part: str, binding: Binding) -> bytes:
    return json.dumps([_FORM, part, asdict(binding)], sort_keys=True, ensure_ascii=True).encode()


def _context(binding: Binding) -> dict[str, str]:
    return {"project": binding.project, "connector": binding.connector, "field": binding.field}


def _decrypted(key: AESGCM, nonce: bytes, text: bytes, bound_to: bytes) -> bytes:
    try:
        return key.decrypt(nonce, text, bound_to)
    except (InvalidTag, ValueError):
        raise _unusable() from None


def _unusable() -> StoredSecretUnusableError:
    return StoredSecretUnusableError(
        "The secret that is stored for this connector was made for another one, another place or under another key.",
        hint="Give the secret again.",
    )
