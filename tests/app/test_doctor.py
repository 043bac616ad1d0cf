"""What `oast doctor` finds in real parts: AWS by moto with IAM switched on, PostgreSQL, SeaweedFS, and silence."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from alembic import command

from app import clocks
from app.bootstrap import build_container
from app.checks import Check
from app.clocks import aws_clock_checks, database_clock_checks
from app.doctor import examine
from app.own_secrets import connector_secret_checks
from app.readiness import migration_config
from app.settings import LoginSettings, SecretSettings, Settings, SparkSettings, WarehouseSettings
from app.standing import files_check
from infra.crypto import Pepper
from infra.iam import Place, read_one_parameter, read_one_secret
from infra.storage.location import Warehouse
from tests.infra.fake_server import fake_server
from tests.lab.aws import Moto
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs
from tests.world import World, make_world

CANARY = "canary7f3a" * 6 + "abcd"
ACCOUNT, REGION = "123456789012", "us-east-1"


def by_name(checks: list[Check]) -> dict[str, Check]:
    assert CANARY not in json.dumps([asdict(check) for check in checks])
    named = {check.name: check for check in checks}
    assert len(named) == len(checks), "each has a name of its own"
    assert all(check.fix for check in checks if not check.passed), checks
    return named


def failed(checks: list[Check]) -> set[str]:
    return {name for name, check in by_name(checks).items() if not check.passed}


def statement(check: Check) -> Any:
    return json.loads(check.fix[check.fix.index("{") :])


@pytest.fixture
def aws(moto: Moto, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Moto:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    secrets, parameters = moto.client("secretsmanager"), moto.client("ssm")
    secrets.create_secret(Name="ops/pepper", SecretString="5c" * 31 + "a7")
    secrets.create_secret(Name="ops/spark", SecretString=json.dumps({"remote": f"sc://{CANARY}"}))
    secrets.create_secret(Name="oasthouse/football/sales", SecretString=CANARY)
    parameters.put_parameter(Name="/ops/password", Value=CANARY, Type="SecureString")
    return moto


@pytest.fixture
def refusing_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Moto knows no refusal in the form of these services; this one is AWS's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    said = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/gateway/1 is not authorized to perform: that on resource: this"

    class Handler(_Quiet):
        def do_POST(self) -> None:
            body = json.dumps({"__type": "AccessDeniedException", "Message": said}).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as url:
        yield url


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def gateway(tmp_path: Path, aws: str | None = None, **given: Any) -> Settings:
    place = {"aws_region": REGION, "aws_endpoint_url": aws} if aws else {}
    settings = Settings(data_dir=tmp_path / "data", **{"secrets": SecretSettings(**place), **given})
    settings.data_dir.mkdir(exist_ok=True)
    if settings.pepper is None and not settings.resolved_pepper_file.exists():
        Pepper.create(settings.resolved_pepper_file)
    command.upgrade(migration_config(f"sqlite:///{settings.data_dir.absolute() / 'oasthouse.db'}"), "head")
    return settings


# secrets of the settings


def test_every_secret_of_the_settings_is_named_and_none_is_shown(tmp_path: Path, aws: Moto) -> None:
    spark = SparkSettings(remote="aws-sm:ops/nothing#remote")  # type: ignore[arg-type]  # pydantic makes the secret
    settings = gateway(tmp_path, aws.endpoint_url, pepper="aws-sm:ops/pepper", spark=spark)
    checks = by_name(examine(settings))
    assert checks["secret OAST_PEPPER"].detail == "aws-sm:ops/pepper can be read"
    absent = "aws-sm:ops/nothing#remote: The secret store has no secret of that name."
    assert checks["secret OAST_SPARK__REMOTE"].detail == absent
    assert failed(list(checks.values())) == {"secret OAST_SPARK__REMOTE"}
    assert {"clock of AWS", "pepper", "database", "warehouse", "files", "worker", "room"} <= checks.keys()
    assert "spark" not in checks


def test_what_is_refused_gets_the_statement_that_allows_it(tmp_path: Path, refusing_aws: str) -> None:
    warehouse = WarehouseSettings(
        url="s3://bucket/prefix",
        endpoint_url=refusing_aws,
        access_key_id="k",
        secret_access_key="aws-ssm:/ops/password",  # type: ignore[arg-type]  # pydantic makes the secret
    )
    checks = by_name(examine(gateway(tmp_path, refusing_aws, pepper="aws-sm:ops/pepper", warehouse=warehouse)))
    place = Place(ACCOUNT, REGION)
    assert statement(checks["secret OAST_PEPPER"]) == read_one_secret(place, "ops/pepper")["Statement"][0]
    refused = checks["secret OAST_WAREHOUSE__SECRET_ACCESS_KEY"]
    assert statement(refused) == read_one_parameter(place, "/ops/password")["Statement"][0]
    assert "not looked at without OAST_WAREHOUSE__SECRET_ACCESS_KEY" in checks["warehouse"].detail
    assert checks["database"].passed
    assert "files" not in checks


def test_a_database_whose_secret_is_gone_is_not_made_anew(tmp_path: Path, aws: Moto) -> None:
    settings = gateway(tmp_path, aws.endpoint_url, database_url="aws-sm:ops/database")
    (tmp_path / "data" / "oasthouse.db").unlink()
    checks = by_name(examine(settings))
    assert failed(list(checks.values())) == {"secret OAST_DATABASE_URL", "database"}
    assert "worker" not in checks
    assert not (tmp_path / "data" / "oasthouse.db").exists()
    assert checks["files"].passed


@pytest.mark.parametrize("text", [f"aws-sm:{CANARY} with blanks", f"aws-ssm:{CANARY}"], ids=["blanks", "path"])
def test_a_text_that_only_begins_like_a_reference_is_not_repeated(tmp_path: Path, text: str) -> None:
    checks = by_name(examine(gateway(tmp_path, pepper=text)))
    assert not checks["secret OAST_PEPPER"].passed
    assert "pepper" not in checks


def test_the_key_of_kms_is_tried(tmp_path: Path, aws: Moto, refusing_aws: str) -> None:
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    place = {"aws_region": REGION, "stored": True, "kms_key": arn}
    settings = gateway(tmp_path, secrets=SecretSettings(aws_endpoint_url=aws.endpoint_url, **place))
    assert by_name(examine(settings))["secret OAST_SECRETS__KMS_KEY"].passed
    settings = gateway(tmp_path, secrets=SecretSettings(aws_endpoint_url=refusing_aws, **place))
    refused = by_name(examine(settings))["secret OAST_SECRETS__KMS_KEY"]
    assert (statement(refused)["Resource"], refused.passed) == (arn, False)
    assert "kms:GenerateDataKey" in statement(refused)["Action"]


def test_silence_ends_and_all_else_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setattr(clocks, "_SECONDS", 0.5)
    over = threading.Event()
    with fake_server(lambda _: over.wait(60)) as port:
        place = SecretSettings(aws_region=REGION, aws_endpoint_url=f"http://127.0.0.1:{port}")
        spark = SparkSettings(remote="aws-sm:ops/spark#remote")  # type: ignore[arg-type]  # pydantic makes the secret
        settings = gateway(tmp_path, secrets=place, pepper="aws-sm:ops/pepper", spark=spark)
        started = time.monotonic()
        checks = by_name(examine(settings))
        took = time.monotonic() - started
        over.set()
    # Twice the time-out of a read, a pause, and the clock's: the second secret of the silent store is not waited for.
    assert took < 2 * 5 + 8
    assert "not asked for" in checks["secret OAST_SPARK__REMOTE"].detail
    assert failed(list(checks.values())) == {"secret OAST_PEPPER", "secret OAST_SPARK__REMOTE", "clock of AWS"}
    assert checks["database"].passed
    assert checks["files"].passed


def test_a_database_that_is_silent_is_given_up(tmp_path: Path) -> None:
    over = threading.Event()
    with fake_server(lambda _: over.wait(60)) as port:
        settings = gateway(tmp_path, database_url=f"postgresql://me:{CANARY}@127.0.0.1:{port}/oasthouse")
        started = time.monotonic()
        checks = by_name(examine(settings))
        took = time.monotonic() - started
        over.set()
    # One time-out of a connection: what else would ask the database is left out.
    assert took < 5 + 5
    assert failed(list(checks.values())) == {"database"}
    assert "worker" not in checks
    assert checks["files"].passed


# secrets of connectors


@pytest.fixture
def world(tmp_path: Path, local_warehouse: Warehouse, aws: Moto) -> Iterator[World]:
    place = SecretSettings(aws_region=REGION, aws_endpoint_url=aws.endpoint_url, local="football=env:OAST_SECRET_SALES")
    made = make_world(tmp_path / "data", None, local_warehouse, secrets=place)
    made.projects("football")
    yield made
    made.container.database.engine.dispose()


def _connector(world: World, name: str, secret: str) -> None:
    place = {"engine": "postgresql", "host": "db.example.com", "database": "sales", "user": "reader"}
    body = {"name": name, "options": place, "secret": secret}
    made = world.call("POST", "/projects/football/connectors", world.key("football"), json=body)
    assert made.status_code == 201, made.json


def test_secrets_of_connectors_by_their_stores(
    world: World, refusing_aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connector_secret_checks(world.container) == []
    _connector(world, "sales", "aws-sm:oasthouse/football/sales")
    _connector(world, "lent", "env:OAST_SECRET_SALES")
    monkeypatch.setenv("OAST_SECRET_SALES", CANARY)
    checks = by_name(connector_secret_checks(world.container))
    assert {name: check.detail for name, check in checks.items()} == {
        "secrets aws-sm": "1 of connectors can be read",
        "secrets env": "1 of connectors can be read",
    }
    _connector(world, "gone", "aws-sm:oasthouse/football/gone")
    monkeypatch.delenv("OAST_SECRET_SALES")
    checks = by_name(connector_secret_checks(world.container))
    assert checks["secrets aws-sm"].detail.startswith(
        "1 of 2 cannot be read: football/gone (aws-sm:oasthouse/football/gone)"
    )
    assert "no such variable" in checks["secrets env"].detail
    settings = world.container.settings
    elsewhere = settings.secrets.model_copy(update={"aws_endpoint_url": refusing_aws})
    moved = replace(world.container, settings=settings.model_copy(update={"secrets": elsewhere}))
    [refused, _] = connector_secret_checks(moved)
    allowed = read_one_secret(Place(ACCOUNT, REGION), "oasthouse/football/gone")["Statement"][0]
    assert "2 of 2 cannot be read" in refused.detail
    assert json.loads(refused.fix[refused.fix.index("{") : refused.fix.index("}") + 1]) == allowed


# clocks


@contextmanager
def server_of_time(date: str) -> Iterator[str]:
    class Handler(_Quiet):
        def do_HEAD(self) -> None:
            self.send_response_only(307)
            self.send_header("Date", date)
            self.send_header("Location", "http://127.0.0.1:1/for-people")
            self.end_headers()

    with serving(Handler) as place:
        yield place


@pytest.mark.parametrize(("ahead", "passed"), [(0, True), (-45, True), (400, False), (-400, False)])
def test_aws_has_the_time_whatever_it_answers(tmp_path: Path, ahead: int, passed: bool) -> None:
    with server_of_time(formatdate(time.time() + ahead, usegmt=True)) as place:
        login = LoginSettings(server_id="gateway.example.com", regions="eu-west-1", endpoint_url=place)
        [check] = aws_clock_checks(Settings(data_dir=tmp_path, login=login))
    assert check.passed is passed
    assert passed or "NTP" in check.fix
    assert -ahead - 3 < float(check.detail.split()[3]) < -ahead + 3


def test_without_anything_in_aws_there_is_no_clock_of_it(tmp_path: Path) -> None:
    assert aws_clock_checks(Settings(data_dir=tmp_path)) == []


def test_the_clock_of_the_database(tmp_path: Path, local_warehouse: Warehouse, postgres_url: str) -> None:
    world = make_world(tmp_path / "data", postgres_url, local_warehouse)
    [check] = database_clock_checks(world.container)
    assert check.passed
    for ahead in (60, -60):
        world.clock.ahead = timedelta(seconds=ahead)
        [check] = database_clock_checks(world.container)
        assert not check.passed
        assert f"{ahead:+d}" in check.detail
    assert "postgresql 18" in by_name(examine(world.container.settings))["database"].detail
    world.container.database.engine.dispose()


def test_a_database_of_this_machine_has_its_clock(world: World) -> None:
    assert database_clock_checks(world.container) == []


# the warehouse


_ACTIONS = {"write": "s3:PutObject", "read": "s3:GetObject", "list": "s3:ListBucket", "delete": "s3:DeleteObject"}


@pytest.mark.parametrize("missing", [None, *_ACTIONS])
def test_each_thing_that_is_done_to_files(tmp_path: Path, seaweedfs: SeaweedFs, missing: str | None) -> None:
    warehouse = seaweedfs.new_warehouse()
    allowed = [action for verb, action in _ACTIONS.items() if verb != missing]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [*allowed, "s3:AbortMultipartUpload"],
                "Resource": [f"arn:aws:s3:::{warehouse.bucket}", f"arn:aws:s3:::{warehouse.bucket}/*"],
            }
        ],
    }
    asked = {"RoleArn": ROLE_ARN, "RoleSessionName": "doctor", "Policy": json.dumps(policy)}
    made = seaweedfs.client("sts").assume_role(**asked)["Credentials"]
    place = WarehouseSettings(
        url=warehouse.url,
        region=REGION,
        endpoint_url=seaweedfs.endpoint_url,
        access_key_id=made["AccessKeyId"],
        secret_access_key=made["SecretAccessKey"],
        session_token=made["SessionToken"],
    )
    container = build_container(gateway(tmp_path, warehouse=place))
    check = files_check(container)
    container.database.engine.dispose()
    assert check.passed is (missing is None), check
    if missing is not None:
        assert f"cannot {missing}:" in check.detail
        assert statement(check)["Action"] == _ACTIONS[missing]
    by_name([check])


def test_nothing_is_left_behind(world: World, local_warehouse: Warehouse) -> None:
    assert files_check(world.container).passed
    assert not [path for path in Path(local_warehouse.url).rglob("*") if path.is_file()]
