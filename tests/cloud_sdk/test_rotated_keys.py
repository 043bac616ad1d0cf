"""A key that is replaced in its store while a notebook runs: it is read again once, and never over and over."""

import copy
import os
import pickle
import sys
import threading

import boto3
import pytest

from hops.featurestore.api_key import ApiKey
from hops.featurestore.connection import open_connection
from hops.featurestore.credentials import stored
from hops.featurestore.credentials.stored import StoredKey
from hops.featurestore.errors import NotAuthenticatedError
from hops.featurestore.retries import RetryPolicy
from tests.cloud_sdk.gateway import KEY, Gateway, json_reply, me, page, problem, serving
from tests.cloud_sdk.test_credentials_aws import sdk_account, sdk_moto  # noqa: F401 - fixtures
from tests.cloud_sdk.test_destinations import blank  # noqa: F401 - fixture
from tests.lab.databricks_runtime import dbutils_of, ipython_with

FRESH = KEY.replace("0123456789", "9876543210")
GROUPS = "/projects/football/feature-groups"


class Strict(Gateway):
    """Takes one key, as the gateway does."""

    def __init__(self):
        super().__init__()
        self.takes = KEY
        self.on("GET", GROUPS, page())

    def answer(self, asked):
        reply = super().answer(asked)
        return reply if asked.headers["Authorization"] == f"ApiKey {self.takes}" else problem(401, "not-authenticated")


@pytest.fixture
def strict(monkeypatch):
    monkeypatch.setattr(stored, "_PAUSE", 0.0)
    return Strict()


@pytest.fixture
def strict_url(strict):
    with serving(strict) as port:
        yield f"http://127.0.0.1:{port}"


def refused(gateway):
    return sum(asked.headers["Authorization"] != f"ApiKey {gateway.takes}" for asked in gateway.asked)


@pytest.mark.parametrize("store", ["secretsmanager", "parameterstore"])
def test_the_key_that_aws_has_by_now_goes_on(sdk_account, strict, strict_url, store):  # noqa: F811
    sdk_account.store(store, sdk_account.project_secret, KEY)
    with open_connection(strict_url, "football", secrets_store=store, quiet=True) as connection:
        strict.takes = FRESH
        with pytest.raises(NotAuthenticatedError):
            connection.get_featuregroups()
        _replace(store, sdk_account.project_secret)
        before = refused(strict)
        assert connection.get_featuregroups() is not None
        assert refused(strict) == before + 1
        connection.get_featuregroups()
        assert refused(strict) == before + 1, "the new one is known now"


def _replace(store, name):
    if store == "secretsmanager":
        boto3.client(store).put_secret_value(SecretId=name, SecretString=f'{{"api-key": "{FRESH}"}}')
    else:
        boto3.client("ssm").put_parameter(
            Name=f"/{name}/type/api-key", Value=FRESH, Type="SecureString", Overwrite=True
        )


def test_a_file_and_a_profile_are_read_again(blank, strict, strict_url, sdk_key_file, tmp_path):  # noqa: F811
    profiles = tmp_path / ".oasthouse" / "profiles.ini"
    profiles.parent.mkdir(exist_ok=True)

    def write(key, host=strict_url):
        profiles.write_text(f"[default]\nhost = {host}\nproject = football\napi_key = {key}\n")
        profiles.chmod(0o600)

    write(KEY)
    with (
        open_connection(strict_url, "football", api_key_file=str(sdk_key_file), quiet=True) as by_file,
        open_connection(quiet=True) as by_profile,
    ):
        strict.takes = FRESH
        sdk_key_file.write_text(FRESH)
        by_file.get_featuregroups()
        write(FRESH, host="https://elsewhere.example.com")
        with pytest.raises(NotAuthenticatedError):
            by_profile.get_featuregroups()
        write(FRESH)
        by_profile.get_featuregroups()


def test_a_secret_scope_is_read_again(blank, strict, strict_url):  # noqa: F811
    scope = {"football": KEY}
    blank.setenv("DATABRICKS_RUNTIME_VERSION", "15.4")
    blank.setitem(sys.modules, "IPython", ipython_with(dbutils=dbutils_of({"hopsworks": scope})))
    with open_connection(strict_url, "football", secrets_store="databricks", quiet=True) as connection:
        strict.takes = scope["football"] = FRESH
        assert connection.get_featuregroups() == []


def test_of_many_threads_one_reads(strict, strict_url, sdk_key_file, monkeypatch):
    reads, together = [], threading.Barrier(16)
    original = StoredKey._read_again
    monkeypatch.setattr(StoredKey, "_read_again", lambda self: reads.append(1) or original(self))
    answers = []
    with _connected(strict_url, sdk_key_file) as connection:
        strict.takes = FRESH
        sdk_key_file.write_text(FRESH)

        def work():
            together.wait(10)
            answers.append(connection.get_featuregroups())

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert (len(answers), len(reads)) == (16, 1)


def _connected(url, key_file):
    return open_connection(
        url, "football", secrets_store="local", api_key_file=str(key_file), quiet=True, retries=RetryPolicy(attempts=1)
    )


def test_a_key_that_stays_refused_costs_one_reading_and_no_loop(strict, strict_url, sdk_key_file):
    with _connected(strict_url, sdk_key_file) as connection:
        strict.takes = "another"
        sdk_key_file.write_text(FRESH)
        before = len(strict.asked)
        with pytest.raises(NotAuthenticatedError):
            connection.get_featuregroups()
        assert len(strict.asked) - before == 2, "the old one, the one of its store, and no more"
        with pytest.raises(NotAuthenticatedError):
            connection.get_featuregroups()
        assert len(strict.asked) - before == 3
        sdk_key_file.unlink()
        with pytest.raises(NotAuthenticatedError):
            connection.get_featuregroups()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_what_was_just_read_is_not_read_again():
    reads, clock = [], Clock()
    key = StoredKey(ApiKey(KEY), lambda: reads.append(1), clock=clock)
    refused_header = str(key.header())
    for now, seen in ((1.0, 0), (6.0, 1), (7.0, 1), (12.0, 2)):
        clock.now = now
        assert not key.renew(refused_header)
        assert len(reads) == seen
    assert key.renew("ApiKey older"), "somebody has read a newer one meanwhile"
    assert len(reads) == 2


def test_a_forked_process_reads_for_itself(monkeypatch):
    monkeypatch.setattr(stored, "_PAUSE", 0.0)
    key = StoredKey(ApiKey(KEY), lambda: ApiKey(FRESH))
    key._turn().acquire()
    key._turn._process = os.getpid() + 1
    assert key.renew(str(key.header()))
    assert key.header() == f"ApiKey {FRESH}"


def test_it_shows_nowhere_and_is_not_copied():
    key = StoredKey(ApiKey(KEY), lambda: None)
    assert [repr(key), str(key), f"{key}"] == ["***"] * 3
    assert KEY not in repr(vars(key))
    for action in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            action(key)


def test_a_key_of_another_project_is_not_taken_for_this_one(strict, strict_url, sdk_key_file):
    strict.on("GET", "/me", json_reply(me()))
    with _connected(strict_url, sdk_key_file) as connection:
        strict.takes = FRESH
        strict.on("GET", GROUPS, problem(404, "project-not-found"))
        sdk_key_file.write_text(FRESH)
        with pytest.raises(Exception, match="It went wrong") as refusal:
            connection.get_featuregroups()
        assert refusal.value.status == 404
