"""Settings that name a secret in place of holding one, and the gateway's own database whose password is rotated."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from click.testing import CliRunner
from sqlalchemy import make_url, text

from app import cli
from app.bootstrap import build_container, own_settings
from app.bootstrap.own import SettingSecretError
from app.readiness import find_schema_fault, migration_config
from app.settings import SecretSettings, Settings, SparkSettings, WarehouseSettings
from infra.crypto import Pepper, PepperUnusableError
from infra.database.unit_of_work import DatabaseUnavailableError
from infra.observability.logs import configure_logs
from tests.lab.aws import Moto
from tests.lab.postgres import Postgres
from tests.lab.relay import Relay, relay
from tests.lab.source import source_database

CANARY = "canary7f3a"
USER = "oast_gateway"
PEPPER = "5c" * 31 + "a7"


@pytest.fixture
def aws(moto: Moto, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Moto:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return moto


def _settings(tmp_path: Path, aws: Moto | None = None, **given: Any) -> Settings:
    place = {"aws_region": "us-east-1", "aws_endpoint_url": aws.endpoint_url} if aws else {}
    secrets = SecretSettings(directory=tmp_path / "secrets", **place)
    return Settings(data_dir=tmp_path / "data", secrets=secrets, **{"pepper": "file:pepper", **given})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    made = tmp_path / "secrets"
    made.mkdir()
    (made / "pepper").write_text(PEPPER + "\n")
    (tmp_path / "data").mkdir()
    return made


# at the start


def test_every_secret_of_the_settings_may_be_a_reference(
    tmp_path: Path, files: Path, aws: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.client("secretsmanager").create_secret(
        Name="ops/spark", SecretString=json.dumps({"remote": "sc://h:1/;token=t"})
    )
    aws.client("ssm").put_parameter(Name="/ops/keys", Value="s3cret", Type="SecureString")
    monkeypatch.setenv("OAST_SECRET_SESSION", "session")
    (files / "url").write_text(f"sqlite:///{tmp_path}/elsewhere.db")
    settings = _settings(
        tmp_path,
        aws,
        database_url="file:url",
        spark=SparkSettings(remote="aws-sm:ops/spark#remote"),  # type: ignore[arg-type]  # pydantic makes the secret
        warehouse=WarehouseSettings(secret_access_key="aws-ssm:/ops/keys", session_token="env:OAST_SECRET_SESSION"),  # type: ignore[arg-type]  # the same
    )
    command.upgrade(migration_config(own_settings(settings).resolved_database_url), "head")
    container = build_container(settings)
    with closing(container.database.engine.raw_connection()):
        assert (tmp_path / "elsewhere.db").exists()
    container.database.engine.dispose()
    found = container.settings
    values = (found.spark.remote, found.warehouse.secret_access_key, found.warehouse.session_token, found.pepper)
    assert [value.get_secret_value() for value in values if value] == ["sc://h:1/;token=t", "s3cret", "session", PEPPER]
    assert container.authenticator._pepper.id == Pepper(bytes.fromhex(PEPPER)).id
    assert "s3cret" not in repr(found)


def test_what_is_no_reference_stays_as_it_is(tmp_path: Path, files: Path) -> None:
    url = "postgresql://u:p%40ss@h/d"
    settings = own_settings(_settings(tmp_path, database_url=url))
    assert settings.resolved_database_url == url


def test_a_password_of_any_signs_goes_into_the_url(tmp_path: Path, files: Path) -> None:
    given = {
        "database_url": "postgresql://me@db.example.com:5432/o?sslmode=verify-full",
        "database_password": "a:b/c@d%e f",
    }
    url = make_url(own_settings(_settings(tmp_path, **given)).resolved_database_url)
    assert (url.username, url.password, url.host, url.database) == ("me", "a:b/c@d%e f", "db.example.com", "o")
    assert url.query == {"sslmode": "verify-full"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"database_url": "aws-sm:absent"}, "OAST_DATABASE_URL .* no secret of that name"),
        ({"database_url": "file:absent"}, "OAST_DATABASE_URL .* no such file"),
        ({"database_url": f"aws-sm:{CANARY}//x"}, "OAST_DATABASE_URL .* name or the ARN"),
        ({"database_url": f"env:{CANARY}"}, "OAST_DATABASE_URL .* variable OAST_SECRET_"),
        ({"database_url": "sqlite:///x", "database_password": "env:OAST_SECRET_NONE"}, "OAST_DATABASE_PASSWORD"),
        ({"database_password": CANARY}, "without OAST_DATABASE_URL"),
        ({"database_url": f"file {CANARY}", "database_password": CANARY}, "no URL of a database"),
        ({"pepper": CANARY}, "OAST_PEPPER is a reference"),
        ({"pepper": "file:none"}, "OAST_PEPPER .* no such file"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_it_does_not_start_without_them(
    tmp_path: Path, files: Path, aws: Moto, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingSecretError, match=says) as refusal:
        build_container(_settings(tmp_path, aws, **given))
    assert CANARY not in f"{refusal.value.detail}{refusal.value.hint}"
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("content", ["zz" * 32, "5c" * 31, f"{CANARY}"], ids=["letters", "short", "words"])
def test_a_pepper_that_is_none(tmp_path: Path, files: Path, content: str) -> None:
    (files / "pepper").write_text(content)
    with pytest.raises(PepperUnusableError) as refusal:
        build_container(_settings(tmp_path))
    assert content not in f"{refusal.value.detail}{refusal.value.__cause__}"


def test_the_command_line_says_which_setting(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OAST_PEPPER", "file:pepper")
    monkeypatch.setenv("OAST_SECRETS__DIRECTORY", str(files))
    cli._container.cache_clear()
    made = CliRunner().invoke(cli.main, ["init"])
    assert made.exit_code == 0, made.output
    assert "the secret of OAST_PEPPER" in made.output
    assert not (tmp_path / "data" / "pepper").exists()
    cli._container().database.engine.dispose()
    cli._container.cache_clear()
    (files / "pepper").unlink()
    refused = CliRunner().invoke(cli.main, ["project", "list", "--json"])
    assert refused.exit_code == 1
    assert '"setting-secret-unusable"' in refused.output
    looked = CliRunner().invoke(cli.main, ["doctor"])
    assert "secret OAST_PEPPER" in looked.output
    assert "no such file" in looked.output
    configure_logs("error")


# the database


class Owned:
    """The gateway's database: a login that must say its password, through a port that is counted."""

    def __init__(self, owner_url: str, database: str, port: Relay) -> None:
        self._owner_url = owner_url
        self.port = port
        self.url = f"postgresql://{USER}@127.0.0.1:{port.port}/{database}"

    def password(self, value: str) -> None:
        with psycopg.connect(self._owner_url, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE {USER} PASSWORD '{value}'")  # type: ignore[arg-type]  # a test's own


@pytest.fixture
def owned(postgres: Postgres) -> Iterator[Owned]:
    with source_database(postgres) as database, relay(database.socket_path) as port:
        database.execute(
            f"DO $$ BEGIN CREATE ROLE {USER} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
            f"GRANT ALL ON SCHEMA public TO {USER}",
        )
        rules = Path(str(database.value("SHOW hba_file")))
        rule = f"local all {USER} scram-sha-256\n"
        if rule not in rules.read_text():
            rules.write_text(rule + rules.read_text())
        database.execute("SELECT pg_reload_conf()")
        made = Owned(database.owner_url, database.database, port)
        made.password("first")
        yield made
        database.execute(f"DROP OWNED BY {USER}")


def test_a_running_gateway_survives_the_rotation_of_its_database(
    tmp_path: Path, files: Path, aws: Moto, owned: Owned
) -> None:
    """As RDS does it: a name with `!`, a JSON object, a new password from one moment to the next."""
    secrets, name = aws.client("secretsmanager"), "rds!db-0b8d7c1e"
    secrets.create_secret(Name=name, SecretString=json.dumps({"username": USER, "password": "first"}))
    settings = _settings(tmp_path, aws, database_url=owned.url, database_password=f"aws-sm:{name}#password")
    command.upgrade(migration_config(own_settings(settings).resolved_database_url), "head")
    container = build_container(settings)
    engine = container.database.engine
    assert find_schema_fault(engine) is None
    owned.password("second")
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps({"username": USER, "password": "second"}))

    def asked(_: int) -> int:
        with container.database.read() as session:
            return int(session.execute(text("SELECT 1")).scalar_one())

    engine.dispose()  # every further connection logs in anew
    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(asked, range(200))) == [1] * 200
    engine.dispose()
    before = owned.port.accepted
    assert asked(1) == 1
    assert owned.port.accepted - before == 1, "the new one is known now"
    owned.password("unknown")
    engine.dispose()
    before = owned.port.accepted
    with pytest.raises(DatabaseUnavailableError) as refusal:
        asked(1)
    assert owned.port.accepted - before <= 2
    assert "second" not in f"{refusal.value.detail} {refusal.value.__cause__}"
    owned.password("second")
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert asked(1) == 1, "what is cached goes on for its time"
    engine.dispose()


def test_a_whole_url_that_is_rotated(tmp_path: Path, files: Path, owned: Owned) -> None:
    def write(password: str) -> None:
        url = make_url(owned.url).set(password=password)
        (files / "url").write_text(url.render_as_string(hide_password=False))

    write("first")
    container = build_container(_settings(tmp_path, database_url="file:url"))
    with container.database.read() as session:
        assert session.execute(text("SELECT current_user")).scalar_one() == USER
    owned.password("second")
    write("second")
    container.database.engine.dispose()
    with container.database.read() as session:
        assert session.execute(text("SELECT current_user")).scalar_one() == USER
    (files / "url").unlink()
    container.database.engine.dispose()
    with pytest.raises(DatabaseUnavailableError), container.database.read() as session:
        session.execute(text("SELECT 1"))
    container.database.engine.dispose()
