"""`oast`, in process."""

import json
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app import cli
from app.server import _Server, require_safe_listener
from app.settings import ServerSettings, Settings
from app.variables import unknown_variables
from infra.errors import InvalidInputError
from infra.observability.logs import configure_logs

KEY = re.compile(r"oast_live_\w{16}_\w{49}")


class Oast:
    def __init__(self) -> None:
        self._runner = CliRunner()

    def run(self, *arguments: str, code: int = 0) -> Result:
        result = self._runner.invoke(cli.main, arguments)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def oast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Oast]:
    monkeypatch.setenv("OAST_DATA_DIR", str(tmp_path / "data"))
    cli._container.cache_clear()
    yield Oast()
    if cli._container.cache_info().currsize:
        cli._container().database.engine.dispose()
    cli._container.cache_clear()
    configure_logs("error")


@pytest.fixture
def ready(oast: Oast) -> Oast:
    oast.run("init")
    oast.run("project", "create", "football", "--owner", "ada")
    oast.run("project", "create", "venues", "--owner", "vera")
    return oast


def test_init_shows_one_key_once(oast: Oast, tmp_path: Path) -> None:
    shown = oast.run("init").output
    assert len(KEY.findall(shown)) == 1
    assert (tmp_path / "data" / "pepper").stat().st_mode & 0o777 == 0o600
    again = oast.run("init", code=1)
    assert "already" in again.output
    assert not KEY.findall(again.output)


def test_init_goes_on_where_it_was_interrupted(oast: Oast, tmp_path: Path) -> None:
    from infra.crypto import Pepper

    Pepper.create(tmp_path / "data" / "pepper")
    assert KEY.search(oast.run("init").output)


def test_projects_members_and_keys(ready: Oast) -> None:
    assert [project["name"] for project in ready.json("project", "list")] == ["football", "venues"]
    assert "football_featurestore" in ready.run("project", "list").output
    ready.run("member", "set", "football", "sam", "data_scientist")
    assert [(m["name"], m["role"]) for m in ready.json("member", "list", "football")] == [
        ("ada", "data_owner"),
        ("sam", "data_scientist"),
    ]
    made = ready.json(
        "key", "create", "football", "--member", "sam", "--scope", "featurestore:read", "--days", "5", "--name", "nb"
    )
    assert KEY.fullmatch(made["key"])
    assert made["scopes"] == ["featurestore:read"]
    rotated = ready.json("key", "rotate", "football", made["key_id"], "--overlap-hours", "1")
    assert rotated["key_id"] != made["key_id"]
    ready.run("key", "revoke", "football", made["key_id"])
    listed = {key["key_id"]: key for key in ready.json("key", "list", "football")}
    assert listed[made["key_id"]]["state"] == "revoked"
    assert listed[made["key_id"]]["rotated_to"] == rotated["key_id"]
    assert not KEY.findall(ready.run("key", "list", "football").output)


def test_operator_keys_can_be_replaced(ready: Oast) -> None:
    first = ready.json("operator", "list")[0]
    second = ready.json("operator", "create", "--name", "deputy")
    ready.run("operator", "revoke", first["key_id"])
    states = {key["key_id"]: key["state"] for key in ready.json("operator", "list")}
    assert states == {first["key_id"]: "revoked", second["key_id"]: "active"}
    assert "There is no operator key" in ready.run("operator", "revoke", "nothing", code=1).output
    assert second["key_id"] in ready.run("operator", "list").output


def test_a_lost_pepper_voids_every_key_and_init_starts_anew(ready: Oast, tmp_path: Path) -> None:
    ready.run("key", "create", "football", "--member", "ada")
    (tmp_path / "data" / "pepper").unlink()
    cli._container().database.engine.dispose()
    cli._container.cache_clear()
    assert KEY.search(ready.run("init").output)
    assert [key["state"] for key in ready.json("key", "list", "football")] == ["void"]
    assert sorted(key["state"] for key in ready.json("operator", "list")) == ["active", "void"]


def test_shares_need_a_data_owner_on_each_side(ready: Oast) -> None:
    ready.run("member", "set", "venues", "sam", "data_scientist")
    assert "data_owner" in ready.run("share", "offer", "venues", "football", "--as", "sam", code=1).output
    offered = ready.json("share", "offer", "venues", "football", "--as", "vera", "--days", "3")
    ready.run("share", "accept", "football", offered["id"], "--as", "ada")
    assert [share["state"] for share in ready.json("share", "list", "football")] == ["accepted"]
    ready.run("share", "end", "venues", offered["id"], "--as", "vera")
    second = ready.json("share", "offer", "venues", "football", "--as", "vera", "--what", "training_datasets")
    ready.run("share", "decline", "football", second["id"], "--as", "ada")
    assert [share["state"] for share in ready.json("share", "list", "venues")] == ["ended", "declined"]
    assert "offered" in ready.run("share", "list", "venues").output
    assert "There is no project" in ready.run("share", "offer", "nope", "football", "--as", "vera", code=1).output


def test_roles_are_bound_and_unbound(ready: Oast) -> None:
    arn = "arn:aws:iam::123456789012:role/Notebooks"
    shown = ready.run("role", "bind", "football", arn, "--member", "ada").output
    assert "acts in football for ada, as data_scientist at the most" in shown
    assert "whoever logs in first" in shown
    unique_id = "AROA" + "A" * 17
    made = ready.json(
        "role",
        "bind",
        "venues",
        arn,
        "--member",
        "vera",
        "--unique-id",
        unique_id,
        "--role",
        "viewer",
        "--scope",
        "project:read",
    )
    assert (made["role"], made["scopes"], made["role_unique_id"]) == ("viewer", ["project:read"], unique_id)
    assert "is bound to" in ready.run("role", "bind", "football", arn, "--member", "ada", code=1).output
    assert "not the ARN" in ready.run("role", "bind", "football", "*", "--member", "ada", code=1).output
    assert [each["role_arn"] for each in ready.json("role", "list", "football")] == [arn]
    assert arn in ready.run("role", "list", "venues").output
    assert ready.json("role", "unbind", "venues", made["id"])["state"] == "unbound"
    assert ready.json("role", "list", "venues") == []
    assert "no role binding" in ready.run("role", "unbind", "venues", made["id"], code=1).output


def test_errors_are_a_line_and_a_next_step(ready: Oast) -> None:
    failed = ready.run("project", "create", "Bad Name", "--owner", "ada", code=1).output
    assert failed.startswith("error: ")
    assert "did you mean: bad_name" in failed
    assert "Traceback" not in failed
    as_json = ready.run("project", "create", "football", "--owner", "ada", "--json", code=1)
    assert json.loads(as_json.stderr)["code"] == "project-exists"


def test_doctor_names_each_check_and_its_mending(oast: Oast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = oast.run("doctor", code=1).output
    assert "oast init" in re.sub(r"\s+", " ", missing)
    oast.run("init")
    assert all(check["passed"] for check in oast.json("doctor"))
    monkeypatch.setenv("OAST_WAREHOUSE__URL", "/proc/nowhere")
    monkeypatch.setenv("OAST_WORKERS", "3")
    cli._container().database.engine.dispose()
    cli._container.cache_clear()
    failed = {check["name"]: check for check in json.loads(oast.run("doctor", "--json", code=1).stdout)}
    assert not failed["warehouse"]["passed"]
    assert "OAST_WORKERS" in failed["settings"]["detail"]
    assert "OAST_WORKERS names no setting" in oast.run("project", "list").output


def test_doctor_says_for_which_name_roles_log_in(ready: Oast, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "none for AWS roles" in {each["name"]: each for each in ready.json("doctor")}["login"]["detail"]
    monkeypatch.setenv("OAST_LOGIN__SERVER_ID", "gateway.example.com")
    assert "given together" in ready.run("role", "list", "football", code=1).output
    monkeypatch.setenv("OAST_LOGIN__REGIONS", "us-east-1,eu-west-1")
    monkeypatch.setenv("OAST_LOGIN__ENDPOINT_URL", "http://127.0.0.1:1")
    cli._container().database.engine.dispose()
    cli._container.cache_clear()
    checks = {each["name"]: each for each in json.loads(ready.run("doctor", "--json", code=1).stdout)}
    assert checks["login"]["detail"] == "AWS roles, as gateway.example.com, eu-west-1, us-east-1"
    assert "http://127.0.0.1:1 does not answer" in checks["clock of AWS"]["detail"]


def test_doctor_notices_that_nobody_takes_runs_and_that_the_disk_is_full(
    ready: Oast, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import standing

    checks = {check["name"]: check for check in ready.json("doctor")}
    assert checks["room"]["passed"]
    assert checks["worker"]["passed"]
    monkeypatch.setattr(standing, "LEAST_ROOM", 1 << 60)
    # A run that nobody will ever have taken: the count is the database's, and the time is moved.
    monkeypatch.setattr(standing, "_MOST_WAITING", -timedelta(days=1))
    _queue_a_run()
    failed = {check["name"]: check for check in json.loads(ready.run("doctor", "--json", code=1).stdout)}
    assert "make room" in failed["room"]["fix"]
    assert failed["worker"]["fix"] == "start `oast worker`"


def _queue_a_run() -> None:
    from app.featurestore.jobs.models import JobRun
    from infra.ids import new_id
    from tenancy.projects.repository import ProjectRepository

    now = cli._container().clock.now()
    with cli._container().database.write() as uow:
        found = ProjectRepository(uow.session).find("football")
        assert found
        run = JobRun(
            id=new_id(), project_id=found.id, kind="program", subject="none", arguments={}, trigger="hand", requester={},
            requested_by="ada", state="queued", queued_at=now, not_before=now, attempt=0, max_attempts=1,
            cancel_requested=False, stage="", rows=0, bytes=0,
        )  # fmt: skip
        uow.session.add(run)
        uow.commit()


def test_doctor_notices_an_old_schema(ready: Oast) -> None:
    with cli._container().database.write() as uow:
        uow.session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
        uow.commit()
    failed = {check["name"]: check for check in json.loads(ready.run("doctor", "--json", code=1).stdout)}
    assert failed["database"]["fix"] == "oast db upgrade"
    assert "oast db upgrade" in ready.run("serve", code=1).output


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("OAST_SERVER__HOST", "0.0.0.0", "listener"),
        ("OAST_ENGINE__MEMORY_LIMIT", "lots", "limits"),
        ("OAST_UPLOADS__SPOOL_DIR", "/nowhere", "limits"),
        ("OAST_WAREHOUSE__URL", "gs://bucket", "settings"),
    ],
)
def test_doctor_finds_what_would_break_later(
    ready: Oast, monkeypatch: pytest.MonkeyPatch, name: str, value: str, check: str
) -> None:
    monkeypatch.setenv(name, value)
    cli._container().database.engine.dispose()
    cli._container.cache_clear()
    failed = {each["name"]: each for each in json.loads(ready.run("doctor", "--json", code=1).stdout)}
    assert not failed[check]["passed"]
    assert failed[check]["fix"]


def test_doctor_looks_for_certificates(ready: Oast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_SERVER__CERTFILE", "/nowhere/cert.pem")
    monkeypatch.setenv("OAST_SERVER__KEYFILE", "/nowhere/key.pem")
    cli._container().database.engine.dispose()
    cli._container.cache_clear()
    assert "no such file: /nowhere/cert.pem" in re.sub(r"\s+", " ", ready.run("doctor", code=1).output)


def test_a_database_newer_than_the_gateway_is_told_so(ready: Oast) -> None:
    with cli._container().database.write() as uow:
        uow.session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        uow.commit()
    failed = ready.run("db", "upgrade", code=1).output
    assert "9999" in failed
    assert "older than its database" in failed


def test_a_database_that_is_away_is_an_error_not_a_traceback(oast: Oast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    failed = oast.run("init", code=1).output
    assert failed.startswith("error: ")
    assert "secret" not in failed


def test_a_port_in_use_is_named(ready: Oast, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("OAST_SERVER__PORT", str(taken.getsockname()[1]))
        assert "cannot be listened on" in ready.run("serve", code=1).output


def test_db_upgrade_may_run_again(ready: Oast) -> None:
    assert ready.json("db", "upgrade") == {"status": "upgraded"}


def test_settings_that_are_wrong_are_named(oast: Oast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAST_SERVER__THREADS", "4")
    failed = oast.run("init", code=1).output
    assert "OAST_SERVER__THREADS" in failed
    assert "docs/settings.md" in failed


class TestServing:
    @pytest.mark.parametrize(
        "options",
        [{}, {"host": "localhost"}, {"host": "::1"}, {"host": "0.0.0.0", "behind_tls_proxy": True},
         {"host": "0.0.0.0", "certfile": Path("c"), "keyfile": Path("k")}],
    )  # fmt: skip
    def test_is_safe(self, options: dict[str, Any]) -> None:
        require_safe_listener(ServerSettings(**options))

    @pytest.mark.parametrize("options", [{"host": "0.0.0.0"}, {"host": "gateway.example.com"}, {"certfile": Path("c")}])
    def test_is_refused_where_keys_would_travel_in_the_clear(self, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputError):
            require_safe_listener(ServerSettings(**options))

    def test_follows_the_settings(self) -> None:
        settings = Settings(server=ServerSettings(host="::1", port=9999, workers=3, threads=20))
        loaded = _Server(settings).cfg
        assert (loaded.bind, loaded.workers, loaded.threads) == (["[::1]:9999"], 3, 20)
        assert (loaded.worker_class_str, loaded.preload_app, loaded.control_socket_disable) == ("gthread", False, True)


def test_variables_that_name_no_setting_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OAST_DATABSE_URL", "OAST_SERVER__PORT", "OAST_LOG_LEVEL"):
        monkeypatch.setenv(name, "x")
    assert "OAST_DATABSE_URL" in unknown_variables()
    assert not {"OAST_SERVER__PORT", "OAST_LOG_LEVEL"} & set(unknown_variables())


def test_credentials_are_a_data_owners_business(ready: Oast) -> None:
    assert "off" in ready.run("project", "vending", "football").output
    refused = ready.run("project", "vending", "football", "on", code=1)
    assert "--as" in refused.output
    assert ready.json("project", "vending", "football", "on", "--as", "ada")["enabled"] is True
    ready.run("member", "set", "football", "sara", "data_scientist")
    assert "data_owner" in ready.run("project", "vending", "football", "off", "--as", "sara", code=1).output
    shown = ready.run("project", "vending", "football").output
    assert "out of order" in shown, "this gateway has no role for it"
    assert ready.json("project", "vending", "venues")["enabled"] is False
    assert ready.json("project", "vending", "football", "off", "--as", "ada")["enabled"] is False


@pytest.mark.parametrize(
    ("role", "said"), [("vend", "no ARN of a role"), ("arn:aws:iam::123456789012:role/vend", "warehouse in S3 only")]
)
def test_doctor_looks_at_the_role_for_credentials(
    ready: Oast, monkeypatch: pytest.MonkeyPatch, role: str, said: str
) -> None:
    monkeypatch.setenv("OAST_VENDING__ROLE", role)
    if "ARN" in said:
        monkeypatch.setenv("OAST_WAREHOUSE__URL", "s3://bucket/prefix")
        monkeypatch.setenv("OAST_WAREHOUSE__ENDPOINT_URL", "http://127.0.0.1:1")
    cli._container.cache_clear()
    checks = {check["name"]: check for check in json.loads(ready.run("doctor", "--json", code=1).stdout)}
    assert not checks["settings"]["passed"]
    assert said in checks["settings"]["detail"]
    assert checks["listener"]["passed"]
    assert "database" not in checks, "without a container nothing is known of it"
