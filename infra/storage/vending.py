"""Credentials for one table, minted by STS: the operator's role, cut down to the table by a session policy."""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.clock import Clock
from infra.crypto import SecretValue
from infra.errors import InvalidInputError
from infra.ports.vending import Credential, Level, ProbeCheck, VendingUnavailableError, Wanted
from infra.storage.bucket_errors import plain_code
from infra.storage.location import Warehouse, path_segments
from infra.storage.minted import Minted
from infra.storage.session_policies import MOST_CHARACTERS, Place, partition_of, policy_text, session_policy
from infra.storage.vending_probe import run_probe

_NOT_IN_NAMES: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
_MOST_OF_A_NAME: Final = 64
_TOO_LARGE: Final = "PackedPolicyTooLarge"


class StsMinter:
    """Implements `infra.ports.vending.Minter`. Role and STS endpoint are the operator's word, never a user's."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        role_arn: str,
        clock: Clock,
        region: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        if warehouse.s3 is None:
            raise InvalidInputError(
                "Credentials are given out for a warehouse in S3 only.", hint="Unset OAST_VENDING__ROLE."
            )
        self._warehouse = warehouse
        self._options = warehouse.s3
        self._role_arn = role_arn
        self._partition = partition_of(role_arn)
        self._clock = clock
        self._region = region or warehouse.s3.region
        self._endpoint_url = endpoint_url
        self._minted = Minted(clock)

    @property
    def name(self) -> str:
        endpoint = self._options.endpoint_url or "S3"
        return f"{self._role_arn} at {self._warehouse.url} of {endpoint}, STS {self._endpoint_url or 'of AWS'}"

    def fits(self, locations: Sequence[str], level: Level) -> bool:
        return len(self._text(locations, level)) <= MOST_CHARACTERS

    def fingerprint(self, wanted: Wanted) -> str:
        return hashlib.sha256(self._policy(wanted).encode()).hexdigest()[:32]

    def mint(self, wanted: Wanted, request_id: str) -> Credential:
        return self._minted.get((wanted, self._policy(wanted)), lambda: self._mint(wanted, request_id))

    def probe(self) -> Sequence[ProbeCheck]:
        return run_probe(self._warehouse, self._mint_for_probe)

    def _mint_for_probe(self, locations: Sequence[str], level: Level) -> Credential:
        policy = self._policy_for(locations, level)
        return self._assume(policy, locations, "oast-probe", "oast-probe", 900)

    def _mint(self, wanted: Wanted, request_id: str) -> Credential:
        # CloudTrail shows both with every request; the source identity also stays where the role assumes another one.
        session_name = _name(f"oast-{wanted.key_id}-{request_id[-8:]}")
        source_identity = _name(f"{wanted.key_id}@{wanted.project}")
        return self._assume(self._policy(wanted), wanted.locations, session_name, source_identity, wanted.seconds)

    def _policy(self, wanted: Wanted) -> str:
        return self._policy_for(wanted.locations, wanted.level)

    def _policy_for(self, locations: Sequence[str], level: Level) -> str:
        if not self.fits(locations, level):
            # Never mended by leaving the policy out, or by a wider one.
            raise VendingUnavailableError(
                "The policy of the credential would be too long.", hint="Shorten the warehouse's prefix."
            )
        return self._text(locations, level)

    def _text(self, locations: Sequence[str], level: Level) -> str:
        places = [Place(self._warehouse.bucket, self._key(location)) for location in locations]
        return policy_text(session_policy(places, level, self._partition))

    def _key(self, location: str) -> str:
        return "/".join(filter(None, (self._warehouse.prefix, *path_segments(location))))

    def _assume(
        self, policy: str, locations: Sequence[str], session_name: str, source_identity: str, seconds: int
    ) -> Credential:
        try:
            answer = self._client.assume_role(
                RoleArn=self._role_arn,
                RoleSessionName=session_name,
                SourceIdentity=source_identity,
                Policy=policy,
                DurationSeconds=seconds,
            )
        except ClientError as error:
            raise _refusal(plain_code(error)) from None
        except BotoCoreError:
            raise VendingUnavailableError("AWS does not answer where credentials are made.", retry_after=5) from None
        return self._credential(answer["Credentials"], locations, seconds)

    def _credential(self, keys: dict[str, Any], locations: Sequence[str], seconds: int) -> Credential:
        return Credential(
            uris=tuple(f"{self._warehouse.uri(location)}/" for location in locations),
            region=self._options.region or self._region,
            endpoint_url=self._options.endpoint_url,
            access_key_id=SecretValue(keys["AccessKeyId"]),
            secret_access_key=SecretValue(keys["SecretAccessKey"]),
            session_token=SecretValue(keys["SessionToken"]),
            expires_at=_earlier(keys.get("Expiration"), self._clock.now() + timedelta(seconds=seconds)),
        )

    @cached_property
    def _client(self) -> Any:
        config = Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=10,
        )
        return boto3.session.Session().client(
            "sts",
            region_name=self._region,
            endpoint_url=self._endpoint_url,
            aws_access_key_id=self._options.access_key_id,
            aws_secret_access_key=self._options.secret_access_key,
            aws_session_token=self._options.session_token,
            config=config,
        )


def _name(text: str) -> str:
    """As STS takes names of sessions and sources."""
    return _NOT_IN_NAMES.sub("-", text)[:_MOST_OF_A_NAME]


def _earlier(said: datetime | None, reckoned: datetime) -> datetime:
    return reckoned if said is None else min(said.astimezone(UTC), reckoned)


def _refusal(code: str) -> VendingUnavailableError:
    if code == _TOO_LARGE:
        return VendingUnavailableError(
            "AWS finds the policy of a credential too long.", hint="Shorten the warehouse's prefix."
        )
    return VendingUnavailableError(
        f"The gateway gets no credentials for the role: {code or 'no code'}.",
        hint="Its trust policy must let the gateway's own role sts:AssumeRole and sts:SetSourceIdentity.",
    )
