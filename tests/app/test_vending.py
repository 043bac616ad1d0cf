"""Credentials for one table: who gets one, what it reaches, and when nobody gets any."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from deltalake import DeltaTable
from sqlalchemy import select, update

from app.featurestore.feature_groups.models import FeatureGroup
from app.settings import LoginSettings
from infra.storage.vending import StsMinter
from tenancy.audit.models import AuditEvent
from tenancy.principals import Role
from tenancy.projects.models import Project
from tenancy.role_bindings.rules import BINDING_SCOPES
from tenancy.scopes import Scope
from tests.app.vending import CREDENTIALS, GROUP, ask, create_group, made_by, refusal, switch, vending_world
from tests.keyless import REGION, SERVER, bind, signed
from tests.lab.identity import ACCOUNT, running_identity_sts
from tests.lab.seaweedfs import SeaweedFs
from tests.world import ALL_SCOPES, World

REFUSED = {"AccessDenied", "403"}
ROLES = "/projects/football/role-bindings"


@pytest.fixture
def world(tmp_path: Path, seaweedfs: SeaweedFs) -> Iterator[World]:
    made = vending_world(tmp_path, seaweedfs.new_warehouse(), seaweedfs.endpoint_url)
    yield made
    made.container.database.engine.dispose()


def _client(seaweedfs: SeaweedFs, made: dict[str, Any]) -> Any:
    names = {"AccessKeyId": "access_key_id", "SecretAccessKey": "secret_access_key", "SessionToken": "session_token"}
    return seaweedfs.client_with({name: made[ours] for name, ours in names.items()}, retries={"max_attempts": 0})


def test_a_credential_reads_its_table_with_any_engine(world: World) -> None:
    made = made_by(world)
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
    answer = ask(world)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    repeated = world.call("POST", CREDENTIALS, world.key("football"), json={}, headers={"Idempotency-Key": "x" * 12})
    assert refusal(repeated) == (400, "idempotency-key-unsupported")


def test_no_byte_of_anything_else(world: World, seaweedfs: SeaweedFs) -> None:
    """Every object of the warehouse but the table's own, every neighbour of its name, every hostile name, every action."""
    made = made_by(world)
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


def test_its_own_table_is_not_written_either(world: World, seaweedfs: SeaweedFs) -> None:
    made = made_by(world)
    client = _client(seaweedfs, made)
    bucket, own = urlsplit(made["uri"]).netloc, urlsplit(made["uri"]).path.strip("/")
    [*_, inside] = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket, Prefix=f"{own}/")["Contents"]]
    for call, more in (
        (client.put_object, {"Body": b"x"}),
        (client.delete_object, {}),
        (client.create_multipart_upload, {}),
        (client.copy_object, {"CopySource": {"Bucket": bucket, "Key": inside}}),
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
    assert refusal(ask(world, world.key("football", scopes=without))) == (403, "scope-missing")
    assert refusal(ask(world, world.key("football", scopes=(Scope.DATA_VEND,)))) == (403, "scope-missing")
    assert refusal(ask(world, world.key("football", "vic"))) == (403, "role-too-low")
    assert refusal(ask(world, world.key("rivals"))) == (404, "project-not-found")
    only = world.key("football", scopes=(Scope.DATA_VEND, Scope.FEATURESTORE_READ))
    assert ask(world, only).status_code == 200


def test_a_new_key_has_no_such_scope(world: World) -> None:
    """Neither by default nor inside another."""
    issued = world.call("POST", "/projects/football/api-keys", world.key("football"), json={"name": "plain"}).json
    assert refusal(ask(world, issued["key"])) == (403, "scope-missing")


def test_the_owners_switch(world: World) -> None:
    world.share("football", "rivals")
    assert ask(world, world.key("rivals")).status_code == 200
    switch(world, "football", enabled=False)
    for key in (world.key("football"), world.key("rivals")):
        assert refusal(ask(world, key)) == (409, "vending-off")
    switch(world, "rivals")
    assert refusal(ask(world, world.key("rivals"))) == (409, "vending-off")
    world.member("football", "sara", Role.DATA_SCIENTIST)
    answer = world.call("PUT", "/projects/football/vending", world.key("football", "sara"), json={"enabled": True})
    assert refusal(answer) == (403, "role-too-low")


def test_off_until_somebody_turns_it_on(world: World) -> None:
    create_group(world, "rivals", "g")
    path = CREDENTIALS.replace("football", "rivals")
    assert refusal(ask(world, world.key("rivals"), path)) == (409, "vending-off")
    assert world.call("GET", "/projects/rivals/vending", world.key("rivals")).json["enabled"] is False


def test_it_never_outlives_the_key_or_the_share(world: World) -> None:
    ends = world.clock.now() + timedelta(minutes=20)
    world.share("football", "rivals", expires_at=ends)
    world.share("venues", "rivals")
    venues = CREDENTIALS.replace("football", "venues")
    assert datetime.fromisoformat(made_by(world, key=world.key("rivals"))["expires_at"]) <= ends
    world.clock.ahead = timedelta(minutes=6)
    assert refusal(ask(world, world.key("rivals"))) == (409, "vending-off")
    assert ask(world, world.key("rivals"), venues).status_code == 200
    world.clock.ahead = timedelta(days=90) - timedelta(minutes=5)
    assert refusal(ask(world, world.key("rivals"), venues)) == (409, "vending-off")


def test_a_longer_life_is_cut_to_what_is_left(tmp_path: Path, seaweedfs: SeaweedFs) -> None:
    world = vending_world(tmp_path, seaweedfs.new_warehouse(), seaweedfs.endpoint_url, seconds=3600)
    world.share("football", "rivals", expires_at=world.clock.now() + timedelta(minutes=30))
    lives = {
        project: datetime.fromisoformat(made_by(world, key=world.key(project))["expires_at"]) - world.clock.now()
        for project in ("football", "rivals")
    }
    assert timedelta(minutes=59) < lives["football"] <= timedelta(minutes=60)
    assert timedelta(minutes=28) < lives["rivals"] <= timedelta(minutes=30)


def test_a_role_without_a_key_is_given_one_for_as_long_as_it_is_bound(tmp_path: Path, seaweedfs: SeaweedFs) -> None:
    """Its session is shorter than any credential, and renewed; the scope has to be bound to it by name."""
    with running_identity_sts() as sts:
        login = LoginSettings(server_id=SERVER, regions=REGION, endpoint_url=sts.endpoint_url)
        place = (tmp_path, seaweedfs.new_warehouse(), seaweedfs.endpoint_url)
        world = vending_world(*place, login=login, seconds=3600)
        sessions = {}
        for role, scopes in {"Plain": BINDING_SCOPES, "Vended": (*BINDING_SCOPES, Scope.DATA_VEND)}.items():
            bind(world, f"arn:aws:iam::{ACCOUNT}:role/{role}", scopes=scopes)
            answer = world.call("POST", "/login/aws", json=signed(sts.role(role)))
            sessions[role] = {"Authorization": f"Bearer {answer.json['token']}"}
    world.share("venues", "football", expires_at=world.clock.now() + timedelta(minutes=20))
    world.clock.ahead = timedelta(minutes=10)
    made = world.call("POST", CREDENTIALS, json={}, headers=sessions["Vended"])
    assert made.status_code == 200, made.json
    left = datetime.fromisoformat(made.json["expires_at"]) - datetime.now(UTC)  # by the store's clock
    assert timedelta(minutes=14) < left <= timedelta(minutes=15), "no longer, whatever keys are given"
    assert refusal(world.call("POST", CREDENTIALS, json={}, headers=sessions["Plain"])) == (403, "scope-missing")
    shared = CREDENTIALS.replace("football", "venues")
    assert refusal(world.call("POST", shared, json={}, headers=sessions["Vended"])) == (409, "vending-off")
    [bound] = [
        each for each in world.call("GET", ROLES, world.key("football")).json["items"] if "Vended" in each["role_arn"]
    ]
    assert world.call("DELETE", f"{ROLES}/{bound['id']}", world.key("football")).status_code == 204
    assert refusal(world.call("POST", CREDENTIALS, json={}, headers=sessions["Vended"])) == (401, "not-authenticated")


def test_one_credential_for_one_question_and_no_other(world: World) -> None:
    first, again = made_by(world), made_by(world)
    assert first == again
    world.share("football", "rivals")
    others = [
        made_by(world, key=world.key("football", fresh=True)),
        made_by(world, key=world.key("rivals")),
        made_by(world, path=CREDENTIALS.replace("/g/", "/h/")),
    ]
    assert len({each["session_token"] for each in (first, *others)}) == 4
    assert others[2]["uri"] != first["uri"]
    world.clock.ahead = timedelta(minutes=7)
    assert made_by(world) == first
    world.clock.ahead = timedelta(minutes=8)
    assert made_by(world) != first, "nobody is given one that is half over"


def test_who_was_given_what_is_written_down_first(world: World) -> None:
    def events() -> list[AuditEvent]:
        with world.container.database.read() as session:
            return list(session.scalars(select(AuditEvent).where(AuditEvent.action == "data:vend")))

    assert events() == []
    made = made_by(world)
    made_by(world)
    first, _ = events()
    assert (first.key_id, first.subject) == (world.key_id(world.key("football")), "g version 1")
    assert (first.detail["level"], first.detail["seconds"], first.detail["grant"]) == ("read", 900, "own project")
    assert first.detail["location"] in made["uri"]
    assert made["session_token"] not in json.dumps(first.detail)
    assert ask(world, world.key("rivals")).status_code == 404
    assert len(events()) == 2


def test_nothing_is_given_out_that_cannot_be_written_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    minted: list[object] = []
    monkeypatch.setattr(StsMinter, "mint", lambda *asked: minted.append(asked))
    with world.container.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_event RENAME TO audit_event_gone")
    answer = ask(world)
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
        assert refusal(ask(world)) == (409, "vending-off"), location
    _move(world, mine)
    assert ask(world).status_code == 200


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
    assert refusal(ask(world)) == (404, "feature-group-not-found")


def test_what_cloudtrail_will_show(world: World, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Recorder:
        def assume_role(self, **request: Any) -> Any:
            asked.append(request)
            return seaweedfs.client("sts").assume_role(**request)

    minter = world.container.vending_proofs.require()
    monkeypatch.setattr(minter, "_client", Recorder())
    made_by(world)
    [request] = asked
    key_id = world.key_id(world.key("football"))
    assert request["SourceIdentity"] == f"{key_id}@football"
    assert request["RoleSessionName"].startswith(f"oast-{key_id}-")
    assert len(request["RoleSessionName"]) <= 64
    assert request["DurationSeconds"] == 900
    [objects, decrypting, listing] = json.loads(request["Policy"])["Statement"]
    assert objects["Action"] == ["s3:GetObject"]
    assert decrypting["Condition"] == {"StringLike": {"kms:ViaService": ["s3.*.amazonaws.com"]}}
    assert listing["Action"] == ["s3:ListBucket"]
