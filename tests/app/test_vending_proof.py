"""Whether the store holds credentials to their table is tried before anybody is given one, and daily."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import update

from app.checks import vending_checks
from app.featurestore.vending import proof
from app.featurestore.vending.models import ProjectVending, VendingProof
from app.featurestore.vending.proof import Proofs, _id
from app.settings import Settings, VendingSettings
from infra.errors import GatewayError
from infra.storage.location import S3Options, Warehouse, parse_warehouse
from infra.storage.vending import StsMinter
from tests.app.vending import GROUP, ask, create_group, made_by, refusal, switch, vending_world
from tests.lab.aws import Moto
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.world import World, make_world


@pytest.fixture
def world(tmp_path: Path, seaweedfs: SeaweedFs) -> Iterator[World]:
    made = vending_world(tmp_path, seaweedfs.new_warehouse(), seaweedfs.endpoint_url)
    yield made
    made.container.database.engine.dispose()


def test_a_store_that_ignores_policies_turns_it_off(tmp_path: Path, moto: Moto) -> None:
    """moto gives out credentials that reach everything; that is noticed before anybody is given one."""
    moto.client("s3").create_bucket(Bucket="careless")
    options = S3Options("us-east-1", moto.endpoint_url, "testing", "testing")
    world = vending_world(tmp_path, parse_warehouse("s3://careless/wh", options), moto.endpoint_url)
    refused = ask(world)
    assert refusal(refused) == (409, "vending-off")
    assert "reads nothing beside" in refused.json["detail"]
    state = world.call("GET", "/projects/football/vending", world.key("football")).json
    assert (state["enabled"], state["proof"]["passed"]) == (True, False)
    assert "reads nothing beside" in state["why"]
    [check] = vending_checks(world.container)
    assert not check.passed
    assert "reads nothing beside" in check.detail
    left = moto.client("s3").list_objects_v2(Bucket="careless", Prefix="wh/.probe/")
    assert left["KeyCount"] == 0


def test_it_is_looked_at_before_the_first_and_then_daily(world: World) -> None:
    proofs = world.container.vending_proofs
    first = proofs.find()  # since the projects were switched on
    made_by(world)
    assert proofs.find() == first
    assert first is not None
    assert first.passed
    world.clock.ahead = timedelta(hours=22)
    assert proofs.renew() == first
    world.clock.ahead = timedelta(hours=23, minutes=1)
    again = proofs.renew()
    assert again is not None
    assert again.checked_at - first.checked_at > timedelta(hours=23)
    [check] = vending_checks(world.container)
    assert check.passed
    assert "tells capitals apart: no" in check.detail


def test_what_was_proven_of_one_role_says_nothing_of_another(world: World) -> None:
    made_by(world)
    with world.container.database.write() as uow:
        uow.session.execute(update(VendingProof).values(passed=False))
        uow.commit()
    assert refusal(ask(world)) == (409, "vending-off")
    warehouse = parse_warehouse(world.container.settings.resolved_warehouse_url, S3Options())
    minter = StsMinter(warehouse, role_arn=ROLE_ARN + "2", clock=world.clock)
    assert Proofs(database=world.container.database, minter=minter, clock=world.clock).find() is None


def test_an_sts_that_does_not_answer(tmp_path: Path, seaweedfs: SeaweedFs) -> None:
    world = vending_world(tmp_path, seaweedfs.new_warehouse(), "http://127.0.0.1:9")
    assert refusal(ask(world)) == (503, "vending-unavailable")
    state = world.call("GET", "/projects/football/vending", world.key("football")).json
    assert (state["enabled"], state["proof"]) == (True, None)
    assert "does not answer" in state["why"]
    rows = world.call("GET", f"{GROUP}/rows", world.key("football"))
    assert pa.ipc.open_stream(rows.data).read_all().num_rows == 2


def test_a_silent_sts_is_asked_once_a_minute(
    tmp_path: Path, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads a large group asks on the way whether there are credentials; they must not all wait."""
    world = vending_world(tmp_path, seaweedfs.new_warehouse(), "http://127.0.0.1:9")
    original, looks = StsMinter.probe, []

    def probe(self: StsMinter) -> Any:
        looks.append(self)
        return original(self)

    monkeypatch.setattr(StsMinter, "probe", probe)
    world.clock.ahead = timedelta(minutes=2)
    for _ in range(3):
        assert refusal(ask(world)) == (503, "vending-unavailable")
    assert len(looks) == 1
    world.clock.ahead = timedelta(minutes=4)
    assert refusal(ask(world)) == (503, "vending-unavailable")
    assert len(looks) == 2


def test_a_slow_store_is_not_waited_for_by_everybody(
    tmp_path: Path, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows have other ways, and a process few threads."""
    world = vending_world(tmp_path, seaweedfs.new_warehouse(), seaweedfs.endpoint_url)
    original, began, go_on = StsMinter.probe, threading.Event(), threading.Event()

    def probe(self: StsMinter) -> Any:
        began.set()
        assert go_on.wait(60)
        return original(self)

    monkeypatch.setattr(StsMinter, "probe", probe)
    monkeypatch.setattr(proof, "_WAIT_SECONDS", 0.1)
    key = world.key("football")
    world.clock.ahead = timedelta(hours=25)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, world, key)
        assert began.wait(60)
        try:
            assert refusal(ask(world)) == (503, "vending-unavailable")
        finally:
            go_on.set()
        assert first.result(60).status_code == 200
    assert ask(world).status_code == 200


def test_a_gateway_without_a_role(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = make_world(tmp_path / "data", None, local_warehouse)
    world.projects("football")
    create_group(world, "football", "g")
    switch(world, "football")
    refused = ask(world)
    assert refusal(refused) == (409, "vending-off")
    assert "OAST_VENDING__ROLE" in refused.json["hint"]
    assert Settings(data_dir=tmp_path).vending.role is None
    assert vending_checks(world.container) == []
    assert world.container.vending_proofs.renew() is None


def test_two_that_do_it_first_at_once(tmp_path: Path, postgres_url: str, seaweedfs: SeaweedFs) -> None:
    """Neither looking at the store nor turning it on; SQLite lets nobody in meanwhile."""
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=seaweedfs.endpoint_url)
    world = make_world(tmp_path / "data", postgres_url, seaweedfs.new_warehouse(), vending=vending)
    world.project("football")
    service, proofs, context = world.container.vending, world.container.vending_proofs, world.context("football")
    assert proofs._minter is not None
    now = world.clock.now()
    switched = ProjectVending(project_id=context.principal.project_id, enabled=False, changed_at=now, changed_by="vera")
    looked = VendingProof(id=_id(proofs._minter), minter="m", checked_at=now, passed=False, checks={"items": []})
    for row, work, said in (
        (switched, lambda: service.set(context, "football", enabled=True), "a moment ago"),
        (looked, proofs.check, "just now"),
    ):
        with world.container.database.write() as uow, ThreadPoolExecutor(1) as pool:
            uow.session.add(row)
            uow.session.flush()
            other = pool.submit(work)
            _wait_for_a_lock(world)
            uow.commit()
            with pytest.raises(GatewayError, match=said):
                other.result(60)
    assert service.set(context, "football", enabled=True).enabled
    assert proofs.check().passed
    world.container.database.engine.dispose()


def _wait_for_a_lock(world: World) -> None:
    """Until somebody waits for what another transaction has written."""
    for _ in range(600):
        with world.container.database.engine.connect() as connection:
            if connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one():
                return
        time.sleep(0.05)
    pytest.fail("nobody waits")
