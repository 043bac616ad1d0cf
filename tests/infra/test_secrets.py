"""Secrets by reference: real stores of AWS by moto, files, variables."""

import pickle
from pathlib import Path

import pytest

from infra.ports.secrets import (
    SecretAccessDeniedError,
    SecretNotFoundError,
    SecretRef,
    SecretRefInvalidError,
    SecretStoreUnavailableError,
)
from infra.secrets.aws import AwsOptions, open_client, translated
from infra.secrets.environment import EnvironmentSecretStore
from infra.secrets.files import FileSecretStore
from infra.secrets.parameterstore import ParameterStore
from infra.secrets.secretsmanager import SecretsManagerStore
from tests.lab.aws import Moto

CANARY = "canary7f3a"


@pytest.fixture
def aws(moto: Moto, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """The gateway's own credentials come from boto3's chain."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return moto


def _options(aws: Moto) -> AwsOptions:
    return AwsOptions("us-east-1", aws.endpoint_url)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("aws-sm:oasthouse/football/db#password", ("aws-sm", "oasthouse/football/db", "password")),
        ("aws-ssm:/oasthouse/football/db", ("aws-ssm", "/oasthouse/football/db", None)),
        ("env:OAST_SECRET_DB", ("env", "OAST_SECRET_DB", None)),
    ],
)
def test_a_reference_goes_there_and_back(text: str, parts: tuple[str, str, str | None]) -> None:
    ref = SecretRef.parse(text)
    assert (ref.scheme, ref.name, ref.key) == parts
    assert str(ref) == text


@pytest.mark.parametrize(
    "text", [CANARY, f"{CANARY} with blanks", f":{CANARY}", f"{CANARY}:", "", f"x:{CANARY}#", f"X:{CANARY}"]
)
def test_what_is_no_reference_is_not_repeated(text: str) -> None:
    with pytest.raises(SecretRefInvalidError) as refusal:
        SecretRef.parse(text)
    assert CANARY not in str(refusal.value.__dict__)


def test_values_do_not_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_SECRET_DB", CANARY)
    value = EnvironmentSecretStore().resolve(SecretRef.parse("env:OAST_SECRET_DB"))
    assert (value.reveal(), repr(value), f"{value}") == (CANARY, "***", "***")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(value)


# this machine


@pytest.mark.parametrize(
    "name", ["PATH", "AWS_SECRET_ACCESS_KEY", "OAST_DATABASE_URL", "oast_secret_x", "OAST_SECRET_", "OAST_SECRET_X#k"]
)
def test_other_variables_are_not_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, CANARY)
    with pytest.raises(SecretRefInvalidError):
        EnvironmentSecretStore().resolve(SecretRef.parse(f"env:{name}"))


def test_an_absent_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_SECRET_EMPTY", "")
    for name in ("OAST_SECRET_EMPTY", "OAST_SECRET_ABSENT"):
        with pytest.raises(SecretNotFoundError):
            EnvironmentSecretStore().resolve(SecretRef.parse(f"env:{name}"))


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "db").write_text(f" {CANARY}\r\n")
    store = FileSecretStore(tmp_path)
    assert store.resolve(SecretRef.parse("file:db")).reveal() == f" {CANARY}"
    for name, content in (("empty", b"\n"), ("huge", b"x" * 70_000), ("binary", b"\xff\xfe" + CANARY.encode())):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SecretNotFoundError) as refusal:
            store.resolve(SecretRef.parse(f"file:{name}"))
        assert refusal.value.__cause__ is None
    (tmp_path / "folder").mkdir()
    for name in ("absent", "folder"):
        with pytest.raises(SecretNotFoundError):
            store.resolve(SecretRef.parse(f"file:{name}"))


@pytest.mark.parametrize("name", ["../db", "a/b", "/etc/passwd", "..", ".hidden", "a#k", "-x"])
def test_files_elsewhere_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text(CANARY)
    with pytest.raises(SecretRefInvalidError):
        FileSecretStore(tmp_path).resolve(SecretRef.parse(f"file:{name}"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SecretStoreUnavailableError):
        FileSecretStore(tmp_path).resolve(SecretRef.parse("file:loop"))
    with pytest.raises(SecretNotFoundError, match="no secrets in files"):
        FileSecretStore(None).resolve(SecretRef.parse("file:db"))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads everything, so the refusal is made up."""

    def refuse(*_: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SecretAccessDeniedError):
        FileSecretStore(tmp_path).resolve(SecretRef.parse("file:db"))


# AWS


def test_secrets_manager(aws: Moto) -> None:
    client = aws.client("secretsmanager")
    arn = client.create_secret(Name="oasthouse/football/db", SecretString=f'{{"password": "{CANARY}", "port": 5432}}')[
        "ARN"
    ]
    client.create_secret(Name="oasthouse/football/plain", SecretString=CANARY)
    client.create_secret(Name="oasthouse/football/binary", SecretBinary=b"x")
    store = SecretsManagerStore(_options(aws), frozenset({arn.split(":")[4]}))
    for text in ("oasthouse/football/db#password", "oasthouse/football/plain", f"{arn}#password"):
        assert store.resolve(SecretRef.parse(f"aws-sm:{text}")).reveal() == CANARY
    for text in ("db#absent", "db#port", "plain#k", "binary", "absent"):
        with pytest.raises(SecretNotFoundError) as refusal:
            store.resolve(SecretRef.parse(f"aws-sm:oasthouse/football/{text}"))
        assert CANARY not in f"{refusal.value.__dict__}{refusal.value.__cause__}"
    assert store.path(SecretRef.parse(f"aws-sm:{arn}#password")).startswith("oasthouse/football/db")


def test_a_secret_that_waits_for_its_deletion(aws: Moto) -> None:
    client = aws.client("secretsmanager")
    client.create_secret(Name="oasthouse/football/db", SecretString=CANARY)
    client.delete_secret(SecretId="oasthouse/football/db")
    with pytest.raises(SecretNotFoundError):
        SecretsManagerStore(_options(aws)).resolve(SecretRef.parse("aws-sm:oasthouse/football/db"))


def test_an_arn_leads_nowhere_else(aws: Moto) -> None:
    arn = aws.client("secretsmanager").create_secret(Name="oasthouse/football/db", SecretString=CANARY)["ARN"]
    account = arn.split(":")[4]
    for store, text in (
        (SecretsManagerStore(_options(aws)), arn),
        (SecretsManagerStore(_options(aws), frozenset({account})), arn.replace("us-east-1", "eu-west-1")),
        (SecretsManagerStore(_options(aws), frozenset({account})), arn.replace(account, "999999999999")),
    ):
        with pytest.raises(SecretAccessDeniedError):
            store.resolve(SecretRef.parse(f"aws-sm:{text}"))


@pytest.mark.parametrize(
    "name",
    ["../x", "a//b", "a/../b", "/a", "arn:aws:s3:::bucket", "a/", "arn:aws:secretsmanager:x:123456789012:secret:../b"],
)
def test_names_that_secrets_manager_has_not(name: str) -> None:
    with pytest.raises(SecretRefInvalidError):
        SecretsManagerStore(AwsOptions()).path(SecretRef.parse(f"aws-sm:{name}"))


def test_parameter_store(aws: Moto) -> None:
    aws.client("ssm").put_parameter(Name="/oasthouse/football/db", Value=CANARY, Type="SecureString")
    store = ParameterStore(_options(aws))
    ref = SecretRef.parse("aws-ssm:/oasthouse/football/db")
    assert (store.resolve(ref).reveal(), store.path(ref)) == (CANARY, "oasthouse/football/db")
    with pytest.raises(SecretNotFoundError):
        store.resolve(SecretRef.parse("aws-ssm:/oasthouse/football/absent"))
    for name in ("oasthouse/football/db", "/a/../b", "/a#k", "/"):
        with pytest.raises(SecretRefInvalidError):
            store.path(SecretRef.parse(f"aws-ssm:{name}"))


def test_a_store_that_does_not_answer(aws: Moto) -> None:
    with pytest.raises(SecretStoreUnavailableError, match="EndpointConnectionError"):
        ParameterStore(AwsOptions("us-east-1", "http://127.0.0.1:1")).resolve(SecretRef.parse("aws-ssm:/a"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [("AccessDeniedException", SecretAccessDeniedError), ("InternalServiceError", SecretStoreUnavailableError)],
)
def test_what_aws_refuses(code: str, expected: type[Exception]) -> None:
    """moto refuses nobody; the error is one of botocore's own."""
    from botocore.exceptions import ClientError

    with pytest.raises(expected), translated():
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetSecretValue")


def test_a_client_waits_briefly(aws: Moto) -> None:
    config = open_client("ssm", _options(aws)).meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 5)
