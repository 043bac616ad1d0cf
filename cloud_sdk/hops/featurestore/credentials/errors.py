"""Why there is no usable key: one class per cause, each saying what to do."""

from __future__ import annotations

import json

from hops.featurestore.errors import ApiKeyError


class ApiKeyFileError(ApiKeyError):
    """`api_key_file` is missing, unreadable or empty."""

    code = "api-key-file"


class AwsCredentialsMissingError(ApiKeyError):
    """boto3 found no credentials, or no region."""

    code = "aws-credentials-missing"


class AwsRoleNotFoundError(ApiKeyError):
    """The AWS identity is not an assumed role, so no secret belongs to it."""

    code = "aws-role-not-found"


class DatabricksNotFoundError(ApiKeyError):
    """It is not Databricks, or no part of it that may read secrets."""

    code = "databricks-not-found"


class ApiKeyNotFoundError(ApiKeyError):
    """Every place was searched, and none has a key; says what each of them answered."""

    code = "api-key-not-found"


class SecretNotFoundError(ApiKeyError):
    """The secret store answers, but has no secret of these names."""

    code = "secret-not-found"


class SecretAccessDeniedError(ApiKeyError):
    """The role may not read the secret. The hint is the IAM statement that lets it."""

    code = "secret-access-denied"


class SecretDecryptDeniedError(ApiKeyError):
    """The role may read the secret but not use the KMS key it is encrypted with."""

    code = "secret-decrypt-denied"


class SecretContentError(ApiKeyError):
    """The secret was read, but there is no key in it."""

    code = "secret-content"


class SecretStoreUnavailableError(ApiKeyError):
    """AWS did not answer, or with an error that is none of the above."""

    code = "secret-store-unavailable"
    retryable = True


def iam_statement(action: str, resource: str) -> str:
    """The least a role needs, ready to be pasted into its policy."""
    return json.dumps({"Effect": "Allow", "Action": action, "Resource": resource}, indent=2)
