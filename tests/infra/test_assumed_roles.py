"""Roles that projects name: the gateway is a deputy, and must not be confused about whose."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.ports.files import BucketAccessRefusedError, BucketRole, RoleNotGuardedError
from infra.ports.sources import SourceUnreachableError
from infra.storage.roles import AssumedRoles
from tests.lab.sts import Sts, running_sts

ARN = "arn:aws:iam::123456789012:role/landing"
ROLE = BucketRole(ARN, "oasthouse:football", "oasthouse-football")
KEYS = {"AccessKeyId": "ASIAX", "SecretAccessKey": "canary7f3a", "SessionToken": "token"}


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-gateway")
    with running_sts(KEYS) as running:
        yield running


def _roles(sts: Sts) -> AssumedRoles:
    return AssumedRoles("us-east-1", sts.endpoint_url)


def test_a_role_that_asks_for_the_project(sts: Sts) -> None:
    sts.trust[ARN] = "oasthouse:football"
    keys = _roles(sts).keys(ROLE)
    assert (keys.access_key_id.reveal(), keys.secret_access_key.reveal()) == ("ASIAX", "canary7f3a")
    assert keys.session_token is not None
    assert "canary7f3a" not in repr(keys)
    stranger, own = sts.asked
    assert (own["ExternalId"], own["RoleSessionName"]) == ("oasthouse:football", "oasthouse-football")
    assert stranger["ExternalId"].startswith("oasthouse:check_"), "a pattern such as oasthouse:* would let it in"


def test_a_role_open_to_every_project_is_not_used(sts: Sts) -> None:
    """Above all the operator's own ones, which trust the gateway and ask for nothing."""
    sts.trust[ARN] = None
    with pytest.raises(RoleNotGuardedError) as refusal:
        _roles(sts).keys(ROLE)
    assert "oasthouse:football" in str(refusal.value.hint)
    assert len(sts.asked) == 1


def test_a_role_of_another_project_is_closed(sts: Sts) -> None:
    sts.trust[ARN] = "oasthouse:rivals"
    with pytest.raises(BucketAccessRefusedError, match="may not assume"):
        _roles(sts).keys(ROLE)


@pytest.mark.parametrize("code", ["ExpiredToken", "RegionDisabledException", "ValidationError"])
def test_other_refusals_say_their_code(sts: Sts, code: str) -> None:
    sts.failure = code
    with pytest.raises(BucketAccessRefusedError, match=code) as refusal:
        _roles(sts).keys(ROLE)
    assert refusal.value.__cause__ is None


def test_a_gateway_without_an_identity(sts: Sts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    _alone(monkeypatch, tmp_path)
    for roles in (_roles(sts), AssumedRoles()):
        with pytest.raises(BucketAccessRefusedError, match="no AWS identity"):
            roles.keys(ROLE)
    assert sts.asked == []


def test_an_sts_that_is_silent(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceUnreachableError):
        AssumedRoles("us-east-1", "http://127.0.0.1:1").keys(ROLE)


def _alone(monkeypatch: Any, directory: Path) -> None:
    """No profile and no machine that could give one."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(directory / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(directory / "none"))
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
