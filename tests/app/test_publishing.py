"""What becomes of a key that AWS does not take."""

import json
import re
import traceback
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from infra.errors import InvalidInputError
from infra.ports.publishing import KeyPlace, KeyPublishingUnknownError
from infra.secrets.publishing import _translated
from tests.app.test_cli import KEY, Oast, oast, ready  # noqa: F401 - fixtures
from tests.lab.aws import running_moto

PLACE = ("--role", "Notebooks", "--store", "secretsmanager", "--region", "eu-west-1")
PUBLISH = ("key", "publish", "football", "--member", "ada", *PLACE)
NAME = "hopsworks/project/football/role/Notebooks"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with running_moto() as moto:
        moto.reset()  # it has one account in a process
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {
            "AWS_ENDPOINT_URL": moto.endpoint_url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "eu-west-1", "AWS_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        yield boto3.client("secretsmanager")


def states(oast: Oast) -> list[str]:  # noqa: F811
    return sorted(key["state"] for key in oast.json("key", "list", "football"))


def refusing(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, status: int) -> None:
    """AWS refuses one operation; moto enforces no policies."""
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    real = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, name: str, arguments: Any) -> Any:
        if name == operation:
            answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(answer, name)  # type: ignore[arg-type]
        return real(self, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)


def test_people_are_shown_where_it_is_and_the_policy_and_no_key(ready: Oast, aws: Any) -> None:  # noqa: F811
    shown = ready.run(*PUBLISH).output
    assert f"in Secrets Manager (eu-west-1) as {NAME}." in shown
    policy = json.loads(shown.partition("no more:\n")[2])
    assert policy["Statement"][0]["Resource"].endswith(f":secret:{NAME}-??????")
    assert not KEY.search(shown)
    stored = json.loads(aws.get_secret_value(SecretId=NAME)["SecretString"])
    assert KEY.fullmatch(stored["api-key"])


def test_a_key_that_is_refused_is_revoked_again(ready: Oast, aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    refusing(monkeypatch, "CreateSecret", "AccessDeniedException", 400)
    said = ready.run(*PUBLISH, code=1).output
    assert "AWS refused to take it: AccessDeniedException. The new key" in said
    assert "secretsmanager:CreateSecret" in said
    assert states(ready) == ["revoked"]
    assert not KEY.search(said)


def test_a_key_that_may_have_arrived_is_kept(ready: Oast, aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    refusing(monkeypatch, "CreateSecret", "InternalServiceError", 500)
    said = ready.run(*PUBLISH, code=1).output
    assert "may be published or not" in said
    assert "oast key revoke football" in said
    assert states(ready) == ["active"]


def test_a_rotation_that_is_refused_leaves_the_old_key_working(
    ready: Oast,  # noqa: F811
    aws: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = ready.json(*PUBLISH)
    refusing(monkeypatch, "UpdateSecret", "AccessDeniedException", 400)
    rotate = ("key", "rotate", "football", first["key_id"], "--publish", *PLACE)
    said = ready.run(*rotate, code=1).output
    assert re.search(rf"old key {first['key_id']}, which is still published, works until 20\d\d-", said)
    assert "oast key publish football --member ada" in said
    assert states(ready) == ["active", "revoked"]


@pytest.mark.parametrize(
    "command", [PUBLISH, ("key", "rotate", "football", "KEY", "--publish", *PLACE)], ids=["publish", "rotate"]
)
@pytest.mark.parametrize("operation", ["GetCallerIdentity", "DescribeSecret"])
def test_what_shows_beforehand_makes_no_key(
    ready: Oast,  # noqa: F811
    aws: Any,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    operation: str,
) -> None:
    key_id = ready.json("key", "create", "football", "--member", "ada")["key_id"]
    refusing(monkeypatch, operation, "AccessDenied", 403)
    ready.run(*(key_id if word == "KEY" else word for word in command), code=1)
    listed = ready.json("key", "list", "football")
    assert [(key["key_id"], key["state"], key["rotated_to"]) for key in listed] == [(key_id, "active", None)]


def test_a_secret_that_waits_for_its_deletion_is_said(ready: Oast, aws: Any) -> None:  # noqa: F811
    ready.run(*PUBLISH)
    aws.delete_secret(SecretId=NAME)
    assert "restore-secret" in ready.run(*PUBLISH, code=1).output


def test_tags_that_are_refused_keep_nothing_from_working(
    ready: Oast,  # noqa: F811
    aws: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready.run(*PUBLISH)
    refusing(monkeypatch, "TagResource", "AccessDeniedException", 400)
    assert "tags could not be written" in ready.run(*PUBLISH).output


def test_the_policy_has_the_key_that_a_secret_is_under_already(ready: Oast, aws: Any) -> None:  # noqa: F811
    """Terraform makes such secrets; without the statement the notebook could not read what was just published."""
    arn = "arn:aws:kms:eu-west-1:123456789012:key/0f0f0f0f-0000-1111-2222-333333333333"
    aws.create_secret(Name=NAME, SecretString="{}", KmsKeyId=arn)
    first = ready.json(*PUBLISH)
    assert first["policy"]["Statement"][1:] == [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": arn}]
    rotated = ready.json("key", "rotate", "football", first["key_id"], "--publish", *PLACE)
    assert rotated["policy"] == first["policy"]
    assert aws.describe_secret(SecretId=NAME)["KmsKeyId"] == arn


@pytest.mark.parametrize("alias", ["alias/mine", "arn:aws:kms:eu-west-1:123456789012:alias/mine"])
def test_an_alias_is_no_key_that_a_policy_could_name(ready: Oast, aws: Any, alias: str) -> None:  # noqa: F811
    said = ready.run(*PUBLISH, "--kms-key", alias, code=1).output
    assert "is an alias" in said
    assert "KeyMetadata.Arn" in said
    assert states(ready) == []


def test_what_the_command_line_cannot_mean(ready: Oast, aws: Any) -> None:  # noqa: F811
    assert "is no tag" in ready.run(*PUBLISH, "--tag", "team", code=1).output
    assert "needs --role and --store" in ready.run("key", "rotate", "football", "k", "--publish", code=2).output
    assert states(ready) == []


def test_what_boto_says_is_not_printed_with_our_error() -> None:
    from botocore.exceptions import HTTPClientError

    key = "oast_live_" + "x" * 20
    with pytest.raises(KeyPublishingUnknownError) as caught, _translated("ssm"):
        raise HTTPClientError(error=f"a request with {key}")
    assert key not in "".join(traceback.format_exception(caught.value))


def test_no_credentials(ready: Oast, aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    assert "no usable AWS credentials" in ready.run(*PUBLISH, code=1).output


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Notebooks", "Notebooks"),
        ("arn:aws:iam::123456789012:role/Notebooks", "Notebooks"),
        ("arn:aws-cn:iam::123456789012:role/service-role/a/AmazonSageMaker-X", "AmazonSageMaker-X"),
    ],
)
def test_the_path_of_a_role_is_no_part_of_its_name(text: str, role: str) -> None:
    assert KeyPlace.of("football", text).role == role


@pytest.mark.parametrize("text", ["", "a/b", "arn:aws:iam::123456789012:user/ada", "a b", "x" * 65])
def test_what_is_no_role(text: str) -> None:
    with pytest.raises(InvalidInputError, match="no IAM role"):
        KeyPlace.of("football", text)
