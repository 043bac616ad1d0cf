"""Short-lived credentials for one table, given to clients. Implementation: `infra/storage/vending.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from infra.crypto import SecretValue
from infra.errors import UnavailableError


class VendingUnavailableError(UnavailableError):
    """Who gives out credentials does not answer, or refuses the gateway itself."""

    code = "vending-unavailable"
    title = "No credentials can be given out now"


class Level(StrEnum):
    """What a credential may do at its place: read a table, or put files where they wait to be inserted."""

    READ = "read"
    STAGE = "stage"


@dataclass(frozen=True)
class Wanted:
    """Everything that shapes a credential: two that are equal may be one, and no others.

    `locations` are relative, as `TableStore` has them. `project` and `key_id` say to whom it goes. It must not outlive `ends`.
    """

    locations: tuple[str, ...]
    level: Level
    project: str
    key_id: str
    seconds: int
    ends: datetime


@dataclass(frozen=True)
class Credential:
    """What a client needs to reach `uris` in S3, one of each location. `endpoint_url` None: Amazon's own, addressed by host."""

    uris: tuple[str, ...]
    region: str | None
    endpoint_url: str | None
    access_key_id: SecretValue
    secret_access_key: SecretValue
    session_token: SecretValue
    expires_at: datetime


@dataclass(frozen=True)
class ProbeCheck:
    """One attempt with a probe's credentials. `counts` False: worth knowing, and nobody can use it against a table.

    What counts is of every level. That files can be staged is none of it: without, rows are sent to the gateway.
    """

    name: str
    passed: bool
    detail: str
    counts: bool = True


STAGING_PREFIX: Final = "staged-"
"""What the last part of such a place begins with, so that a role can be allowed to put objects there and nowhere else."""
STAGES: Final = "stages inside"
"""The check without which no files can be staged."""


class Minter(Protocol):
    @property
    def name(self) -> str:
        """Role, warehouse and endpoint: what was proven of one name says nothing of another."""

    def fits(self, locations: Sequence[str], level: Level) -> bool:
        """Whether one credential can be for all of them: policies must not be long."""

    def fingerprint(self, wanted: Wanted) -> str:
        """Of the policy that the credential is to have, for the record."""

    def mint(self, wanted: Wanted, request_id: str) -> Credential:
        """Perhaps one that was minted for the same before. Raises VendingUnavailableError."""

    def probe(self) -> Sequence[ProbeCheck]:
        """Try what a credential must not be able to do. Raises VendingUnavailableError where nothing can be told."""
