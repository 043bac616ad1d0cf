"""`oast project warehouse`, `oast doctor` and `oast serve`, with stores that keep to conditions and such as do not."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from app import cli
from app.featurestore.warehouses.errors import WarehouseOverlapsError
from app.featurestore.warehouses.models import ProjectWarehouse
from app.featurestore.warehouses.service import ProjectWarehouseInfo, WarehouseService
from infra.observability.logs import configure_logs
from tests.app.warehouses import Lab, shorten_races, warehouse_lab
from tests.lab.careless import Care, CarelessStore, careless_store
from tests.lab.seaweedfs import SeaweedFs


@pytest.fixture
def store() -> Iterator[CarelessStore]:
    with careless_store(Care.KEEPS) as running:
        yield running


@pytest.fixture
def variables(tmp_path: Path, store: CarelessStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    given = {
        "OAST_DATA_DIR": str(tmp_path / "data"),
        "OAST_WAREHOUSE__URL": "s3://own/features",
        "OAST_WAREHOUSE__REGION": "us-east-1",
        "OAST_WAREHOUSE__ENDPOINT_URL": store.endpoint_url,
        "OAST_WAREHOUSE__ACCESS_KEY_ID": "key",
        "OAST_WAREHOUSE__SECRET_ACCESS_KEY": "secret",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    cli._container.cache_clear()
    _oast("init")
    _oast("project", "create", "football", "--owner", "ada")
    yield given
    cli._container().database.engine.dispose()
    cli._container.cache_clear()
    configure_logs("error")


def _oast(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return str(result.output)


def _json(*arguments: str) -> Any:
    return json.loads(_oast(*arguments, "--json"))


def _registration(store: CarelessStore) -> tuple[str, ...]:
    return (
        "project",
        "warehouse",
        "football",
        "s3://theirs/x",
        "--endpoint",
        store.endpoint_url,
        "--region",
        "us-east-1",
    )


def test_registering_showing_and_leaving(variables: dict[str, str], store: CarelessStore) -> None:
    assert "the gateway's own warehouse" in _oast("project", "warehouse", "football")
    assert "s3://theirs/x, as the gateway itself" in _oast(*_registration(store))
    shown = _json("project", "warehouse", "football")
    assert (shown["url"], shown["endpoint_url"], shown["role_arn"]) == ("s3://theirs/x", store.endpoint_url, None)
    assert {"warehouse of football", "commits"} <= {check["name"] for check in _json("doctor") if check["passed"]}
    assert _json("project", "warehouse", "football", "--unset")["url"] is None
    assert "no warehouse of its own" in _oast("project", "warehouse", "football", "--unset", code=1)
    assert "stands alone" in _oast("project", "warehouse", "football", "--unset", "--region", "eu-west-1", code=1)
    assert "no place" in _oast("project", "warehouse", "football", "--region", "eu-west-1", code=1)
    assert "no project" in _oast("project", "warehouse", "nowhere", code=1)
    assert store.objects == {}


def test_nothing_is_registered_that_fails(variables: dict[str, str], store: CarelessStore) -> None:
    with careless_store(Care.LOOKS_FIRST) as other:
        store.care = Care.LOOKS_FIRST
        told = _oast(*_registration(store), code=1)
        assert "lets one of many writers create an object" in told
        assert "next: Use a store that keeps to If-None-Match" in told
        assert "does not come as itself" in _oast(*_registration(other), code=1)
        assert other.sent == []
    assert _json("project", "warehouse", "football")["url"] is None


def test_a_gateway_does_not_serve_where_commits_could_be_lost(variables: dict[str, str], store: CarelessStore) -> None:
    store.care = Care.LOOKS_FIRST
    assert "writers at once" in _oast("serve", code=1)
    failed = [check["name"] for check in json.loads(_oast("doctor", "--json", code=1)) if not check["passed"]]
    assert "commits" in failed


def test_a_gateway_on_a_directory(tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_WAREHOUSE__URL", str(tmp_path / "warehouse"))
    assert "is a directory" in _oast("project", "warehouse", "football", "s3://theirs/x", code=1)
    assert "commits" in {check["name"] for check in _json("doctor") if check["passed"]}


def test_whoever_dies_while_it_is_tried_has_registered_nothing(variables: dict[str, str], store: CarelessStore) -> None:
    store.pause = 0.2
    command = _program(*_registration(store))
    with subprocess.Popen(command, env={**os.environ, **variables}) as process:
        until = time.monotonic() + 30
        while not any("theirs" in path for _, path, _ in store.sent):
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    store.pause = 0.0
    assert _json("project", "warehouse", "football")["url"] is None
    assert "s3://theirs/x" in _oast(*_registration(store))


def _program(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from app.cli import main; main(sys.argv[1:])", *arguments]


def test_of_two_at_once_one_gets_the_place(
    tmp_path: Path, seaweedfs: SeaweedFs, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-gateway")
    shorten_races(monkeypatch)
    with warehouse_lab(tmp_path / "data", seaweedfs, database_url=postgres_url) as lab:
        url = f"s3://{lab.bucket('football')}/x"
        lab.bucket("rivals")
        lab.sts.of_role[lab.role("rivals")] = lab.sts.of_role[lab.role("football")]
        outcomes: dict[str, Any] = {}
        threads = [threading.Thread(target=_try, args=(lab, name, url, outcomes)) for name in ("football", "rivals")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        won = [name for name, outcome in outcomes.items() if isinstance(outcome, ProjectWarehouseInfo)]
        lost = [outcome for outcome in outcomes.values() if isinstance(outcome, WarehouseOverlapsError)]
        assert (len(won), len(lost)) == (1, 1), outcomes
        lab.create(won[0])
        assert lab.values(won[0]) == ["x"] * 2


def _try(lab: Lab, project: str, url: str, outcomes: dict[str, Any]) -> None:
    try:
        outcomes[project] = lab.register(project, url=url)
    except Exception as error:  # noqa: BLE001 the test reads it
        outcomes[project] = error


def test_a_place_that_is_claimed_while_another_is_registered(
    tmp_path: Path, seaweedfs: SeaweedFs, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the registration gets the new place, and never the gateway's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-gateway")
    shorten_races(monkeypatch)
    with warehouse_lab(tmp_path / "data", seaweedfs, database_url=postgres_url) as lab:
        lab.register("football")
        container = lab.world.container
        with container.database.read() as session:
            project_id = session.scalars(select(ProjectWarehouse.project_id)).one()
        service, keep = container.warehouses, WarehouseService._keep
        claimed: list[str] = []
        claiming = threading.Thread(target=lambda: claimed.append(container.locations.claim(project_id)))

        def slowly(self: Any, session: Any, row: Any) -> None:
            keep(self, session, row)
            claiming.start()
            time.sleep(1.0)
            assert claimed == [], "it waits"

        monkeypatch.setattr(WarehouseService, "_keep", slowly)
        service.register(lab.world.operator, "football", lab.wanted("football", "elsewhere"))
        claiming.join(20)
        with container.database.read() as session:
            current = session.scalars(select(ProjectWarehouse).where(ProjectWarehouse.is_current.is_(True))).one()
        assert [path.split("/")[0] for path in claimed] == [f"w={current.id}"]
