"""What can be shown of the image without Docker: its parts are there and agree, and its entry point starts the gateway."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from tests.docs.pages import ROOT, read
from tests.lab.aws import Moto
from tests.lab.source import PASSWORD, READER, SourceDatabase

DOCKERFILE = read("Dockerfile")
FINAL = DOCKERFILE.rpartition("\nFROM ")[2]
ENTRY_POINT = ROOT / "docker_entrypoint.py"
PEPPER = "0123456789abcdef" * 4
START_SECONDS = 60


def _copied() -> list[str]:
    """What is taken out of the repository."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
    return [word for line in lines for word in line.split()[:-1] if not word.startswith("--")]


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    ignored, *kept = [line for line in read(".dockerignore").splitlines() if line and not line.startswith("#")]
    assert ignored == "*"
    assert _copied()
    for name in _copied():
        assert (ROOT / name).exists(), name
    assert {line.removeprefix("!") for line in kept if line.startswith("!")} == set(_copied())


def test_the_final_stage_runs_as_nobody_and_builds_nothing() -> None:
    assert re.findall(r"^USER (\S+)$", FINAL, re.MULTILINE) == ["10001:10001"]
    assert not re.search(r"apt-get|gcc|pip install|curl", FINAL)
    assert "pip uninstall" in FINAL
    assert re.search(r"^HEALTHCHECK .*\n? *CMD ", FINAL, re.MULTILINE)
    assert not re.search(r"^(ENV|ARG) .*(PASSWORD|SECRET|TOKEN|PEPPER)=", DOCKERFILE, re.MULTILINE)


def test_image_and_terraform_agree() -> None:
    task = read("terraform/modules/gateway/main.tf")
    data_dir = re.search(r'VOLUME \["(.*)"\]', FINAL)[1]
    assert f'data_dir = "{data_dir}"' in task
    assert f"OAST_DATA_DIR={data_dir}" in FINAL
    assert re.search(r"^EXPOSE (\d+)$", FINAL, re.MULTILINE)[1] == re.search(r"port = (\d+)", task)[1]
    authorities = re.search(r" (/\S+rds-ca\.pem)$", FINAL, re.MULTILINE)[1]
    assert f"sslrootcert={authorities}" in read("terraform/modules/database/outputs.tf")


def _pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+?)(?: ;.*)? \\$", read(f"requirements/{lock}.lock"), re.MULTILINE))


def test_the_image_has_what_the_tests_ran_with() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    pins, tested = _pins("gateway"), _pins("dev")
    named = {re.match(r"[a-z0-9-]+", need)[0] for need in project["project"]["dependencies"]}
    assert named <= pins.keys()
    assert {name: version for name, version in pins.items() if tested.get(name) != version} == {}
    assert [f"{name}=={version}" for name, version in _pins("build").items()] == project["build-system"]["requires"]
    for lock in ("gateway", "build", "checkov"):
        assert read(f"requirements/{lock}.lock").count("--hash=sha256:") >= len(_pins(lock)) > 0


def _environment(data: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OAST", "AWS_", "PG"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "OAST_DATA_DIR": str(data), "TMPDIR": str(data / "tmp"), **settings}


def _enter(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ENTRY_POINT, *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


SHOW = ["python", "-c", "import json, os; print(json.dumps(dict(os.environ)))"]


def test_the_pepper_becomes_its_file_and_leaves_the_environment(tmp_path: Path) -> None:
    seen: dict[str, str] = json.loads(_enter(_environment(tmp_path, OASTHOUSE_PEPPER=PEPPER), *SHOW).stdout)
    assert PEPPER not in seen.values()
    assert not [name for name in seen if name.startswith("OASTHOUSE_")]
    pepper = tmp_path / "pepper"
    assert pepper.read_text() == f"{PEPPER}\n"
    assert stat.S_IMODE(pepper.stat().st_mode) == 0o600
    assert (tmp_path / "tmp").is_dir()


def test_a_container_started_again_on_its_volume_takes_the_pepper_it_is_given(tmp_path: Path) -> None:
    for pepper in ("ff" * 32, PEPPER):
        assert _enter(_environment(tmp_path, OASTHOUSE_PEPPER=pepper), *SHOW).returncode == 0
    assert (tmp_path / "pepper").read_text() == f"{PEPPER}\n"


def test_without_secrets_nothing_is_changed(tmp_path: Path) -> None:
    url = "sqlite:////data/oasthouse.db"
    seen = json.loads(_enter(_environment(tmp_path, OAST_DATABASE_URL=url), *SHOW).stdout)
    assert seen["OAST_DATABASE_URL"] == url
    assert not (tmp_path / "pepper").exists()


def test_migrating_with_a_password_that_was_handed_over(tmp_path: Path, source: SourceDatabase) -> None:
    source.execute(f"GRANT ALL ON SCHEMA public TO {READER}")
    url = f"postgresql://{READER}@127.0.0.1:{source.port}/{source.database}"
    environment = _environment(tmp_path, OASTHOUSE_PEPPER=PEPPER, OAST_DATABASE_URL=url)
    refused = _enter(environment, "oast", "db", "upgrade")
    assert refused.returncode != 0, "the role is asked for its password"
    done = _enter({**environment, "OAST_DATABASE_PASSWORD": PASSWORD}, "oast", "db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert source.value("SELECT count(*) FROM alembic_version") == 1


def test_setting_up_puts_the_operator_key_into_its_secret_only(tmp_path: Path, moto: Moto, moto_endpoint: str) -> None:
    secrets = moto.client("secretsmanager")
    secrets.create_secret(Name="acme-gateway/operator-key")
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
    environment = _environment(
        tmp_path,
        OASTHOUSE_PEPPER=PEPPER,
        OASTHOUSE_OPERATOR_KEY_SECRET="acme-gateway/operator-key",
        AWS_ENDPOINT_URL=moto_endpoint,
        AWS_DEFAULT_REGION="us-east-1",
        **keys,
    )
    done = _enter(environment, "setup")
    assert done.returncode == 0, done.stderr
    key = secrets.get_secret_value(SecretId="acme-gateway/operator-key")["SecretString"]
    assert re.fullmatch(r"oast_live_\w+", key)
    assert key not in done.stdout + done.stderr
    listed = json.loads(_enter(environment, "oast", "operator", "list", "--json").stdout)
    assert [operator["key_id"] in key for operator in listed] == [True]
    again = _enter(environment, "setup")
    assert again.returncode == 1
    assert "already-initialised" in again.stderr
    assert secrets.get_secret_value(SecretId="acme-gateway/operator-key")["SecretString"] == key
    made = _enter(environment, "new-operator-key", "--name", "second")
    assert made.returncode == 0, made.stderr
    second = secrets.get_secret_value(SecretId="acme-gateway/operator-key")["SecretString"]
    assert second != key
    assert second not in made.stdout + made.stderr
    assert made.stdout.split()[3] in second


def test_the_container_starts_the_gateway_and_stops_it(tmp_path: Path) -> None:
    """Without a command, as the image's own, which the health check of the image finds alive."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = _environment(tmp_path, OASTHOUSE_PEPPER=PEPPER, OAST_SERVER__PORT=port, OAST_SERVER__WORKERS="1")
    assert _enter(environment, "oast", "db", "upgrade").returncode == 0
    with (tmp_path / "log").open("wb") as log:
        gateway = subprocess.Popen([sys.executable, ENTRY_POINT], env=environment, stdout=log, stderr=log)
    try:
        check = json.loads(re.search(r"HEALTHCHECK .*\n +CMD (\[.*\])", FINAL)[1])
        command = [word.replace(":8181/", f":{port}/") for word in check]
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(command, env=environment, capture_output=True, check=False).returncode:
            assert gateway.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        _require_no_secret_in(gateway.pid)
    finally:
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(45) == 0


def _require_no_secret_in(pid: int) -> None:
    """The entry point has become the gateway: no shell in between takes its signals, and nothing shows what it was handed."""
    process = Path("/proc") / str(pid)
    if process.is_dir():
        assert b"serve" in (process / "cmdline").read_bytes()
        assert PEPPER.encode() not in (process / "environ").read_bytes()
