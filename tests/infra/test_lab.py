"""The lab itself: each part starts, does the one thing it is there for, and is fresh for each test."""

import json

import psycopg
import pytest
from botocore.exceptions import ClientError
from sqlalchemy import make_url

from tests.lab.aws import Moto
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs


@pytest.mark.parametrize("_", range(2))
def test_each_test_has_an_empty_database(postgres_url: str, _: int) -> None:
    url = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE only_here (id int)")


@pytest.mark.parametrize("_", range(2))
def test_each_test_has_empty_aws_apis(moto: Moto, moto_endpoint: str, _: int) -> None:
    assert moto_endpoint == moto.endpoint_url
    moto.client("secretsmanager").create_secret(Name="once", SecretString="x")
    moto.client("ssm").put_parameter(Name="/once", Value="x", Type="SecureString")
    assert moto.client("sts").get_caller_identity()["Account"]


def test_session_policies_are_enforced(seaweedfs: SeaweedFs) -> None:
    bucket = seaweedfs.new_bucket()
    for key in ("a/x", "b/x"):
        seaweedfs.client().put_object(Bucket=bucket, Key=key, Body=b"1")
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"arn:aws:s3:::{bucket}/a/*"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    session = seaweedfs.client("sts").assume_role(RoleArn=ROLE_ARN, RoleSessionName="test", Policy=policy)
    scoped = seaweedfs.client_with(session["Credentials"])
    assert scoped.get_object(Bucket=bucket, Key="a/x")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="AccessDenied"):
        scoped.get_object(Bucket=bucket, Key="b/x")
    with pytest.raises(ClientError, match="AccessDenied"):
        scoped.put_object(Bucket=bucket, Key="a/y", Body=b"1")
