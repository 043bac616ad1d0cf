"""What the roles of an installation on AWS may do: IAM documents as dicts, made of values and of nothing else.

`terraform/modules/iam/documents` builds the same in Terraform; docs/aws.md and the SDK's hints print them. A test
compares all four.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

Statement = dict[str, Any]
Document = dict[str, Any]

_WAREHOUSE: Final = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
_STAGED: Final = ["s3:PutObject", "s3:AbortMultipartUpload"]
_VENDED: Final = ["s3:GetObject", "s3:ListBucket", *_STAGED, "kms:Decrypt", "kms:GenerateDataKey"]
# With a source identity, so that CloudTrail names project and key wherever a credential is used.
_ASSUME: Final = ["sts:AssumeRole", "sts:SetSourceIdentity"]
# In China AWS uses the one or the other, by service; nothing but S3 has such a name under either.
_DOMAINS: Final = {"aws-cn": ("amazonaws.com", "amazonaws.com.cn")}


@dataclass(frozen=True)
class Place:
    """An account and a region of it. `partition` is `aws-cn` or `aws-us-gov` in those parts of AWS."""

    account: str
    region: str
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def service_names(self, service: str) -> str | list[str]:
        """As a condition takes them."""
        first, *others = (
            f"{service}.{self.region}.{each}" for each in _DOMAINS.get(self.partition, ("amazonaws.com",))
        )
        return [first, *others] if others else first

    def secret_arn(self, name: str) -> str:
        # AWS ends a secret's ARN with a hyphen and six characters of its own.
        return self.arn("secretsmanager", f"secret:{name}-??????")

    def parameter_arn(self, path: str) -> str:
        return self.arn("ssm", f"parameter{path}")


@dataclass(frozen=True)
class WarehouseBucket:
    """The bucket, and the prefix below which everything lies: without slashes at its ends, empty for the whole bucket."""

    place: Place
    bucket: str
    prefix: str = ""
    kms_key_arn: str | None = None

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.place.partition}:s3:::{self.bucket}"

    @property
    def objects_arn(self) -> str:
        return f"{self.bucket_arn}/{self.prefix}/*" if self.prefix else f"{self.bucket_arn}/*"

    @property
    def staged_arn(self) -> str:
        """Places of inserts, as the gateway names them. No table has such a name, nor a part of one."""
        return f"{self.objects_arn}/staged-*"

    def key_statements(self, actions: str | list[str]) -> list[Statement]:
        """The key through S3 only: who holds the role cannot decrypt anything else with it."""
        if self.kms_key_arn is None:
            return []
        through = {"StringEquals": {"kms:ViaService": self.place.service_names("s3")}}
        return [{**_allow(actions, self.kms_key_arn), "Condition": through}]


def partition_of(region: str) -> str:
    return next((f"aws-{part}" for part in ("cn", "us-gov") if region.startswith(f"{part}-")), "aws")


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


def gateway_role(
    warehouse: WarehouseBucket,
    *,
    secrets_prefix: str,
    secrets_kms_key_arn: str | None = None,
    vending_role_arn: str | None = None,
    connector_role_arns: Sequence[str] = (),
    project_warehouse_role_arns: Sequence[str] = (),
) -> Document:
    """What gateway and workers may do. `secrets_prefix` is the part of OAST_SECRETS__PREFIX before the project's name."""
    place = warehouse.place
    statements = [
        # Without a condition on the prefix: with one, S3 answers 403 in place of 404 for an object that is not there.
        _allow("s3:ListBucket", warehouse.bucket_arn),
        _allow(_WAREHOUSE, warehouse.objects_arn),
        *warehouse.key_statements(["kms:Decrypt", "kms:GenerateDataKey"]),
        _allow("secretsmanager:GetSecretValue", place.arn("secretsmanager", f"secret:{secrets_prefix}*")),
        _allow("ssm:GetParameter", place.parameter_arn(f"/{secrets_prefix}*")),
        *_decrypt(secrets_kms_key_arn),
    ]
    if vending_role_arn is not None:
        statements.append(_allow(_ASSUME, vending_role_arn))
    of_projects = (connector_role_arns, project_warehouse_role_arns)
    statements += [_allow("sts:AssumeRole", list(arns)) for arns in of_projects if arns]
    return _document(*statements)


def gateway_trust(place: Place) -> Document:
    """ECS starts tasks in the role, for clusters of this account and region only."""
    trusted = _trust({"Service": "ecs-tasks.amazonaws.com"}, "sts:AssumeRole")
    condition = {
        "StringEquals": {"aws:SourceAccount": place.account},
        "ArnLike": {"aws:SourceArn": place.arn("ecs", "*")},
    }
    return _document({**trusted, "Condition": condition})


def vending_role(warehouse: WarehouseBucket) -> Document:
    """The most that a credential can hold which the gateway hands out: reading, and putting rows where there is never a table.

    Each is cut down to its tables, or to the place of its insert, besides.
    """
    listed = _allow("s3:ListBucket", warehouse.bucket_arn)
    if warehouse.prefix:
        listed["Condition"] = {"StringLike": {"s3:prefix": [f"{warehouse.prefix}/*"]}}
    read = _allow("s3:GetObject", warehouse.objects_arn)
    stage = _allow(_STAGED, warehouse.staged_arn)
    return _document(listed, read, stage, *warehouse.key_statements(["kms:Decrypt", "kms:GenerateDataKey"]))


def vending_boundary(warehouse: WarehouseBucket) -> Document:
    """Whatever is added to the vending role later, and whatever a bucket's own policy says: no more than that."""
    writing = {"Effect": "Deny", "NotAction": _VENDED, "Resource": "*"}
    elsewhere = {"Effect": "Deny", "Action": "s3:*", "NotResource": [warehouse.bucket_arn, warehouse.objects_arn]}
    tables = {"Effect": "Deny", "Action": _STAGED, "NotResource": warehouse.staged_arn}
    return _document(*vending_role(warehouse)["Statement"], writing, elsewhere, tables)


def vending_trust(gateway_role_arn: str) -> Document:
    """The gateway's own role assumes it, and nobody else."""
    return _document(_trust({"AWS": gateway_role_arn}, _ASSUME))


def project_warehouse_role(warehouse: WarehouseBucket) -> Document:
    """What the role of a project's own warehouse may do: with the bucket of that project what the gateway does with its own."""
    return _document(
        _allow("s3:ListBucket", warehouse.bucket_arn),
        _allow(_WAREHOUSE, warehouse.objects_arn),
        *warehouse.key_statements(["kms:Decrypt", "kms:GenerateDataKey"]),
    )


def project_warehouse_trust(gateway_role_arn: str, external_id: str) -> Document:
    """The gateway comes in on behalf of this project only."""
    condition = {"StringEquals": {"sts:ExternalId": external_id}}
    return _document({**_trust({"AWS": gateway_role_arn}, "sts:AssumeRole"), "Condition": condition})


def _document(*statements: Statement) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(action: str | list[str], resource: str | list[str]) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def _trust(principal: dict[str, str], action: str | list[str]) -> Statement:
    return {"Effect": "Allow", "Principal": principal, "Action": action}


def _decrypt(kms_key_arn: str | None) -> list[Statement]:
    return [] if kms_key_arn is None else [_allow("kms:Decrypt", kms_key_arn)]
