"""Whose bucket is whose: nobody but the operator names one, and no project comes to another's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.locations.models import Location, LocationState
from app.featurestore.warehouses.errors import WarehouseOverlapsError
from app.featurestore.warehouses.models import ProjectWarehouse
from infra.errors import InvalidInputError, StorageUnavailableError
from infra.ports.warehouses import WarehouseNotProvenError
from infra.storage.location import S3Options, Warehouse
from infra.storage.s3 import S3ObjectStore
from tenancy.access import ScopeMissingError
from tenancy.actions import ShareKind
from tests.app.warehouses import Lab, shorten_races, warehouse_lab
from tests.lab.careless import Care, careless_store
from tests.lab.seaweedfs import SeaweedFs


@pytest.fixture
def lab(tmp_path: Path, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-gateway")
    shorten_races(monkeypatch)
    with warehouse_lab(tmp_path / "data", seaweedfs) as made:
        yield made


def _warehouses(lab: Lab) -> list[ProjectWarehouse]:
    with lab.world.container.database.read() as session:
        return list(session.scalars(select(ProjectWarehouse)))


def _location(lab: Lab, project: str) -> str:
    with lab.world.container.database.read() as session:
        found = session.scalars(select(FeatureGroup)).all()
        return next(group.location for group in found if group.project.name == project)


def _point(lab: Lab, project: str, location: str) -> None:
    """As whoever could write the database's row would have it."""
    with lab.world.container.database.write() as uow:
        group = next(group for group in uow.session.scalars(select(FeatureGroup)) if group.project.name == project)
        uow.session.execute(update(FeatureGroup).where(FeatureGroup.id == group.id).values(location=location))
        uow.commit()


@pytest.fixture
def both(lab: Lab) -> Lab:
    for project in ("football", "rivals"):
        lab.register(project)
        lab.create(project, "g", f"of {project}")
    return lab


def test_tenants_register_nothing(lab: Lab) -> None:
    service = lab.world.container.warehouses
    for attempt in (
        lambda context: service.register(context, "football", lab.wanted("football")),
        lambda context: service.unset(context, "football"),
        lambda context: service.get(context, "football"),
    ):
        with pytest.raises(ScopeMissingError):
            attempt(lab.world.context("football"))
    assert _warehouses(lab) == []
    assert lab.sts.asked == [], "nobody was asked anything on a tenant's word"


def test_a_table_is_read_with_its_own_warehouses_role_alone(both: Lab) -> None:
    """The store itself refuses: the role of one bucket reaches no other."""
    keys = both.sts.of_role[both.role("rivals")]
    options = S3Options(
        "us-east-1",
        both.store.endpoint_url,
        keys["AccessKeyId"],
        keys["SecretAccessKey"],
        keys["SessionToken"],
    )
    with pytest.raises(StorageUnavailableError, match="refused"):
        list(S3ObjectStore(Warehouse(f"s3://{both.bucket('football')}", options)).list_files("features"))
    assert both.values("football") == ["of football"] * 2
    assert both.values("rivals") == ["of rivals"] * 2


def test_a_location_in_the_warehouse_of_another(both: Lab) -> None:
    """Another's table under one's own warehouse: neither role nor path leads there."""
    theirs, ours = _location(both, "rivals"), _location(both, "football")
    swapped = "/".join([ours.partition("/")[0], theirs.partition("/")[2]])
    for location in (
        swapped,
        f"{ours.partition('/')[0]}/{theirs.partition('/')[2].partition('/')[0]}",
        "w=nothing/x/y",
    ):
        with pytest.raises((InvalidInputError, StorageUnavailableError)):
            both.world.container.tables.snapshot(location)
        with pytest.raises((InvalidInputError, StorageUnavailableError)):
            both.world.container.store.delete_prefix(location)
    _point(both, "football", swapped)
    assert both.rows("football").status_code >= 400
    assert both.values("rivals") == ["of rivals"] * 2


def test_an_address_in_the_log_leads_to_no_other_warehouse(both: Lab) -> None:
    """Whoever owns the bucket may write its log: what stands there is below the table, or is not read."""
    theirs = both.world.container.tables.snapshot(_location(both, "rivals")).files[0].uri
    log = f"features/{_location(both, 'football').partition('/')[2]}/_delta_log"
    store, bucket = both.store.client(), both.bucket("football")
    first = store.get_object(Bucket=bucket, Key=f"{log}/{0:020}.json")["Body"].read().decode().splitlines()
    add = next(json.loads(line) for line in first if '"add"' in line)
    up = "../" * 4
    for version, path in enumerate((theirs, f"{up}{theirs.removeprefix('s3://')}", f"%2e%2e/{up}x.parquet"), start=1):
        add["add"]["path"] = path
        store.put_object(Bucket=bucket, Key=f"{log}/{version:020}.json", Body=json.dumps(add).encode())
        answer = both.rows("football")
        assert answer.status_code == 422, (path, answer.json)
        assert "outside the warehouse" in answer.json["detail"]
        sql = both.world.call(
            "POST", "/projects/football/sql", both.world.key("football"), json={"query": "SELECT secret FROM g_1"}
        )
        assert sql.status_code == 422, (path, sql.json)


def test_shares_show_rows_and_no_bucket(both: Lab) -> None:
    both.world.share("football", "rivals", ShareKind.FEATURE_STORE)
    assert both.values("football", by="rivals") == ["of football"] * 2
    shown = both.world.call("GET", "/projects/football/feature-groups/g/versions/1", both.world.key("rivals"))
    assert both.bucket("football") not in shown.text
    assert both.role("football") not in shown.text


def test_no_connector_leads_there(both: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_SECRET_X", "{}")
    for project in ("football", "rivals"):
        for prefix in (None, "features", "features/x"):
            options = {"bucket": both.bucket("football"), **({"prefix": prefix} if prefix else {})}
            body = {"name": "c", "kind": "S3", "options": {**options, "role_arn": both.role("football")}}
            answer = both.world.call("POST", f"/projects/{project}/connectors", both.world.key(project), json=body)
            assert (answer.status_code, answer.json["code"]) == (422, "bucket-reserved"), answer.json


def test_places_that_overlap(lab: Lab) -> None:
    own = lab.world.container.settings.resolved_warehouse_url
    body = {
        "name": "landing",
        "kind": "S3",
        "options": {"bucket": "landing-zone", "prefix": "in", "role_arn": lab.role("venues")},
    }
    made = lab.world.call("POST", "/projects/venues/connectors", lab.world.key("venues"), json=body)
    assert made.status_code == 201, made.json
    lab.register("football")
    taken = f"s3://{lab.bucket('football')}"
    service, before = lab.world.container.warehouses, len(_warehouses(lab))
    lab.sts.asked.clear()
    for url in (
        own,
        f"{own}/x",
        own.rpartition("/")[0],
        taken,
        f"{taken}/features",
        f"{taken}/features/x",
        "s3://landing-zone",
        "s3://landing-zone/in/x",
    ):
        with pytest.raises(WarehouseOverlapsError, match="overlaps"):
            service.register(lab.world.operator, "rivals", lab.wanted("rivals", url=url))
    with pytest.raises(WarehouseOverlapsError):
        service.register(lab.world.operator, "football", lab.wanted("football", "features/deeper"))
    assert len(_warehouses(lab)) == before
    assert lab.sts.asked == [], "nothing is tried where something lies already"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"url": "football"}, "url must be s3://"),
        ({"region": None, "endpoint_url": None}, "region is needed"),
        ({"url": "s3://UPPER/x"}, "bucket must be"),
        ({"url": "s3://bucket--x-s3/x"}, "own name"),
        ({"url": "s3://bucket/a/../b"}, "prefix must be"),
        ({"url": "s3://bucket/a*"}, "prefix must be"),
        ({"role_arn": "arn:aws:iam::1:user/x"}, "role must be"),
        ({"external_id": None}, "external-id goes with"),
        ({"role_arn": None}, "external-id goes with"),
        ({"external_id": "oasthouse:football"}, "must not begin with oasthouse:"),
        ({"external_id": "short"}, "8 to 1224"),
        ({"kms_key": "alias/x"}, "kms-key must be"),
        ({"endpoint_url": "https://user:x@host"}, "endpoint must be"),
        ({"endpoint_url": "http://host/path"}, "endpoint must be"),
        ({"role_arn": None, "external_id": None, "endpoint_url": "http://127.0.0.1:1"}, "does not come as itself"),
    ],
    ids=range(15),
)
def test_what_is_no_warehouse(lab: Lab, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        lab.register("football", **changes)
    assert _warehouses(lab) == []
    assert lab.sts.asked == []


def test_a_registration_that_fails_leaves_nothing(lab: Lab) -> None:
    """Each check by its name, with what mends it; the store as before, and the project where it was."""
    lab.bucket("football")
    lab.sts.trust[lab.role("football")] = "another"
    _fails(lab, "comes in", "sts:AssumeRole")
    lab.sts.trust[lab.role("football")] = None
    _fails(lab, "comes in", "under this one only")
    lab.sts.trust[lab.role("football")] = "of-football-alone"
    lab.bucket("rivals")
    mine = lab.sts.of_role[lab.role("football")]
    lab.sts.of_role[lab.role("football")] = lab.sts.of_role[lab.role("rivals")]
    _fails(lab, "writes", "s3:PutObject")
    lab.sts.of_role[lab.role("football")] = mine
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    assert _warehouses(lab) == []
    for care, step in ((Care.IGNORES, "one of many"), (Care.LOOKS_FIRST, "one of many"), (Care.KEEPS, None)):
        with careless_store(care, encrypts=False) as store:
            if step:
                _fails(lab, step, "If-None-Match", endpoint_url=store.endpoint_url)
            else:
                _fails(lab, "encrypts with the key", "--kms-key", endpoint_url=store.endpoint_url, kms_key=key)
            assert store.objects == {}
    lab.create("football")
    assert not _location(lab, "football").startswith("w=")
    assert lab.keys(lab.bucket("football")) == []


def test_a_store_that_encrypts_as_asked(lab: Lab) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    with careless_store(Care.KEEPS) as store:
        assert lab.register("football", endpoint_url=store.endpoint_url, kms_key=key).kms_key == key
        lab.create("football")
        puts = [headers for method, _, headers in store.sent if method == "PUT"]
        assert {headers.get("x-amz-server-side-encryption-aws-kms-key-id") for headers in puts} == {key}


def _fails(lab: Lab, step: str, fix: str, **changes: Any) -> None:
    with pytest.raises(WarehouseNotProvenError, match=step) as refusal:
        lab.register("football", **changes)
    assert fix in str(refusal.value.hint)
    assert _warehouses(lab) == []


def test_a_claim_keeps_its_warehouse_registered(lab: Lab) -> None:
    """Whoever died while writing left a claim; what he wrote has to be found to be removed."""
    lab.register("football")
    with lab.world.container.database.read() as session:
        project_id = session.scalars(select(ProjectWarehouse.project_id)).one()
    path = lab.world.container.locations.claim(project_id)
    with lab.world.container.store.open_output(f"{path}/half") as file:
        file.write(b"half")
    lab.world.container.warehouses.unset(lab.world.operator, "football")
    assert len(_warehouses(lab)) == 1
    with lab.world.container.database.write() as uow:
        uow.session.execute(update(Location).values(state=LocationState.DOOMED.value))
        uow.commit()
    assert lab.world.container.locations.purge() == 1
    assert lab.keys(lab.bucket("football")) == []
