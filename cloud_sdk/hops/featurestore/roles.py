"""Which IAM role this code runs as."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hops.featurestore.credentials.errors import AwsRoleNotFoundError

# The session part may hold whatever the service put there (Studio user names, job names); only its presence matters.
_ASSUMED_ROLE = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sts::(?P<account>\d{12}):assumed-role/(?P<role>[\w+=,.@-]{1,64})/.+", re.DOTALL
)


@dataclass(frozen=True)
class AssumedRole:
    partition: str
    account: str
    name: str


def parse_assumed_role(arn: str) -> AssumedRole:
    """From the ARN that sts:GetCallerIdentity gives. Raises AwsRoleNotFoundError for users, root and federated users."""
    found = _ASSUMED_ROLE.fullmatch(arn)
    if found is None:
        raise AwsRoleNotFoundError(
            f"This code runs as {arn}, which is not an assumed IAM role; the API key is kept per role.",
            hint="Run it under a role (SageMaker execution role, Databricks instance profile, or sts:AssumeRole), "
            'or use secrets_store="local" with api_key_file.',
        )
    return AssumedRole(found["partition"], found["account"], found["role"])
