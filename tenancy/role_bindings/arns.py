"""Names of IAM roles. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from tenancy.role_bindings.errors import RoleArnNotValidError, RoleUniqueIdNotValidError

_PARTITION: Final = r"(?P<partition>aws|aws-cn|aws-us-gov)"
_ACCOUNT: Final = r"(?P<account>[0-9]{12})"
_NAME: Final = r"(?P<name>[A-Za-z0-9_+=,.@-]{1,64})"
# A path is only a way to sort roles: names are unique in their account, and a session's ARN leaves the path out.
_PATH: Final = r"(?:[A-Za-z0-9_+=,.@/-]{1,511}/)?"
_ROLE: Final = re.compile(rf"arn:{_PARTITION}:iam::{_ACCOUNT}:role/{_PATH}{_NAME}")
# The session's name is its caller's choice: it may hold anything, and means nothing.
_ASSUMED: Final = re.compile(rf"arn:{_PARTITION}:sts::{_ACCOUNT}:assumed-role/{_NAME}(?:/(?P<session>[^\r\n]+))?")
_UNIQUE_ID: Final = re.compile(r"AROA[A-Z0-9]{12,124}")
_USER_ID: Final = re.compile(r"(?P<unique_id>AROA[A-Z0-9]{12,124}):(?P<session>[^\r\n]{1,256})")


@dataclass(frozen=True)
class RoleName:
    """A role as it is compared: without path and session."""

    partition: str
    account: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{self.name}"


@dataclass(frozen=True)
class AssumedRole:
    """A session of a role as AWS names it; `session` is for the log."""

    role: RoleName
    unique_id: str
    session: str


def parse_role_arn(text: str) -> RoleName:
    """Of a role, or of a session of it, as people copy them. Raises RoleArnNotValidError; there are no wildcards."""
    found = _ROLE.fullmatch(text) or _ASSUMED.fullmatch(text)
    if found is None or "//" in text.partition(":role/")[2]:
        raise RoleArnNotValidError(
            f"{text[:200]!r} is not the ARN of one IAM role.",
            hint="For example arn:aws:iam::123456789012:role/MyNotebookRole; wildcards, users and groups are not bound.",
        )
    return RoleName(found["partition"], found["account"], found["name"])


def require_unique_id(text: str) -> str:
    if not _UNIQUE_ID.fullmatch(text):
        raise RoleUniqueIdNotValidError(
            f"{text[:80]!r} is not the unique id of a role.",
            hint="It begins with AROA: aws iam get-role --role-name MyNotebookRole --query Role.RoleId",
        )
    return text


def find_assumed_role(arn: str, account: str, user_id: str) -> AssumedRole | None:
    """Of what AWS says of a caller; None for users, root, federated users, and where the three do not agree."""
    found, user = _ASSUMED.fullmatch(arn), _USER_ID.fullmatch(user_id)
    if found is None or user is None or not found["session"] or found["account"] != account:
        return None
    return AssumedRole(RoleName(found["partition"], account, found["name"]), user["unique_id"], user["session"])
