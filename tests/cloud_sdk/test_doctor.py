"""Each check says what it found, and what mends it."""

import json
import socket
from email.utils import formatdate

import pytest

import hops.featurestore as fs_module
from hops.featurestore import diagnosis as doctor
from tests.cloud_sdk.gateway import KEY, Reply, json_reply, me, problem
from tests.cloud_sdk.test_destinations import blank, no_aws  # noqa: F401 - fixtures
from tests.cloud_sdk.test_tls import OTHER, sdk_tls  # noqa: F401 - fixture


@pytest.fixture
def ready(sdk_gateway):
    sdk_gateway._replies["GET", "/readyz"] = [json_reply({"status": "ready"})]
    sdk_gateway.on("GET", "/openapi.json", json_reply({"info": {"version": "0.1.0"}}))
    return sdk_gateway


def by_name(diagnosis):
    return {check.name: check for check in diagnosis.checks}


def failed(diagnosis):
    return [check.name for check in diagnosis.checks if check.state == "failed"]


def test_all_is_well(blank, ready, sdk_url, sdk_key_file):  # noqa: F811
    diagnosis = fs_module.doctor(sdk_url, "football", secrets_store="local", api_key_file=str(sdk_key_file))
    assert diagnosis.ok, diagnosis
    states = {name: check.state for name, check in by_name(diagnosis).items()}
    skipped = {"tls", "role", "s3", "prefix"}
    assert {name for name, state in states.items() if state == "skipped"} - {"spark"} == skipped
    assert "version 0.1.0" in by_name(diagnosis)["gateway"].found
    assert "ada is data_owner in football" in repr(diagnosis)
    assert KEY not in repr(diagnosis) + json.dumps(diagnosis.to_dict())


def test_a_port_where_nothing_listens_fails_once(blank, sdk_key_file):  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    diagnosis = fs_module.doctor(f"http://127.0.0.1:{port}", "football", api_key_file=str(sdk_key_file))
    assert failed(diagnosis) == ["network"]
    assert "nothing listens" in by_name(diagnosis)["network"].fix
    assert by_name(diagnosis)["gateway"].found == "the gateway is not reached"
    assert "fix: The machine answers" in repr(diagnosis)


def test_a_certificate_of_another_name(blank, sdk_tls, sdk_key_file):  # noqa: F811
    _, port, pem = sdk_tls(OTHER)
    diagnosis = fs_module.doctor("localhost", "football", port, trust_store_path=pem, api_key_file=str(sdk_key_file))
    assert failed(diagnosis) == ["tls"]
    assert "another name" in by_name(diagnosis)["tls"].fix


def test_a_clock_that_is_off(blank, ready, sdk_url, sdk_key_file):  # noqa: F811
    past = formatdate(0, usegmt=True)
    diagnosed = doctor.Patient(doctor.Wanted(), answer=({"Date": past}, 1000.0))
    assert doctor._checked("clock", doctor._clock, diagnosed).found == "this machine is +1000 s off the gateway's clock"


def test_nothing_named(blank):  # noqa: F811
    diagnosis = fs_module.doctor()
    assert "OAST_HOST" in by_name(diagnosis)["settings"].fix
    assert failed(diagnosis)[0] == "settings"


def test_no_role_and_no_secret(no_aws, ready, sdk_url):  # noqa: F811
    diagnosis = fs_module.doctor(sdk_url, "football", secrets_store="secretsmanager")
    assert failed(diagnosis) == ["role", "secret"]
    assert 'secrets_store="local"' in by_name(diagnosis)["role"].fix
    assert by_name(diagnosis)["key"].state == "skipped"


def test_a_key_that_is_refused(blank, ready, sdk_url, sdk_key_file):  # noqa: F811
    ready.on("GET", "/me", problem(401, "not-authenticated"))
    diagnosis = fs_module.doctor(sdk_url, "football", api_key_file=str(sdk_key_file))
    assert failed(diagnosis) == ["key"]
    assert "oast key list football" in by_name(diagnosis)["key"].fix
    ready.on("GET", "/me", json_reply(me("venues")))
    assert "belongs to project 'venues'" in repr(fs_module.doctor(sdk_url, "football", api_key_file=str(sdk_key_file)))


@pytest.mark.parametrize("reply", [Reply(503, b"database"), Reply(200, b"<html>")], ids=["not-ready", "other"])
def test_what_answers_is_no_gateway_that_is_ready(blank, ready, sdk_url, sdk_key_file, reply):  # noqa: F811
    ready._replies["GET", "/readyz"] = [reply]
    ready.on("GET", "/openapi.json", reply)
    diagnosis = fs_module.doctor(sdk_url, "football", api_key_file=str(sdk_key_file))
    assert "gateway" in failed(diagnosis)


def test_others_add_checks_of_their_own(blank, monkeypatch):  # noqa: F811
    monkeypatch.setattr(doctor, "_CHECKS", list(doctor._CHECKS))
    doctor.register("prefix", lambda _patient: "refused as it should be")
    assert by_name(fs_module.doctor("localhost", "football"))["prefix"].found == "refused as it should be"
    assert len(doctor._CHECKS) == 12
