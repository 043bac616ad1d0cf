"""Projects whose tables lie in a bucket of their own."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from app.bootstrap import build_container
from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.locations.models import Location
from app.featurestore.warehouses.models import ProjectWarehouse
from app.fsck import check_consistency
from app.settings import ResultSettings, SparkSettings, VendingSettings
from app.warehouses import project_warehouse_checks
from infra.errors import ConflictError
from tenancy.audit.models import AuditEvent
from tests.app.warehouses import Lab, shorten_races, warehouse_lab
from tests.frames import frame_request, read_arrow
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs


@pytest.fixture
def lab(tmp_path: Path, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-gateway")
    shorten_races(monkeypatch)
    with warehouse_lab(tmp_path / "data", seaweedfs) as made:
        yield made


def _stored(lab: Lab, what: Any) -> list[Any]:
    with lab.world.container.database.read() as session:
        return list(session.scalars(select(what)))


def _own_keys(lab: Lab) -> list[str]:
    own = lab.world.container.settings.resolved_warehouse_url.removeprefix("s3://")
    bucket, _, prefix = own.partition("/")
    return lab.keys(bucket, f"{prefix}/")


def test_new_tables_go_there_and_old_ones_stay(lab: Lab) -> None:
    lab.create("football", "before", "old")
    info = lab.register("football")
    assert (info.url, info.former) == (f"s3://{lab.bucket('football')}/features", [])
    lab.create("football", "after", "new")
    lab.create("rivals", "g", "theirs")
    before = len(_own_keys(lab))
    assert lab.values("football", "before") == ["old"] * 2
    assert lab.values("football", "after") == ["new"] * 2
    there = lab.keys(lab.bucket("football"))
    assert there
    locations = {group.name: group.location for group in _stored(lab, FeatureGroup)}
    assert locations["after"].startswith("w=")
    _, _, in_bucket = locations["after"].partition("/")
    assert all(key.startswith(f"features/{in_bucket}/") for key in there)
    assert not locations["before"].startswith("w=")
    assert not locations["g"].startswith("w=")
    more = frame_request(pa.table({"id": [3], "secret": ["more"]}))
    path = "/projects/football/feature-groups/after/versions/1/rows"
    assert lab.world.call("POST", path, lab.world.key("football"), **more).status_code in {200, 201}
    assert sorted(lab.values("football", "after")) == ["more", "new", "new"]
    assert len(_own_keys(lab)) == before, "not a byte of it in the gateway's own"


def test_joins_over_both_and_sql_of_users(lab: Lab) -> None:
    key = lab.world.key("football")
    tables = {"before": {"id": [1, 2], "a": [10, 20]}, "after": {"id": [1, 2], "b": [7, 8]}}
    for name, columns in tables.items():
        command = {"name": name, "primary_key": ["id"]}
        made = lab.world.call(
            "POST", "/projects/football/feature-groups", key, **frame_request(pa.table(columns), command)
        )
        assert made.status_code == 201, made.json
        if name == "before":
            lab.register("football")
    answer = lab.world.call("POST", "/projects/football/queries", key, json={"features": ["a", "b"]})
    assert answer.status_code == 200, answer.json
    assert sorted(zip(*read_arrow(answer.data).select(["a", "b"]).to_pydict().values(), strict=True)) == [
        (10, 7),
        (20, 8),
    ]
    sql = {"query": "SELECT sum(a + b) AS s FROM before_1 JOIN after_1 USING (id)"}
    summed = lab.world.call("POST", "/projects/football/sql", key, json=sql)
    assert summed.status_code == 200, summed.json
    assert read_arrow(summed.data).column("s").to_pylist() == [45]


def test_training_datasets_and_deletion(lab: Lab) -> None:
    lab.register("football")
    lab.create("football")
    key = lab.world.key("football")
    dataset = {"name": "ids", "query": {"features": ["id"]}}
    made = lab.world.call("POST", "/projects/football/training-datasets", key, json=dataset)
    assert made.status_code == 201, made.json
    assert any(path.endswith("part-00000.parquet") for path in lab.keys(lab.bucket("football")))
    assert check_consistency(lab.world.container, deep=True).findings == []
    for path in ("training-datasets/ids/versions/1", "feature-groups/g/versions/1"):
        deleted = lab.world.call("DELETE", f"/projects/football/{path}", key)
        assert deleted.status_code == 204, deleted.json
    assert lab.keys(lab.bucket("football")) == []
    assert _stored(lab, Location) == []


def test_what_lies_there_unknown_is_found(lab: Lab) -> None:
    lab.register("football")
    lab.create("football")
    [group] = _stored(lab, FeatureGroup)
    folder = f"features/{group.project_id}"
    lab.store.client().put_object(Bucket=lab.bucket("football"), Key=f"{folder}/left/x", Body=b"x")
    [finding] = check_consistency(lab.world.container).findings
    assert finding.subject.endswith(f"{group.project_id}/left")
    lab.store.client().delete_object(Bucket=lab.bucket("football"), Key=lab.keys(lab.bucket("football"), folder)[-1])


def test_unset_and_set_again(lab: Lab) -> None:
    lab.register("football")
    lab.create("football", "kept", "kept")
    service, operator = lab.world.container.warehouses, lab.world.operator
    assert service.unset(operator, "football").former == [f"s3://{lab.bucket('football')}/features"]
    with pytest.raises(ConflictError, match="no warehouse of its own"):
        service.unset(operator, "rivals")
    lab.create("football", "own", "own")
    assert (lab.values("football", "kept"), lab.values("football", "own")) == (["kept"] * 2, ["own"] * 2)
    [former] = _stored(lab, ProjectWarehouse)
    lab.register("football")
    [again] = _stored(lab, ProjectWarehouse)
    assert (again.id, again.is_current) == (former.id, True), "the paths of what lies there hold its id"
    moved = lab.register("football", "elsewhere")
    assert moved.former == [f"s3://{lab.bucket('football')}/features"]
    assert lab.values("football", "kept") == ["kept"] * 2
    assert lab.register("football", "third").former == [f"s3://{lab.bucket('football')}/features"], "nothing was in it"
    urls = [event.detail.get("url") for event in _stored(lab, AuditEvent) if event.action == "warehouse:set"]
    assert len(urls) == 5
    assert urls.count(None) == 1


def test_a_role_that_is_gone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.register("football")
    lab.create("football")
    lab.create("football", "further")
    lab.create("rivals", "g", "theirs")
    lab.sts.trust.clear()
    container = build_container(lab.world.container.settings, lab.world.clock)  # another process: it has no keys yet
    [check] = [each for each in project_warehouse_checks(container) if "football" in each.name]
    assert not check.passed
    assert "sts:AssumeRole" in check.detail
    faults = [finding for finding in check_consistency(container).findings if finding.is_fault]
    named = ["feature group football/g_1", "feature group football/further_1", "the warehouses of project football"]
    assert sorted(fault.subject for fault in faults) == sorted(named)
    assert {"oast doctor" in fault.fix for fault in faults} == {True}, "and nobody restores a backup for it"
    with container.database.write() as uow:
        uow.session.execute(Location.__table__.update().values(state="doomed"))
        uow.commit()
    tried: list[str] = []
    original = container.locations.remove
    monkeypatch.setattr(container.locations, "remove", lambda path: tried.append(path) or original(path))
    assert container.locations.purge() == 1, "that of rivals; football's are tried again"
    assert [path.startswith("w=") for path in tried].count(True) == 1, "a silent store is not waited for twice"
    left = _stored(lab, Location)
    assert [location.path.startswith("w=") for location in left] == [True, True]
    container.database.engine.dispose()


def test_no_credentials_are_given_out_for_it(
    tmp_path: Path, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-gateway")
    shorten_races(monkeypatch)
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=seaweedfs.endpoint_url, from_bytes=0)
    with warehouse_lab(
        tmp_path / "data", seaweedfs, vending=vending, results=ResultSettings(parts_from_bytes=0)
    ) as lab:
        key = lab.world.key("football")
        lab.world.call("PUT", "/projects/football/vending", key, json={"enabled": True})
        lab.create("football", "before")
        lab.register("football")
        lab.create("football", "after")
        path = "/projects/football/feature-groups/{}/versions/1/credentials"
        assert lab.world.call("POST", path.format("before"), key, json={}).status_code == 200
        refused = lab.world.call("POST", path.format("after"), key, json={})
        assert (refused.status_code, refused.json["code"]) == (409, "vending-off")
        assert refused.json["detail"] == "The table lies in the project's own warehouse."
        ways = [_transfer(lab, name) for name in ("before", "after")]
        assert ways[0]["mode"] == "direct"
        assert ways[1] == {"mode": "presigned", "why": "The table lies in the project's own warehouse."}


def _transfer(lab: Lab, group: str) -> dict[str, str]:
    """How all of its rows would travel."""
    asked = {"features": ["id", "secret"], "feature_group": group}
    answer = lab.world.call("POST", "/projects/football/queries/explain", lab.world.key("football"), json=asked)
    assert answer.status_code == 200, answer.json
    return dict(answer.json["transfer"])


def test_spark_is_refused_before_it_is_asked(
    tmp_path: Path, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its credentials are for the gateway's warehouse; nobody listens at this address."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-gateway")
    shorten_races(monkeypatch)
    spark = SparkSettings(remote=SecretStr("sc://127.0.0.1:1"))
    with warehouse_lab(tmp_path / "data", seaweedfs, spark=spark) as lab:
        lab.register("football")
        lab.create("football")
        dataset = {"name": "ids", "query": {"features": ["id"]}, "engine": "spark"}
        key = lab.world.key("football")
        refused = lab.world.call("POST", "/projects/football/training-datasets", key, json=dataset)
        assert refused.status_code == 422, refused.json
        assert "in a project's own warehouse" in refused.json["detail"]
        assert _own_keys(lab) == []


def test_the_proof_of_commits_is_kept_a_day(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    container, races = lab.world.container, []
    monkeypatch.setattr(type(container.store), "race", lambda _: races.append(1))
    for ahead in (timedelta(), timedelta(hours=23), timedelta(hours=25)):
        lab.world.clock.ahead = ahead
        container.commit_proofs.require()
    assert len(races) == 2
