"""What roles on AWS may do: IAM documents as dicts, made of values and of nothing else."""

from dataclasses import dataclass
from typing import Any

Statement = dict[str, Any]
Document = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """An account and a region of it. `partition` is `aws-cn` or `aws-us-gov` in those parts of AWS."""

    account: str
    region: str
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def secret_arn(self, name: str) -> str:
        # AWS ends a secret's ARN with a hyphen and six characters of its own.
        return self.arn("secretsmanager", f"secret:{name}-??????")

    def parameter_arn(self, path: str) -> str:
        return self.arn("ssm", f"parameter{path}")


def key_secret_name(project: str, role: str) -> str:
    """Where a notebook's role finds its API key in Secrets Manager."""
    return f"hopsworks/project/{project}/role/{role}"


def key_parameter_path(project: str, role: str) -> str:
    """The same in Parameter Store."""
    return f"/hopsworks/project/{project}/role/{role}/type/api-key"


def read_one_secret(place: Place, name: str, kms_key_arn: str | None = None) -> Document:
    """For the role of a SageMaker notebook: its one secret, and the key if it is a customer's own."""
    return _document(_allow("secretsmanager:GetSecretValue", place.secret_arn(name)), *_decrypt(kms_key_arn))


def read_one_parameter(place: Place, path: str, kms_key_arn: str | None = None) -> Document:
    """For the instance profile of a Databricks cluster."""
    return _document(_allow("ssm:GetParameter", place.parameter_arn(path)), *_decrypt(kms_key_arn))


def _document(*statements: Statement) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(action: str | list[str], resource: str | list[str]) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def _decrypt(kms_key_arn: str | None) -> list[Statement]:
    return [] if kms_key_arn is None else [_allow("kms:Decrypt", kms_key_arn)]
