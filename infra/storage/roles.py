"""Roles of others that the gateway assumes on behalf of a project."""

import secrets
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from infra.crypto import SecretValue
from infra.ports.files import BucketAccessRefusedError, BucketKeys, BucketRole, RoleNotGuardedError
from infra.ports.sources import SourceUnreachableError
from infra.storage.bucket_errors import plain_code

_REFUSED = frozenset({"AccessDenied", "AccessDeniedException"})


class AssumedRoles:
    """Asks AWS's STS as the gateway itself. `endpoint_url` is the operator's word, never a user's."""

    def __init__(self, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._region = region
        self._endpoint_url = endpoint_url

    def keys(self, role: BucketRole) -> BucketKeys:
        """Keys for an hour at the most.

        A role that lets the gateway in under another ExternalId as well would do so for every project: it is refused.
        """
        # As another project's would be, so that a pattern for all of them is noticed, too.
        stranger = f"{role.external_id.partition(':')[0]}:check_{secrets.token_hex(8)}"
        if self._assume(role, stranger) is not None:
            raise RoleNotGuardedError(
                "The role lets the gateway in whatever ExternalId it says, so any project could use it.",
                hint=f"Add to its trust policy the condition StringEquals sts:ExternalId {role.external_id}.",
            )
        found = self._assume(role, role.external_id)
        if found is None:
            raise BucketAccessRefusedError(
                "The gateway may not assume the role.",
                hint=f"Its trust policy must allow the gateway's own role under the ExternalId {role.external_id}.",
            )
        return found

    def _assume(self, role: BucketRole, external_id: str) -> BucketKeys | None:
        """None where STS says no."""
        try:
            answer = self._client.assume_role(
                RoleArn=role.arn, RoleSessionName=role.session_name, ExternalId=external_id
            )
        except ClientError as error:
            code = plain_code(error)
            if code in _REFUSED:
                return None
            raise BucketAccessRefusedError(f"The role cannot be assumed: {code}.") from None
        except (NoCredentialsError, NoRegionError):
            raise BucketAccessRefusedError(
                "The gateway has no AWS identity or region of its own, so it can assume no role.",
                hint="Name a secret with keys in place of the role, or ask the operator.",
            ) from None
        except BotoCoreError:
            raise SourceUnreachableError("AWS does not answer where roles are assumed.") from None
        keys = answer["Credentials"]
        return BucketKeys(
            SecretValue(keys["AccessKeyId"]), SecretValue(keys["SecretAccessKey"]), SecretValue(keys["SessionToken"])
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
            "sts", region_name=self._region, endpoint_url=self._endpoint_url, config=config
        )
