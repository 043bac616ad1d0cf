"""Storage connectors over the API: what they may say, who sees what, and a real database at the other end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.bootstrap.connectors import _own_endpoints
from app.featurestore.connectors.errors import ConnectorNotFoundError, ConnectorStaleError
from app.featurestore.connectors.jdbc_url import read_url
from app.featurestore.connectors.kinds import ConnectorKind
from app.featurestore.connectors.rules import read_options
from app.featurestore.connectors.service import ConnectorService, CreateConnector, UpdateConnector
from app.featurestore.connectors.sql import SqlConnector, SqlReader
from app.settings import ConnectorSettings, SecretSettings, Settings
from app.variables import unknown_variables
from infra.errors import InvalidInputError
from infra.ids import new_id
from infra.registry import Registry
from infra.storage.location import Warehouse
from tenancy.principals import Role
from tenancy.scopes import Scope
from tests.lab.aws import Moto
from tests.lab.source import PASSWORD, READER, SourceDatabase
from tests.world import World, make_world

CANARY = "canary7f3a"
PUBLIC = {"engine": "postgresql", "host": "db.example.com", "database": "sales", "user": "reader"}
ROOT = "/projects/football/connectors"
BUILT_IN = ["football", "football_Training_Datasets", "football_featurestore"]
SECRET = "env:OAST_SECRET_DB"
LENT = f"football={SECRET}, football=file:db, rivals=env:OAST_SECRET_RIVALS"


@pytest.fixture
def world(tmp_path: Path, local_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A gateway that lends `football` a secret and may connect to this machine."""
    monkeypatch.setenv("OAST_SECRET_DB", PASSWORD)
    made = make_world(
        tmp_path / "data",
        None,
        local_warehouse,
        secrets=SecretSettings(local=LENT),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8"),
    )
    made.projects("football", "rivals")
    yield made
    made.container.database.engine.dispose()


def _create(world: World, **body: Any) -> Any:
    body = {"name": "sales", "options": PUBLIC, **body}
    return world.call("POST", ROOT, world.key("football"), json=body)


def _local(source: SourceDatabase) -> dict[str, Any]:
    place = {"host": "127.0.0.1", "port": source.port, "database": source.database}
    return {"engine": "postgresql", "user": READER, "tls_mode": "disable", **place}


# what a connector says


def test_create_read_list_update_delete(world: World) -> None:
    key = world.key("football")
    created = _create(world, secret=SECRET, description="Sales").json
    assert created["options"] == {**PUBLIC, "port": 5432, "tls_mode": "verify-full"}
    assert (created["kind"], created["has_secret"], created["secret"], created["revision"]) == ("JDBC", True, SECRET, 1)
    assert world.call("GET", f"{ROOT}/sales", key).json == created
    assert _create(world, name="another").status_code == 201
    page = world.call("GET", f"{ROOT}?limit=4", key).json
    assert [each["name"] for each in page["items"]] == [*BUILT_IN, "another"]
    rest = world.call("GET", f"{ROOT}?cursor={page['next_cursor']}", key).json
    assert [each["name"] for each in rest["items"]] == ["sales"]
    changed = world.call("PATCH", f"{ROOT}/sales", key, json={"description": "More"}, headers={"If-Match": '"1"'})
    assert (changed.json["description"], changed.json["secret"], changed.json["revision"]) == ("More", SECRET, 2)
    assert changed.headers["ETag"] == '"2"'
    stale = world.call("PATCH", f"{ROOT}/sales", key, json={"description": "x"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "revision-stale")
    assert world.call("DELETE", f"{ROOT}/sales", key).status_code == 204
    gone = world.call("GET", f"{ROOT}/sales", key)
    assert (gone.status_code, gone.json["code"]) == (404, "connector-not-found")


def test_a_name_is_taken_once_and_near_ones_are_told(world: World) -> None:
    assert _create(world).status_code == 201
    again = _create(world)
    assert (again.status_code, again.json["code"]) == (409, "connector-exists")
    near = world.call("GET", f"{ROOT}/salse", world.key("football"))
    assert near.json["candidates"] == ["sales"]
    assert _create(world, name="../x").json["code"] == "name-not-valid"
    unknown = _create(world, name="other", kind="HIVE")
    assert (unknown.status_code, unknown.json["candidates"]) == (422, ["hopsfs", "jdbc", "redshift", "s3"])


def test_new_options_need_the_secret_again(world: World) -> None:
    """Who points a connector elsewhere must not take the secret along unseen."""
    key = world.key("football")
    _create(world, secret=SECRET)
    elsewhere = {**PUBLIC, "host": "other.example.com"}
    refused = world.call("PATCH", f"{ROOT}/sales", key, json={"options": elsewhere})
    assert refused.status_code == 422
    assert "secret" in refused.json["detail"]
    taken = world.call("PATCH", f"{ROOT}/sales", key, json={"options": elsewhere, "secret": None}).json
    assert (taken["options"]["host"], taken["has_secret"]) == ("other.example.com", False)
    assert world.call("PATCH", f"{ROOT}/sales", key, json={"secret": SECRET}).json["has_secret"] is True


def test_who_sees_what(world: World) -> None:
    _create(world, secret=SECRET)
    scientist = world.key("football", world.member("football", "sam", Role.DATA_SCIENTIST))
    viewer = world.key("football", world.member("football", "vic", Role.VIEWER))
    browsing = world.key("football", scopes=(Scope.FEATURESTORE_BROWSE,))
    for key in (scientist, browsing):
        for seen in (world.call("GET", f"{ROOT}/sales", key).json, world.call("GET", ROOT, key).json["items"][-1]):
            assert (seen["has_secret"], seen["secret"]) == (True, None)
    assert world.call("GET", ROOT, viewer).json["code"] == "role-too-low"
    for method, path, body in (
        ("POST", ROOT, {"name": "x", "options": PUBLIC}),
        ("PATCH", f"{ROOT}/sales", {"description": "x"}),
        ("DELETE", f"{ROOT}/sales", None),
    ):
        assert world.call(method, path, scientist, json=body).json["code"] == "role-too-low"
        assert world.call(method, path, browsing, json=body).json["code"] == "scope-missing"


def test_no_share_reaches_a_connector(world: World) -> None:
    _create(world, secret=SECRET)
    world.share("football", "rivals")
    key = world.key("rivals")
    for method, path in (
        ("GET", ROOT),
        ("GET", f"{ROOT}/sales"),
        ("POST", f"{ROOT}/sales/test"),
        ("DELETE", f"{ROOT}/sales"),
    ):
        answer = world.call(method, path, key)
        assert (answer.status_code, answer.json["code"]) == (403, "not-permitted")
        assert "sales" not in answer.get_data(as_text=True).replace("/connectors/sales", "")


# options

SERVER = {"engine": "mysql", "host": "db.example.com", "database": "sales", "user": "reader"}
WRONG: list[dict[str, Any]] = [
    {"engine": "oracle"},
    {"engine": None},
    {"host": "a,b"},
    {"host": "/var/run/postgresql"},
    {"host": "user@db"},
    {"host": "-h"},
    {"host": "a b"},
    {"host": ""},
    {"host": None},
    {"host": 7},
    {"host": "①②⑦.0.0.1"},
    {"host": "fe80::1%eth0"},
    {"host": "http://db"},
    {"host": "db:5432"},
    {"host": "x" * 254},
    {"port": 0},
    {"port": 65536},
    {"port": "5432"},
    {"port": True},
    {"database": "postgresql://elsewhere/db"},
    {"database": "dbname=x host=elsewhere"},
    {"database": ""},
    {"database": "x" * 64},
    {"database": None},
    {"user": ""},
    {"user": "a b"},
    {"user": "a\0b"},
    {"tls_mode": "prefer"},
    {"unix_socket": "/tmp/s"},
    {"local_infile": True},
    {"options": "-c x=y"},
    {"service": "x"},
    {"path": "x.db"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_options_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        read_options({**SERVER, **wrong})
    assert [error["field"] for error in refusal.value.errors] == [f"options.{name}" for name in wrong]


@pytest.mark.parametrize(
    "host",
    ["db", "db.example.com", "db_1.internal", "8.8.8.8", "2001:db8::1", "2130706433", "xn--bcher-kva.example", "db."],
)
def test_hosts_that_are_taken(host: str) -> None:
    assert read_options({**SERVER, "host": host}).host == host  # type: ignore[union-attr]  # a server's


@pytest.mark.parametrize(
    "path", ["../x.db", "/etc/passwd", "a//b", "a/../b", "", ".hidden", "x.db?mode=rwc", "file:x", "a\\b", None]
)
def test_files_that_are_refused(path: str | None) -> None:
    with pytest.raises(InvalidInputError):
        read_options({"engine": "sqlite", "path": path})


@pytest.mark.parametrize("name", ["password", "PWD", "secret_key", "sslpassword", "token"])
def test_a_password_is_refused_and_not_repeated(world: World, name: str) -> None:
    for options in (
        {**PUBLIC, name: CANARY},
        {"connection_string": f"jdbc:postgresql://h/d?{name}={CANARY}"},
        {"connection_string": "jdbc:mysql://h/d", "arguments": f"user=u,{name}={CANARY}"},
        {"connection_string": f"jdbc:mysql://user:{CANARY}@h/d"},
    ):
        answer = _create(world, options=options)
        assert (answer.status_code, answer.json["code"]) == (422, "plain-password-refused")
        assert "aws-sm:" in answer.json["hint"]
        assert CANARY not in answer.get_data(as_text=True)
    assert CANARY not in _create(world, secret=CANARY).get_data(as_text=True)
    assert CANARY not in _create(world, secret=f"env:{CANARY}").get_data(as_text=True)


@pytest.mark.parametrize(
    ("url", "arguments", "expected"),
    [
        ("jdbc:postgresql://h:6543/d?user=u&ssl=true", "", ("postgresql", "h", 6543, "d", "u", "verify-full")),
        ("jdbc:postgresql://[2001:db8::1]/d", "user=u", ("postgresql", "2001:db8::1", 5432, "d", "u", "verify-full")),
        ("jdbc:mysql://h/d?useSSL=true&requireSSL=true", "user=u", ("mysql", "h", 3306, "d", "u", "require")),
        (
            "jdbc:mysql://h/d?useSSL=true&verifyServerCertificate=true",
            "user=u",
            ("mysql", "h", 3306, "d", "u", "verify-full"),
        ),
        ("jdbc:mariadb://h:1/d?sslMode=DISABLED&user=a%40b", "", ("mariadb", "h", 1, "d", "a@b", "disable")),
        ("jdbc:redshift://h:5439/d;user=u;ssl=false", "user=u", ("redshift", "h", 5439, "d", "u", "disable")),
    ],
)
def test_connection_strings_of_the_original_clients(url: str, arguments: str, expected: tuple[object, ...]) -> None:
    options = read_options(read_url(url, arguments))
    names = ("engine", "host", "port", "database", "user", "tls_mode")
    assert tuple(getattr(options, name) for name in names) == expected


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("jdbc:hive2://h:10000/d", ""),
        ("jdbc:postgresql:d", ""),
        ("jdbc:postgresql://h1,h2/d", ""),
        ("jdbc:mysql:loadbalance://h/d", ""),
        ("jdbc:mysql://address=(host=h)/d", "user=u"),
        ("jdbc:mysql://h/d?autoDeserialize=true", "user=u"),
        ("jdbc:postgresql://h/d?socketFactory=x&socketFactoryArg=y", "user=u"),
        ("jdbc:postgresql://h/d?sslmode=prefer", "user=u"),
        ("jdbc:postgresql://h/d?user=a", "user=b"),
        ("jdbc:postgresql://h/d", "user"),
        ("jdbc:postgresql://h/d", "user=a,user=b"),
        ("jdbc:postgresql://h/d?options=-c%20x=y", "user=u"),
        ("postgresql://h/d", "user=u"),
        ("x" * 5001, ""),
        ("jdbc:postgresql://h/d", "x" * 2001),
        ("", "user=u"),
    ],
)
def test_connection_strings_that_are_refused(url: str, arguments: str) -> None:
    with pytest.raises(InvalidInputError):
        read_options(read_url(url, arguments))


def test_a_connection_string_over_the_api(world: World) -> None:
    url = {"connection_string": "jdbc:postgresql://db.example.com/sales", "arguments": "user=reader"}
    assert _create(world, options=url).json["options"] == {**PUBLIC, "port": 5432, "tls_mode": "verify-full"}
    assert _create(world, name="both", options={**url, **PUBLIC}).status_code == 422
    assert _create(world, name="kinds", options={"connection_string": 7}).status_code == 422
    file = _create(world, name="file", options={"connection_string": "jdbc:sqlite:a/b.db"})
    assert file.json["options"] == {"engine": "sqlite", "path": "a/b.db"}


def test_a_literal_address_is_refused_at_once(world: World) -> None:
    for host in ("10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe"):
        answer = _create(world, options={**PUBLIC, "host": host})
        assert (answer.status_code, answer.json["code"]) == (422, "source-address-refused")
    assert _create(world, options={**PUBLIC, "host": "127.0.0.1"}).status_code == 201, "the operator allows it"


# secrets


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("aws-sm:oasthouse/rivals/db#password", "secret-access-denied"),
        ("aws-sm:oasthouse/football2/db", "secret-access-denied"),
        ("aws-sm:oasthouse/footbal", "secret-access-denied"),
        (
            "aws-sm:arn:aws:secretsmanager:us-east-1:123456789012:secret:oasthouse/rivals/db-AbCdEf",
            "secret-access-denied",
        ),
        ("aws-ssm:/oasthouse/rivals/db", "secret-access-denied"),
        ("aws-ssm:/oasthouse/football/../rivals/db", "secret-reference-invalid"),
        ("env:OAST_SECRET_RIVALS", "secret-access-denied"),
        ("env:OAST_SECRET_UNHEARD_OF", "secret-access-denied"),
        ("env:AWS_SECRET_ACCESS_KEY", "secret-reference-invalid"),
        ("file:other", "secret-access-denied"),
        ("file:../db", "secret-reference-invalid"),
        ("vault:x", "secret-reference-invalid"),
        ("hunter2", "secret-reference-invalid"),
    ],
)
def test_secrets_of_others_cannot_be_named(world: World, reference: str, code: str) -> None:
    answer = _create(world, secret=reference)
    assert (answer.status_code, answer.json["code"]) == (422, code)


def test_what_was_allowed_is_asked_again_at_use(world: World, tmp_path: Path, source: SourceDatabase) -> None:
    _create(world, options=_local(source), secret=SECRET)
    stricter = world.container.settings.model_copy(update={"secrets": SecretSettings()})
    from app.bootstrap import build_container

    container = build_container(stricter)
    with pytest.raises(InvalidInputError, match="lent to a project by the operator"):
        container.connectors.test(world.context("football"), "football", "sales")
    container.database.engine.dispose()


@pytest.mark.parametrize(
    "prefix", ["oasthouse/", "{project}", "{project}x/", "{project}_", "{project}/{project}/", "{other}/"]
)
def test_a_prefix_must_keep_projects_apart(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        SecretSettings(prefix=prefix)


@pytest.mark.parametrize("local", ["football", "football=aws-sm:x", "=env:X", "football=env:X,rivals"])
def test_lent_secrets_are_pairs(local: str) -> None:
    with pytest.raises(ValueError, match="local"):
        SecretSettings(local=local)


def test_values_of_secrets_are_no_settings(world: World) -> None:
    assert "OAST_SECRET_DB" not in unknown_variables()


def test_networks_are_checked_at_the_start() -> None:
    with pytest.raises(ValueError, match="allowed_networks"):
        ConnectorSettings(allowed_networks="10.0.0.0/8, nonsense")


# testing


def test_it_connects(world: World, source: SourceDatabase) -> None:
    _create(world, options=_local(source), secret=SECRET)
    scientist = world.key("football", world.member("football", "sam", Role.DATA_SCIENTIST))
    answer = world.call("POST", f"{ROOT}/sales/test", scientist)
    assert answer.status_code == 200
    assert 0 < answer.json["latency_ms"] < 10_000


def test_with_a_secret_of_aws(
    moto: Moto, moto_endpoint: str, source: SourceDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    moto.client("secretsmanager").create_secret(
        Name="oasthouse/football/db", SecretString=json.dumps({"password": PASSWORD})
    )
    moto.client("ssm").put_parameter(Name="/oasthouse/football/db", Value=PASSWORD, Type="SecureString")
    world = make_world(
        tmp_path / "data",
        None,
        Warehouse(str(tmp_path / "warehouse")),
        secrets=SecretSettings(aws_region="us-east-1", aws_endpoint_url=moto_endpoint),
        connectors=ConnectorSettings(allowed_networks="127.0.0.1"),
    )
    world.projects("football")
    for number, reference in enumerate(("aws-sm:oasthouse/football/db#password", "aws-ssm:/oasthouse/football/db")):
        assert _create(world, name=f"c{number}", options=_local(source), secret=reference).status_code == 201
        assert world.call("POST", f"{ROOT}/c{number}/test", world.key("football")).status_code == 200
    _create(world, name="absent", options=_local(source), secret="aws-sm:oasthouse/football/absent")
    answer = world.call("POST", f"{ROOT}/absent/test", world.key("football"))
    assert (answer.status_code, answer.json["code"]) == (422, "secret-not-found")
    world.container.database.engine.dispose()


def test_what_fails_says_which_part_and_no_more(
    world: World, source: SourceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    _create(world, name="closed", options={**_local(source), "port": 1}, secret=SECRET)
    _create(world, name="absent", options={**_local(source), "host": "nosuchhost.invalid"}, secret=SECRET)
    _create(world, name="ours", options={**_local(source), "port": world.container.settings.server.port}, secret=SECRET)
    _create(world, name="login", options=_local(source))
    key = world.key("football")
    answers = {name: world.call("POST", f"{ROOT}/{name}/test", key) for name in ("closed", "absent", "ours", "login")}
    codes = {name: answer.json["code"] for name, answer in answers.items()}
    assert codes == dict.fromkeys(("closed", "absent", "ours"), "source-unreachable") | {
        "login": "source-login-refused"
    }
    for answer in answers.values():
        text = answer.get_data(as_text=True)
        assert PASSWORD not in text
        assert "FATAL" not in text


def test_changes_are_recorded_without_a_secret(world: World) -> None:
    from sqlalchemy import select

    from tenancy.audit.models import AuditEvent

    _create(world, secret=SECRET)
    world.call("PATCH", f"{ROOT}/sales", world.key("football"), json={"description": "x"})
    world.call("DELETE", f"{ROOT}/sales", world.key("football"))
    with world.container.database.read() as session:
        events = list(session.scalars(select(AuditEvent).where(AuditEvent.subject == "sales").order_by(AuditEvent.at)))
    assert [event.action for event in events] == ["connector:create", "connector:update", "connector:delete"]
    assert events[0].detail["options"]["host"] == PUBLIC["host"]


class _Bucket:
    """A kind of another package, which runs no SQL."""

    def accept(self, given: Any) -> dict[str, Any]:
        return {"bucket": given["bucket"]}

    def test(self, project: str, options: dict[str, Any], secret: object) -> None:
        assert (project, options, secret) == ("football", {"bucket": "b"}, None)


def test_another_kind_is_a_class_and_no_branch(world: World) -> None:
    """It is stored, shown and tested as the first one is; under a feature group it is refused."""
    kinds: Registry[ConnectorKind] = Registry("oasthouse.connector_kinds", {"bucket": _Bucket()})
    secrets = world.container.connectors._secrets
    service = ConnectorService(
        database=world.container.database,
        authorizer=world.container.authorizer,
        audit=world.container.connectors._audit,
        clock=world.clock,
        ids=new_id,
        kinds=kinds,
        secrets=secrets,
        stored=world.container.stored_secrets,
        uses=lambda _session, _connector: [],
    )
    made = service.create(world.context("football"), "football", CreateConnector("lake", {"bucket": "b"}, "BUCKET"))
    assert made.options == {"bucket": "b"}
    assert service.test(world.context("football"), "football", "lake").latency_ms >= 0
    reader = SqlReader(database=world.container.database, kinds=kinds, secrets=secrets)
    with pytest.raises(InvalidInputError, match="runs no SQL"):
        reader.describe(SqlConnector("football", "BUCKET", {"bucket": "b"}, None), "SELECT 1")
    with pytest.raises(ConnectorNotFoundError):
        reader.find(made.id, made.id)


def test_two_who_change_it_at_once(world: World) -> None:
    _create(world)
    connectors, context = world.container.connectors, world.context("football")
    connectors.update(context, "football", "sales", UpdateConnector(description="one"), 1)
    with pytest.raises(ConnectorStaleError, match="revision 2, not 1"):
        connectors.update(context, "football", "sales", UpdateConnector(description="two"), 1)


@pytest.mark.parametrize(
    ("url", "endpoints"),
    [
        ("postgresql+psycopg://oast@db.internal/oast", [("db.internal", 5432)]),
        ("postgresql://oast@db.internal:6432/oast", [("db.internal", 6432)]),
        ("postgresql+psycopg://oast@/oast?host=db.internal&port=6432", [("db.internal", 6432)]),
        ("postgresql+psycopg://oast@/oast?host=one:5433&host=two:5434", [("one", 5433), ("two", 5434)]),
        ("postgresql+psycopg://oast@/oast?host=one,two", [("one", 5432), ("two", 5432)]),
        ("postgresql+psycopg://oast@name/oast?hostaddr=10.0.0.9", [("name", 5432), ("10.0.0.9", 5432)]),
        ("postgresql+psycopg://oast@/oast?host=/run/postgresql", []),
        ("sqlite:////var/lib/oast/oast.db", []),
    ],
)
def test_the_gateways_database_is_known_however_its_address_is_written(
    url: str, endpoints: list[tuple[str, int]], tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=SecretStr(url))
    assert _own_endpoints(settings)[1:] == tuple(endpoints)
