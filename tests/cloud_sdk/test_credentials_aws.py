"""Keys out of Secrets Manager and Parameter Store, by the role that this code runs as."""

import io
import json
import logging
import subprocess
import sys
import threading
import traceback
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from botocore import configprovider
from moto.server import ThreadedMotoServer

from hops.featurestore.credentials import errors, find_key
from hops.featurestore.credentials.aws import Aws
from hops.featurestore.credentials.found import KeyRequest
from hops.featurestore.errors import ApiKeyError, MissingExtraError
from hops.featurestore.roles import AssumedRole, parse_assumed_role
from tests.cloud_sdk.gateway import KEY

REGION = "eu-west-1"
ROLE = "FootballNotebooks"
PROJECT_SECRET = f"hopsworks/project/football/role/{ROLE}"
STORES = ("secretsmanager", "parameterstore")


@pytest.fixture(scope="module")
def sdk_moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    server._server.server_close()  # stop() leaves the socket to the collector, which reports it


def use_aws(monkeypatch, endpoint, **variables):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true", **variables,
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("said", "host"), [(None, f"sts.{REGION}"), ("regional", f"sts.{REGION}"), ("legacy", "sts")], ids=str
)
def test_sts_is_asked_in_the_region(monkeypatch, said, host):
    """A VPC without a way out has an endpoint for that one. Images come with boto3 that by itself asks the STS of all regions."""
    use_aws(monkeypatch, "")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    name = "sts_regional_endpoints"
    found = configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES[name]
    monkeypatch.setitem(configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES, name, (*found[:2], "legacy", *found[3:]))
    monkeypatch.delenv("AWS_STS_REGIONAL_ENDPOINTS", raising=False)
    if said:
        monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", said)
    assert Aws(REGION).client("sts").meta.endpoint_url == f"https://{host}.amazonaws.com"


class Account:
    """AWS as a role sees it that only this test has: moto keeps one account for all."""

    def __init__(self, monkeypatch, endpoint):
        self._monkeypatch, self._endpoint = monkeypatch, endpoint
        use_aws(monkeypatch, endpoint)
        self.role = f"Notebooks-{uuid.uuid4().hex}"
        self.project_secret = f"hopsworks/project/football/role/{self.role}"
        self.role_secret = f"hopsworks/role/{self.role}"
        self.assume(self.role)

    def assume(self, role):
        use_aws(self._monkeypatch, self._endpoint)
        sts = boto3.client("sts")
        assumed = sts.assume_role(RoleArn=f"arn:aws:iam::123456789012:role/{role}", RoleSessionName="Sage")[
            "Credentials"
        ]
        use_aws(
            self._monkeypatch,
            self._endpoint,
            AWS_ACCESS_KEY_ID=assumed["AccessKeyId"],
            AWS_SECRET_ACCESS_KEY=assumed["SecretAccessKey"],
            AWS_SESSION_TOKEN=assumed["SessionToken"],
        )

    def store(self, store, name, key=KEY, region=REGION, text=None):
        if store == "secretsmanager":
            text = json.dumps({"api-key": key}) if text is None else text
            boto3.client("secretsmanager", region_name=region).create_secret(Name=name, SecretString=text)
        else:
            ssm = boto3.client("ssm", region_name=region)
            ssm.put_parameter(Name=f"/{name}/type/api-key", Value=key if text is None else text, Type="SecureString")


@pytest.fixture
def sdk_account(monkeypatch, sdk_moto):
    return Account(monkeypatch, sdk_moto)


def find(store, project="football", region=None):
    return find_key(store, KeyRequest(project, region))


@pytest.mark.parametrize("store", STORES)
def test_the_projects_secret_comes_first(sdk_account, store):
    sdk_account.store(store, sdk_account.role_secret, "of-the-role")
    sdk_account.store(store, sdk_account.project_secret, "of-the-project")
    found = find(store)
    assert found.key.reveal() == "of-the-project"
    assert sdk_account.project_secret in found.name
    assert found.store == {"secretsmanager": "Secrets Manager", "parameterstore": "Parameter Store"}[store]


@pytest.mark.parametrize("store", STORES)
def test_the_roles_secret_serves_where_the_project_has_none(sdk_account, store):
    sdk_account.store(store, sdk_account.role_secret)
    assert find(store).key.reveal() == KEY
    assert sdk_account.role_secret in find(store).name


@pytest.mark.parametrize("store", STORES)
def test_what_was_tried_is_said(sdk_account, store):
    with pytest.raises(errors.SecretNotFoundError) as caught:
        find(store)
    assert sdk_account.project_secret in str(caught.value)
    assert sdk_account.role_secret in str(caught.value)


@pytest.mark.parametrize("store", STORES)
def test_the_region_is_the_one_asked_for(sdk_account, store):
    sdk_account.store(store, sdk_account.project_secret, region="us-east-2")
    with pytest.raises(errors.SecretNotFoundError):
        find(store)
    assert find(store, region="us-east-2").key.reveal() == KEY


@pytest.mark.parametrize("store", STORES)
def test_another_role_has_another_secret(sdk_account, store):
    sdk_account.store(store, sdk_account.project_secret)
    sdk_account.assume("Other")
    with pytest.raises(errors.SecretNotFoundError, match="role/Other"):
        find(store)


def test_spaces_around_a_key_are_no_part_of_it(sdk_account):
    sdk_account.store("parameterstore", sdk_account.project_secret, text=f" {KEY}\n")
    assert find("parameterstore").key.reveal() == KEY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"apikey": "topsecret"}', "has no field 'api-key'; it has: apikey"),
        ("{}", "it has: none"),
        ('{"api-key": "  "}', "is empty"),
        ('{"api-key": 5}', "is empty"),
        ("topsecret", "is not a JSON object"),
        ('["topsecret"]', "is not a JSON object"),
    ],
)
def test_a_secret_with_other_content_is_described_but_not_shown(sdk_account, text, message):
    sdk_account.store("secretsmanager", sdk_account.project_secret, text=text)
    with pytest.raises(errors.SecretContentError, match=message) as caught:
        find("secretsmanager")
    frames = [
        frame for frame, _ in traceback.walk_tb(caught.value.__traceback__) if frame.f_code.co_filename != __file__
    ]
    assert frames
    assert "topsecret" not in repr([frame.f_locals for frame in frames])
    assert caught.value.__context__ is None


def test_an_empty_parameter(sdk_account):
    sdk_account.store("parameterstore", sdk_account.project_secret, text=" ")
    with pytest.raises(errors.SecretContentError, match="is empty"):
        find("parameterstore")


@pytest.mark.parametrize("store", STORES)
def test_boto_logs_at_their_loudest_do_not_have_the_key(sdk_account, store):
    sdk_account.store(store, sdk_account.project_secret)
    loud, heard = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(heard)
    level = loud.level
    loud.addHandler(handler)
    loud.setLevel(logging.DEBUG)
    try:
        find(store)
    finally:
        loud.removeHandler(handler)
        loud.setLevel(level)
    assert "GetCallerIdentity" in heard.getvalue()
    assert KEY not in heard.getvalue()
    assert not logging.getLogger("botocore.parsers").filters


def test_a_user_is_no_role(monkeypatch, sdk_moto):
    use_aws(monkeypatch, sdk_moto)
    with pytest.raises(errors.AwsRoleNotFoundError, match=r":user/moto, which is not an assumed IAM role") as caught:
        find("secretsmanager")
    assert 'secrets_store="local"' in caught.value.hint


def test_no_credentials(monkeypatch, sdk_moto):
    use_aws(monkeypatch, sdk_moto)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(errors.AwsCredentialsMissingError, match="no usable AWS credentials"):
        find("parameterstore")


def test_no_region(monkeypatch, sdk_moto):
    use_aws(monkeypatch, sdk_moto)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(errors.AwsCredentialsMissingError, match="no AWS region"):
        find("parameterstore")


def test_an_unknown_profile(monkeypatch, sdk_moto):
    use_aws(monkeypatch, sdk_moto, AWS_PROFILE="absent")
    with pytest.raises(errors.AwsCredentialsMissingError, match="absent"):
        find("parameterstore")


def test_aws_does_not_answer(monkeypatch):
    use_aws(monkeypatch, "http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1")
    with pytest.raises(errors.SecretStoreUnavailableError, match="does not answer") as caught:
        find("parameterstore")
    assert caught.value.retryable


def test_without_boto3_the_line_that_installs_it_is_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtraError, match=r"pip install boto3$"):
        find("secretsmanager")


def test_clients_have_time_outs_and_the_environment_is_left_alone(monkeypatch, sdk_moto):
    from hops.featurestore.credentials.aws import Aws

    use_aws(monkeypatch, sdk_moto)
    config = Aws(None).client("sts").meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 10)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3} or config.retries["mode"] == "standard"
    code = "import os; before = dict(os.environ); import hops.featurestore.credentials.aws; assert before == dict(os.environ)"
    subprocess.run([sys.executable, "-c", code], check=True)


IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>arn:aws:sts::123456789012:assumed-role/{ROLE}/session</Arn><UserId>A:s</UserId><Account>123456789012</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
).encode()


@pytest.fixture
def sdk_refusing_aws(monkeypatch):
    """Knows the role, and answers every question for a secret with the AWS error that a test sets. moto enforces no policies."""
    refusal = {"__type": "InternalServiceError", "message": "", "status": 400}
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if "X-Amz-Target" in self.headers:
                asked.append(json.loads(body))
                status, answer = refusal["status"], json.dumps(refusal).encode()
            else:
                status, answer = refusal.get("sts", (200, IDENTITY))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    use_aws(monkeypatch, f"http://127.0.0.1:{server.server_address[1]}", AWS_MAX_ATTEMPTS="1")
    refusal["asked"] = asked
    yield refusal
    server.shutdown()
    server.server_close()
    thread.join()


def refuse(refusal, code, message="no", status=400):
    refusal.update({"__type": code, "message": message, "Message": message, "status": status})
    return refusal.pop("asked")


@pytest.mark.parametrize(
    ("store", "action", "resource"),
    [
        (
            "secretsmanager",
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:{REGION}:123456789012:secret:{PROJECT_SECRET}-??????",
        ),
        (
            "parameterstore",
            "ssm:GetParameter",
            f"arn:aws:ssm:{REGION}:123456789012:parameter/{PROJECT_SECRET}/type/api-key",
        ),
    ],
)
def test_access_denied_shows_the_statement_and_tries_no_other_secret(sdk_refusing_aws, store, action, resource):
    asked = refuse(sdk_refusing_aws, "AccessDeniedException", f"User is not authorized to perform: {action}")
    with pytest.raises(errors.SecretAccessDeniedError) as caught:
        find(store)
    statement = json.loads(caught.value.hint.partition("\n")[2])
    assert statement == {"Effect": "Allow", "Action": action, "Resource": resource}
    assert len(asked) == 1


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDeniedException", "Access to KMS is not allowed"),
        ("AccessDeniedException", "The ciphertext refers to a customer master key that you are not allowed to access."),
        ("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text"),
        ("InvalidKeyId", "no such key"),
    ],
)
def test_a_refused_decryption_is_told_apart(sdk_refusing_aws, store, code, message):
    refuse(sdk_refusing_aws, code, message)
    with pytest.raises(errors.SecretDecryptDeniedError, match="kms:Decrypt"):
        find(store)


@pytest.mark.parametrize("store", STORES)
def test_an_outage_is_not_an_absent_secret(sdk_refusing_aws, store):
    refuse(sdk_refusing_aws, "InternalServiceError", "we are sorry", 500)
    with pytest.raises(errors.SecretStoreUnavailableError, match="we are sorry"):
        find(store)


def test_expired_credentials(sdk_refusing_aws):
    error = b"<ErrorResponse><Error><Code>ExpiredToken</Code><Message>The token is expired</Message></Error></ErrorResponse>"
    sdk_refusing_aws.pop("asked")
    sdk_refusing_aws["sts"] = (403, error)
    with pytest.raises(errors.AwsCredentialsMissingError, match="refused the credentials"):
        find("parameterstore")


@pytest.mark.parametrize(
    ("arn", "role"),
    [
        ("arn:aws:sts::123456789012:assumed-role/RoleName/session", AssumedRole("aws", "123456789012", "RoleName")),
        ("arn:aws-cn:sts::123456789012:assumed-role/R/i-0abc", AssumedRole("aws-cn", "123456789012", "R")),
        ("arn:aws-us-gov:sts::123456789012:assumed-role/R/x", AssumedRole("aws-us-gov", "123456789012", "R")),
        (
            "arn:aws:sts::123456789012:assumed-role/AmazonSageMaker-ExecutionRole-20200101T000000/SageMaker",
            AssumedRole("aws", "123456789012", "AmazonSageMaker-ExecutionRole-20200101T000000"),
        ),
        (
            "arn:aws:sts::123456789012:assumed-role/Odd+=,.@-_/ada@x.org/with:more/parts",
            AssumedRole("aws", "123456789012", "Odd+=,.@-_"),
        ),
        # STS leaves the path of a role out (service-role/, team/a/), and services choose the session's name.
        *(
            (f"arn:aws:sts::123456789012:assumed-role/{role}/{session}", AssumedRole("aws", "123456789012", role))
            for role, session in (
                ("AmazonSageMaker-ExecutionRole-20240101T000000", "SageMaker"),  # notebook instances, Studio
                ("AmazonSageMakerServiceCatalogProductsUseRole", "SageMaker-ada-lovelace"),
                ("Training", "SageMaker-d2f0a1c3e5b7"),  # training jobs
                ("Processing", "SageMakerProcessing-0123456789abcdef"),
                ("AWSReservedSSO_DataScience_0123456789abcdef", "ada@example.org"),
            )
        ),
    ],
)
def test_roles(arn, role):
    assert parse_assumed_role(arn) == role


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::123456789012:user/ada",
        "arn:aws:iam::123456789012:root",
        "arn:aws:sts::123456789012:federated-user/ada",
        "arn:aws:sts::123456789012:assumed-role/R",
        "arn:aws:sts::123456789012:assumed-role//session",
        "arn:evil:sts::123456789012:assumed-role/R/s",
        "",
    ],
)
def test_no_roles(arn):
    with pytest.raises(errors.AwsRoleNotFoundError, match="not an assumed IAM role"):
        parse_assumed_role(arn)


def test_every_cause_is_an_api_key_error():
    assert issubclass(errors.SecretNotFoundError, ApiKeyError)
