"""Session policies: the least that a credential for some places in a bucket may do. Pure.

Policies are built as values and never by filling in text, actions are listed one by one, and what allows nothing denies
everything: STS takes a request without a policy for one that asks for all that the role may do.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from infra.errors import InvalidInputError
from infra.ports.vending import Level

MOST_CHARACTERS: Final = 1500
"""STS takes 2,048, and packs policy and tags together into a limit that it does not tell: this leaves room."""
_VERSION: Final = "2012-10-17"
_OBJECT_ACTIONS: Final = {Level.READ: ("s3:GetObject",), Level.STAGE: ("s3:PutObject", "s3:AbortMultipartUpload")}
# Parts of an upload are put together by decrypting them.
_KEY_ACTIONS: Final = {Level.READ: ("kms:Decrypt",), Level.STAGE: ("kms:Decrypt", "kms:GenerateDataKey")}
_WILDCARDS: Final = re.compile(r"[*?$]")
_ROLE: Final = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::[^:]*:role/.+")
# In China AWS uses the one or the other, by service.
_DOMAINS: Final = {"aws-cn": ("amazonaws.com", "amazonaws.com.cn")}
_DENY_ALL: Final = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}

Policy = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Everything below `key/` in a bucket, and nothing beside it."""

    bucket: str
    key: str

    def __post_init__(self) -> None:
        segments = self.key.split("/")
        if not self.bucket or any(segment in {"", ".", ".."} for segment in segments):
            raise InvalidInputError("A credential is for a place below a bucket, named without empty or dotted parts.")


def partition_of(role_arn: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`, in which the role's buckets are, too."""
    match = _ROLE.fullmatch(role_arn)
    if match is None:
        raise InvalidInputError(
            f"{role_arn!r} is no ARN of a role.", hint="It looks like arn:aws:iam::123456789012:role/name."
        )
    return match[1]


def session_policy(places: Sequence[Place], level: Level, partition: str = "aws") -> Policy:
    """What a credential may do: `level` below each of the places. Of no places it denies everything."""
    statements = list(_statements(places, level, partition))
    return {"Version": _VERSION, "Statement": statements or [_DENY_ALL]}


def policy_text(policy: Policy) -> str:
    return json.dumps(policy, separators=(",", ":"), sort_keys=True)


def _statements(places: Sequence[Place], level: Level, partition: str) -> Iterator[dict[str, Any]]:
    if not places:
        return
    objects = [f"{_bucket_arn(place, partition)}/{_literal(place.key)}/*" for place in places]
    yield {"Effect": "Allow", "Action": list(_OBJECT_ACTIONS[level]), "Resource": objects}
    # Objects may be under a customer's key. Which one it can be, the role says; that S3 asks, and for which object, is said here.
    services = [f"s3.*.{domain}" for domain in _DOMAINS.get(partition, ("amazonaws.com",))]
    yield {
        "Effect": "Allow",
        "Action": list(_KEY_ACTIONS[level]),
        "Resource": ["*"],
        "Condition": {"StringLike": {"kms:ViaService": services}},
    }
    if level is Level.STAGE:
        return
    for bucket in dict.fromkeys(place.bucket for place in places):
        inside = [place for place in places if place.bucket == bucket]
        yield {
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [_bucket_arn(inside[0], partition)],
            # With its slash: `table*` would list `table2` as well.
            "Condition": {"StringLike": {"s3:prefix": [f"{_literal(place.key)}/*" for place in inside]}},
        }


def _bucket_arn(place: Place, partition: str) -> str:
    return f"arn:{partition}:s3:::{_literal(place.bucket)}"


def _literal(text: str) -> str:
    """So that IAM takes `*`, `?` and `$` for themselves."""
    return _WILDCARDS.sub(lambda found: f"${{{found[0]}}}", text)
