"""Settings that name a secret: read once when a process starts, but for the database's, which is read again when refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from pydantic import BaseModel, SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.settings import PREFIX, SecretSettings, Settings
from infra.crypto import Pepper, SecretValue
from infra.database.engine import Login
from infra.errors import GatewayError
from infra.ports.sealing import SecretSealer
from infra.ports.secrets import SecretRef, SecretStore, SecretUser
from infra.registry import Registry
from infra.secrets.aws import AwsOptions
from infra.secrets.environment import EnvironmentSecretStore
from infra.secrets.files import FileSecretStore
from infra.secrets.parameterstore import ParameterStore
from infra.secrets.rotating import RotatingSecrets
from infra.secrets.sealing import KEY_BYTES, EnvelopeSealer, KeyWrapper, KmsKey, LocalKey
from infra.secrets.secretsmanager import SecretsManagerStore

M = TypeVar("M", bound=BaseModel)
_OWNER = ""
"""Of the gateway's own secrets. No project is called so, and what is cached for one is never another's."""

_SCHEMES = ("aws-sm:", "aws-ssm:", "env:", "file:")
_ONLY_BY_REFERENCE = frozenset({f"{PREFIX}PEPPER", f"{PREFIX}SECRETS__KEY", f"{PREFIX}SECRETS__OLD_KEY"})

_LEAST_VARIETY = 8  # different bytes; 32 random ones have 20 at the very least


class SettingSecretError(GatewayError):
    """A setting names a secret that cannot be had, or holds one that only a reference may name."""

    code = "setting-secret-unusable"
    title = "The secret of a setting cannot be used"


@dataclass(frozen=True)
class Own:
    """`settings` with values in place of references. `database_login` is there where the password has a reference."""

    settings: Settings
    pepper: Pepper
    sealer: SecretSealer | None
    database_login: Login | None


def secret_stores(settings: SecretSettings) -> Registry[SecretStore]:
    aws = _aws(settings)
    built_in: dict[str, SecretStore] = {
        "aws-sm": SecretsManagerStore(aws, settings.accounts),
        "aws-ssm": ParameterStore(aws),
        "env": EnvironmentSecretStore(),
        "file": FileSecretStore(settings.directory),
    }
    return Registry("oasthouse.secret_stores", built_in)


def _aws(settings: SecretSettings) -> AwsOptions:
    return AwsOptions(settings.aws_region, settings.aws_endpoint_url)


def own_settings(settings: Settings) -> Settings:
    """For commands that need no more of the gateway than its database. Raises SettingSecretError."""
    return _resolved_settings(settings, RotatingSecrets(secret_stores(settings.secrets)))


def read_own(settings: Settings, secrets: SecretUser) -> Own:
    """Raises SettingSecretError and PepperUnusableError."""
    resolved = _resolved_settings(settings, secrets)
    if resolved.pepper is None:
        pepper = Pepper.load(settings.resolved_pepper_file)
    else:
        pepper = Pepper.read(SecretValue(resolved.pepper.get_secret_value().strip()))
    return Own(resolved, pepper, _sealer(resolved.secrets, pepper), _database_login(settings, secrets))


def _sealer(settings: SecretSettings, pepper: Pepper) -> SecretSealer | None:
    if not settings.stored:
        return None
    local: list[KeyWrapper] = [
        _key(key.get_secret_value(), pepper) for key in (settings.key, settings.old_key) if key is not None
    ]
    keys = [KmsKey(settings.kms_key, _aws(settings)), *local] if settings.kms_key else local
    if not keys or (settings.key is None and not settings.kms_key):
        raise SettingSecretError(
            f"{PREFIX}SECRETS__STORED keeps secrets here, and there is no key to encrypt them with.",
            hint=f"Set {PREFIX}SECRETS__KEY or {PREFIX}SECRETS__KMS_KEY; docs/secrets.md says how to make one.",
        )
    return EnvelopeSealer(keys)


def _key(text: str, pepper: Pepper) -> LocalKey:
    try:
        key = bytes.fromhex(text.strip())
        wrapper = LocalKey(key)
    except ValueError:
        raise SettingSecretError(
            f"{PREFIX}SECRETS__KEY and {PREFIX}SECRETS__OLD_KEY are keys of {KEY_BYTES} bytes, hexadecimal.",
            hint="`openssl rand -hex 32` makes one.",
        ) from None
    if len(set(key)) < _LEAST_VARIETY or Pepper(key).id == pepper.id:
        raise SettingSecretError(
            f"{PREFIX}SECRETS__KEY is the pepper, or no random number.", hint="`openssl rand -hex 32` makes one."
        )
    return wrapper


def _resolved_settings(settings: Settings, secrets: SecretUser) -> Settings:
    resolved = _resolved(settings, PREFIX, secrets)
    if resolved.database_password is None:
        return resolved
    if resolved.database_url is None:
        raise SettingSecretError(f"{PREFIX}DATABASE_PASSWORD is of no use without {PREFIX}DATABASE_URL.")
    url = _url(resolved.database_url.get_secret_value())
    with_password = url.set(password=resolved.database_password.get_secret_value())
    return resolved.model_copy(update={"database_url": SecretStr(with_password.render_as_string(hide_password=False))})


def _resolved(model: M, prefix: str, secrets: SecretUser) -> M:
    changes: dict[str, Any] = {}
    for name in type(model).model_fields:
        value, variable = getattr(model, name), f"{prefix}{name.upper()}"
        if isinstance(value, BaseModel):
            changes[name] = _resolved(value, f"{variable}__", secrets)
        elif isinstance(value, SecretStr):
            changes[name] = SecretStr(_value(variable, value.get_secret_value(), secrets))
    return model.model_copy(update=changes)


def _value(variable: str, text: str, secrets: SecretUser) -> str:
    if not text.startswith(_SCHEMES):
        if variable in _ONLY_BY_REFERENCE:
            raise SettingSecretError(
                f"{variable} is a reference to a secret, never the secret.",
                hint="For example aws-sm:oasthouse/pepper, or file:pepper with OAST_SECRETS__DIRECTORY.",
            )
        return text
    try:
        return secrets.use(_OWNER, SecretRef.parse(text), SecretValue.reveal, lambda _: False)
    except GatewayError as error:
        raise SettingSecretError(
            f"{variable} names a secret that cannot be read: {error.detail}",
            hint=error.hint
            or "Compare the reference with the store; docs/secrets.md says what the gateway's role needs.",
        ) from None


def _database_login(settings: Settings, secrets: SecretUser) -> Login | None:
    """None where nothing is rotated, or nothing is logged in to."""
    for given, credentials in _logins(settings):
        if given is not None and given.get_secret_value().startswith(_SCHEMES):
            ref = SecretRef.parse(given.get_secret_value())
            return _Login(secrets, ref, credentials)
    return None


def _logins(settings: Settings) -> Iterator[tuple[SecretStr | None, Callable[[str], dict[str, str]]]]:
    yield settings.database_password, lambda text: {"password": text}
    yield settings.database_url, _credentials


def _credentials(text: str) -> dict[str, str]:
    """Where a secret is a whole URL, host and database stay those of the start."""
    url = _url(text)
    return {name: str(value) for name, value in (("user", url.username), ("password", url.password)) if value}


def _url(text: str) -> Any:
    try:
        return make_url(text)
    except ArgumentError:
        # Not chained: it repeats the text.
        raise SettingSecretError(f"{PREFIX}DATABASE_URL is no URL of a database.") from None


def _refuses_login(error: Exception) -> bool:
    return isinstance(error, psycopg.OperationalError) and "authentication failed" in str(error)


@dataclass(frozen=True)
class _Login:
    """Implements `infra.database.engine.Login`."""

    secrets: SecretUser
    ref: SecretRef
    credentials: Callable[[str], dict[str, str]]

    def __call__(self, connect: Callable[[dict[str, str]], Any]) -> Any:
        return self.secrets.use(
            _OWNER, self.ref, lambda secret: connect(self.credentials(secret.reveal())), _refuses_login
        )
