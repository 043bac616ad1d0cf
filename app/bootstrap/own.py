"""Settings that name a secret: read once when a process starts, but for the database's, which is read again when refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.settings import PREFIX, SecretSettings, Settings
from infra.crypto import Pepper, SecretValue
from infra.database.engine import Login, refuses_login
from infra.errors import GatewayError
from infra.ports.secrets import SecretRef, SecretStore, SecretUser
from infra.registry import Registry
from infra.secrets.aws import AwsOptions
from infra.secrets.environment import EnvironmentSecretStore
from infra.secrets.files import FileSecretStore
from infra.secrets.parameterstore import ParameterStore
from infra.secrets.rotating import RotatingSecrets
from infra.secrets.secretsmanager import SecretsManagerStore

M = TypeVar("M", bound=BaseModel)
_OWNER = ""
"""Of the gateway's own secrets. No project is called so, and what is cached for one is never another's."""

_SCHEMES = ("aws-sm:", "aws-ssm:", "env:", "file:")
_ONLY_BY_REFERENCE = frozenset({f"{PREFIX}PEPPER"})


class SettingSecretError(GatewayError):
    """A setting names a secret that cannot be had, or holds one that only a reference may name."""

    code = "setting-secret-unusable"
    title = "The secret of a setting cannot be used"


@dataclass(frozen=True)
class Own:
    """`settings` with values in place of references. `database_login` is there where the password has a reference."""

    settings: Settings
    pepper: Pepper
    database_login: Login | None


def secret_stores(settings: SecretSettings) -> Registry[SecretStore]:
    aws = AwsOptions(settings.aws_region, settings.aws_endpoint_url)
    built_in: dict[str, SecretStore] = {
        "aws-sm": SecretsManagerStore(aws, settings.accounts),
        "aws-ssm": ParameterStore(aws),
        "env": EnvironmentSecretStore(),
        "file": FileSecretStore(settings.directory),
    }
    return Registry("oasthouse.secret_stores", built_in)


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
    return Own(resolved, pepper, _database_login(settings, secrets))


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


@dataclass(frozen=True)
class _Login:
    """Implements `infra.database.engine.Login`."""

    secrets: SecretUser
    ref: SecretRef
    credentials: Callable[[str], dict[str, str]]

    def __call__(self, connect: Callable[[dict[str, str]], Any]) -> Any:
        return self.secrets.use(
            _OWNER, self.ref, lambda secret: connect(self.credentials(secret.reveal())), refuses_login
        )
