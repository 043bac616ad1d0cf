"""Secrets of connectors that are kept here: sealed, bound to their place, never answered."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from app import cli
from app.bootstrap import build_container
from app.bootstrap.own import SettingSecretError
from app.featurestore.connectors.models import StorageConnector, StoredSecret
from app.settings import ConnectorSettings, SecretSettings
from infra.crypto import SecretValue
from infra.ports.sealing import Binding, Sealed, StoredSecretUnusableError
from infra.ports.secrets import SecretAccessDeniedError, SecretStoreUnavailableError
from infra.secrets.aws import AwsOptions
from infra.secrets.sealing import EnvelopeSealer, KmsKey, LocalKey
from infra.storage.location import Warehouse
from tenancy.principals import Role
from tests.lab.aws import Moto
from tests.lab.source import PASSWORD, READER, SourceDatabase
from tests.world import World, listening, make_world

CANARY = "canary7f3a"
ROOT = "/projects/football/connectors"
PUBLIC = {"engine": "postgresql", "host": "db.example.com", "database": "sales", "user": "reader"}
KEYS = [bytes(range(32)), bytes(range(32, 64))]
BINDING = Binding("p", "c", '["JDBC",{"host":"h","port":1}]')


def _world(tmp_path: Path, warehouse: Warehouse, **secrets: Any) -> World:
    files = tmp_path / "secrets"
    files.mkdir()
    for number, key in enumerate(KEYS):
        (files / f"key{number}").write_text(key.hex() + "\n")
    return make_world(
        tmp_path / "data",
        None,
        warehouse,
        secrets=SecretSettings(directory=files, **{"stored": True, "key": "file:key0", **secrets}),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8"),
    )


@pytest.fixture
def world(tmp_path: Path, local_warehouse: Warehouse) -> Iterator[World]:
    made = _world(tmp_path, local_warehouse)
    made.projects("football", "rivals")
    yield made
    made.container.database.engine.dispose()


def _create(world: World, **body: Any) -> Any:
    body = {"name": "sales", "options": PUBLIC, "secret_value": CANARY, **body}
    return world.call("POST", ROOT, world.key("football"), json=body)


def _change(world: World, **body: Any) -> Any:
    return world.call("PATCH", f"{ROOT}/sales", world.key("football"), json=body)


def _rows(world: World) -> list[StoredSecret]:
    with world.container.database.read() as session:
        return list(session.query(StoredSecret).all())


# the envelope


@pytest.fixture(params=["local", "kms"])
def sealer(request: pytest.FixtureRequest) -> EnvelopeSealer:
    if request.param == "local":
        return EnvelopeSealer([LocalKey(KEYS[0])])
    return EnvelopeSealer([_kms(request)])


def _kms(request: pytest.FixtureRequest) -> KmsKey:
    moto: Moto = request.getfixturevalue("moto")
    request.getfixturevalue("moto_endpoint")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    made = moto.client("kms").create_key()["KeyMetadata"]["Arn"]
    return KmsKey(made, AwsOptions("us-east-1", moto.endpoint_url))


def test_there_and_back(sealer: EnvelopeSealer) -> None:
    value = "pässwörd \N{SNOWMAN}\n" * 100
    sealed = sealer.seal(SecretValue(value), BINDING)
    assert sealer.open(sealed, BINDING).reveal() == value
    assert b"ssw" not in sealed.text + sealed.wrapped_key
    assert "text" not in repr(sealed)


def test_each_has_a_key_and_a_nonce_of_its_own(sealer: EnvelopeSealer) -> None:
    made = [sealer.seal(SecretValue(CANARY), BINDING) for _ in range(20)]
    for part in ("wrapped_key", "nonce", "text"):
        assert len({getattr(each, part) for each in made}) == 20


@pytest.mark.parametrize("field", ["project", "connector", "place", "field"])
def test_it_opens_for_nothing_else(sealer: EnvelopeSealer, field: str) -> None:
    sealed = sealer.seal(SecretValue(CANARY), BINDING)
    with pytest.raises(StoredSecretUnusableError) as refusal:
        sealer.open(sealed, replace(BINDING, **{field: getattr(BINDING, field) + "x"}))
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("part", ["wrapped_key", "nonce", "text"])
def test_a_changed_byte_is_noticed(sealer: EnvelopeSealer, part: str) -> None:
    sealed = sealer.seal(SecretValue(CANARY), BINDING)
    found: bytes = getattr(sealed, part)
    for at in (0, len(found) // 2, len(found) - 1):
        broken = found[:at] + bytes([found[at] ^ 1]) + found[at + 1 :]
        # Where the name of the key is damaged, KMS says no more than that we may not.
        with pytest.raises((StoredSecretUnusableError, SecretAccessDeniedError)):
            sealer.open(replace(sealed, **{part: broken}), BINDING)
    with pytest.raises(StoredSecretUnusableError):
        sealer.open(replace(sealed, **{part: b""}), BINDING)


def test_parts_of_two_do_not_fit_together(sealer: EnvelopeSealer) -> None:
    first, second = (sealer.seal(SecretValue(CANARY), BINDING) for _ in range(2))
    with pytest.raises(StoredSecretUnusableError):
        sealer.open(replace(first, wrapped_key=second.wrapped_key), BINDING)


def test_another_key_opens_nothing() -> None:
    sealed = EnvelopeSealer([LocalKey(KEYS[0])]).seal(SecretValue(CANARY), BINDING)
    other = EnvelopeSealer([LocalKey(KEYS[1])])
    for each in (sealed, replace(sealed, key_id=LocalKey(KEYS[1]).id), replace(sealed, key_id="kms:x")):
        with pytest.raises(StoredSecretUnusableError):
            other.open(each, BINDING)
    with pytest.raises(ValueError, match="32 bytes"):
        LocalKey(b"short")


def test_what_is_under_a_local_key_opens_while_kms_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    silent = KmsKey("alias/oasthouse", AwsOptions("us-east-1", "http://127.0.0.1:9"))
    sealed = EnvelopeSealer([LocalKey(KEYS[0])]).seal(SecretValue(CANARY), BINDING)
    both = EnvelopeSealer([silent, LocalKey(KEYS[0])])
    assert both.open(sealed, BINDING).reveal() == CANARY
    with pytest.raises(SecretStoreUnavailableError):
        both.open(replace(sealed, key_id="kms:x"), BINDING)


def test_keys_are_changed(request: pytest.FixtureRequest) -> None:
    """From one local key to another, to KMS: the secrets stay what they are."""
    old, new, kms = LocalKey(KEYS[0]), LocalKey(KEYS[1]), _kms(request)
    sealed: Sealed | None = EnvelopeSealer([old]).seal(SecretValue(CANARY), BINDING)
    for keys in ([new, old], [kms, new]):
        assert sealed is not None
        sealer = EnvelopeSealer(keys)
        assert sealer.open(sealed, BINDING).reveal() == CANARY
        sealed = sealer.rewrapped(sealed, BINDING)
        assert sealed is not None
        assert sealer.rewrapped(sealed, BINDING) is None
        alone = EnvelopeSealer(keys[:1])
        assert alone.open(sealed, BINDING).reveal() == CANARY
    with pytest.raises(StoredSecretUnusableError):
        EnvelopeSealer([new, old]).rewrapped(replace(sealed, key_id=old.id), BINDING)


# over the API


def test_it_is_written_and_never_read(world: World) -> None:
    created = _create(world)
    assert created.status_code == 201
    info = created.json
    assert (info["has_secret"], info["secret"], info["secret_source"]) == (True, None, "stored")
    assert len(info["secret_fingerprint"]) == 8
    for answer in (created, world.call("GET", f"{ROOT}/sales", world.key("football")), _change(world, description="x")):
        assert CANARY not in answer.get_data(as_text=True)
    viewer = world.key("football", world.member("football", "sam", Role.DATA_SCIENTIST))
    seen = world.call("GET", f"{ROOT}/sales", viewer).json
    assert (seen["secret_source"], seen["secret_fingerprint"]) == ("stored", None)
    assert CANARY.encode() not in (world.directory / "oasthouse.db").read_bytes()
    wal = world.directory / "oasthouse.db-wal"
    assert not wal.exists() or CANARY.encode() not in wal.read_bytes()


def test_fingerprints_tell_secrets_apart_and_nothing_more(world: World) -> None:
    first = _create(world).json["secret_fingerprint"]
    assert _change(world, secret_value=CANARY).json["secret_fingerprint"] == first
    assert _change(world, secret_value=f"{CANARY}x").json["secret_fingerprint"] != first
    assert _create(world, name="other").json["secret_fingerprint"] != first, "not even that two have the same one"


def test_it_logs_in(world: World, source: SourceDatabase) -> None:
    place = {"host": "127.0.0.1", "port": source.port, "database": source.database, "user": READER}
    options = {"engine": "postgresql", "tls_mode": "disable", **place}
    assert _create(world, options=options, secret_value=PASSWORD).status_code == 201
    assert world.call("POST", f"{ROOT}/sales/test", world.key("football")).status_code == 200
    source.execute("CREATE TABLE teams (team_id bigint)", "INSERT INTO teams VALUES (1)")
    group = {"name": "teams", "version": 1, "kind": "ON_DEMAND", "connector": "sales", "query": "SELECT * FROM teams"}
    assert world.call("POST", "/projects/football/feature-groups", world.key("football"), json=group).status_code == 201
    assert _change(world, secret_value="wrong").status_code == 200
    refused = world.call("POST", f"{ROOT}/sales/test", world.key("football"))
    assert refused.json["code"] == "source-login-refused"


@pytest.mark.parametrize(
    "change", [{"host": "evil.example.com"}, {"port": 5433}, {"database": "other"}, {"user": "root"}], ids=str
)
def test_it_does_not_follow_to_another_place(world: World, change: dict[str, Any]) -> None:
    _create(world)
    options = {**PUBLIC, **change}
    assert _change(world, options=options).status_code == 422
    with world.container.database.engine.begin() as connection:  # who writes the database gets around that
        row = connection.execute(text("SELECT options FROM storage_connector")).scalar_one()
        connection.execute(
            text("UPDATE storage_connector SET options = :o"), {"o": json.dumps({**json.loads(row), **change})}
        )
    answer = world.call("POST", f"{ROOT}/sales/test", world.key("football"))
    assert answer.json["code"] == "stored-secret-unusable"
    cleared = _change(world, options=options, secret=None).json
    assert (cleared["has_secret"], cleared["secret_source"], _rows(world)) == (False, None, [])


def test_a_row_copied_to_another_connector_does_not_open(world: World) -> None:
    for name in ("sales", "other"):
        _create(world, name=name)
    theirs = {"name": "theirs", "options": PUBLIC}
    assert world.call("POST", "/projects/rivals/connectors", world.key("rivals"), json=theirs).status_code == 201
    with world.container.database.write() as uow:
        mine = uow.session.query(StorageConnector).filter_by(name="sales").one()
        assert mine.stored_secret is not None
        for name in ("other", "theirs"):
            target = uow.session.query(StorageConnector).filter_by(name=name).one()
            uow.session.merge(
                StoredSecret(
                    connector_id=target.id,
                    fingerprint="0" * 8,
                    created_at=mine.created_at,
                    **vars(mine.stored_secret.sealed),
                )
            )
        uow.commit()
    for project, name in (("football", "other"), ("rivals", "theirs")):
        answer = world.call("POST", f"/projects/{project}/connectors/{name}/test", world.key(project))
        assert answer.json["code"] == "stored-secret-unusable"


def test_changing_between_here_and_a_reference(world: World) -> None:
    _create(world)
    named = _change(world, secret="aws-sm:oasthouse/football/db").json
    assert (named["secret_source"], named["secret_fingerprint"], _rows(world)) == ("reference", None, [])
    kept = _change(world, secret_value=CANARY).json
    assert (kept["secret_source"], kept["secret"], len(_rows(world))) == ("stored", None, 1)
    both = _change(world, secret_value=CANARY, secret="aws-sm:oasthouse/football/db")
    assert both.status_code == 422
    assert CANARY not in both.get_data(as_text=True)
    assert _create(world, name="both", secret="aws-sm:oasthouse/football/db").status_code == 422
    assert world.call("DELETE", f"{ROOT}/sales", world.key("football")).status_code == 204
    assert _rows(world) == []


def test_through_the_sdk(world: World) -> None:
    with listening(world):
        connection = world.connect("football")
        fields = {name: value for name, value in PUBLIC.items() if name != "engine"}
        made = connection.create_jdbc_connector("sales", engine="postgresql", secret_value=CANARY, **fields)
        assert (made.has_secret, made.secret, made.secret_source) == (True, None, "stored")
        again = connection.update_storage_connector("sales", secret_value=f"{CANARY}x")
        assert again.secret_fingerprint != made.secret_fingerprint
        assert CANARY not in f"{made!r}{again!r}"
        with pytest.raises(Exception, match="one of secret=") as refusal:
            connection.update_storage_connector("sales", secret_value=CANARY, without_secret=True)
        assert CANARY not in str(refusal.value)
        assert connection.update_storage_connector("sales", without_secret=True).secret_source is None
        keys = json.dumps({"access_key_id": "AKIA", "secret_access_key": CANARY})
        lake = connection.create_s3_connector("lake", "acme-lake", secret_value=keys)
        assert lake.secret_source == "stored"


@pytest.mark.parametrize("value", ["", "x" * 20_000, 7, None, ["a"]], ids=["empty", "long", "number", "null", "list"])
def test_what_is_no_secret(world: World, value: object) -> None:
    answer = _create(world, secret_value=value)
    assert answer.status_code == 422
    assert "xxxx" not in answer.get_data(as_text=True)


def test_keys_of_a_bucket_and_folders(world: World) -> None:
    keys = json.dumps({"access_key_id": "AKIA", "secret_access_key": CANARY})
    options = {"bucket": "lake", "region": "us-east-1"}
    assert _create(world, kind="S3", options=options, secret_value=keys).status_code == 201
    folder = _create(world, name="folder", kind="HOPSFS", options={"dataset_name": "x"})
    assert folder.status_code == 422, "a folder takes no secret, kept here or not"


def test_who_may_not_create_seals_nothing(world: World) -> None:
    viewer = world.key("football", world.member("football", "sam", Role.DATA_SCIENTIST))
    answer = world.call("POST", ROOT, viewer, json={"name": "sales", "options": {}, "secret_value": CANARY})
    assert answer.json["code"] == "role-too-low"
    assert _create(world, name="wrong", options={"engine": "oracle"}).status_code == 422
    assert _rows(world) == []


# the operator


def test_it_is_off_by_itself(tmp_path: Path, local_warehouse: Warehouse, world: World) -> None:
    _create(world)
    off = build_container(world.container.settings.model_copy(update={"secrets": SecretSettings()}))
    from app.featurestore.connectors.service import CreateConnector

    context = world.context("football")
    for refused in (
        lambda: off.connectors.create(
            context, "football", CreateConnector("other", PUBLIC, secret_value=SecretValue(CANARY))
        ),
        lambda: off.connectors.test(context, "football", "sales"),
        off.stored_secrets.rewrap,
    ):
        with pytest.raises(Exception, match="keeps no secrets") as refusal:
            refused()
        assert refusal.value.code == "stored-secrets-off"  # type: ignore[attr-defined]  # of a GatewayError
        assert CANARY not in str(vars(refusal.value))
    off.database.engine.dispose()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"key": None}, "no key to encrypt"),
        ({"key": None, "old_key": "file:key0"}, "no key to encrypt"),
        ({"key": KEYS[0].hex()}, "a reference"),
        ({"key": "file:absent"}, "OAST_SECRETS__KEY names a secret"),
        ({"key": "file:words"}, "32 bytes"),
        ({"key": "file:short"}, "32 bytes"),
        ({"key": "file:zeros"}, "no random number"),
        ({"key": "file:pepper"}, "is the pepper"),
    ],
    ids=str,
)
def test_keys_that_are_none(world: World, tmp_path: Path, given: dict[str, Any], says: str) -> None:
    files = tmp_path / "secrets"
    (files / "words").write_text(CANARY)
    (files / "short").write_text("5c" * 31)
    (files / "zeros").write_text("00" * 32)
    (files / "pepper").write_text((world.directory / "pepper").read_text())
    secrets = SecretSettings(directory=files, **{"stored": True, **given})
    with pytest.raises(SettingSecretError, match=says) as refusal:
        build_container(world.container.settings.model_copy(update={"secrets": secrets}))
    assert CANARY not in str(vars(refusal.value))


def test_the_key_is_changed(
    world: World, tmp_path: Path, local_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        _create(world, name=f"c{number}")
    with world.container.database.engine.begin() as connection:
        connection.execute(text("UPDATE storage_connector SET options = '{}' WHERE name = 'c2'"))
    for name, value in {
        "OAST_ENVIRONMENT": "test",
        "OAST_DATA_DIR": str(world.directory),
        "OAST_WAREHOUSE__URL": local_warehouse.url,
        "OAST_SECRETS__STORED": "true",
        "OAST_SECRETS__DIRECTORY": str(tmp_path / "secrets"),
        "OAST_SECRETS__KEY": "file:key1",
        "OAST_SECRETS__OLD_KEY": "file:key0",
    }.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(cli.main, ["secrets", "rewrap", "--json"])
    assert json.loads(done.stdout) == {"rewrapped": 2, "lost": ["football/c2"]}
    assert done.exit_code == 1
    assert json.loads(CliRunner().invoke(cli.main, ["secrets", "rewrap", "--json"]).stdout)["rewrapped"] == 0
    assert [row.key_id for row in _rows(world)].count(LocalKey(KEYS[1]).id) == 2
    monkeypatch.delenv("OAST_SECRETS__OLD_KEY")
    files = SecretSettings(directory=tmp_path / "secrets", stored=True, key="file:key1")  # type: ignore[arg-type]  # pydantic makes the secret
    later = build_container(world.container.settings.model_copy(update={"secrets": files}))
    with later.database.read() as session:
        row = session.query(StorageConnector).filter_by(name="c0").one()
        from app.featurestore.connectors.secrets import Login

        login = Login.of(row)
    assert login.stored is not None
    assert later.stored_secrets.open(*login.stored).reveal() == CANARY
    later.database.engine.dispose()


def test_kms(tmp_path: Path, local_warehouse: Warehouse, request: pytest.FixtureRequest) -> None:
    """With an alias, as operators name keys; CloudTrail sees ids in the context and no place."""
    key, moto = _kms(request), request.getfixturevalue("moto")
    moto.client("kms").create_alias(AliasName="alias/oasthouse", TargetKeyId=key.id.removeprefix("kms:"))
    place = {"aws_region": "us-east-1", "aws_endpoint_url": moto.endpoint_url}
    world = _world(tmp_path, local_warehouse, key=None, kms_key="alias/oasthouse", **place)
    world.projects("football")
    assert _create(world).status_code == 201
    assert _rows(world)[0].key_id == key.id
    with world.container.database.read() as session:
        row = session.query(StorageConnector).one()
        from app.featurestore.connectors.stored import binding

        sealed, bound = row.stored_secret.sealed, binding(row)  # type: ignore[union-attr]  # just stored
    assert world.container.stored_secrets.open(sealed, bound).reveal() == CANARY
    with pytest.raises(StoredSecretUnusableError):
        world.container.stored_secrets.open(sealed, replace(bound, connector=str(uuid4())))
    world.container.database.engine.dispose()
