"""What a warehouse of a project may be, and which places are apart. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from infra.errors import InvalidInputError

_URL: Final = re.compile(r"s3://(?P<bucket>[^/]+)(?:/(?P<prefix>.*))?")
_BUCKET: Final = re.compile(r"(?!\d+\.\d+\.\d+\.\d+\Z)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Other names of a bucket, under which one could be reached that overlaps; and buckets of other kinds.
_ALIAS: Final = re.compile(r"xn--.*|.*(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)")
_PREFIX: Final = re.compile(r"(?=.{1,200}\Z)(?!(?:.*/)?\.{1,2}(?:/|\Z))[A-Za-z0-9._=-]+(?:/[A-Za-z0-9._=-]+)*")
_REGION: Final = re.compile(r"[a-z]{2,8}(?:-[a-z]{2,16}){1,3}-\d{1,2}")
_ROLE: Final = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::\d{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}")
_EXTERNAL_ID: Final = re.compile(r"[A-Za-z0-9+=,.@:/_-]{8,1224}")
_KEY: Final = re.compile(r"arn:(aws|aws-cn|aws-us-gov):kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]{1,64}")
_ENDPOINT: Final = re.compile(r"https?://[A-Za-z0-9._\[\]:-]{1,253}/?")
# What connectors of projects say: whoever may make one could then use the role by itself.
_OF_CONNECTORS: Final = "oasthouse:"


@dataclass(frozen=True)
class Place:
    """A bucket, or what lies below `prefix/` in it."""

    bucket: str
    prefix: str = ""

    def overlaps(self, other: "Place") -> bool:
        """Whether one is inside the other. Segments count: `a` and `ab` are apart."""
        mine, theirs = (place.prefix.split("/") if place.prefix else [] for place in (self, other))
        shared = min(len(mine), len(theirs))
        return self.bucket == other.bucket and mine[:shared] == theirs[:shared]

    def __str__(self) -> str:
        return "s3://" + "/".join(filter(None, (self.bucket, self.prefix)))


@dataclass(frozen=True)
class RegisterWarehouse:
    """As an operator asks for it."""

    url: str
    role_arn: str | None = None
    external_id: str | None = None
    kms_key: str | None = None
    region: str | None = None
    endpoint_url: str | None = None


def read_place(command: RegisterWarehouse) -> Place:
    """Raises InvalidInputError with every field that is wrong."""
    match = _URL.fullmatch(command.url)
    bucket, prefix = (match["bucket"], (match["prefix"] or "").strip("/")) if match else ("", "")
    wrong = {
        "url": None if match else "must be s3://bucket or s3://bucket/prefix",
        "bucket": _problem(bucket, _BUCKET, "3 to 63 of a-z, 0-9, . and -") or _alias_problem(bucket)
        if match
        else None,
        "prefix": _problem(prefix or None, _PREFIX, "a path of letters, digits, ., _, = and -"),
        "role": _problem(command.role_arn, _ROLE, "the ARN of a role, arn:aws:iam::123456789012:role/name"),
        "external-id": _external_id_problem(command),
        "kms-key": _problem(command.kms_key, _KEY, "the ARN of a key, arn:aws:kms:eu-north-1:123456789012:key/…"),
        "region": _region_problem(command),
        "endpoint": _problem(command.endpoint_url, _ENDPOINT, "http(s):// with a host and if need be a port"),
    }
    errors: list[dict[str, object]] = [
        {"field": name, "message": problem} for name, problem in wrong.items() if problem
    ]
    if errors:
        raise InvalidInputError("; ".join(f"{each['field']} {each['message']}" for each in errors) + ".", errors=errors)
    return Place(bucket, prefix)


def _problem(value: str | None, pattern: re.Pattern[str], what: str) -> str | None:
    return None if value is None or pattern.fullmatch(value) else f"must be {what}"


def _alias_problem(bucket: str) -> str | None:
    return (
        "must be the bucket's own name, not an access point's or another kind's" if _ALIAS.fullmatch(bucket) else None
    )


def _region_problem(command: RegisterWarehouse) -> str | None:
    if command.region is None and command.endpoint_url is None:
        # boto3 is led to the right one by AWS, and delta-rs is not: what was proven could not be written.
        return "is needed: that of the bucket"
    return _problem(command.region, _REGION, "a region such as eu-north-1")


def _external_id_problem(command: RegisterWarehouse) -> str | None:
    given = command.external_id
    if (given is None) != (command.role_arn is None):
        return "goes with a role, and a role with it"
    if given is not None and given.startswith(_OF_CONNECTORS):
        return f"must not begin with {_OF_CONNECTORS}, as those of projects' own connectors do"
    return _problem(given, _EXTERNAL_ID, "8 to 1224 letters, digits and +=,.@:/_-")
