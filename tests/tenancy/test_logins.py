"""A role of AWS connects without a stored key: end to end, over sockets, against an STS that verifies signatures."""

import time
from collections.abc import Callable
from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import text

from hops.featurestore.credentials.errors import AwsCredentialsMissingError, AwsRoleNotFoundError
from hops.featurestore.errors import NotAuthenticatedError
from hops.featurestore.login_errors import (
    LoginForOtherServerError,
    LoginNotEnabledError,
    LoginOutOfTimeError,
    LoginRefusedError,
    LoginRegionError,
    LoginUnavailableError,
    RoleNotBoundError,
)
from hops.featurestore.retries import RetryPolicy
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.keyless import ARN, bind, connect, in_threads, signed, use_role
from tests.lab.aws import Moto
from tests.lab.identity import ACCOUNT, IdentitySts, unique_id_of
from tests.world import World


def test_a_bound_role_works_without_a_key(
    keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bind(keyless)
    use_role(monkeypatch, sts.role("Notebooks"))
    with connect(keyless, quiet=False) as fs:
        assert capsys.readouterr().out == f"Connected to project football at 127.0.0.1, with no stored key, as {ARN}\n"
        assert (fs.identity.member, fs.identity.role) == ("ada", "data_scientist")
        fs.create_featuregroup(pd.DataFrame({"id": [1, 2]}), "teams", primary_key="id")
        assert fs.get_featuregroup("teams")["id"].tolist() == [1, 2]
    listed = keyless.call("GET", "/projects/football/role-bindings", keyless.key("football")).json["items"]
    assert (listed[0]["role_unique_id"], listed[0]["last_login_at"] is None) == (unique_id_of("Notebooks"), False)
    with keyless.container.database.engine.connect() as connection:
        details = str(connection.execute(text("select detail from audit_event where subject = :id"), listed[0]).all())
    assert "first login" in details


def test_roles_of_moto_log_in(make_keyless: Callable[..., World], moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto knows sessions by their access key and looks at nothing else; this is for its answers, which are not ours."""
    moto.reset()
    world = make_keyless(moto.endpoint_url)
    made = moto.client("sts").assume_role(RoleArn=ARN, RoleSessionName="SageMaker")["Credentials"]
    for name, value in (
        ("ACCESS_KEY_ID", "AccessKeyId"),
        ("SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("SESSION_TOKEN", "SessionToken"),
    ):
        monkeypatch.setenv(f"AWS_{name}", made[value])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(RoleNotBoundError):
        connect(world)
    bind(world)
    with connect(world) as fs:
        assert fs.identity.project == "football"


def test_a_role_that_is_not_bound_is_told_the_command(
    keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_role(monkeypatch, sts.role("Notebooks"))
    with pytest.raises(RoleNotBoundError) as caught:
        connect(keyless)
    assert ARN in caught.value.detail
    assert f"oast role bind football {ARN} --member" in str(caught.value)
    bind(keyless, role_unique_id="AROA" + "Z" * 17)
    with pytest.raises(RoleNotBoundError) as again:
        connect(keyless)
    assert str(again.value).splitlines()[0] == str(caught.value).splitlines()[0]


def test_users_and_nobody_are_told_so_before_anything_is_sent(
    keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_role(monkeypatch, sts.caller(f"arn:aws:iam::{ACCOUNT}:user/ada", "AIDAEXAMPLE", token=False))
    with pytest.raises(AwsRoleNotFoundError, match="only roles log in"):
        connect(keyless)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsCredentialsMissingError):
        connect(keyless)
    monkeypatch.setenv("AWS_PROFILE", "absent")
    with pytest.raises(AwsCredentialsMissingError, match="absent"):
        connect(keyless)
    assert sts.asked == []


def test_a_session_of_a_user_is_no_role(keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch) -> None:
    use_role(monkeypatch, sts.caller(f"arn:aws:iam::{ACCOUNT}:user/ada", "AIDAEXAMPLE"))
    with pytest.raises(LoginRefusedError, match="not a session of an IAM role") as caught:
        connect(keyless)
    assert caught.value.code == "login-not-a-role"


def test_a_wrong_clock_is_named(keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch) -> None:
    bind(keyless)
    use_role(monkeypatch, sts.role("Notebooks"))
    keyless.clock.ahead = timedelta(minutes=10)
    with pytest.raises(LoginOutOfTimeError, match=r"signed at .* UTC; here it is .* UTC") as caught:
        connect(keyless)
    assert "Set the clock" in str(caught.value)


def test_another_name_of_the_gateway_is_refused_with_the_right_one(
    make_keyless: Callable[..., World], sts: IdentitySts, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_keyless(sts.endpoint_url, server_id="gateway.example.com")
    bind(world)
    use_role(monkeypatch, sts.role("Notebooks"))
    with pytest.raises(LoginForOtherServerError, match=r"Connect to this gateway as 'gateway\.example\.com'"):
        connect(world)


def test_a_gateway_without_logins_says_so(
    make_keyless: Callable[..., World], sts: IdentitySts, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_keyless(None, server_id=None, regions=None)
    use_role(monkeypatch, sts.role("Notebooks"))
    with pytest.raises(LoginNotEnabledError, match="OAST_LOGIN__SERVER_ID"):
        connect(world)


@pytest.mark.parametrize("region", ["ap-south-1", None])
def test_a_notebook_elsewhere_signs_for_a_region_that_is_taken(
    keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch, region: str | None
) -> None:
    bind(keyless)
    use_role(monkeypatch, sts.role("Notebooks"), region)
    connect(keyless).close()
    assert sts.asked[-1].headers["host"] in ("sts.eu-west-1.amazonaws.com", "sts.us-east-1.amazonaws.com")


def test_a_region_of_another_partition_is_not_signed_for(
    keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_role(monkeypatch, sts.role("Notebooks"), "cn-north-1")
    with pytest.raises(LoginRegionError, match="eu-west-1, us-east-1"):
        connect(keyless)


def test_a_role_of_china(make_keyless: Callable[..., World], sts: IdentitySts, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_keyless(sts.endpoint_url, regions="cn-north-1")
    bind(world, f"arn:aws-cn:iam::{ACCOUNT}:role/Notebooks")
    use_role(monkeypatch, sts.role("Notebooks", partition="aws-cn"), "cn-north-1")
    connect(world).close()
    assert sts.asked[-1].headers["host"] == "sts.cn-north-1.amazonaws.com.cn"


def test_an_outage_of_sts_is_waited_for_with_new_proofs(
    keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind(keyless)
    use_role(monkeypatch, sts.role("Notebooks"))
    waits: list[float] = []
    sts.twist = lambda answer: (503, {}, b"") if len(sts.asked) < 3 else answer
    connect(keyless, retries=RetryPolicy(sleep=waits.append)).close()
    assert (len(waits), len({asked.headers["x-oast-nonce"] for asked in sts.asked})) == (2, 3)
    sts.twist = lambda _: (503, {}, b"")
    with pytest.raises(LoginUnavailableError):
        connect(keyless)


def test_sessions_are_renewed_in_silence(keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A life of three seconds in place of 15 minutes; several threads read all the while."""
    for name, value in (("tokens.LIFE", 3), ("tokens.LEEWAY", 1)):
        monkeypatch.setattr(f"tenancy.sessions.{name}", timedelta(seconds=value))
    monkeypatch.setattr("tenancy.role_bindings.login.LIFE", timedelta(seconds=3))
    bind(keyless)
    use_role(monkeypatch, sts.role("Notebooks"))
    failures: list[BaseException] = []
    with connect(keyless) as fs:
        first = fs._transport._key.header()
        until = time.monotonic() + 7

        def read() -> None:
            while time.monotonic() < until:
                try:
                    fs.get_featuregroups()
                except BaseException as error:  # noqa: BLE001 the test counts them
                    failures.append(error)

        in_threads([read] * 4)
        assert failures == []
        assert fs._transport._key.header() != first
        assert 3 <= len(sts.asked) <= 8, "renewed a few times, by one thread for all"


def test_a_session_that_is_refused_is_renewed_once(
    keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind(keyless)
    use_role(monkeypatch, sts.role("Notebooks"))
    with connect(keyless) as fs:
        _forget_keys(keyless)
        fs.create_featuregroup(pd.DataFrame({"id": [1, 2]}), "teams", primary_key="id")
        assert len(sts.asked) == 2
        item = keyless.call("GET", "/projects/football/role-bindings", keyless.key("football")).json["items"][0]
        keyless.call("DELETE", f"/projects/football/role-bindings/{item['id']}", keyless.key("football"))
        with pytest.raises(RoleNotBoundError):
            fs.get_featuregroups()
        assert len(sts.asked) == 3
        bind(keyless)
        assert len(fs.get_featuregroups()) == 1


def test_a_refusal_after_renewal_is_final(keyless: World, sts: IdentitySts, monkeypatch: pytest.MonkeyPatch) -> None:
    bind(keyless)
    use_role(monkeypatch, sts.role("Notebooks"))
    with connect(keyless) as fs:
        monkeypatch.setattr(type(keyless.container.sessions._tokens), "verify", lambda _self, _text: None)
        with pytest.raises(NotAuthenticatedError):
            fs.get_featuregroups()
    assert len(sts.asked) == 2


def test_runs_act_with_what_the_binding_gives_then(keyless: World, sts: IdentitySts) -> None:
    bind(keyless, role="data_scientist", scopes=(Scope.FEATURESTORE, Scope.PROJECT_READ))
    token = keyless.call("POST", "/login/aws", json=signed(sts.role("Notebooks"), server_id="127.0.0.1")).json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    keyless.connect("football").create_featuregroup(pd.DataFrame({"id": [1]}), "teams", primary_key="id")
    arguments = {"name": "d", "query": {"features": ["id"]}}
    job = {"kind": "training_dataset", "arguments": arguments}
    jobs = "/projects/football/jobs/nightly"
    assert keyless.call("PUT", jobs, headers=headers, json=job).status_code == 200
    run = keyless.call("POST", f"{jobs}/runs", headers=headers, json={}).json
    assert (keyless.work(), _state(keyless, run["id"])) == (1, "succeeded")
    path = "/projects/football/role-bindings"
    item = keyless.call("GET", path, keyless.key("football")).json["items"][0]
    run = keyless.call("POST", f"{jobs}/runs", headers=headers, json={}).json
    keyless.call("DELETE", f"{path}/{item['id']}", keyless.key("football"))
    assert (keyless.work(), _state(keyless, run["id"])) == (1, "failed")


def _state(world: World, run_id: str) -> str:
    run = world.call("GET", f"/projects/football/runs/{run_id}", world.key("football")).json
    if run["state"] == "failed":
        assert run["error"]["code"] == "requester-gone"
    return str(run["state"])


def test_a_demoted_member_demotes_the_runs_of_its_roles(keyless: World, sts: IdentitySts) -> None:
    from app.featurestore.jobs.requester import Requester, require_principal

    keyless.member("football", "sam", Role.DATA_OWNER)
    bind(keyless, member="sam", role="data_scientist")
    token = keyless.call("POST", "/login/aws", json=signed(sts.role("Notebooks"), server_id="127.0.0.1")).json["token"]
    principal = keyless.container.sessions.authenticate(token)
    stored = Requester.of(principal).stored()
    assert principal.project_id is not None
    for role, expected in ((Role.DATA_OWNER, Role.DATA_SCIENTIST), (Role.VIEWER, Role.VIEWER)):
        keyless.member("football", "sam", role)
        with keyless.container.database.read() as session:
            assert require_principal(session, stored, principal.project_id, "football").role is expected


def _forget_keys(world: World) -> None:
    with world.container.database.engine.begin() as connection:
        connection.execute(text("delete from signing_key"))
    ring = world.container.sessions._tokens.keys
    ring._looked_at = float("-inf")
