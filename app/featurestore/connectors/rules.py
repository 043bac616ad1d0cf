"""What a connector to a database may say. Pure.

Nobody gives an address as a URL, or a parameter of a driver: these fields are all there is.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any

from app.featurestore.connectors.errors import PlainPasswordError
from infra.errors import InvalidInputError
from infra.ports.sources import TlsMode

DEFAULT_PORTS = {"postgresql": 5432, "redshift": 5439, "mysql": 3306, "mariadb": 3306}
ENGINES = (*DEFAULT_PORTS, "sqlite")
_SERVER_FIELDS = ("engine", "host", "port", "database", "user", "tls_mode")
_FILE_FIELDS = ("engine", "path")
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9_-]*)(?:\.[A-Za-z0-9_-]+)*\.?")
# A driver would take more here: libpq reads a whole connection string where a database's name stands.
_DATABASE = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_USER = re.compile(r"[^\s\x00-\x1f\x7f]{1,128}")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_SECRETIVE = re.compile(r"pass|pwd|secret|token|credential", re.IGNORECASE)


@dataclass(frozen=True)
class ServerOptions:
    engine: str
    host: str
    port: int
    database: str
    user: str
    tls_mode: str


@dataclass(frozen=True)
class FileOptions:
    """`path` is relative to the project's folder in the operator's directory."""

    engine: str
    path: str


def read_options(given: Mapping[str, Any]) -> ServerOptions | FileOptions:
    """Raises InvalidInputError listing every field that is wrong, and PlainPasswordError."""
    refuse_passwords(given)
    engine = given.get("engine")
    if engine not in ENGINES:
        raise invalid({"engine": f"must be one of {', '.join(ENGINES)}"})
    checks = _FILE_CHECKS if engine == "sqlite" else _SERVER_CHECKS
    fields = _FILE_FIELDS if engine == "sqlite" else _SERVER_FIELDS
    defaults: dict[str, Any] = {} if engine == "sqlite" else {"port": DEFAULT_PORTS[engine], "tls_mode": "verify-full"}
    values = {**defaults, **{name: value for name, value in given.items() if value is not None}}
    wrong = {name: f"is not known; there are {', '.join(fields)}" for name in values if name not in fields}
    wrong |= {name: message for name, (fits, message) in checks.items() if not fits(values.get(name))}
    if wrong:
        raise invalid(wrong)
    return FileOptions(**values) if engine == "sqlite" else ServerOptions(**values)


def stored(options: ServerOptions | FileOptions) -> dict[str, Any]:
    return asdict(options)


def refuse_passwords(given: Mapping[str, Any]) -> None:
    if any(_SECRETIVE.search(str(name)) for name in given):
        raise PlainPasswordError


def invalid(wrong: Mapping[str, str]) -> InvalidInputError:
    return InvalidInputError(
        f"Some options are not valid: {', '.join(str(name)[:80] for name in wrong)}.",
        errors=[{"field": f"options.{str(name)[:80]}", "message": message} for name, message in wrong.items()],
    )


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def is_host(value: Any) -> bool:
    return isinstance(value, str) and (_HOST.fullmatch(value) is not None or _is_address(value))


def _is_address(value: str) -> bool:
    try:
        return "%" not in value and bool(ip_address(value))
    except ValueError:
        return False


def _is_port(value: Any) -> bool:
    return type(value) is int and 0 < value < 65536


_Check = tuple[Callable[[Any], bool], str]
_SERVER_CHECKS: dict[str, _Check] = {
    "host": (is_host, "must be one host name or one IP address"),
    "port": (_is_port, "must be a number from 1 to 65535"),
    "database": (_matches(_DATABASE), "must be 1 to 63 of letters, digits, _, . and -"),
    "user": (_matches(_USER), "must be 1 to 128 characters without white space"),
    "tls_mode": (lambda value: value in list(TlsMode), f"must be one of {', '.join(TlsMode)}"),
}
_FILE_CHECKS: dict[str, _Check] = {
    "path": (_matches(_PATH), "must be a relative path of letters, digits, _, . and -"),
}
