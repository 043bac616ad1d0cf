"""Credentials for one table: who gets one, what it reaches, and when nobody gets any."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from deltalake import DeltaTable
from sqlalchemy import select, update

from app.checks import vending_checks
from app.featurestore.feature_groups.models import FeatureGroup
from app.featurestore.vending.models import VendingProof
from app.featurestore.vending.proof import Proofs
from app.settings import Settings, VendingSettings
from infra.storage.location import S3Options, Warehouse, parse_warehouse
from infra.storage.vending import StsMinter
from tenancy.audit.models import AuditEvent
from tenancy.principals import Role
from tenancy.projects.models import Project
from tenancy.scopes import Scope
from tests.frames import frame_request
from tests.lab.aws import Moto
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.world import ALL_SCOPES, World, make_world

GROUP = "/projects/football/feature-groups/g/versions/1"
CREDENTIALS = f"{GROUP}/credentials"
REFUSED = {"AccessDenied", "403"}


@pytest.fixture
def world(tmp_path: Path, seaweedfs: SeaweedFs) -> Iterator[World]:
    made = _world(tmp_path, seaweedfs.new_warehouse(), seaweedfs.endpoint_url)
    yield made
    made.container.database.engine.dispose()


def _world(tmp_path: Path, warehouse: Warehouse, endpoint_url: str, **changes: Any) -> World:
    vending = VendingSettings(role=ROLE_ARN, endpoint_url=endpoint_url, **changes)
    world = make_world(tmp_path / "data", None, warehouse, vending=vending)
    world.projects("football", "venues", "rivals")
    for project in ("football", "venues"):
        for name in ("g", "h"):
            _create(world, project, name)
        _switch(world, project)
    return world


def _create(world: World, project: str, name: str) -> None:
    table = pa.table({"id": [1, 2], "secret": [f"{project} {name}"] * 2})
    path = f"/projects/{project}/feature-groups"
    made = world.call("POST", path, world.key(project), **frame_request(table, {"name": name}))
    assert made.status_code == 201, made.json


def _switch(world: World, project: str, *, enabled: bool = True) -> None:
    body = {"enabled": enabled}
    assert world.call("PUT", f"/projects/{project}/vending", world.key(project), json=body).status_code == 200


def _ask(world: World, key: str | None = None, path: str = CREDENTIALS) -> Any:
    return world.call("POST", path, key or world.key("football"), json={})


def _made(world: World, **how: Any) -> dict[str, Any]:
    answer = _ask(world, **how)
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def _refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def _client(seaweedfs: SeaweedFs, made: dict[str, Any]) -> Any:
    names = {"AccessKeyId": "access_key_id", "SecretAccessKey": "secret_access_key", "SessionToken": "session_token"}
    return seaweedfs.client_with({name: made[ours] for name, ours in names.items()}, retries={"max_attempts": 0})


def test_a_credential_reads_its_table_with_any_engine(world: World) -> None:
    made = _made(world)
    assert made["level"] == "read"
    options = {
        "AWS_ACCESS_KEY_ID": made["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": made["secret_access_key"],
        "AWS_SESSION_TOKEN": made["session_token"],
        "AWS_REGION": made["region"],
        "AWS_ENDPOINT_URL": made["endpoint_url"],
        "AWS_ALLOW_HTTP": "true",
    }
    table = pa.table(DeltaTable(made["uri"], storage_options=options).to_pyarrow_table())
    assert table.to_pylist() == [{"id": 1, "secret": "football g"}, {"id": 2, "secret": "football g"}]
    left = datetime.fromisoformat(made["expires_at"]) - world.clock.now()
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def test_the_answer_is_kept_nowhere(world: World) -> None:
    answer = _ask(world)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    repeated = world.call("POST", CREDENTIALS, world.key("football"), json={}, headers={"Idempotency-Key": "x" * 12})
    assert _refusal(repeated) == (400, "idempotency-key-unsupported")


def test_no_byte_of_anything_else(world: World, seaweedfs: SeaweedFs) -> None:
    """Every object of the warehouse but the table's own, every neighbour of its name, every hostile name, every action."""
    made = _made(world)
    bucket, own = urlsplit(made["uri"]).netloc, urlsplit(made["uri"]).path.strip("/")
    admin, client = seaweedfs.client(), _client(seaweedfs, made)
    neighbours = [
        f"{own}1/x",
        f"{own}-/x",
        f"{own}%2F/x",
        f"{own}x",
        f"{own}%2Fx",
        f"{own}*/x",
        f"{own}?/x",
        f"{own[:-1]}/x",
    ]
    hostile = [f"{own}${{aws:username}}/x", f"{own}\n/x", f"{own} /x", f"{own}é/x"]
    for key in (*neighbours, *hostile):
        admin.put_object(Bucket=bucket, Key=key, Body=b"foreign")
    root = own.split("/", maxsplit=1)[0]
    pages = admin.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{root}/")
    everything = [entry["Key"] for page in pages for entry in page["Contents"]]
    foreign = [key for key in everything if not key.startswith(f"{own}/")]
    assert len(foreign) >= 12 + 3 * 2, "four tables, each of a log and a file"
    assert {_outcome(client.get_object, Bucket=bucket, Key=key) for key in foreign} <= REFUSED
    inside = next(key for key in everything if key.startswith(f"{own}/"))
    assert _outcome(client.get_object, Bucket=bucket, Key=inside) == "done"
    lists = [
        "",
        "/",
        f"{root}/",
        own,
        own.rpartition("/")[0] + "/",
        *(key.rpartition("/")[0] + "/" for key in neighbours),
    ]
    assert {_outcome(client.list_objects_v2, Bucket=bucket, Prefix=prefix) for prefix in lists} <= REFUSED
    for call, more in (
        (client.put_object, {"Body": b"x"}),
        (client.delete_object, {}),
        (client.create_multipart_upload, {}),
        (client.copy_object, {"CopySource": {"Bucket": bucket, "Key": foreign[0]}}),
        (client.put_object_tagging, {"Tagging": {"TagSet": []}}),
    ):
        assert _outcome(call, Bucket=bucket, Key=inside, **more) in REFUSED, call


def _outcome(call: Any, **arguments: Any) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


def test_capitals_are_told_apart_by_the_policy_though_not_by_every_store(world: World) -> None:
    """SeaweedFS takes them for the same. No two tables differ in them, and the look at the store says it."""
    proof = world.container.vending_proofs.check()
    assert proof.passed
    assert [check.name for check in proof.checks if not check.passed] == ["tells capitals apart"]
    assert not any(check.counts for check in proof.checks if not check.passed)
    assert all(location == location.lower() for location in _locations(world).values())


def test_it_takes_the_scope_the_role_and_the_right_to_read(world: World) -> None:
    world.member("football", "vic", Role.VIEWER)
    without = tuple(scope for scope in ALL_SCOPES if scope is not Scope.DATA_VEND)
    assert _refusal(_ask(world, world.key("football", scopes=without))) == (403, "scope-missing")
    assert _refusal(_ask(world, world.key("football", scopes=(Scope.DATA_VEND,)))) == (403, "scope-missing")
    assert _refusal(_ask(world, world.key("football", "vic"))) == (403, "role-too-low")
    assert _refusal(_ask(world, world.key("rivals"))) == (404, "project-not-found")
    only = world.key("football", scopes=(Scope.DATA_VEND, Scope.FEATURESTORE_READ))
    assert _ask(world, only).status_code == 200


def test_a_new_key_has_no_such_scope(world: World) -> None:
    """Neither by default nor inside another."""
    issued = world.call("POST", "/projects/football/api-keys", world.key("football"), json={"name": "plain"}).json
    assert _refusal(_ask(world, issued["key"])) == (403, "scope-missing")


def test_the_owners_switch(world: World) -> None:
    world.share("football", "rivals")
    assert _ask(world, world.key("rivals")).status_code == 200
    _switch(world, "football", enabled=False)
    for key in (world.key("football"), world.key("rivals")):
        assert _refusal(_ask(world, key)) == (409, "vending-off")
    _switch(world, "rivals")
    assert _refusal(_ask(world, world.key("rivals"))) == (409, "vending-off")
    world.member("football", "sara", Role.DATA_SCIENTIST)
    answer = world.call("PUT", "/projects/football/vending", world.key("football", "sara"), json={"enabled": True})
    assert _refusal(answer) == (403, "role-too-low")


def test_off_until_somebody_turns_it_on(world: World) -> None:
    _create(world, "rivals", "g")
    path = CREDENTIALS.replace("football", "rivals")
    assert _refusal(_ask(world, world.key("rivals"), path)) == (409, "vending-off")
    assert world.call("GET", "/projects/rivals/vending", world.key("rivals")).json["enabled"] is False


def test_it_never_outlives_the_key_or_the_share(world: World) -> None:
    ends = world.clock.now() + timedelta(minutes=20)
    world.share("football", "rivals", expires_at=ends)
    world.share("venues", "rivals")
    venues = CREDENTIALS.replace("football", "venues")
    assert datetime.fromisoformat(_made(world, key=world.key("rivals"))["expires_at"]) <= ends
    world.clock.ahead = timedelta(minutes=6)
    assert _refusal(_ask(world, world.key("rivals"))) == (409, "vending-off")
    assert _ask(world, world.key("rivals"), venues).status_code == 200
    world.clock.ahead = timedelta(days=90) - timedelta(minutes=5)
    assert _refusal(_ask(world, world.key("rivals"), venues)) == (409, "vending-off")


def test_a_longer_life_is_cut_to_what_is_left(tmp_path: Path, seaweedfs: SeaweedFs) -> None:
    world = _world(tmp_path, seaweedfs.new_warehouse(), seaweedfs.endpoint_url, seconds=3600)
    world.share("football", "rivals", expires_at=world.clock.now() + timedelta(minutes=30))
    lives = {
        project: datetime.fromisoformat(_made(world, key=world.key(project))["expires_at"]) - world.clock.now()
        for project in ("football", "rivals")
    }
    assert timedelta(minutes=59) < lives["football"] <= timedelta(minutes=60)
    assert timedelta(minutes=28) < lives["rivals"] <= timedelta(minutes=30)


def test_one_credential_for_one_question_and_no_other(world: World) -> None:
    first, again = _made(world), _made(world)
    assert first == again
    world.share("football", "rivals")
    others = [
        _made(world, key=world.key("football", fresh=True)),
        _made(world, key=world.key("rivals")),
        _made(world, path=CREDENTIALS.replace("/g/", "/h/")),
    ]
    assert len({each["session_token"] for each in (first, *others)}) == 4
    assert others[2]["uri"] != first["uri"]
    world.clock.ahead = timedelta(minutes=7)
    assert _made(world) == first
    world.clock.ahead = timedelta(minutes=8)
    assert _made(world) != first, "nobody is given one that is half over"


def test_who_was_given_what_is_written_down_first(world: World) -> None:
    def events() -> list[AuditEvent]:
        with world.container.database.read() as session:
            return list(session.scalars(select(AuditEvent).where(AuditEvent.action == "data:vend")))

    assert events() == []
    made = _made(world)
    _made(world)
    first, _ = events()
    assert (first.key_id, first.subject) == (world.key_id(world.key("football")), "g version 1")
    assert (first.detail["level"], first.detail["seconds"], first.detail["grant"]) == ("read", 900, "own project")
    assert first.detail["location"] in made["uri"]
    assert made["session_token"] not in json.dumps(first.detail)
    assert _ask(world, world.key("rivals")).status_code == 404
    assert len(events()) == 2


def test_nothing_is_given_out_that_cannot_be_written_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    minted: list[object] = []
    monkeypatch.setattr(StsMinter, "mint", lambda *asked: minted.append(asked))
    with world.container.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_event RENAME TO audit_event_gone")
    answer = _ask(world)
    assert answer.status_code in {500, 503}
    assert minted == []


def test_a_location_that_is_not_the_projects_own(world: World) -> None:
    """Whoever could write the database still gets no credential for another's table, nor for a whole project."""
    mine, others = (
        _locations(world)["football", "g"],
        [at for (owner, _), at in _locations(world).items() if owner == "venues"],
    )
    project = mine.partition("/")[0]
    for location in (*others, project, f"{project}/", "", "..", f"{mine}/x", f"{project}/../{others[0]}", mine.upper()):
        _move(world, location)
        assert _refusal(_ask(world)) == (409, "vending-off"), location
    _move(world, mine)
    assert _ask(world).status_code == 200


def _locations(world: World) -> dict[tuple[str, str], str]:
    with world.container.database.read() as session:
        return {(group.project.name, group.name): group.location for group in session.scalars(select(FeatureGroup))}


def _move(world: World, location: str) -> None:
    """Of `g` in `football`, as only the database's owner could."""
    owner = select(Project.id).where(Project.name == "football").scalar_subquery()
    with world.container.database.write() as uow:
        of_group = update(FeatureGroup).where(FeatureGroup.name == "g", FeatureGroup.project_id == owner)
        uow.session.execute(of_group.values(location=location))
        uow.commit()


def test_a_deleted_group_gives_no_more(world: World) -> None:
    assert world.call("DELETE", GROUP, world.key("football")).status_code == 204
    assert _refusal(_ask(world)) == (404, "feature-group-not-found")


def test_a_store_that_ignores_policies_turns_it_off(tmp_path: Path, moto: Moto) -> None:
    """moto gives out credentials that reach everything; that is noticed before anybody is given one."""
    moto.client("s3").create_bucket(Bucket="careless")
    options = S3Options("us-east-1", moto.endpoint_url, "testing", "testing")
    world = _world(tmp_path, parse_warehouse("s3://careless/wh", options), moto.endpoint_url)
    refused = _ask(world)
    assert _refusal(refused) == (409, "vending-off")
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
    _made(world)
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
    _made(world)
    with world.container.database.write() as uow:
        uow.session.execute(update(VendingProof).values(passed=False))
        uow.commit()
    assert _refusal(_ask(world)) == (409, "vending-off")
    warehouse = parse_warehouse(world.container.settings.resolved_warehouse_url, S3Options())
    minter = StsMinter(warehouse, role_arn=ROLE_ARN + "2", clock=world.clock)
    assert Proofs(database=world.container.database, minter=minter, clock=world.clock).find() is None


def test_an_sts_that_does_not_answer(tmp_path: Path, seaweedfs: SeaweedFs) -> None:
    world = _world(tmp_path, seaweedfs.new_warehouse(), "http://127.0.0.1:9")
    assert _refusal(_ask(world)) == (503, "vending-unavailable")
    state = world.call("GET", "/projects/football/vending", world.key("football")).json
    assert (state["enabled"], state["proof"]) == (True, None)
    assert "does not answer" in state["why"]
    rows = world.call("GET", f"{GROUP}/rows", world.key("football"))
    assert pa.ipc.open_stream(rows.data).read_all().num_rows == 2


def test_a_silent_sts_is_asked_once_a_minute(
    tmp_path: Path, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads a large group asks on the way whether there are credentials; they must not all wait."""
    world = _world(tmp_path, seaweedfs.new_warehouse(), "http://127.0.0.1:9")
    original, looks = StsMinter.probe, []

    def probe(self: StsMinter) -> Any:
        looks.append(self)
        return original(self)

    monkeypatch.setattr(StsMinter, "probe", probe)
    world.clock.ahead = timedelta(minutes=2)
    for _ in range(3):
        assert _refusal(_ask(world)) == (503, "vending-unavailable")
    assert len(looks) == 1
    world.clock.ahead = timedelta(minutes=4)
    assert _refusal(_ask(world)) == (503, "vending-unavailable")
    assert len(looks) == 2


def test_a_gateway_without_a_role(tmp_path: Path, local_warehouse: Warehouse) -> None:
    world = make_world(tmp_path / "data", None, local_warehouse)
    world.projects("football")
    _create(world, "football", "g")
    _switch(world, "football")
    refused = _ask(world)
    assert _refusal(refused) == (409, "vending-off")
    assert "OAST_VENDING__ROLE" in refused.json["hint"]
    assert Settings(data_dir=tmp_path).vending.role is None
    assert vending_checks(world.container) == []
    assert world.container.vending_proofs.renew() is None


def test_what_cloudtrail_will_show(world: World, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Recorder:
        def assume_role(self, **request: Any) -> Any:
            asked.append(request)
            return seaweedfs.client("sts").assume_role(**request)

    minter = world.container.vending_proofs.require()
    monkeypatch.setattr(minter, "_client", Recorder())
    _made(world)
    [request] = asked
    key_id = world.key_id(world.key("football"))
    assert request["SourceIdentity"] == f"{key_id}@football"
    assert request["RoleSessionName"].startswith(f"oast-{key_id}-")
    assert len(request["RoleSessionName"]) <= 64
    assert request["DurationSeconds"] == 900
    [objects, listing] = json.loads(request["Policy"])["Statement"]
    assert objects["Action"] == ["s3:GetObject"]
    assert listing["Action"] == ["s3:ListBucket"]
