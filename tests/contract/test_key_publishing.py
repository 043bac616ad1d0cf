"""Keys go from the gateway's shell into AWS and from there into notebooks, and nobody sees one on the way."""

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from hops.featurestore import errors
from hops.featurestore.connection import open_connection
from hops.featurestore.credentials import stored
from infra.iam import Place, read_one_parameter, read_one_secret
from tests.lab.aws import Moto, running_moto
from tests.served import Served, served

REGION, ACCOUNT = "eu-west-1", "123456789012"
KEY = re.compile(r"oast_live_\w+")
CLIENTS = 20
# The old key's last hours are worth a warning, which would fail a test.
pytestmark = pytest.mark.filterwarnings("ignore::hops.featurestore.identity.KeyExpiryWarning")
STORES = ["secretsmanager", "parameterstore"]


@pytest.fixture(scope="module")
def aws() -> Iterator[Moto]:
    with running_moto() as moto:
        yield moto


@pytest.fixture(scope="module")
def gateway(aws: Moto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = {
        "AWS_ENDPOINT_URL": aws.endpoint_url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    with served(tmp_path_factory.mktemp("publishing"), **settings) as running:
        yield running


@pytest.fixture
def notebook(aws: Moto, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """This process runs as the role that is answered."""
    role = "Notebooks-" + re.sub(r"\W", "-", request.node.name)[:50]
    for name in ("AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    keys = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="SageMaker")["Credentials"]
    for name, value in {
        "AWS_ENDPOINT_URL": aws.endpoint_url, "AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_DEFAULT_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"], "AWS_SESSION_TOKEN": keys["SessionToken"],
        "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return role


def publish(gateway: Served, role: str, store: str, *more: str) -> Any:
    place = ("--role", role, "--store", store, "--region", REGION)
    return gateway.oast("key", "publish", "football", "--member", "ada", *place, *more)


def key_used(gateway: Served, store: str) -> str:
    with open_connection(gateway.address, "football", secrets_store=store, quiet=True) as connection:
        return connection.identity.key_id


@pytest.mark.parametrize("store", STORES)
def test_a_published_key_is_the_one_that_a_notebook_finds(gateway: Served, notebook: str, store: str) -> None:
    done = publish(gateway, f"arn:aws:iam::{ACCOUNT}:role/service-role/{notebook}", store, "--tag", "team=a=b")
    assert key_used(gateway, store) == done["key_id"]
    assert not KEY.search(json.dumps(done))
    document = {"secretsmanager": read_one_secret, "parameterstore": read_one_parameter}[store]
    assert done["policy"] == document(Place(ACCOUNT, REGION), done["name"])
    assert _tags(store, done["name"]) == {
        "oasthouse-project": "football", "oasthouse-key-id": done["key_id"], "team": "a=b",
    }  # fmt: skip
    again = publish(gateway, notebook, store)
    assert key_used(gateway, store) == again["key_id"] != done["key_id"]
    assert _tags(store, done["name"])["oasthouse-key-id"] == again["key_id"]


@pytest.mark.parametrize("store", STORES)
def test_a_key_of_ones_own_encrypts_it_and_is_in_the_policy(gateway: Served, notebook: str, store: str) -> None:
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f0f0f0f-0000-1111-2222-333333333333"
    done = publish(gateway, notebook, store, "--kms-key", arn)
    assert done["policy"]["Statement"][1] == {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": arn}
    if store == "secretsmanager":
        found = boto3.client("secretsmanager").describe_secret(SecretId=done["name"])["KmsKeyId"]
    else:
        wanted = [{"Key": "Name", "Values": [done["name"]]}]
        found = boto3.client("ssm").describe_parameters(ParameterFilters=wanted)["Parameters"][0]["KeyId"]
    assert found == arn


@pytest.mark.parametrize("store", STORES)
def test_twenty_notebooks_connect_and_read_all_along_a_rotation(gateway: Served, notebook: str, store: str) -> None:
    first = publish(gateway, notebook, store)
    stop, seen = threading.Event(), set()

    kept = open_connection(gateway.address, "football", secrets_store=store, quiet=True)

    def work() -> int:
        count = 0
        while not stop.is_set() or count == 0:
            kept.get_featuregroups()
            seen.add(key_used(gateway, store))
            count += 1
        kept.get_featuregroups()
        return count

    with ThreadPoolExecutor(CLIENTS) as pool:
        working = [pool.submit(work) for _ in range(CLIENTS)]
        place = ("--publish", "--role", notebook, "--store", store, "--region", REGION)
        try:
            while not seen:
                time.sleep(0.05)
            second = gateway.oast("key", "rotate", "football", first["key_id"], "--overlap-hours", "1", *place)
            assert key_used(gateway, store) == second["key_id"]
        finally:
            stop.set()
        assert all(each.result() > 0 for each in working)
    kept.close()
    assert seen >= {first["key_id"]}
    assert seen <= {first["key_id"], second["key_id"]}
    assert not KEY.search(json.dumps(second))


def test_without_an_overlap_the_old_key_ends_and_says_so(gateway: Served, notebook: str) -> None:
    first = publish(gateway, notebook, "secretsmanager")
    kept = open_connection(gateway.address, "football", secrets_store="secretsmanager", quiet=True)
    gateway.oast("key", "rotate", "football", first["key_id"], "--overlap-hours", "0")
    with pytest.raises(errors.NotAuthenticatedError):
        kept.get_featuregroups()
    kept.close()
    with pytest.raises(errors.NotAuthenticatedError, match=f"API key {first['key_id']} from Secrets Manager"):
        key_used(gateway, "secretsmanager")


@pytest.mark.parametrize("store", STORES)
def test_a_notebook_outlives_its_key_where_the_successor_is_published(
    gateway: Served, notebook: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_PAUSE", 0.0)
    first = publish(gateway, notebook, store)
    place = ("--publish", "--role", notebook, "--store", store, "--region", REGION)
    with open_connection(gateway.address, "football", secrets_store=store, quiet=True) as kept:
        gateway.oast("key", "rotate", "football", first["key_id"], "--overlap-hours", "0", *place)
        with ThreadPoolExecutor(CLIENTS) as pool:
            assert all(groups == [] for groups in pool.map(lambda _: kept.get_featuregroups(), range(CLIENTS)))


def _tags(store: str, name: str) -> dict[str, str]:
    if store == "secretsmanager":
        listed = boto3.client("secretsmanager").describe_secret(SecretId=name)["Tags"]
    else:
        answer = boto3.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=name)
        listed = answer["TagList"]
    return {each["Key"]: each["Value"] for each in listed}


def test_logs_have_no_key(gateway: Served, notebook: str) -> None:
    publish(gateway, notebook, "secretsmanager")
    assert not KEY.search(Path(gateway.log).read_text())
