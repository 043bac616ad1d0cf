"""What the services of AWS share: a client with short time-outs, and its errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.ports.secrets import SecretAccessDeniedError, SecretNotFoundError, SecretStoreUnavailableError

# A secret that waits for its deletion answers InvalidRequestException.
_ABSENT = frozenset({"ResourceNotFoundException", "InvalidRequestException", "ParameterNotFound"})
_REFUSED = frozenset(
    {
        "AccessDeniedException",
        "AccessDenied",
        "DecryptionFailure",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ExpiredTokenException",
        "DisabledException",
    }
)
_RETRY_AFTER = 5


@dataclass(frozen=True)
class AwsOptions:
    """None leaves it to boto3: the machine's role and region."""

    region: str | None = None
    endpoint_url: str | None = None


def open_client(service: Literal["secretsmanager", "ssm", "kms"], options: AwsOptions) -> Any:
    # botocore waits 60 s and 60 s by itself: one silent endpoint would hold a worker for minutes.
    config = Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=10,
    )
    with translated():
        return boto3.session.Session().client(
            service, region_name=options.region, endpoint_url=options.endpoint_url, config=config
        )


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _ABSENT:
            raise SecretNotFoundError("The secret store has no secret of that name.") from error
        if code in _REFUSED:
            raise SecretAccessDeniedError(
                f"The secret store refused the gateway: {code}.",
                hint="The gateway's role needs permission to read this secret, and to use the key that it is encrypted with.",
            ) from error
        raise SecretStoreUnavailableError(f"The secret store failed: {code}.", retry_after=_RETRY_AFTER) from error
    except BotoCoreError as error:
        raise SecretStoreUnavailableError(
            f"The secret store does not answer: {type(error).__name__}.", retry_after=_RETRY_AFTER
        ) from error
