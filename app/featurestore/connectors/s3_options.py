"""What a connector to a bucket may say. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from app.featurestore.connectors.errors import PlainKeyError
from app.featurestore.connectors.rules import invalid, is_host

FIELDS = ("bucket", "prefix", "region", "endpoint_url", "role_arn")
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+\Z)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Other names of a bucket, by which one could be reached that may not be named; and buckets of other kinds.
_ALIAS = re.compile(r"xn--.*|.*(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)")
_PREFIX = re.compile(r"(?=.{1,512}\Z)(?!(?:.*/)?\.{1,2}(?:/|\Z))[A-Za-z0-9._=-]+(?:/[A-Za-z0-9._=-]+)*")
_REGION = re.compile(r"[a-z]{2,8}(?:-[a-z]{2,16}){1,3}-\d{1,2}")
_ROLE = re.compile(r"arn:aws[a-z-]{0,16}:iam::\d{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}")
_SECRETIVE = re.compile(r"pass|pwd|secret|token|credential|access_?key|\bkey", re.IGNORECASE)
_SCHEME = re.compile(r"s3[an]?://")


@dataclass(frozen=True)
class S3ConnectorOptions:
    """`prefix` is without slashes at its ends, and empty for a whole bucket."""

    bucket: str
    prefix: str = ""
    region: str | None = None
    endpoint_url: str | None = None
    role_arn: str | None = None

    @property
    def stored(self) -> dict[str, Any]:
        return {name: value for name in FIELDS if (value := getattr(self, name))}


def read_s3_options(given: Mapping[str, Any], *, allows_http: bool = False) -> S3ConnectorOptions:
    """Raises InvalidInputError listing every field that is wrong, and PlainKeyError."""
    if any(_SECRETIVE.search(str(name)) for name in given):
        raise PlainKeyError
    values = {name: value for name, value in given.items() if value is not None}
    _trim(values)
    if any("@" in value for name, value in values.items() if name != "role_arn" and isinstance(value, str)):
        raise PlainKeyError  # s3a://key:secret@bucket, https://key:secret@host
    wrong = {name: f"is not known; there are {', '.join(FIELDS)}" for name in values if name not in FIELDS}
    wrong |= {name: problem for name in FIELDS if (problem := _problem(name, values.get(name), allows_http))}
    if wrong:
        raise invalid(wrong)
    return S3ConnectorOptions(**values)


def endpoint_host(endpoint_url: str) -> str:
    """Of one that was accepted."""
    return _split(endpoint_url)[1]


def _trim(values: dict[str, Any]) -> None:
    """As the original clients wrote it: `s3a://bucket`, `/prefix/`."""
    if isinstance(values.get("bucket"), str):
        values["bucket"] = _SCHEME.sub("", values["bucket"], count=1).removesuffix("/")
    if isinstance(values.get("prefix"), str):
        values["prefix"] = values["prefix"].strip("/")
        if not values["prefix"]:
            del values["prefix"]
    if isinstance(values.get("endpoint_url"), str):
        values["endpoint_url"] = values["endpoint_url"].removesuffix("/")


def _problem(name: str, value: Any, allows_http: bool) -> str | None:  # noqa: FBT001 a setting, handed through
    if value is None:
        return "must be given" if name == "bucket" else None
    if not isinstance(value, str):
        return "must be a text"
    if name == "endpoint_url":
        return _endpoint_problem(value, allows_http)
    if name == "bucket" and _ALIAS.fullmatch(value):
        return "must be a bucket's own name, not an access point's or another kind's"
    pattern, message = _PATTERNS[name]
    return None if pattern.fullmatch(value) else message


def _endpoint_problem(url: str, allows_http: bool) -> str | None:  # noqa: FBT001 a setting, handed through
    parts, host = _split(url)
    if parts is None or not is_host(host) or parts.path or parts.query or parts.fragment or "?" in url or "#" in url:
        return "must be https:// with a host and if need be a port, and nothing else"
    if parts.scheme == "http" and not allows_http:
        return "must begin with https://; the operator may allow http:// by OAST_CONNECTORS__ALLOW_HTTP"
    return None if parts.scheme in {"http", "https"} else "must begin with https://"


def _split(url: str) -> tuple[SplitResult | None, str]:
    """Parts and host; None for what is no URL, or one that different readers take for different hosts."""
    if not re.fullmatch(r"[a-z]+://[A-Za-z0-9._\[\]:-]{1,300}[^\s\\]*", url):
        return None, ""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None, ""
    return parts, parts.hostname or ""


_PATTERNS = {
    "bucket": (_BUCKET, "must be the name of a bucket: 3 to 63 of a-z, 0-9, . and -"),
    "prefix": (_PREFIX, "must be a path of letters, digits, ., _, = and -"),
    "region": (_REGION, "must be a region such as eu-north-1"),
    "role_arn": (_ROLE, "must be the ARN of a role, arn:aws:iam::123456789012:role/name"),
}
