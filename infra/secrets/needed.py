"""The IAM statement that lets the gateway's role read one secret, where AWS refused it."""

import re
from typing import Any, Final

import boto3

from infra.iam import Place, read_one_parameter, read_one_secret
from infra.ports.secrets import SecretRef
from infra.secrets.aws import AwsOptions

_CALLER: Final = re.compile(r"arn:(aws[a-z-]*):(?:sts|iam)::(\d{12}):")
_KEY: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+")
_KEY_ACTIONS: Final = ["kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt", "kms:DescribeKey"]

Statement = dict[str, Any]


def needed_for_secret(ref: SecretRef, options: AwsOptions, said: str) -> Statement:
    """`said` are AWS's words: they tell who asked, and whether it was the key that the secret is encrypted with."""
    if "kms" in said.lower() or "DecryptionFailure" in said:
        key = _KEY.search(said)
        return _allow("kms:Decrypt", key[0] if key else "<ARN of the KMS key>")
    if ref.name.startswith("arn:"):
        return _allow("secretsmanager:GetSecretValue", ref.name)
    place = _place(options, said)
    document = read_one_secret(place, ref.name) if ref.scheme == "aws-sm" else read_one_parameter(place, ref.name)
    return dict(document["Statement"][0])


def needed_for_key(key: str, options: AwsOptions) -> Statement:
    """Policies know keys by their ARN alone."""
    if key.startswith("arn:"):
        return _allow(_KEY_ACTIONS, key)
    return _allow(_KEY_ACTIONS, f"<ARN of the KMS key {key} in {_region(options)}>")


def _place(options: AwsOptions, said: str) -> Place:
    caller = _CALLER.search(said)
    partition, account = (caller[1], caller[2]) if caller else ("aws", "<account>")
    return Place(account, _region(options), partition)


def _region(options: AwsOptions) -> str:
    return options.region or boto3.session.Session().region_name or "<region>"


def _allow(action: str | list[str], resource: str) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource}
