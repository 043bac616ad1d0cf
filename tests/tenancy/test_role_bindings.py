"""Binding roles over the API and on the command line: who may, what of, and what is refused."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tenancy.principals import Role
from tenancy.role_bindings.arns import AssumedRole, RoleName, find_assumed_role, parse_role_arn
from tenancy.role_bindings.errors import RoleArnNotValidError
from tenancy.scopes import Scope
from tests.world import ALL_SCOPES, World

PATH = "/projects/football/role-bindings"
ARN = "arn:aws:iam::123456789012:role/Notebooks"
UNIQUE_ID = "AROA" + "A1B2C3D4E5F6G7H8I"


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    world.member("football", "sam", Role.DATA_SCIENTIST)
    return world


def test_a_data_owner_binds_lists_and_unbinds(football: World) -> None:
    key = football.key("football")
    made = football.call("POST", PATH, key, json={"role_arn": ARN})
    assert made.status_code == 201
    assert {name: made.json[name] for name in ("role_arn", "member", "role", "scopes", "role_unique_id", "state")} == {
        "role_arn": ARN,
        "member": "ada",
        "role": "data_scientist",
        "scopes": ["featurestore", "project:read"],
        "role_unique_id": None,
        "state": "active",
    }
    assert football.call("GET", PATH, key).json["items"] == [made.json]
    one = f"{PATH}/{made.json['id']}"
    assert football.call("DELETE", one, key).status_code == 204
    assert football.call("GET", PATH, key).json["items"] == []
    assert football.call("DELETE", one, key).json["code"] == "role-binding-not-found"


def test_others_do_not(football: World) -> None:
    made = football.call("POST", PATH, football.key("football"), json={"role_arn": ARN}).json
    sams = football.key("football", "sam")
    narrow = football.key("football", scopes=(Scope.FEATURESTORE, Scope.PROJECT))
    for method, path, options in (
        ("GET", PATH, {}),
        ("POST", PATH, {"json": {"role_arn": ARN + "2"}}),
        ("DELETE", f"{PATH}/{made['id']}", {}),
    ):
        assert football.call(method, path, sams, **options).json["code"] == "role-too-low"
        assert football.call(method, path, narrow, **options).json["code"] == "scope-missing"


def test_an_operator_says_for_whom(football: World) -> None:
    key = football.container.api_keys.create_operator_key(football.operator, "operator").key.reveal()
    assert football.call("POST", PATH, key, json={"role_arn": ARN}).status_code == 422
    made = football.call("POST", PATH, key, json={"role_arn": ARN, "member": "sam", "role_unique_id": UNIQUE_ID})
    assert (made.json["member"], made.json["created_by"], made.json["role_unique_id"]) == ("sam", "operator", UNIQUE_ID)
    assert football.call("GET", PATH, key).json["items"] == [made.json]


def test_a_role_is_bound_to_a_project_once(football: World) -> None:
    key = football.key("football")
    football.project("venues")
    assert football.call("POST", PATH, key, json={"role_arn": ARN}).status_code == 201
    for arn in (
        ARN,
        ARN.replace("role/", "role/service-role/"),
        "arn:aws:sts::123456789012:assumed-role/Notebooks/ada",
    ):
        again = football.call("POST", PATH, key, json={"role_arn": arn})
        assert (again.status_code, again.json["code"]) == (409, "role-binding-exists")
    elsewhere = football.call("POST", "/projects/venues/role-bindings", football.key("venues"), json={"role_arn": ARN})
    assert elsewhere.status_code == 201


def test_a_binding_has_no_scope_that_its_maker_lacks(football: World) -> None:
    narrow = football.key("football", scopes=(Scope.KEYS_MANAGE, Scope.FEATURESTORE_READ))
    wide = football.call("POST", PATH, narrow, json={"role_arn": ARN})
    assert (wide.status_code, wide.json["code"]) == (403, "key-wider-than-caller")
    same = football.call("POST", PATH, narrow, json={"role_arn": ARN, "scopes": ["featurestore:read"]})
    assert same.json["scopes"] == ["featurestore:read"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid-input"),
        ({"role_arn": "Notebooks"}, 422, "role-arn-not-valid"),
        ({"role_arn": ARN, "scopes": []}, 422, "invalid-input"),
        ({"role_arn": ARN, "scopes": ["keys:manage"]}, 422, "invalid-input"),
        ({"role_arn": ARN, "scopes": ["operator"]}, 422, "invalid-input"),
        ({"role_arn": ARN, "role": "owner"}, 422, "invalid-input"),
        ({"role_arn": ARN, "member": "nobody"}, 404, "member-not-found"),
        ({"role_arn": ARN, "role_unique_id": "AIDA" + "A" * 17}, 422, "role-unique-id-not-valid"),
        ({"role_arn": ARN, "role_unique_id": ""}, 422, "role-unique-id-not-valid"),
        ({"role_arn": ARN, "account": "*"}, 422, "invalid-input"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_makes_no_sense_is_refused(football: World, body: dict[str, object], status: int, code: str) -> None:
    answer = football.call("POST", PATH, football.key("football"), json=body)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_a_binding_is_void_without_its_member(football: World) -> None:
    key = football.key("football", scopes=ALL_SCOPES)
    football.call("POST", PATH, key, json={"role_arn": ARN, "member": "sam"})
    football.container.members.remove(football.operator, "football", "sam")
    assert football.call("GET", PATH, key).json["items"][0]["state"] == "void"


def test_changes_are_recorded(football: World) -> None:
    key = football.key("football")
    made = football.call("POST", PATH, key, json={"role_arn": ARN}).json
    football.call("DELETE", f"{PATH}/{made['id']}", key)
    with football.container.database.engine.connect() as connection:
        rows = connection.execute(
            text("select action, actor, detail from audit_event where subject = :id"), {"id": made["id"]}
        )
        recorded = [tuple(row) for row in rows]
    assert [(action, actor) for action, actor, _ in recorded] == [
        ("role-binding:create", "ada"),
        ("role-binding:delete", "ada"),
    ]
    assert all(ARN in str(detail) for _, _, detail in recorded)


def test_a_gateway_that_nobody_named_has_no_logins(football: World) -> None:
    proof = dict.fromkeys(("region", "server_id", "nonce", "amz_date", "authorization", "security_token"), "x")
    answer = football.call("POST", "/login/aws", json={"project": "football", **proof})
    assert (answer.status_code, answer.json["code"]) == (404, "login-not-enabled")
    headers = {"Authorization": "Bearer a.b.c"}
    assert football.client.get("/api/v1/me", headers=headers).status_code == 401
    assert football.clock.ahead == timedelta()


ROLES = {
    ARN: RoleName("aws", "123456789012", "Notebooks"),
    "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole-20260101T000000": RoleName(
        "aws", "123456789012", "AmazonSageMaker-ExecutionRole-20260101T000000"
    ),
    "arn:aws:iam::123456789012:role/a/b/c/Odd+=,.@-_": RoleName("aws", "123456789012", "Odd+=,.@-_"),
    "arn:aws:iam::123456789012:role/aws-service-role/sagemaker.amazonaws.com/AWSServiceRoleForX": RoleName(
        "aws", "123456789012", "AWSServiceRoleForX"
    ),
    "arn:aws:sts::123456789012:assumed-role/Notebooks/ada@example.com": RoleName("aws", "123456789012", "Notebooks"),
    "arn:aws:sts::123456789012:assumed-role/Notebooks": RoleName("aws", "123456789012", "Notebooks"),
    "arn:aws-cn:iam::123456789012:role/N": RoleName("aws-cn", "123456789012", "N"),
    "arn:aws-us-gov:iam::123456789012:role/N": RoleName("aws-us-gov", "123456789012", "N"),
}
NO_ROLES = [
    "",
    "Notebooks",
    "arn:aws:iam::123456789012:role/",
    "arn:aws:iam::123456789012:role/*",
    "arn:aws:iam::123456789012:role/Note*",
    "arn:aws:iam::123456789012:role/Note?ooks",
    "arn:aws:iam::123456789012:role/*/Notebooks",
    "arn:aws:iam::123456789012:role//Notebooks",
    "arn:aws:iam::123456789012:role/a//Notebooks",
    "arn:aws:iam::*:role/Notebooks",
    "arn:aws:iam::12345678901:role/Notebooks",
    "arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:role/Notebooks",
    "arn:aws:iam:eu-west-1:123456789012:role/Notebooks",
    "arn:*:iam::123456789012:role/Notebooks",
    "arn:aws-evil:iam::123456789012:role/Notebooks",
    "arn:aws:iam::123456789012:user/Notebooks",
    "arn:aws:iam::123456789012:group/Notebooks",
    "arn:aws:iam::123456789012:root",
    "arn:aws:sts::123456789012:federated-user/Notebooks",
    "arn:aws:sts::123456789012:assumed-role/*/x",
    "arn:aws:sts::123456789012:assumed-role/Notebooks/a\nb",
    " " + ARN,
    ARN + "\n",
    ARN + "é",
    "arn:aws:iam::123456789012:role/" + "N" * 65,
    "ARN:AWS:IAM::123456789012:ROLE/Notebooks",
]


@pytest.mark.parametrize("arn", ROLES)
def test_names_of_roles(arn: str) -> None:
    assert parse_role_arn(arn) == ROLES[arn]
    assert parse_role_arn(ROLES[arn].arn) == ROLES[arn]


@pytest.mark.parametrize("arn", NO_ROLES, ids=ascii)
def test_what_is_no_role(arn: str) -> None:
    with pytest.raises(RoleArnNotValidError):
        parse_role_arn(arn)


def test_who_a_caller_is() -> None:
    arn, user_id = "arn:aws:sts::123456789012:assumed-role/Notebooks/x/y:z", f"{UNIQUE_ID}:x/y:z"
    role = RoleName("aws", "123456789012", "Notebooks")
    assert find_assumed_role(arn, "123456789012", user_id) == AssumedRole(role, UNIQUE_ID, "x/y:z")
    assert find_assumed_role(arn, "210987654321", user_id) is None
    assert find_assumed_role(arn, "123456789012", UNIQUE_ID) is None
    assert find_assumed_role("arn:aws:sts::123456789012:assumed-role/Notebooks", "123456789012", user_id) is None
