"""A role connects to the gateway as users run it: settings from the environment, two processes, the command line beside it."""

from pathlib import Path

import pandas as pd
import pytest

from hops.featurestore.connection import open_connection
from hops.featurestore.login_errors import RoleNotBoundError
from tests.keyless import use_role
from tests.lab.identity import ACCOUNT, running_identity_sts
from tests.served import served


def test_a_role_connects_works_and_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/Notebooks"
    with running_identity_sts() as sts:
        login = {"SERVER_ID": "127.0.0.1", "REGIONS": "eu-west-1", "ENDPOINT_URL": sts.endpoint_url}
        use_role(monkeypatch, sts.role("Notebooks"))
        with served(tmp_path, **{f"OAST_LOGIN__{name}": value for name, value in login.items()}) as gateway:
            bound = gateway.oast("role", "bind", "football", arn, "--member", "ada")
            with open_connection(gateway.address, "football", secrets_store="iam", quiet=True) as fs:
                rows = 200_000
                fs.create_featuregroup(pd.DataFrame({"id": range(rows)}), "teams", primary_key="id")
                assert len(fs.get_featuregroup("teams")) == rows
                assert gateway.oast("role", "list", "football")[0]["last_login_at"] is not None
                gateway.oast("role", "unbind", "football", bound["id"])
                with pytest.raises(RoleNotBoundError):
                    fs.get_featuregroups()
            log = gateway.log.read_text()
    assert "eyJ" not in log, "no session is logged"
    assert '"session": "ada"' in log, "who it was in AWS is"
