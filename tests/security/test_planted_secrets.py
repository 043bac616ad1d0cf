"""Forty secrets of all kinds, put wherever people put them, through success and failure: none shows where it does not belong.

Looked at are answers, logs at the most talkative level with their tracebacks, every byte of the database, and what prints of
the objects that hold secrets.
"""

import base64
import hashlib
import io
import json
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app.bootstrap import build_container
from app.bootstrap.own import SettingSecretError
from app.checks import run_checks
from app.readiness import find_faults
from app.settings import ConnectorSettings, SecretSettings, Settings, SparkSettings, WarehouseSettings
from infra.crypto import SecretValue
from infra.errors import GatewayError
from infra.observability.logs import configure_logs
from infra.storage.location import parse_warehouse
from tests.lab.aws import Moto
from tests.lab.postgres import Postgres
from tests.lab.source import READER, SourceDatabase, source_database
from tests.world import World, make_world

# All of it happens before the first test, in a minute of an idle machine.
pytestmark = pytest.mark.timeout(900)

ROOT = "/projects/football/connectors"
JOBS = "/projects/football/jobs"
_PEM = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"
SHAPES = {
    "password": "{}",
    "password with signs": "p@ss:w/rd?{}#&%\"'\\",
    "password with letters": "пароль-{}-密码",
    "password like a reference": "vault:{}",
    "password like a known reference": "aws-sm:oasthouse/rivals/{}",
    "password with lines": "first\n{}\nlast",
    "password with blanks": " {} ",
    "password in JSON": '{{"password": "{}"}}',
    "nested JSON": '{{"db": {{"password": "{}"}}}}',
    "broken JSON": '{{"password": "{}"',
    "bucket keys": '{{"access_key_id": "AKIA0000000000000000", "secret_access_key": "{}"}}',
    "bucket keys of the original": '{{"accessKey": "AKIA0000000000000000", "secretKey": "{}"}}',
    "bucket keys with a token": '{{"access_key_id": "a", "secret_access_key": "s", "session_token": "{}"}}',
    "bucket keys that end a header": '{{"access_key_id": "a", "secret_access_key": "{}\\r\\nHost: x"}}',
    "half of bucket keys": '{{"secret_access_key": "{}"}}',
    "key as access key": '{{"access_key_id": "{}"}}',
    "array": '["{}"]',
    "private key": _PEM,
    "EC private key": "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----",
    "certificate and key": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" + _PEM,
    "SSH key": "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
    "URL of a database": "postgresql://user:{}@db.example.com/sales",
    "URL of MySQL": "mysql+pymysql://user:{}@db.example.com:3306/sales",
    "URL of Redis": "redis://:{}@cache.example.com:6379/0",
    "URL of a web page": "https://user:{}@example.com/",
    "JDBC string": "jdbc:postgresql://h/d?user=u&password={}",
    "conninfo": "host=h dbname=d user=u password={}",
    "ODBC string": "Driver=x;Server=h;Uid=u;Pwd={};",
    "Spark address": "sc://host:15002/;token={}",
    "bearer": "Bearer {}",
    "basic": "Basic {}",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.{}.c2ln",
    "GitHub token": "ghp_{}",
    "Slack token": "xoxb-{}",
    "Databricks token": "dapi{}",
    "API key": "oast_live_0123456789abcdef_{}",
    "format string": "%s%n{{0}}{}",
    "template": "${{jndi:ldap://x/{}}}",
    "HTML": "<script>{}</script>",
    "long": "{}" + "x" * 4000,
}
# Hexadecimal, so that each could be a pepper, and nothing that quotes or escapes changes it.
MARKS = {name: hashlib.sha256(name.encode()).hexdigest()[:32] for name in SHAPES}
PLANTED = {name: shape.format(MARKS[name]) for name, shape in SHAPES.items()}


@dataclass
class Spilled:
    """All that anybody got to see."""

    answers: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    logs: io.StringIO = field(default_factory=io.StringIO)
    database: bytes = b""
    used: int = 0

    def fail(self, call: Callable[[], Any]) -> None:
        """What a traceback of it would print, too."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 whatever it is, its traceback is looked at
            self.objects += traceback.format_exception(error)
            self.objects.append(repr(vars(error)))
        else:
            pytest.fail("it should not have worked")


@pytest.fixture(scope="module")
def spilled(moto: Moto, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Spilled:
    moto.reset()
    found = Spilled()
    directory = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch, source_database(postgres) as source:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        world = _world(directory, moto)
        configure_logs("debug", found.logs)
        _through_connectors(found, world, moto, source)
        _through_settings(found, directory)
        found.objects += [repr(world.container), repr(vars(world.container)), repr(world.container.settings)]
        found.objects += [str(world.container.settings.model_dump()), world.container.settings.model_dump_json()]
        found.answers.append(world.client.get("/api/v1/openapi.json").get_data(as_text=True))
        world.container.database.engine.dispose()
        found.database = b"".join(path.read_bytes() for path in (directory / "data").glob("oasthouse.db*"))
    return found


def _world(directory: Path, moto: Moto) -> World:
    files = directory / "files"
    files.mkdir()
    (files / "key").write_text(MARKS["array"] + MARKS["HTML"])
    world = make_world(
        directory / "data",
        None,
        parse_warehouse(str(directory / "warehouse")),
        secrets=SecretSettings(
            stored=True,
            key="file:key",  # type: ignore[arg-type]  # pydantic makes the secret
            directory=files,
            aws_region="us-east-1",
            aws_endpoint_url=moto.endpoint_url,
        ),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8", allow_http=True),
    )
    world.projects("football")
    return world


def _through_connectors(found: Spilled, world: World, moto: Moto, source: SourceDatabase) -> None:
    secrets, key = moto.client("secretsmanager"), world.key("football")
    real = {"engine": "postgresql", "host": "127.0.0.1", "port": source.port, "database": source.database}
    server = {**real, "user": READER, "tls_mode": "disable"}
    bucket = {"bucket": "lake", "endpoint_url": "http://127.0.0.1:1"}

    def call(method: str, path: str, **options: Any) -> int:
        answer = world.call(method, path, key, **options)
        found.answers.append(f"{answer.get_data(as_text=True)}{dict(answer.headers)}")
        return answer.status_code

    for number, value in enumerate(PLANTED.values()):
        secrets.create_secret(Name=f"oasthouse/football/p{number}", SecretString=value)
        named = {"secret": f"aws-sm:oasthouse/football/p{number}"}
        for body in _misplaced(value, server, bucket):
            call("POST", ROOT, json={"name": f"wrong{number}", **body})
        # What is kept here and what is named, at a database that refuses it and at a bucket that does not answer.
        for kind, options, secret in (
            ("JDBC", server, {"secret_value": value}),
            ("JDBC", server, named),
            ("S3", bucket, {"secret_value": value}),
            ("S3", bucket, named),
        ):
            body = {"name": f"c{number}", "kind": kind, "options": options, **secret}
            assert call("POST", ROOT, json=body) == 201
            found.used += call("POST", f"{ROOT}/c{number}/test") in (422, 503)
            call("GET", f"{ROOT}/c{number}")
            call("PATCH", f"{ROOT}/c{number}", json={"description": "changed"})
            if secret is named:
                _run(found, world, call, f"c{number}", kind)
            assert call("DELETE", f"{ROOT}/c{number}") == 204
        _malformed(call, value, number)
    call("GET", f"{ROOT}?limit=100")
    call("GET", "/projects/football/runs?limit=100")
    found.fail(lambda: world.container.connectors.test(world.context("football"), "football", "none"))


def _misplaced(value: str, server: dict[str, Any], bucket: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Where people put what they should not."""
    # Of the reference's form, and a scheme that there is: then it is taken for a name, and names are shown.
    if not value.startswith("aws-sm:"):
        yield {"options": server, "secret": value}
        yield {"kind": "S3", "options": bucket, "secret": value}
    for name in ("password", "sslpassword", "pwd", "secret", "token", "passphrase"):
        yield {"options": {**server, name: value}}
    for url in (f"jdbc:postgresql://u:{value}@h/d", f"jdbc:mysql://h/d?password={quote(value)}", value):
        yield {"options": {"connection_string": url}}
    yield {"options": {"connection_string": "jdbc:mysql://h/d", "arguments": f"user=u,password={value}"}}
    for name in ("secret_access_key", "access_key", "secretKey", "session_token", "key"):
        yield {"kind": "S3", "options": {**bucket, name: value}}
    yield {"kind": "S3", "options": {**bucket, "bucket": f"s3a://key:{value}@lake"}}
    yield {"kind": "S3", "options": {**bucket, "endpoint_url": f"https://key:{value}@example.com"}}
    yield {"kind": "HOPSFS", "options": {"dataset_name": "x"}, "secret_value": value}
    yield {"options": server, "secret_value": value, "secret": "aws-sm:oasthouse/football/other"}
    yield {"options": {"engine": "oracle"}, "secret_value": value}
    for wrong in ([value], {"value": value}):
        yield {"options": server, "secret_value": wrong}
        yield {"options": server, "secret": wrong}


def _malformed(call: Callable[..., int], value: str, number: int) -> None:
    text = json.dumps({"name": f"m{number}", "secret_value": value})
    for data in (text[:-2], text + "x", text.replace('"name"', "name")):
        assert call("POST", ROOT, data=data.encode(), headers={"Content-Type": "application/json"}) == 400
    header = quote(value)
    for name in ("Authorization", "Cookie", "X-Api-Key", "X-Amz-Security-Token", "Idempotency-Key", "If-Match"):
        call("GET", f"{ROOT}/none", headers={name: header})
    call("GET", "/me", headers={"Authorization": f"ApiKey {header}"})


def _run(found: Spilled, world: World, call: Callable[..., int], connector: str, kind: str) -> None:
    """In the background, where an error is kept and a log is written."""
    arguments: dict[str, Any] = {"connector": connector, "feature_group": "teams"}
    arguments |= {"query": "SELECT 1 AS id"} if kind == "JDBC" else {"path": "x.csv", "data_format": "csv"}
    job = f"{JOBS}/{connector}_{kind.lower()}"
    body = {"kind": "import_sql" if kind == "JDBC" else "import_files", "arguments": arguments}
    assert call("PUT", job, json=body) == 200
    started = world.call("POST", f"{job}/runs", world.key("football"), json={})
    assert started.status_code == 202
    run = started.json["id"]
    found.used += world.work()
    call("GET", f"/projects/football/runs/{run}")
    call("GET", f"/projects/football/runs/{run}/log")
    call("POST", f"/projects/football/runs/{run}/cancel")


def _through_settings(found: Spilled, directory: Path) -> None:
    """In the gateway's own environment, where everything fails that can."""
    plain = {"data_dir": directory / "other", "environment": "test"}
    (directory / "other").mkdir()
    for name, value in PLANTED.items():
        mark = MARKS[name]
        password = quote(value)
        (directory / "files" / "own").write_text(value)
        for given in (
            {"database_url": f"postgresql://u:{password}@127.0.0.1:1/d"},
            {"database_url": f"nonsense {value}"},
            {"database_password": value},
            {"database_url": "postgresql://u@127.0.0.1:1/d", "database_password": value},
            {"pepper": value},
            {"pepper": "file:own"},
            {"secrets": SecretSettings(directory=directory / "files", stored=True, key="file:own")},  # type: ignore[arg-type]  # pydantic makes it
            {"secrets": SecretSettings(stored=True, key=value)},  # type: ignore[arg-type]  # the same
            {
                "spark": SparkSettings(remote=f"sc://127.0.0.1:1/;token={value}"),  # type: ignore[arg-type]  # the same
                "warehouse": WarehouseSettings(url="s3://b", secret_access_key=value, session_token=value),  # type: ignore[arg-type]  # the same
            },
        ):
            settings = Settings(**{**plain, **given})
            found.objects += [repr(settings), settings.model_dump_json()]
            found.fail(lambda settings=settings: build_container(settings))
        found.objects += [repr(SecretValue(value)), str(SecretValue(value)), f"{SecretValue(value)}"]
        (directory / "files" / "pepper").write_text((mark * 2)[:64])
    _unreachable(found, directory)


def _unreachable(found: Spilled, directory: Path) -> None:
    """It starts, and nothing that it needs is there."""
    password = PLANTED["password with signs"]
    settings = Settings(
        data_dir=directory / "data",
        environment="test",
        database_url=f"postgresql://u:{quote(password)}@127.0.0.1:1/d",  # type: ignore[arg-type]  # pydantic makes it
        pepper="file:pepper",  # type: ignore[arg-type]  # the same
        secrets=SecretSettings(directory=directory / "files"),
    )
    container = build_container(settings)
    found.objects += [repr(check) for check in run_checks(container)] + [repr(find_faults(container))]
    found.objects += [repr(container.database.engine), repr(container.database.engine.url)]

    def read() -> None:
        with container.database.read() as session:
            session.connection()

    found.fail(read)
    container.database.engine.dispose()


@pytest.mark.parametrize("name", PLANTED)
def test_it_shows_nowhere(spilled: Spilled, name: str) -> None:
    encoded = base64.b64encode(PLANTED[name].encode()).decode()
    for mark in (MARKS[name], encoded):
        for where, texts in (
            ("answers", spilled.answers),
            ("objects", spilled.objects),
            ("logs", spilled.logs.getvalue().splitlines()),
        ):
            assert [text for text in texts if mark in text][:1] == [], where
        assert mark.encode() not in spilled.database


def test_it_went_through_all_of_that(spilled: Spilled) -> None:
    """Else their absence says nothing."""
    assert len(PLANTED) == len(set(MARKS.values())) == 40
    assert spilled.used == 40 * 4 + 40 * 2, "each was used by each connector, and by each run"
    assert len(spilled.answers) > 40 * 50
    assert len(spilled.logs.getvalue().splitlines()) > 40 * 50
    assert any("Traceback" in text for text in spilled.objects)
    for code in ("plain-password-refused", "source-login-refused", "secret-not-found", "json-malformed"):
        assert any(code in answer for answer in spilled.answers), code
    assert b"stored_secret" in spilled.database
    assert issubclass(SettingSecretError, GatewayError)
