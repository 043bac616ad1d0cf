"""The connection strings of the original clients, read into fields. Pure.

A string is never handed on to a driver: what a parameter does there is more than anybody can oversee.
"""

import re
from typing import Any
from urllib.parse import unquote

from app.featurestore.connectors.errors import PlainPasswordError
from app.featurestore.connectors.rules import refuse_passwords
from infra.errors import InvalidInputError

MAX_URL, MAX_ARGUMENTS = 5_000, 2_000
_URL = re.compile(
    r"jdbc:(?P<engine>postgresql|redshift|mysql|mariadb)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:?;,@\[\]\s]+)(?::(?P<port>[0-9]{1,5}))?"
    r"/(?P<database>[^/?;\s]+)(?:[?;](?P<parameters>\S*))?"
)
_FILE = re.compile(r"jdbc:sqlite:(?P<path>[^?\s]+)")
_TLS = {
    ("sslmode", "disable"): "disable",
    ("sslmode", "disabled"): "disable",
    ("sslmode", "require"): "require",
    ("sslmode", "required"): "require",
    ("sslmode", "verify-full"): "verify-full",
    ("sslmode", "verify_identity"): "verify-full",
    # As in the drivers that know it: encrypted and proven.
    ("ssl", "true"): "verify-full",
    ("ssl", "false"): "disable",
    ("usessl", "true"): "require",
    ("usessl", "false"): "disable",
    ("requiressl", "true"): "require",
    ("verifyservercertificate", "true"): "verify-full",
}
_STRENGTH = ("disable", "require", "verify-full")


def read_url(connection_string: str, arguments: str) -> dict[str, Any]:
    """Fields for `rules.read_options`. No error repeats the text, in which a password may stand."""
    if len(connection_string) > MAX_URL or len(arguments) > MAX_ARGUMENTS:
        raise InvalidInputError(
            f"A connection string has at most {MAX_URL:,} characters, its arguments {MAX_ARGUMENTS:,}."
        )
    file = _FILE.fullmatch(connection_string)
    if file is not None:
        _parameters(arguments, ",")
        return {"engine": "sqlite", "path": file["path"]}
    url = _URL.fullmatch(connection_string)
    if url is None:
        raise _unknown(connection_string)
    parameters = _parameters(re.sub(";", "&", url["parameters"] or ""), "&")
    for name, value in _parameters(arguments, ",").items():
        if parameters.setdefault(name, value) != value:
            raise InvalidInputError(f"{name!r} stands twice, with two values.")
    fields: dict[str, Any] = {"engine": url["engine"], "host": url["host"].strip("[]"), "database": url["database"]}
    if url["port"]:
        fields["port"] = int(url["port"])
    return {**fields, **_known(parameters)}


def _parameters(text: str, separator: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(separator))):
        name, equals, value = part.partition("=")
        refuse_passwords({name: value})
        if not equals or name.strip().lower() in found:
            raise InvalidInputError("Arguments are written name=value, each name once.")
        found[name.strip().lower()] = unquote(value.strip()) if separator == "&" else value.strip()
    return found


def _known(parameters: dict[str, str]) -> dict[str, str]:
    known = {"user": parameters.pop("user")} if "user" in parameters else {}
    modes = {name: _TLS.get((name, value.lower())) for name, value in parameters.items()}
    unknown = [name for name, mode in modes.items() if mode is None]
    if unknown:
        raise InvalidInputError(
            f"The connection string has parameters that are not taken: {', '.join(name[:40] for name in unknown[:5])}.",
            hint="Only user and encryption (ssl=true, sslmode=disable|require|verify-full) are; the gateway sets the others.",
        )
    if modes:
        known["tls_mode"] = max((mode for mode in modes.values() if mode), key=_STRENGTH.index)
    return known


def _unknown(text: str) -> InvalidInputError:
    if "@" in text:
        return PlainPasswordError()
    return InvalidInputError(
        "That is no connection string that the gateway reads.",
        hint="Write jdbc:postgresql://host:port/database, or redshift, mysql, mariadb, or jdbc:sqlite:path; or give the "
        "fields engine, host, port, database and user.",
    )
