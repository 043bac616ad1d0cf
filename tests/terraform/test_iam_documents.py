"""What roles may do is written once in Python and once in Terraform, and printed on pages and in hints: always the same."""

import json
import shutil
from fnmatch import fnmatchcase
from typing import Any

import pytest

from hops.featurestore.credentials.errors import iam_statement
from infra import iam
from tests.docs.pages import codes, fences, read, table
from tests.terraform.applied import ACCOUNT, KEY, NOTEBOOKS, REGION, Applied
from tests.terraform.command import ROOT, terraform

PLACE = iam.Place(ACCOUNT, REGION)
GATEWAY = f"arn:aws:iam::{ACCOUNT}:role/acme-gateway"
VENDING = f"arn:aws:iam::{ACCOUNT}:role/acme-vending"
LAKE = f"arn:aws:iam::{ACCOUNT}:role/football-lake"
OWN = "arn:aws:iam::210987654321:role/football-warehouse"
OWN_KEY = f"arn:aws:kms:{REGION}:210987654321:key/5678efab"
CHINA = iam.Place("210987654321", "cn-north-1", "aws-cn")
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "everything": {
        "warehouse_prefix": "oasthouse",
        "warehouse_kms_key_arn": KEY,
        "secrets_kms_key_arn": f"{KEY}-of-projects",
        "vending_role_arn": VENDING,
        "connector_role_arns": [LAKE, f"{LAKE}-2"],
        "project_warehouse_role_arns": [OWN],
        "notebooks": {name: {k: v for k, v in of.items() if k != "attach"} for name, of in NOTEBOOKS.items()},
    },
    "deep-prefix": {"warehouse_prefix": "data/features", "warehouse_kms_key_arn": KEY},
    "china": {"place": CHINA, "warehouse_prefix": "oasthouse", "warehouse_kms_key_arn": KEY},
}


@pytest.fixture(scope="session")
def of_terraform(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All cases at once. The module needs no provider and so can be applied anywhere."""
    scratch = tmp_path_factory.mktemp("iam")
    shutil.copytree(ROOT / "terraform/modules/iam/documents", scratch / "documents")
    modules = {name: {"source": "./documents", **_given(case)} for name, case in CASES.items()}
    outputs = {name: {"value": f"${{module.{name}}}"} for name in CASES}
    (scratch / "main.tf.json").write_text(json.dumps({"module": modules, "output": outputs}))
    terraform("init", directory=scratch)
    terraform("apply", "-auto-approve", directory=scratch)
    printed = json.loads(terraform("output", "-json", directory=scratch))
    return {name: output["value"] for name, output in printed.items()}


def _given(case: dict[str, Any]) -> dict[str, Any]:
    place = case.get("place", PLACE)
    return {
        "partition": place.partition,
        "account_id": place.account,
        "region": place.region,
        "warehouse_bucket": "acme-features",
        "warehouse_prefix": "",
        "secrets_prefix": "oasthouse/",
        "gateway_role_arn": GATEWAY,
        **{name: value for name, value in case.items() if name != "place"},
    }


def _of_the_code(case: dict[str, Any]) -> dict[str, Any]:
    place = case.get("place", PLACE)
    key = case.get("warehouse_kms_key_arn")
    warehouse = iam.WarehouseBucket(place, "acme-features", case.get("warehouse_prefix", ""), key)
    return {
        "gateway": iam.gateway_role(
            warehouse,
            secrets_prefix="oasthouse/",
            secrets_kms_key_arn=case.get("secrets_kms_key_arn"),
            vending_role_arn=case.get("vending_role_arn"),
            connector_role_arns=case.get("connector_role_arns", ()),
            project_warehouse_role_arns=case.get("project_warehouse_role_arns", ()),
        ),
        "gateway_trust": iam.gateway_trust(place),
        "vending": iam.vending_role(warehouse),
        "vending_boundary": iam.vending_boundary(warehouse),
        "vending_trust": iam.vending_trust(GATEWAY),
        "notebooks": {name: _of_notebook(place, of) for name, of in case.get("notebooks", {}).items()},
    }


def _of_notebook(place: iam.Place, notebook: dict[str, Any]) -> iam.Document:
    project, role, key = notebook["project"], notebook["role"], notebook.get("kms_key_arn")
    if notebook["store"] == "secretsmanager":
        return iam.read_one_secret(place, iam.key_secret_name(project, role), key)
    return iam.read_one_parameter(place, iam.key_parameter_path(project, role), key)


@pytest.mark.parametrize("case", list(CASES))
def test_terraform_and_the_code_write_the_same_documents(of_terraform: dict[str, Any], case: str) -> None:
    assert of_terraform[case] == _of_the_code(CASES[case])


def test_the_key_is_used_through_s3_as_it_may_be_called_there(of_terraform: dict[str, Any]) -> None:
    """A condition on another name lets nothing through: no object could be read."""
    names = ["s3.cn-north-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn"]
    for case, service in (("deep-prefix", f"s3.{REGION}.amazonaws.com"), ("china", names)):
        for role in ("gateway", "vending", "vending_boundary"):
            found = [each.get("Condition", {}).get("StringEquals") for each in of_terraform[case][role]["Statement"]]
            assert {"kms:ViaService": service} in found, (case, role)


def test_roles_are_given_these_documents(production: Applied) -> None:
    bucket = production.resources["module.buckets.aws_s3_bucket.warehouse"]["id"]
    warehouse = iam.WarehouseBucket(PLACE, bucket, "oasthouse", KEY)
    given = production.resources
    role = given["module.iam.aws_iam_role.gateway"]["arn"]
    expected = {
        "module.iam.aws_iam_role_policy.gateway": iam.gateway_role(
            warehouse,
            secrets_prefix="oasthouse/",
            secrets_kms_key_arn=KEY,
            vending_role_arn=VENDING,
            connector_role_arns=[LAKE],
            project_warehouse_role_arns=[OWN],
        ),
        "module.iam.aws_iam_role_policy.vending": iam.vending_role(warehouse),
        "module.iam.aws_iam_policy.vending_boundary": iam.vending_boundary(warehouse),
        **{
            f'module.iam.aws_iam_policy.notebook["{name}"]': _of_notebook(PLACE, notebook)
            for name, notebook in NOTEBOOKS.items()
        },
    }
    assert {name: json.loads(given[name]["policy"]) for name in expected} == expected
    assert json.loads(given["module.iam.aws_iam_role.vending"]["assume_role_policy"]) == iam.vending_trust(role)
    assert given["module.iam.aws_iam_role.vending"]["name"] == VENDING.rpartition("/")[2]
    boundary = given["module.iam.aws_iam_policy.vending_boundary"]["arn"]
    assert given["module.iam.aws_iam_role.vending"]["permissions_boundary"] == boundary
    for name in ("gateway", "execution", "setup"):
        trust = json.loads(given[f"module.iam.aws_iam_role.{name}"]["assume_role_policy"])
        assert trust == iam.gateway_trust(PLACE), name


def test_the_sdk_asks_for_what_the_documents_give() -> None:
    """The hint of a refused notebook is the first statement of its role's document, and the key's hint the second."""
    for document, action in (
        (iam.read_one_secret(PLACE, iam.key_secret_name("football", "Mine"), KEY), "secretsmanager:GetSecretValue"),
        (iam.read_one_parameter(PLACE, iam.key_parameter_path("football", "Mine"), KEY), "ssm:GetParameter"),
    ):
        of_store, of_key = document["Statement"]
        assert json.loads(iam_statement(action, of_store["Resource"])) == of_store
        assert json.loads(iam_statement("kms:Decrypt", KEY)) == of_key


def test_the_readme_prints_these_statements() -> None:
    name, path = iam.key_secret_name("football", "MyNotebookRole"), iam.key_parameter_path("football", "MyNotebookRole")
    documents = iam.read_one_secret(PLACE, name), iam.read_one_parameter(PLACE, path)
    printed = [json.loads(block) for block in fences(read("README.md"), "json")]
    assert [[statement] for statement in printed] == [document["Statement"] for document in documents]


def test_the_page_prints_these_documents() -> None:
    warehouse = iam.WarehouseBucket(PLACE, "acme-features", "oasthouse", KEY)
    expected = [
        iam.gateway_role(warehouse, secrets_prefix="oasthouse/", vending_role_arn=VENDING, connector_role_arns=[LAKE]),
        iam.gateway_trust(PLACE),
        iam.vending_role(warehouse),
        iam.vending_trust(GATEWAY),
        iam.vending_boundary(warehouse),
        iam.read_one_secret(PLACE, iam.key_secret_name("football", "MyNotebookRole")),
        iam.read_one_parameter(PLACE, iam.key_parameter_path("football", "MyNotebookRole")),
    ]
    printed = [json.loads(block) for block in fences(read("docs/aws.md"), "json")]
    assert printed == expected


def test_the_page_about_warehouses_prints_these_documents() -> None:
    own = iam.WarehouseBucket(iam.Place("210987654321", REGION), "football-features", "features", OWN_KEY)
    expected = [iam.project_warehouse_role(own), iam.project_warehouse_trust(GATEWAY, "football-7f3a91c2")]
    assert [json.loads(block) for block in fences(read("docs/warehouses.md"), "json")] == expected


def test_the_page_about_serving_lists_what_the_gateway_needs_of_the_bucket() -> None:
    rows = table("docs/serving.md", "Warehouse on S3")
    statements = iam.gateway_role(iam.WarehouseBucket(PLACE, "acme-features"), secrets_prefix="oasthouse/")["Statement"]
    of_s3 = [statement["Action"] for statement in statements if ":s3:" in str(statement["Resource"])]
    assert [codes(row["Action"]) for row in rows] == [[of_s3[0]], of_s3[1]]


def _allows(document: iam.Document, action: str, resource: str) -> bool:
    """IAM's own rule: an explicit Deny wins, then an Allow, then nothing. Conditions are left out."""
    matching = [statement for statement in document["Statement"] if _matches(statement, action, resource)]
    return bool(matching) and all(statement["Effect"] == "Allow" for statement in matching)


def _matches(statement: iam.Statement, action: str, resource: str) -> bool:
    is_action = _is_any(action, statement.get("Action", statement.get("NotAction"))) == ("Action" in statement)
    named = statement.get("Resource", statement.get("NotResource"))
    return is_action and _is_any(resource, named) == ("Resource" in statement)


def _is_any(value: str, patterns: str | list[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in ([patterns] if isinstance(patterns, str) else patterns))


BUCKET = "arn:aws:s3:::acme-features"


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("s3:GetObject", f"{BUCKET}/oasthouse/p/t/part.parquet", True),
        ("s3:GetObject", f"{BUCKET}/oasthouse/p/t/_delta_log/0.json", True),
        ("s3:PutObject", f"{BUCKET}/oasthouse/p/t/data/part.parquet", False),
        ("s3:PutObject", f"{BUCKET}/oasthouse/p/t/_delta_log/0.json", False),
        ("s3:PutObject", f"{BUCKET}/oasthouse/p/staged-0f/00000.parquet", True),
        ("s3:AbortMultipartUpload", f"{BUCKET}/oasthouse/p/staged-0f/00000.parquet", True),
        ("s3:DeleteObject", f"{BUCKET}/oasthouse/p/staged-0f/00000.parquet", False),
        ("s3:PutObject", f"{BUCKET}/elsewhere/p/staged-0f/00000.parquet", False),
        ("s3:DeleteObject", f"{BUCKET}/oasthouse/p/t/part.parquet", False),
        ("s3:GetObject", f"{BUCKET}/elsewhere/x", False),
        ("s3:GetObject", f"{BUCKET}/oasthouse2/x", False),
        ("s3:GetObject", "arn:aws:s3:::acme-features2/oasthouse/x", False),
        ("s3:ListBucket", BUCKET, True),
        ("s3:ListBucket", "arn:aws:s3:::another", False),
        ("s3:ListAllMyBuckets", "*", False),
        ("kms:Decrypt", KEY, True),
        ("kms:GenerateDataKey", KEY, True),
        ("kms:Encrypt", KEY, False),
        ("sts:AssumeRole", GATEWAY, False),
        ("secretsmanager:GetSecretValue", PLACE.secret_arn("oasthouse/football/x"), False),
    ],
    ids=lambda value: str(value).removeprefix("arn:aws:s3:::"),
)
def test_what_a_vended_credential_can_do_at_most(action: str, resource: str, allowed: bool) -> None:
    warehouse = iam.WarehouseBucket(PLACE, "acme-features", "oasthouse", KEY)
    role, boundary = iam.vending_role(warehouse), iam.vending_boundary(warehouse)
    assert (_allows(role, action, resource) and _allows(boundary, action, resource)) is allowed
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    assert _allows(wide, action, resource)
    assert _allows(boundary, action, resource) is allowed, "the boundary holds whatever the role is given"


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("s3:PutObject", f"{BUCKET}/oasthouse/p/t/_delta_log/0.json", True),
        ("s3:DeleteObject", f"{BUCKET}/elsewhere/x", False),
        ("s3:DeleteBucket", BUCKET, False),
        ("s3:PutBucketPolicy", BUCKET, False),
        ("secretsmanager:GetSecretValue", PLACE.secret_arn("oasthouse/football/sales"), True),
        ("secretsmanager:GetSecretValue", PLACE.secret_arn("acme-gateway/pepper"), False),
        ("secretsmanager:GetSecretValue", PLACE.secret_arn("oasthouse-gateway/pepper"), False),
        ("secretsmanager:GetSecretValue", PLACE.secret_arn("hopsworks/project/football/role/Mine"), False),
        ("secretsmanager:PutSecretValue", PLACE.secret_arn("oasthouse/football/sales"), False),
        ("ssm:GetParameter", PLACE.parameter_arn("/oasthouse/football/sales"), True),
        ("sts:AssumeRole", VENDING, True),
        ("sts:AssumeRole", GATEWAY, False),
        ("iam:PassRole", VENDING, False),
    ],
    ids=lambda value: str(value).removeprefix("arn:aws:"),
)
def test_what_the_gateway_can_do(action: str, resource: str, allowed: bool) -> None:
    warehouse = iam.WarehouseBucket(PLACE, "acme-features", "oasthouse", KEY)
    document = iam.gateway_role(warehouse, secrets_prefix="oasthouse/", vending_role_arn=VENDING)
    assert _allows(document, action, resource) is allowed
