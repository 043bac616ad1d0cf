"""What the two AWS stores have in common: clients, the role, and botocore's errors in our words."""

from __future__ import annotations

import functools
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Optional, Tuple, Union

from hops.featurestore.api_key import ApiKey
from hops.featurestore.credentials.errors import (
    AwsCredentialsMissingError,
    SecretAccessDeniedError,
    SecretDecryptDeniedError,
    SecretNotFoundError,
    SecretStoreUnavailableError,
    iam_statement,
)
from hops.featurestore.credentials.found import FoundKey
from hops.featurestore.errors import ApiKeyError
from hops.featurestore.extras import require
from hops.featurestore.roles import AssumedRole, parse_assumed_role

_ABSENT = frozenset({"ResourceNotFoundException", "ParameterNotFound"})
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_KMS = frozenset({"DecryptionFailure", "InvalidKeyId"})
_KMS_WORDS = ("kms", "ciphertext")
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
    }
)


@dataclass(frozen=True)
class Target:
    """One secret: who asks, where, under which name, and by which action."""

    store: str
    action: str
    arn: str
    name: str


@dataclass(frozen=True)
class Aws:
    """Clients of one region. boto3's own settings apply, its endpoint variables among them; time-outs are ours."""

    region: Optional[str]

    def client(self, service: str) -> Any:
        boto3, config = require("boto3"), require("botocore.config")
        limits = config.Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})
        client, failure = _botocore(lambda: _session(boto3).client(service, region_name=self.region, config=limits))
        if failure is not None:
            raise _setup_error(failure)
        return client

    def role(self) -> AssumedRole:
        client = self.client("sts")
        answer, failure = _botocore(client.get_caller_identity)
        if failure is not None:
            raise _setup_error(failure)
        return parse_assumed_role(answer["Arn"])


def read_first(targets: Tuple[Target, ...], read: Callable[[Target], Union[ApiKey, ApiKeyError]]) -> FoundKey:
    """The key in the first secret that exists. Only absence leads on: a refusal or an outage must not change the key.

    `read` returns an error about the content instead of raising it, because a traceback through the frame that has the
    secret in hand can show it.
    """
    for target in targets:
        with unlogged("botocore.parsers"):
            content, failure = _botocore(functools.partial(read, target))
        error = content if failure is None else _secret_error(failure, target)
        if isinstance(error, ApiKey):
            return FoundKey(error, target.store, target.name)
        if not isinstance(error, SecretNotFoundError):
            raise error
    tried = "\n".join(f"  - {target.name}" for target in targets)
    raise SecretNotFoundError(
        f"{targets[0].store} has no secret for this role. Tried:\n{tried}",
        hint="Ask a data owner of the project to store the key under the first name, in the region that connect() was given.",
    )


def aws_session(region: Optional[str]) -> Any:
    boto3 = require("boto3")
    session, failure = _botocore(lambda: boto3.session.Session(region_name=region))
    if failure is not None:
        raise _setup_error(failure)
    return session


def frozen_credentials(session: Any) -> Any:
    """As they are now: boto3 refreshes those of a role by itself. Raises AwsCredentialsMissingError."""
    found, failure = _botocore(session.get_credentials)
    if failure is None and found is not None:
        found, failure = _botocore(found.get_frozen_credentials)
    if failure is not None:
        raise _setup_error(failure)
    if found is None:
        raise AwsCredentialsMissingError(
            "boto3 found no usable AWS credentials.",
            hint='Run under an IAM role, or use secrets_store="local" with api_key_file.',
        )
    return found


def _session(boto3: Any) -> Any:
    """Asks STS in the region, as newer boto3 does by itself: a VPC without a way out has no endpoint for that of all regions."""
    core, name = require("botocore.session").get_session(), "sts_regional_endpoints"
    if not os.environ.get(f"AWS_{name.upper()}") and name not in core.get_scoped_config():
        core.set_config_variable(name, "regional")
    return boto3.session.Session(botocore_session=core)


def _botocore(call: Callable[[], Any]) -> Tuple[Any, Optional[Exception]]:
    """(answer, None) or (None, failure): raised by the caller, so that no frame that held a secret hangs on it."""
    exceptions = require("botocore.exceptions")
    try:
        return call(), None
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        return None, error


def _setup_error(failure: Exception) -> ApiKeyError:
    kind = type(failure).__name__
    if kind in {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"}:
        return AwsCredentialsMissingError(
            f"boto3 found no usable AWS credentials: {failure}",
            hint='Run under an IAM role, or use secrets_store="local" with api_key_file.',
        )
    if kind == "NoRegionError":
        return AwsCredentialsMissingError(
            "boto3 found no AWS region.", hint='Give connect(region_name="eu-west-1"), say, or set AWS_DEFAULT_REGION.'
        )
    if _code(failure) in _BAD_CREDENTIALS:
        return AwsCredentialsMissingError(f"AWS refused the credentials that boto3 found: {failure}")
    return SecretStoreUnavailableError(f"AWS does not answer: {failure}")


def _secret_error(failure: Exception, target: Target) -> ApiKeyError:
    code, message = _code(failure), str(failure).lower()
    if code in _ABSENT:
        return SecretNotFoundError(f"{target.store} has no {target.name}.")
    if code in _KMS or (code in _DENIED and any(word in message for word in _KMS_WORDS)):
        return SecretDecryptDeniedError(
            f"{target.store} may not decrypt {target.name} for this role: {failure}",
            hint="Allow the role the KMS key it is encrypted with, in its policy and in the key's own:\n"
            + iam_statement("kms:Decrypt", "<ARN of the KMS key>"),
        )
    if code in _DENIED:
        return SecretAccessDeniedError(
            f"This role may not read {target.name} from {target.store}.",
            hint="Add this statement to the role's policy:\n" + iam_statement(target.action, target.arn),
        )
    return _setup_error(failure)


def _code(failure: Exception) -> str:
    response = getattr(failure, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def unlogged(logger: str) -> Iterator[None]:
    """At level DEBUG botocore logs whole answers, and all that it signs; this one is secret."""
    parsers = logging.getLogger(logger)

    def refuse(record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG

    parsers.addFilter(refuse)
    try:
        yield
    finally:
        parsers.removeFilter(refuse)
