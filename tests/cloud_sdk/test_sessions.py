"""A session in place of a key: renewed in time, by one thread, and shown nowhere."""

import copy
import logging
import os
import pickle
import sys
import threading
import traceback

import pytest

from hops.featurestore.api_key import ApiKey
from hops.featurestore.errors import ConnectionFailedError, MissingExtraError
from hops.featurestore.login_errors import LoginRefusedError, RoleNotBoundError
from hops.featurestore.sessions import SessionKey
from tests.cloud_sdk.gateway import problem

LIFE = 900.0
TOKEN = "eyJhbGciOiJFZERTQSJ9.c2Vzc2lvbg.c2lnbmF0dXJl"


class Gate:
    """Gives out sessions, numbered, at a time that the test sets."""

    def __init__(self):
        self.now, self.given, self.failure = 0.0, 0, None
        self.closed = False
        self.key = SessionKey(self.log_in, self.close, clock=lambda: self.now)

    def log_in(self):
        if self.failure is not None:
            raise self.failure
        self.given += 1
        return ApiKey(f"{TOKEN}{self.given}"), LIFE

    def close(self):
        self.closed = True


@pytest.fixture
def gate():
    return Gate()


def test_a_session_is_kept_until_two_thirds_of_its_life(gate):
    for now, given in ((0, 1), (599, 1), (601, 2), (1200, 2), (1202, 3), (5000, 4)):
        gate.now = float(now)
        assert gate.key.header() == f"Bearer {TOKEN}{given}"


def test_a_renewal_that_fails_is_tried_again_while_the_session_lives(gate, caplog):
    gate.key.header()
    gate.failure, gate.now = ConnectionFailedError("No answer."), 700.0
    assert gate.key.header() == f"Bearer {TOKEN}1"
    assert caplog.messages == ["The session could not be renewed yet: No answer."]
    gate.now = 710.0
    gate.key.header()
    assert len(caplog.messages) == 1, "not on every request"
    gate.now = 716.0
    gate.key.header()
    assert len(caplog.messages) == 2
    gate.now = 900.0
    with pytest.raises(ConnectionFailedError):
        gate.key.header()
    gate.failure = None
    assert gate.key.header() == f"Bearer {TOKEN}2"


def test_of_many_refused_threads_one_logs_in(gate):
    refused = str(gate.key.header())
    threads = [threading.Thread(target=gate.key.renew, args=(refused,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert gate.given == 2


def test_threads_do_not_wait_for_a_renewal_that_is_early(gate):
    gate.key.header()
    gate.now = 700.0
    with gate.key._turn():
        assert gate.key.header() == f"Bearer {TOKEN}1"


def test_a_forked_process_does_not_wait_for_its_parents_thread(gate):
    gate.key.header()
    gate.key._turn().acquire()
    gate.key._turn._process = os.getpid() + 1
    gate.now = 1000.0
    assert gate.key.header() == f"Bearer {TOKEN}2"


def test_closing_lets_go(gate):
    gate.key.close()
    assert gate.closed


def test_a_session_shows_nowhere(gate):
    header = gate.key.header()
    assert repr(header) == "'***'"
    assert "eyJ" not in repr(gate.key) + str(gate.key) + repr(vars(gate.key))
    for action in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            action(gate.key)


@pytest.fixture
def sdk_role(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLEEXAMPLE00", "AWS_SECRET_ACCESS_KEY": "topsecret-key",
        "AWS_SESSION_TOKEN": "topsecret-token", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def test_no_traceback_of_a_refused_login_shows_what_was_signed(sdk_open, sdk_url, sdk_gateway, sdk_role):
    sdk_gateway.on("POST", "/login/aws", problem(401, "role-not-bound"))
    with pytest.raises(RoleNotBoundError) as caught:
        sdk_open(sdk_url, secrets_store="iam")
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "topsecret" not in shown
    assert "Signature=" not in shown


def test_a_refusal_of_a_newer_gateway_is_a_refusal(sdk_open, sdk_url, sdk_gateway, sdk_role):
    sdk_gateway.on("POST", "/login/aws", problem(401, "login-identity-refused"))
    with pytest.raises(LoginRefusedError):
        sdk_open(sdk_url, secrets_store="iam")
    assert "Authorization" not in sdk_gateway.last().headers


def test_what_is_sent_is_what_is_said(sdk_open, sdk_url, sdk_gateway, sdk_role):
    sdk_gateway.on("POST", "/login/aws", problem(401, "role-not-bound"))
    with pytest.raises(RoleNotBoundError):
        sdk_open(sdk_url, secrets_store="iam")
    sent = sdk_gateway.last().json
    assert set(sent) == {"project", "region", "server_id", "nonce", "amz_date", "authorization", "security_token"}
    assert (sent["project"], sent["region"], sent["server_id"]) == ("football", "eu-west-1", "127.0.0.1")
    assert (
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-oast-nonce;x-oast-server-id,"
        in sent["authorization"]
    )


def test_logs_at_their_loudest_do_not_have_what_was_signed(sdk_open, sdk_url, sdk_gateway, sdk_role, caplog):
    sdk_gateway.on("POST", "/login/aws", problem(401, "role-not-bound"))
    with caplog.at_level(logging.DEBUG), pytest.raises(RoleNotBoundError):
        sdk_open(sdk_url, secrets_store="iam")
    assert "POST /api/v1/login/aws" in caplog.text
    assert "topsecret" not in caplog.text
    assert "AWS4-HMAC-SHA256" not in caplog.text


def test_without_boto3_the_line_that_installs_it_is_shown(sdk_open, sdk_url, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtraError, match=r"pip install boto3$"):
        sdk_open(sdk_url, secrets_store="iam")
