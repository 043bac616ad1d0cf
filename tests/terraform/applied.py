"""An example, applied: by Terraform itself, with its mocks in AWS's place. What comes out is every resource."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.terraform.command import copy_tree, terraform
from tests.terraform.provider import providers

ACCOUNT, REGION = "123456789012", "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"
NOTEBOOKS = {
    "notebook": {"project": "football", "role": "MyNotebookRole", "store": "secretsmanager", "attach": True},
    "cluster": {"project": "football", "role": "Clusters", "store": "parameterstore", "kms_key_arn": KEY},
}
MINIMAL: dict[str, Any] = {
    "name": "acme",
    "region": REGION,
    "cidr_block": "10.40.0.0/20",
    "availability_zones": ["eu-west-1a", "eu-west-1b"],
    "allowed_cidr_blocks": ["10.20.0.0/16"],
    "peers": {"sagemaker": {"vpc_id": "vpc-1", "cidr_blocks": ["10.60.0.0/16", "10.61.0.0/16"]}},
    "bucket": "acme-features",
    "certificate_arn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1",
    "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/oasthouse@sha256:0123",
    "image_repository_arn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/oasthouse",
    "notebooks": NOTEBOOKS,
    "alarm_emails": ["operators@example.com"],
}
PRODUCTION: dict[str, Any] = {
    **MINIMAL,
    "internal": True,
    "nat": True,
    "egress": {"sales database": {"cidr_block": "10.30.1.0/24", "port": 5432}},
    "warehouse_prefix": "oasthouse",
    "connector_role_arns": [f"arn:aws:iam::{ACCOUNT}:role/football-lake"],
    "project_warehouse_role_arns": ["arn:aws:iam::210987654321:role/football-warehouse"],
    "project_secrets_kms_key_arn": KEY,
    "settings": {"OAST_CONNECTORS__ALLOWED_NETWORKS": "10.30.1.0/24"},
    "secret_settings": {"OAST_SPARK__REMOTE": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:spark-AbCdEf"},
}
VALUES = {"minimal": MINIMAL, "production": PRODUCTION}
# What AWS would say, where an answer has to have a form. Everything else that only AWS knows is eight letters.
_MOCKS = f"""
mock_provider "aws" {{
  mock_data "aws_caller_identity" {{
    defaults = {{ account_id = "{ACCOUNT}" }}
  }}
  mock_data "aws_partition" {{
    defaults = {{ partition = "aws" }}
  }}
  mock_data "aws_region" {{
    defaults = {{ region = "{REGION}" }}
  }}
  mock_resource "aws_kms_key" {{
    defaults = {{ arn = "{KEY}" }}
  }}
  mock_resource "aws_db_instance" {{
    defaults = {{
      endpoint           = "acme.example.com:5432"
      master_user_secret = [{{ secret_arn = "arn:db-secret", kms_key_id = "{KEY}", secret_status = "active" }}]
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Applied:
    resources: dict[str, dict[str, Any]]
    outputs: dict[str, Any]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        return {address: values for address, values in self.resources.items() if f".{kind}." in f".{address}"}

    def containers(self) -> dict[str, dict[str, Any]]:
        tasks = self.of_type("aws_ecs_task_definition").values()
        found = [container for task in tasks for container in json.loads(task["container_definitions"])]
        return {container["name"]: container for container in found}


def apply(example: str, scratch: Path, changed: dict[str, Any] | None = None) -> Applied:
    """`changed` wins over the values for the example."""
    tree = copy_tree(scratch)
    directory = tree / "examples" / example
    values = {**VALUES[example], **(changed or {})}
    variables = "".join(f"    {name} = {json.dumps(value)}\n" for name, value in values.items())
    run = f'run "applied" {{\n  command = apply\n  variables {{\n{variables}  }}\n}}\n'
    (directory / "applied.tftest.hcl").write_text(_MOCKS + run)
    with providers() as found:
        terraform("init", "-backend=false", directory=directory, variables=found)
        printed = terraform("test", "-json", "-verbose", directory=directory, variables=found)
    messages = [json.loads(line) for line in printed.splitlines()]
    state = next(message["test_state"] for message in messages if message["type"] == "test_state")
    outputs = {name: output["value"] for name, output in state["outputs"].items()}
    return Applied(_resources(state["root_module"]), outputs)


def _resources(module: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {resource["address"]: resource["values"] for resource in module.get("resources", [])}
    for inner in module.get("child_modules", []):
        found |= _resources(inner)
    return found
