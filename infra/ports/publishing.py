"""Where fresh API keys are put for the roles that use them. Implementations: `infra/secrets/publishing.py`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from infra.crypto import SecretValue
from infra.errors import InvalidInputError, UnavailableError

_ROLE = re.compile(r"(?:arn:aws[a-z-]*:iam::\d{12}:role/(?:[\x21-\x7e]+/)?)?(?P<name>[\w+=,.@-]{1,64})", re.ASCII)


class KeyNotPublishedError(InvalidInputError):
    """The secret store did not take the key. It is said what became of the key."""

    code = "key-not-published"
    title = "The key was not published"


class KeyPublishingUnknownError(UnavailableError):
    """The secret store gave no answer: it may have the key or not."""

    code = "key-publishing-unknown"
    title = "Whether the key was published is not known"


@dataclass(frozen=True)
class KeyPlace:
    """Whose key it is. `role` is the name of an IAM role, without its path."""

    project: str
    role: str

    @classmethod
    def of(cls, project: str, role: str) -> "KeyPlace":
        """`role` may be an ARN; its path is no part of what STS tells a notebook."""
        found = _ROLE.fullmatch(role)
        if found is None:
            raise InvalidInputError(
                f"{role!r} is no IAM role.",
                hint="Give its name, or its ARN: arn:aws:iam::123456789012:role/MyNotebookRole.",
            )
        return cls(project, found["name"])


@dataclass(frozen=True)
class PublishedKey:
    """`policy` is the IAM document that lets the role read it; there is no key in here."""

    store: str
    name: str
    region: str
    policy: Mapping[str, Any]
    tagged: bool = True


@dataclass(frozen=True)
class KeyOptions:
    """`kms_key` None is AWS's own key; Secrets Manager goes on with the one that the secret has."""

    kms_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kms_key is not None and is_alias(self.kms_key):
            raise InvalidInputError(
                f"{self.kms_key!r} is an alias, and no policy that names one lets a role use the key.",
                hint=f"Give the key's ARN: aws kms describe-key --key-id {self.kms_key} --query KeyMetadata.Arn",
            )


def is_alias(kms_key: str) -> bool:
    return kms_key.startswith("alias/") or ":alias/" in kms_key


class KeyPublisher(Protocol):
    def look(self, place: KeyPlace) -> None:
        """Whether it answers at all; raises KeyNotPublishedError or KeyPublishingUnknownError. Changes nothing."""

    def publish(self, place: KeyPlace, key: SecretValue, options: KeyOptions) -> PublishedKey:
        """Put the key where the role looks for it, in place of the one that is there.

        Raises KeyNotPublishedError where nothing was changed, and KeyPublishingUnknownError.
        """
