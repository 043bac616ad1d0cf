"""Buckets, folders, Redshift and what is built in, over the API and against real stores."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.featurestore.connectors.errors import ConnectorNotFoundError
from app.featurestore.connectors.files import FileConnector, FileReader
from app.featurestore.connectors.models import StorageConnector
from app.settings import ConnectorSettings, SecretSettings
from infra.database.paging import PageRequest
from infra.errors import InvalidInputError
from infra.ids import new_id
from infra.storage.location import Warehouse
from tenancy.actions import Action
from tenancy.principals import Role
from tests.lab.aws import Moto
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.lab.source import PASSWORD, READER, SourceDatabase
from tests.lab.sts import Sts, running_sts
from tests.world import World, make_world

CANARY = "canary7f3a"
ROOT = "/projects/football/connectors"
BUILT_IN = ["football", "football_Training_Datasets", "football_featurestore"]
SECRET = "env:OAST_SECRET_BUCKET"
LENT = f"football={SECRET}, football=env:OAST_SECRET_OTHER, football=env:OAST_SECRET_DB, rivals=env:OAST_SECRET_RIVALS"
_CREATE = Action.CONNECTOR_CREATE
ROLE = "arn:aws:iam::123456789012:role/landing"


@contextmanager
def _gateway(
    directory: Path, warehouse: Warehouse, secrets: SecretSettings | None = None, **connectors: Any
) -> Iterator[World]:
    settings = {"allowed_networks": "127.0.0.0/8", "allow_http": True, **connectors}
    made = make_world(
        directory,
        None,
        warehouse,
        secrets=secrets or SecretSettings(local=LENT),
        connectors=ConnectorSettings(**settings),
    )
    made.projects("football", "rivals")
    try:
        yield made
    finally:
        made.container.database.engine.dispose()


@pytest.fixture
def world(tmp_path: Path, local_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A gateway that lends `football` the keys of a bucket and may connect to this machine."""
    monkeypatch.setenv("OAST_SECRET_BUCKET", json.dumps({"accessKey": "admin", "secretKey": "adminsecret"}))
    monkeypatch.setenv("OAST_SECRET_OTHER", json.dumps({"access_key_id": "admin", "secret_access_key": CANARY}))
    monkeypatch.setenv("OAST_SECRET_DB", PASSWORD)
    with _gateway(tmp_path / "data", local_warehouse) as made:
        yield made


@pytest.fixture
def bucket(seaweedfs: SeaweedFs) -> dict[str, Any]:
    """Options that lead to a bucket of this test's own."""
    return {"bucket": seaweedfs.new_bucket(), "prefix": "in", "endpoint_url": seaweedfs.endpoint_url}


def _create(world: World, project: str = "football", **body: Any) -> Any:
    body = {"name": "landing", "kind": "S3", "options": {"bucket": "landing"}, "secret": SECRET, **body}
    return world.call("POST", f"/projects/{project}/connectors", world.key(project), json=body)


def _test(world: World, name: str = "landing", key: str | None = None) -> Any:
    return world.call("POST", f"{ROOT}/{name}/test", key or world.key("football"))


def _files(world: World) -> FileReader:
    connectors = world.container.connectors
    return FileReader(kinds=connectors._kinds, secrets=connectors._secrets)


def _find(world: World, name: str, project: str = "football") -> FileConnector:
    with world.container.database.read() as session:
        access = world.container.authorizer.require(session, world.context(project).principal, _CREATE, project)
        return _files(world).find(session, access.project_id, name)


# buckets


def test_a_bucket_is_made_tested_read_and_written(world: World, bucket: dict[str, Any], seaweedfs: SeaweedFs) -> None:
    created = _create(world, options={**bucket, "bucket": f"s3a://{bucket['bucket']}/"}).json
    assert (created["kind"], created["options"]) == ("S3", bucket)
    assert (created["has_secret"], created["secret"], created["built_in"]) == (True, SECRET, False)
    assert created["external_id"] is None
    assert _test(world).status_code == 200
    connector = _find(world, "landing")
    assert not connector.is_built_in
    with _files(world).store(connector).open_output("set/part-0") as file:
        file.write(b"rows")
    assert seaweedfs.client().get_object(Bucket=bucket["bucket"], Key="in/set/part-0")["Body"].read() == b"rows"
    source = _files(world).source(connector)
    (entry,) = source.list_files("set")
    with source.open_input(entry) as opened:
        assert (entry.path, opened.read()) == ("set/part-0", b"rows")


def test_keys_in_a_secret_of_aws(
    moto: Moto, moto_endpoint: str, tmp_path: Path, local_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole secret, or a key of one that holds several."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    keys = json.dumps({"access_key_id": "testing", "secret_access_key": "testing"})
    create = moto.client("secretsmanager").create_secret
    create(Name="oasthouse/football/one", SecretString=keys)
    create(Name="oasthouse/football/more", SecretString=json.dumps({"landing": keys}))
    create(Name="oasthouse/rivals/one", SecretString=keys)
    moto.client("s3").create_bucket(Bucket="landing")
    settings = SecretSettings(aws_region="us-east-1", aws_endpoint_url=moto_endpoint)
    with _gateway(tmp_path / "data", local_warehouse, settings) as made:
        options = {"bucket": "landing", "endpoint_url": moto_endpoint}
        references = ("aws-sm:oasthouse/football/one", "aws-sm:oasthouse/football/more#landing")
        for number, reference in enumerate(references):
            assert _create(made, name=f"c{number}", options=options, secret=reference).status_code == 201
            assert _test(made, f"c{number}").status_code == 200
        of_others = _create(made, name="other", options=options, secret="aws-sm:oasthouse/rivals/one")
        assert of_others.json["code"] == "secret-access-denied"


def test_no_default_account(world: World) -> None:
    for body in ({"secret": None}, {"options": {"bucket": "landing", "role_arn": ROLE}}):
        answer = _create(world, **body)
        assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")
        assert "either a secret or a role_arn" in answer.json["detail"]
    assert _create(world).status_code == 201
    removed = world.call("PATCH", f"{ROOT}/landing", world.key("football"), json={"secret": None})
    assert removed.status_code == 422
    to_a_role = {"options": {"bucket": "landing", "role_arn": ROLE}, "secret": None}
    changed = world.call("PATCH", f"{ROOT}/landing", world.key("football"), json=to_a_role)
    assert (changed.json["external_id"], changed.json["has_secret"]) == ("oasthouse:football", False)
    again = {"options": {"bucket": "other-bucket", "role_arn": ROLE}}
    assert world.call("PATCH", f"{ROOT}/landing", world.key("football"), json=again).status_code == 200, (
        "nothing to name"
    )


def test_keys_are_refused_like_passwords(world: World) -> None:
    for options in (
        {"bucket": "landing", "access_key": "AKIA", "secret_key": CANARY},
        {"bucket": f"s3a://AKIA:{CANARY}@landing"},
    ):
        answer = _create(world, options=options)
        assert (answer.status_code, answer.json["code"]) == (422, "plain-password-refused")
        assert "aws-sm:" in answer.json["hint"]
        assert CANARY not in answer.get_data(as_text=True)


def test_what_fails_says_which_step(world: World, bucket: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "closed": ({"options": {**bucket, "endpoint_url": "http://127.0.0.1:1"}}, "source-unreachable"),
        "absent": ({"options": {**bucket, "bucket": "nosuchbucket"}}, "bucket-not-found"),
        "denied": ({"options": bucket, "secret": "env:OAST_SECRET_OTHER"}, "bucket-access-refused"),
        "text": ({"options": bucket, "secret": "env:OAST_SECRET_DB"}, "secret-not-found"),
    }
    for name, (body, code) in cases.items():
        assert _create(world, name=name, **body).status_code == 201
        answer = _test(world, name)
        assert answer.json["code"] == code, answer.json
        for secret in (CANARY, PASSWORD, "adminsecret"):
            assert secret not in answer.get_data(as_text=True)
    assert _create(world, options=bucket).status_code == 201
    monkeypatch.delenv("OAST_SECRET_BUCKET")
    assert _test(world).json["code"] == "secret-not-found"


def test_no_secret_is_in_answers_records_or_logs(
    world: World, bucket: dict[str, Any], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _create(world, name="denied", options=bucket, secret="env:OAST_SECRET_OTHER")
    _create(world, options=bucket)
    texts = [_test(world, name).get_data(as_text=True) for name in ("denied", "landing")]
    texts += [
        world.call("GET", path, world.key("football")).get_data(as_text=True) for path in (ROOT, f"{ROOT}/landing")
    ]
    printed = capfd.readouterr()
    database = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("oasthouse.db*"))
    for secret in (CANARY, "adminsecret"):
        assert secret not in "".join([*texts, printed.out, printed.err])
        assert secret.encode() not in database


@pytest.mark.parametrize(
    "reference",
    ["env:OAST_SECRET_BUCKET", "aws-sm:oasthouse/football/bucket", "file:bucket", "env:AWS_SECRET_ACCESS_KEY"],
)
def test_secrets_of_others_cannot_be_named(world: World, reference: str) -> None:
    answer = _create(world, "rivals", secret=reference)
    assert (answer.status_code, answer.json["code"]) in {
        (422, "secret-access-denied"),
        (422, "secret-reference-invalid"),
    }


@pytest.mark.parametrize(
    "endpoint", ["https://169.254.169.254", "https://10.0.0.1", "https://[::1]", "http://[::ffff:169.254.169.254]"]
)
def test_addresses_inside_are_refused(world: World, endpoint: str) -> None:
    answer = _create(world, options={"bucket": "landing", "endpoint_url": endpoint})
    assert (answer.status_code, answer.json["code"]) == (422, "source-address-refused")


def test_the_gateway_is_no_endpoint(world: World) -> None:
    port = world.container.settings.server.port
    _create(world, options={"bucket": "landing", "endpoint_url": f"http://127.0.0.1:{port}"})
    assert _test(world).json["code"] == "source-unreachable"


def test_loopback_and_plain_http_need_the_operators_word(tmp_path: Path, local_warehouse: Warehouse) -> None:
    with _gateway(tmp_path / "data", local_warehouse, allowed_networks=None, allow_http=False) as strict:
        plain = _create(strict, options={"bucket": "landing", "endpoint_url": "http://store.example.com"})
        assert [error["field"] for error in plain.json["errors"]] == ["options.endpoint_url"]
        inside = _create(strict, options={"bucket": "landing", "endpoint_url": "https://127.0.0.1:9000"})
        assert inside.json["code"] == "source-address-refused"
        by_name = {"bucket": "landing", "endpoint_url": "https://localhost:9000"}
        assert _create(strict, options=by_name, secret=None).status_code == 422
        assert _create(strict, options={**by_name, "role_arn": ROLE}, secret=None).status_code == 201


def test_the_warehouse_is_no_bucket_of_anybody(tmp_path: Path, s3_warehouse: Warehouse, seaweedfs: SeaweedFs) -> None:
    with _gateway(tmp_path / "data", s3_warehouse) as made:
        for prefix in ("", s3_warehouse.prefix, f"{s3_warehouse.prefix}/0192"):
            place = {"bucket": s3_warehouse.bucket, "endpoint_url": seaweedfs.endpoint_url}
            answer = _create(made, options={**place, **({"prefix": prefix} if prefix else {})})
            assert (answer.status_code, answer.json["code"]) == (422, "bucket-reserved")
        beside = _create(made, options={"bucket": s3_warehouse.bucket, "prefix": "landing"})
        assert beside.status_code == 201


def test_who_may(world: World, bucket: dict[str, Any]) -> None:
    _create(world, options=bucket)
    world.share("football", "rivals")
    scientist = world.key("football", world.member("football", "sam", Role.DATA_SCIENTIST))
    viewer = world.key("football", world.member("football", "vic", Role.VIEWER))
    assert _test(world, key=scientist).status_code == 200
    seen = world.call("GET", f"{ROOT}/landing", scientist).json
    assert (seen["has_secret"], seen["secret"]) == (True, None)
    for name in ("landing", "football_Training_Datasets"):
        assert _test(world, name, viewer).json["code"] == "role-too-low"
        assert world.call("GET", f"{ROOT}/{name}", viewer).json["code"] == "role-too-low"
        stranger = world.call("GET", f"{ROOT}/{name}", world.key("rivals"))
        assert (stranger.status_code, stranger.json["code"]) == (403, "not-permitted")
    world.projects("venues")
    for name in ("landing", "football_Training_Datasets"):
        answer = world.call("GET", f"{ROOT}/{name}", world.key("venues"))
        assert (answer.status_code, answer.json["code"]) == (404, "project-not-found")


# roles


@pytest.fixture
def sts(seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-gateway")
    granted = seaweedfs.client("sts").assume_role(RoleArn=ROLE_ARN, RoleSessionName="lab")["Credentials"]
    with running_sts({name: granted[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}) as running:
        yield running


def test_a_role_is_assumed_in_the_projects_name(
    tmp_path: Path, local_warehouse: Warehouse, bucket: dict[str, Any], sts: Sts
) -> None:
    sts.trust[ROLE] = "oasthouse:football"
    settings = {"sts_region": "us-east-1", "sts_endpoint_url": sts.endpoint_url}
    with _gateway(tmp_path / "data", local_warehouse, **settings) as made:
        options = {**bucket, "role_arn": ROLE}
        created = _create(made, options=options, secret=None).json
        assert (created["external_id"], created["has_secret"]) == ("oasthouse:football", False)
        assert _test(made).status_code == 200
        _create(made, "rivals", options=options, secret=None)
        deputy = made.call("POST", "/projects/rivals/connectors/landing/test", made.key("rivals"))
        assert (deputy.status_code, deputy.json["code"]) == (422, "bucket-access-refused")
        sts.trust[ROLE] = None
        open_to_all = _test(made)
        assert (open_to_all.status_code, open_to_all.json["code"]) == (422, "role-not-guarded")


# folders of the warehouse


def test_a_folder_of_the_projects_own(tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_SECRET_BUCKET", "{}")
    with _gateway(tmp_path / "data", warehouse) as made:
        body = {"kind": "HOPSFS", "options": {"dataset_name": "Resources"}}
        assert _create(made, **body).json["detail"].startswith("A connector of kind HOPSFS takes no secret")
        for project in ("football", "rivals"):
            assert _create(made, project, **body, secret=None).status_code == 201
        assert _test(made).status_code == 200
        ours, theirs = _find(made, "landing"), _find(made, "landing", "rivals")
        store = _files(made).store(ours)
        with store.open_output("set/x") as file:
            file.write(b"ours")
        assert [entry.path for entry in _files(made).source(ours).list_files("")] == ["set/x"]
        assert _files(made).source(theirs).list_files("") == []
        root = made.container.store.uri("x").removesuffix("/x")
        assert store.uri("set/x").startswith(f"{root}/")
        assert "Resources" not in store.uri("set/x")


def test_folders_hold_no_rows_of_sql_and_databases_no_files(world: World) -> None:
    _create(world, kind="HOPSFS", options={"dataset_name": "x"}, secret=None)
    group = {"name": "g", "kind": "ON_DEMAND", "connector": "landing", "query": "SELECT 1"}
    answer = world.call("POST", "/projects/football/feature-groups", world.key("football"), json=group)
    assert "runs no SQL" in answer.json["detail"]
    assert "JDBC" in answer.json["hint"]
    fields = {"host": "db.example.com", "database": "d", "user": "u"}
    assert _create(world, name="cluster", kind="redshift", options=fields).json["kind"] == "REDSHIFT"
    for name in ("cluster", "football", "football_featurestore"):
        with pytest.raises(InvalidInputError, match="holds no files") as refused:
            _find(world, name)
        assert "S3" in str(refused.value.hint)
    with pytest.raises(ConnectorNotFoundError):
        _find(world, "nowhere")


# Redshift


def test_redshift_below_a_feature_group(world: World, source: SourceDatabase) -> None:
    source.execute("CREATE TABLE teams (team_id int, budget float8)", "INSERT INTO teams VALUES (1, 2.5)")
    place = {"host": "127.0.0.1", "port": source.port, "database": source.database}
    options = {**place, "user": READER, "tls_mode": "disable"}
    created = _create(world, kind="REDSHIFT", options=options, secret="env:OAST_SECRET_DB").json
    assert created["options"] == {**options, "engine": "redshift"}
    assert _test(world).status_code == 200
    group = {"name": "g", "kind": "ON_DEMAND", "connector": "landing", "query": "SELECT * FROM teams"}
    made = world.call("POST", "/projects/football/feature-groups", world.key("football"), json=group)
    assert [(each["name"], each["type"]) for each in made.json["features"]] == [
        ("team_id", "int"),
        ("budget", "double"),
    ]


# built in


def test_every_project_has_three(world: World) -> None:
    listed = world.call("GET", ROOT, world.key("football")).json["items"]
    assert [(each["name"], each["kind"], each["built_in"]) for each in listed] == [
        ("football", "JDBC", True),
        ("football_Training_Datasets", "HOPSFS", True),
        ("football_featurestore", "JDBC", True),
    ]
    for each in listed:
        assert world.call("GET", f"{ROOT}/{each['name']}", world.key("football")).json == each
        assert _test(world, each["name"]).status_code == 200
        assert (each["has_secret"], each["secret"], each["external_id"], each["revision"]) == (False, None, None, 1)
    assert len({each["id"] for each in listed}) == 3
    original = world.call("GET", f"{ROOT}/Football_Training_Datasets", world.key("football")).json
    assert original["name"] == "football_Training_Datasets"


def test_pages_go_over_both(world: World) -> None:
    for number in range(4):
        _create(world, name=f"c{number}")
    expected = [*BUILT_IN, "c0", "c1", "c2", "c3"]
    for limit in range(1, 9):
        names: list[str] = []
        cursor = ""
        for _ in range(20):
            page = world.call("GET", f"{ROOT}?limit={limit}&cursor={cursor}", world.key("football")).json
            assert len(page["items"]) <= limit
            names += [each["name"] for each in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            assert len(page["items"]) == limit
        assert names == expected, limit
    for cursor in ("-0", "-4", "-x", "-", "x"):
        answer = world.call("GET", f"{ROOT}?cursor={cursor}", world.key("football"))
        assert (answer.status_code, answer.json["code"]) == (422, "invalid-input"), cursor


def test_pages_of_nothing_else(world: World) -> None:
    connectors, context = world.container.connectors, world.context("football")
    page = connectors.list_connectors(context, "football", PageRequest(3))
    assert (len(page.items), page.next_cursor) == (3, None)


@pytest.mark.parametrize("name", BUILT_IN)
def test_nobody_changes_them(world: World, name: str) -> None:
    key = world.key("football")
    for method, body in (("DELETE", None), ("PATCH", {"description": "x"}), ("PATCH", {"secret": SECRET})):
        answer = world.call(method, f"{ROOT}/{name}", key, json=body)
        assert (answer.status_code, answer.json["code"]) == (409, "connector-built-in")
        assert answer.json["hint"]
    taken = _create(world, name=name.lower())
    assert (taken.status_code, taken.json["code"]) == (409, "connector-exists")
    assert (
        _create(
            world, "rivals", name=name.lower(), options={"bucket": "x-1"}, secret="env:OAST_SECRET_RIVALS"
        ).status_code
        == 201
    )


def test_no_feature_group_reads_through_them(world: World) -> None:
    group = {"name": "g", "kind": "ON_DEMAND", "connector": "football_featurestore", "query": "SELECT 1"}
    answer = world.call("POST", "/projects/football/feature-groups", world.key("football"), json=group)
    assert (answer.status_code, answer.json["code"]) == (409, "connector-built-in")
    assert "fs.sql(" in answer.json["hint"]


def test_training_datasets_of_the_project(world: World) -> None:
    connector = _find(world, "football_Training_Datasets")
    assert (connector.is_built_in, connector.id, connector.kind) == (True, None, "HOPSFS")


def test_near_names_are_told(world: World) -> None:
    near = world.call("GET", f"{ROOT}/football_featurestor", world.key("football"))
    assert near.json["candidates"] == ["football_featurestore"]


def _store(world: World, name: str, kind: str) -> None:
    """As an earlier gateway, or one with other packages, did it."""
    database, now = world.container.database, world.clock.now()
    with database.read() as session:
        context = world.context("football")
        project_id = world.container.authorizer.require(session, context.principal, _CREATE, "football").project_id
    with database.write() as uow:
        uow.session.add(
            StorageConnector(
                id=new_id(), project_id=project_id, name=name, kind=kind, description="old", options={},
                secret_ref=None, created_at=now, created_by="ada", updated_at=now,
            )
        )  # fmt: skip
        uow.commit()


def test_a_kind_that_is_gone_is_shown_and_not_used(world: World) -> None:
    _store(world, "old", "KAFKA")
    shown = world.call("GET", ROOT, world.key("football")).json["items"][-1]
    assert (shown["name"], shown["kind"], shown["external_id"]) == ("old", "KAFKA", None)
    assert _test(world, "old").status_code == 422
    described = world.call("PATCH", f"{ROOT}/old", world.key("football"), json={"description": "x"})
    assert described.status_code == 200
    assert world.call("DELETE", f"{ROOT}/old", world.key("football")).status_code == 204


def test_one_that_was_stored_before_stays_what_it_was(world: World) -> None:
    _store(world, "football", "JDBC")
    key = world.key("football")
    assert world.call("GET", f"{ROOT}/football", key).json["description"] == "old"
    listed = world.call("GET", ROOT, key).json["items"]
    assert [(each["name"], each["built_in"]) for each in listed] == [
        ("football_Training_Datasets", True),
        ("football_featurestore", True),
        ("football", False),
    ]
    assert world.call("DELETE", f"{ROOT}/football", key).status_code == 204
    assert world.call("GET", f"{ROOT}/football", key).json["built_in"] is True
