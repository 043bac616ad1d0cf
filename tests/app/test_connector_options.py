"""What connectors of the kinds S3, HOPSFS and REDSHIFT may say, and what a secret for a bucket must hold."""

from typing import Any, Never
from uuid import UUID

import pytest

from app.featurestore.connectors.bucket_keys import read_keys
from app.featurestore.connectors.errors import BucketReservedError, PlainPasswordError
from app.featurestore.connectors.hopsfs import HopsfsKind
from app.featurestore.connectors.jdbc import JdbcKind
from app.featurestore.connectors.kinds import CredentialKind, FileKind, SqlKind
from app.featurestore.connectors.redshift import RedshiftKind
from app.featurestore.connectors.s3 import S3Kind
from app.featurestore.connectors.s3_options import endpoint_host, read_s3_options
from app.featurestore.warehouses.rules import Place
from infra.crypto import SecretValue
from infra.errors import InvalidInputError
from infra.ports.files import BucketKeys, BucketRole, BucketTarget
from infra.ports.secrets import SecretNotFoundError
from infra.ports.sources import SourceAddressRefusedError, SourceLimits
from infra.registry import Registry
from infra.sources.addresses import AddressGuard
from infra.sources.postgresql import REDSHIFT_FLAVOUR, PostgresSource

CANARY = "canary7f3a"
ROLE = "arn:aws:iam::123456789012:role/data/landing"
FULL = {
    "bucket": "landing",
    "prefix": "in/2026",
    "region": "eu-north-1",
    "endpoint_url": "https://minio.example.com:9000",
    "role_arn": ROLE,
}
WRONG: list[dict[str, Any]] = [
    {"bucket": None},
    {"bucket": ""},
    {"bucket": 7},
    {"bucket": "ab"},
    {"bucket": "x" * 64},
    {"bucket": "Landing"},
    {"bucket": "land_ing"},
    {"bucket": "landing/in"},
    {"bucket": "s3a://landing/in"},
    {"bucket": "a..b"},
    {"bucket": ".landing"},
    {"bucket": "10.0.0.1"},
    {"bucket": "landing?x"},
    {"bucket": "arn:aws:s3:eu-north-1:123456789012:accesspoint/landing"},
    {"bucket": "landing-abcdefgh-s3alias"},
    {"bucket": "landing--ol-s3"},
    {"bucket": "landing--eun1-az1--x-s3"},
    {"bucket": "landing--table-s3"},
    {"bucket": "abcdef.mrap"},
    {"bucket": "xn--landing"},
    {"prefix": ".."},
    {"prefix": "a/../b"},
    {"prefix": "./a"},
    {"prefix": "a//b"},
    {"prefix": "a b"},
    {"prefix": "a*"},
    {"prefix": "a%2e"},
    {"prefix": "é"},
    {"prefix": "x" * 513},
    {"prefix": 7},
    {"region": "north"},
    {"region": "eu-north-1.evil.example/"},
    {"region": 1},
    {"role_arn": "DataRole"},
    {"role_arn": "arn:aws:iam::1234:role/x"},
    {"role_arn": "arn:aws:iam::123456789012:user/x"},
    {"role_arn": "arn:aws:sts::123456789012:assumed-role/x/y"},
    {"role_arn": f"{ROLE} "},
    {"endpoint_url": "minio.example.com"},
    {"endpoint_url": "http://minio.example.com"},
    {"endpoint_url": "ftp://minio.example.com"},
    {"endpoint_url": "file:///etc/passwd"},
    {"endpoint_url": "https://"},
    {"endpoint_url": "https://minio.example.com/path"},
    {"endpoint_url": "https://minio.example.com?x=y"},
    {"endpoint_url": "https://minio.example.com#x"},
    {"endpoint_url": "https://minio.example.com:99999"},
    {"endpoint_url": "https://minio.example.com\\.evil.example"},
    {"endpoint_url": "https://①②⑦.0.0.1"},
    {"endpoint_url": "https://[::1"},
    {"endpoint_url": "https://a b"},
    {"endpoint_url": 7},
    {"acl": "public-read"},
    {"path_style": True},
    {"verify": False},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_options_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        read_s3_options({**FULL, **wrong})
    assert [error["field"] for error in refusal.value.errors] == [f"options.{name}" for name in wrong]


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(InvalidInputError) as refusal:
        read_s3_options({"bucket": "A", "region": "b", "color": "c"})
    assert {error["field"] for error in refusal.value.errors} == {"options.bucket", "options.region", "options.color"}


def test_options_that_are_taken() -> None:
    assert read_s3_options(FULL).stored == FULL
    assert read_s3_options({"bucket": "landing"}).stored == {"bucket": "landing"}
    for bucket in ("s3a://landing", "s3://landing/", "s3n://landing"):
        assert read_s3_options({"bucket": bucket, "prefix": "/"}).stored == {"bucket": "landing"}
    trimmed = read_s3_options({"bucket": "a.b-c", "prefix": "/x=1/y/", "endpoint_url": "https://[2001:db8::1]:9000/"})
    assert trimmed.stored == {"bucket": "a.b-c", "prefix": "x=1/y", "endpoint_url": "https://[2001:db8::1]:9000"}
    assert endpoint_host("https://[2001:db8::1]:9000") == "2001:db8::1"
    plain = {"bucket": "landing", "endpoint_url": "http://10.0.0.1:9000"}
    assert read_s3_options(plain, allows_http=True).stored == plain


@pytest.mark.parametrize(
    "given",
    [
        {"access_key": CANARY},
        {"secret_key": CANARY},
        {"accessKey": CANARY},
        {"secretKey": CANARY},
        {"access_key_id": CANARY, "secret_access_key": CANARY},
        {"session_token": CANARY},
        {"bucket": f"s3a://AKIA:{CANARY}@landing"},
        {"endpoint_url": f"https://AKIA:{CANARY}@minio.example.com"},
    ],
    ids=",".join,
)
def test_keys_are_refused_and_not_repeated(given: dict[str, Any]) -> None:
    with pytest.raises(PlainPasswordError) as refusal:
        read_s3_options({"bucket": "landing", **given})
    assert refusal.value.code == "plain-password-refused"
    assert "aws-sm:" in str(refusal.value.hint)
    assert CANARY not in f"{refusal.value} {refusal.value.hint} {refusal.value.errors}"


# secrets


@pytest.mark.parametrize(
    "text",
    [
        '{"access_key_id": "AKIA", "secret_access_key": "s/+="}',
        '{"accessKey": "AKIA", "secretKey": "s/+=", "more": 1}',
    ],
)
def test_keys_of_a_secret(text: str) -> None:
    keys = read_keys(SecretValue(text))
    assert (keys.access_key_id.reveal(), keys.secret_access_key.reveal(), keys.session_token) == ("AKIA", "s/+=", None)
    assert "AKIA" not in repr(keys)


def test_a_session_token_comes_along() -> None:
    text = '{"access_key_id": "AKIA", "secret_access_key": "s", "session_token": "t"}'
    token = read_keys(SecretValue(text)).session_token
    assert token is not None
    assert token.reveal() == "t"


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        f'"{CANARY}"',
        f'["{CANARY}"]',
        "{}",
        f'{{"access_key_id": "{CANARY}"}}',
        f'{{"secret_access_key": "{CANARY}"}}',
        f'{{"access_key_id": 7, "secret_access_key": "{CANARY}"}}',
        f'{{"access_key_id": "a", "secret_access_key": "{CANARY}\\r\\nHost: x"}}',
        f'{{"access_key_id": "é", "secret_access_key": "{CANARY}"}}',
        f'{{"access_key_id": "", "secret_access_key": "{CANARY}"}}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_secrets_that_hold_no_keys(text: str) -> None:
    with pytest.raises(SecretNotFoundError) as refusal:
        read_keys(SecretValue(text))
    assert CANARY not in f"{refusal.value} {refusal.value.hint}"
    assert refusal.value.__cause__ is None


# kinds


class _Recorded:
    """Takes the place of buckets that cannot be asked here: what would be asked, and as whom."""

    def __init__(self) -> None:
        self.targets: list[BucketTarget] = []

    def test(self, target: BucketTarget) -> None:
        self.targets.append(target)

    def store(self, target: BucketTarget) -> Never:
        raise NotImplementedError

    source = store


def _s3(*reserved: Place) -> tuple[S3Kind, _Recorded]:
    recorded = _Recorded()
    kind = S3Kind(
        buckets=recorded, require_allowed=AddressGuard().require_allowed, reserved=lambda: reserved, allows_http=True
    )
    return kind, recorded


def test_either_a_secret_or_a_role() -> None:
    kind, recorded = _s3()
    for options, has_secret in (({"bucket": "landing"}, False), ({"bucket": "landing", "role_arn": ROLE}, True)):
        with pytest.raises(InvalidInputError, match="either a secret or a role_arn"):
            kind.require_credentials(options, has_secret=has_secret)
        with pytest.raises(InvalidInputError, match="either a secret or a role_arn"):
            kind.test("football", options, SecretValue("{}") if has_secret else None)
    assert recorded.targets == []


def test_the_external_id_names_the_project() -> None:
    kind, recorded = _s3()
    kind.test("football", {"bucket": "landing", "role_arn": ROLE}, None)
    assert recorded.targets[0].identity == BucketRole(ROLE, "oasthouse:football", "oasthouse-football")
    assert kind.external_id("football", {"bucket": "landing"}) is None
    kind.test("f" * 63, {"bucket": "landing", "role_arn": ROLE}, None)
    identity = recorded.targets[1].identity
    assert isinstance(identity, BucketRole)
    assert len(identity.session_name) == 64, "STS takes no more"
    assert identity.external_id.endswith("f" * 63)


def test_keys_are_the_secrets() -> None:
    kind, recorded = _s3()
    kind.test("football", {"bucket": "b-1"}, SecretValue('{"accessKey": "a", "secretKey": "s"}'))
    assert recorded.targets[0].identity == BucketKeys(SecretValue("a"), SecretValue("s"))


@pytest.mark.parametrize(
    "endpoint",
    ["http://169.254.169.254", "https://127.0.0.1", "https://[::1]:9000", "https://10.1.2.3", "http://[fd00:ec2::254]"],
)
def test_endpoints_inside_are_refused(endpoint: str) -> None:
    kind, recorded = _s3()
    options = {"bucket": "landing", "endpoint_url": endpoint}
    with pytest.raises(SourceAddressRefusedError):
        kind.accept(options)
    with pytest.raises(SourceAddressRefusedError):
        kind.test("football", options, SecretValue('{"accessKey": "a", "secretKey": "s"}'))
    assert recorded.targets == []


@pytest.mark.parametrize(
    ("place", "is_refused"),
    [
        ({"bucket": "house"}, True),
        ({"bucket": "house", "prefix": "warehouse"}, True),
        ({"bucket": "house", "prefix": "warehouse/x"}, True),
        ({"bucket": "house", "prefix": "ware"}, False),
        ({"bucket": "house", "prefix": "warehouse2"}, False),
        ({"bucket": "house", "prefix": "landing"}, False),
        ({"bucket": "other"}, False),
        ({"bucket": "house", "endpoint_url": "https://another-name-of-it.example.com"}, True),
    ],
    ids=str,
)
def test_the_warehouse_is_out_of_reach(place: dict[str, str], is_refused: bool) -> None:
    kind, _ = _s3(Place("house", "warehouse"))
    if is_refused:
        with pytest.raises(BucketReservedError):
            kind.accept(place)
    else:
        assert kind.accept(place) == place
    whole, _ = _s3(Place("house"))
    if place["bucket"] == "house":
        with pytest.raises(BucketReservedError):
            whole.accept(place)


def test_a_warehouse_that_moved_there_is_noticed_at_use() -> None:
    kind, recorded = _s3(Place("house"))
    with pytest.raises(BucketReservedError):
        kind.test("football", {"bucket": "house"}, SecretValue('{"accessKey": "a", "secretKey": "s"}'))
    assert recorded.targets == []


def test_redshift_is_jdbc_with_the_engine_said() -> None:
    guard = AddressGuard()
    from pathlib import Path

    source = PostgresSource(guard=guard, ca_file=Path("/nowhere"), flavour=REDSHIFT_FLAVOUR)
    jdbc = JdbcKind(
        sources=Registry("oasthouse.sql_sources", {"redshift": source}),
        limits=SourceLimits(1, 1, 1),
        require_allowed=guard.require_allowed,
    )
    kind = RedshiftKind(jdbc)
    fields = {"host": "c.example.com", "database": "dev", "user": "reader"}
    expected = {**fields, "engine": "redshift", "port": 5439, "tls_mode": "verify-full"}
    assert kind.accept(fields) == expected
    assert kind.accept(expected) == expected
    assert (
        kind.accept({"connection_string": "jdbc:redshift://c.example.com/dev", "arguments": "user=reader"}) == expected
    )
    for wrong in (
        {**fields, "engine": "postgresql"},
        {"connection_string": "jdbc:postgresql://h/d", "arguments": "user=u"},
    ):
        with pytest.raises(InvalidInputError) as refusal:
            kind.accept(wrong)
        assert [error["field"] for error in refusal.value.errors] == ["options.engine"]
    with pytest.raises(PlainPasswordError):
        kind.accept({**fields, "password": CANARY})
    with pytest.raises(SourceAddressRefusedError):
        kind.accept({**fields, "host": "127.0.0.1"})
    assert kind.access("football", expected, None).source is source
    assert isinstance(kind, SqlKind)
    assert not isinstance(kind, FileKind)


class _Paths:
    def __init__(self) -> None:
        self.paths: list[str] = []

    def test(self, path: str) -> None:
        self.paths.append(path)

    store = source = test  # type: ignore[assignment]  # what they would open is not asked here


def test_a_folder_lies_in_its_project_and_is_called_by_no_name() -> None:
    paths = _Paths()
    ids = {"football": UUID(int=1), "rivals": UUID(int=2)}
    kind = HopsfsKind(folders=paths, project_id=ids.__getitem__)  # type: ignore[arg-type]
    one, same = {"dataset_name": "Resources"}, kind.accept({"datasetName": "Resources"})
    kind.test("football", one, None)
    kind.files("football", same, None)
    kind.source("football", {"dataset_name": "resources"}, None)
    kind.test("rivals", one, None)
    first, again, other, rivals = (path.split("/") for path in paths.paths)
    assert first == again != other
    assert [UUID(path[0]) for path in (first, other, rivals)] == [ids["football"], ids["football"], ids["rivals"]]
    assert all(len(path) == 2 and UUID(path[1]) for path in (first, other, rivals))
    assert isinstance(kind, FileKind)
    assert isinstance(kind, CredentialKind)
    assert kind.external_id("football", one) is None
    with pytest.raises(InvalidInputError, match="takes no secret"):
        kind.require_credentials(one, has_secret=True)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"dataset_name": "../rivals"}, {"dataset_name": ""}, {"dataset_name": "x" * 64}, {"dataset_name": 7}],
    ids=str,
)
def test_names_of_datasets_that_are_refused(wrong: dict[str, Any]) -> None:
    kind = HopsfsKind(folders=_Paths(), project_id=lambda _name: UUID(int=1))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError) as refusal:
        kind.accept(wrong)
    assert [error["field"] for error in refusal.value.errors] == ["options.dataset_name"]
    with pytest.raises(InvalidInputError):
        kind.accept({"dataset_name": "x", "path": "/etc"})
