"""What the environment and `~/.oasthouse/profiles.ini` say about where to connect and with which key."""

from __future__ import annotations

import configparser
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from hops.featurestore.api_key import ApiKey
from hops.featurestore.errors import ApiKeyError, InvalidInputError

PROFILES = Path("~/.oasthouse/profiles.ini")
DEFAULT_PROFILE = "default"

VARIABLES = {
    "host": "OAST_HOST",
    "project": "OAST_PROJECT",
    "region_name": "OAST_REGION",
    "secrets_store": "OAST_SECRETS_STORE",
    "secret_scope": "OAST_DATABRICKS_SCOPE",
    "secret_key": "OAST_DATABRICKS_KEY",
    "trust_store_path": "OAST_TRUST_STORE_PATH",
    "api_key_file": "OAST_API_KEY_FILE",
    "api_key": "OAST_API_KEY",
}


class ProfileError(ApiKeyError):
    """The profile file cannot be used as it is."""

    code = "profile-unusable"


@dataclass(frozen=True)
class Preset:
    """One source's word for what `connect` was not given. A key prints as `***`."""

    source: str
    host: Optional[str] = None
    project: Optional[str] = None
    region_name: Optional[str] = None
    secrets_store: Optional[str] = None
    secret_scope: Optional[str] = None
    secret_key: Optional[str] = None
    trust_store_path: Optional[str] = None
    api_key_file: Optional[str] = None
    api_key: Optional[ApiKey] = None

    def name_of(self, setting: str) -> str:
        """How a person finds it again."""
        return VARIABLES[setting] if self.source == "environment" else f"{self.source} in {PROFILES}"


def from_environment() -> Preset:
    values = {name: os.environ.get(variable, "").strip() for name, variable in VARIABLES.items()}
    return _preset("environment", values)


def from_profile() -> Preset:
    """The profile that OAST_PROFILE names, else `default`; an empty one where there is no file.

    Raises ProfileError for a file with a key that others can read, and for one that is no such file.
    """
    wanted, path = os.environ.get("OAST_PROFILE", "").strip(), PROFILES.expanduser()
    parsed = _parsed(path)
    if parsed is None or (not wanted and not parsed.has_section(DEFAULT_PROFILE)):
        if wanted:
            raise ProfileError(f"OAST_PROFILE names {wanted!r}, but there is no file {PROFILES}.")
        return Preset(f"profile {DEFAULT_PROFILE}")
    name = wanted or DEFAULT_PROFILE
    if not parsed.has_section(name):
        raise ProfileError(f"{PROFILES} has no profile {name!r}.", candidates=parsed.sections())
    unknown = sorted(set(parsed[name]) - set(VARIABLES))
    if unknown:
        raise ProfileError(
            f"Profile {name!r} in {PROFILES} sets {', '.join(unknown)}, which is nothing that a profile has.",
            hint=f"It can have: {', '.join(VARIABLES)}.",
        )
    return _preset(f"profile {name}", {key: value.strip() for key, value in parsed[name].items()})


def _preset(source: str, values: Mapping[str, str]) -> Preset:
    plain = {name: value for name, value in values.items() if value and name != "api_key"}
    return Preset(source, api_key=ApiKey(values["api_key"]) if values.get("api_key") else None, **plain)


def _parsed(path: Path) -> Optional[configparser.ConfigParser]:
    """None where there is no file. Errors name lines and never show them: one of them may be the key."""
    parsed = configparser.ConfigParser(interpolation=None)
    failure = None
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            parsed.read_file(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        failure = ProfileError(f"{PROFILES} cannot be read: {error.strerror}.")
    except (configparser.Error, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = "" if line is None else f", line {line}"
        failure = ProfileError(
            f"{PROFILES}{where} is no profile file: {type(error).__name__}.",
            hint="It is made of sections with settings: [default], then lines such as host = gateway.example.com.",
        )
    if failure is not None:
        # Outside the `except`, whose error holds the lines.
        raise failure
    holds_key = (
        any(parsed.has_option(section, "api_key") for section in parsed.sections()) or "api_key" in parsed.defaults()
    )
    if holds_key and os.name == "posix" and mode & 0o077:
        raise ProfileError(
            f"{PROFILES} holds an API key, and other users of this machine can open it.", hint=f"chmod 600 {PROFILES}"
        )
    return parsed


def require_host(host: Optional[str]) -> str:
    if not host:
        raise InvalidInputError(
            "No gateway is named.",
            hint=f"Give connect() its host, set OAST_HOST, or write host = … below [default] in {PROFILES}.",
        )
    return host


def require_project(project: Optional[str]) -> str:
    if not project:
        raise InvalidInputError(
            "No project is named.",
            hint=f"Give connect() its project_name, set OAST_PROJECT, or write project = … below [default] in {PROFILES}.",
        )
    return project
