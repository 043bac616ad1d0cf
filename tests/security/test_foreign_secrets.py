"""One project names what is another's: secrets, files of the warehouse, roles, endpoints. Everything AWS answers is watched.

Each way is tried where a connector is made, where one is changed, and as if it had got into the database all the same.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.settings import ConnectorSettings, SecretSettings
from infra.storage.location import Warehouse
from tenancy.projects.service import CreateProject
from tests.lab.aws import Moto
from tests.lab.proxy import FaultyProxy, faulty_proxy
from tests.lab.seaweedfs import SeaweedFs
from tests.lab.sts import Sts, running_sts
from tests.security.foreign_names import ACCOUNT, NEIGHBOURS, NOBODYS, REFERENCES
from tests.world import World, make_world

MINE, FOREIGN = "canary-own-51aa", "canary-foreign-7f3a"
ROOT = "/projects/football/connectors"
SERVER = {"engine": "postgresql", "host": "127.0.0.1", "port": 1, "database": "d", "user": "u", "tls_mode": "disable"}
ROLE = "arn:aws:iam::123456789012:role/rivals-lake"


@dataclass
class Watched:
    """What came out of AWS."""

    world: World
    proxy: FaultyProxy
    sts: Sts
    warehouse: dict[str, Any]
    keys: str
    answers: list[bytes] = field(default_factory=list)

    def reads(self, value: str) -> int:
        return sum(value.encode() in answer for answer in self.answers)

    def call(self, method: str, path: str, **body: Any) -> str:
        answer = self.world.call(method, path, self.world.key("football"), **({"json": body} if body else {}))
        return f"{answer.status_code} {answer.get_data(as_text=True)}"


@pytest.fixture(scope="module")
def watched(moto: Moto, seaweedfs: SeaweedFs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    moto.reset()
    directory, warehouse = tmp_path_factory.mktemp("foreign"), seaweedfs.new_warehouse()
    credentials = {"AccessKeyId": "admin", "SecretAccessKey": "adminsecret"}
    keys = json.dumps({"access_key_id": "admin", "secret_access_key": "adminsecret"})
    _fill(moto, directory / "files", keys)
    with (
        pytest.MonkeyPatch.context() as patch,
        faulty_proxy(moto.endpoint_url) as proxy,
        running_sts(credentials) as sts,
    ):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("OAST_SECRET_RIVALS", FOREIGN)
        patch.setenv("OAST_SECRET_FOOTBALL", MINE)
        sts.trust[ROLE] = "oasthouse:rivals"
        world = _gateway(directory, warehouse, proxy.endpoint_url, sts.endpoint_url)
        world.projects("football")
        for name in NEIGHBOURS:
            world.container.projects.create(world.operator, CreateProject(name, "somebody"))
        assert warehouse.s3 is not None
        options = {"bucket": warehouse.bucket, "endpoint_url": warehouse.s3.endpoint_url, "prefix": warehouse.prefix}
        made = Watched(world, proxy, sts, options, keys)
        proxy.watch = lambda _body, answer: made.answers.append(answer)
        body = {"name": "own", "options": SERVER, "secret": "aws-sm:oasthouse/football/db#password"}
        assert made.call("POST", ROOT, **body).startswith("201")
        yield made
        world.container.database.engine.dispose()


def _gateway(directory: Path, warehouse: Warehouse, secrets_at: str, roles_at: str) -> World:
    return make_world(
        directory / "data",
        None,
        warehouse,
        secrets=SecretSettings(
            aws_region="us-east-1",
            aws_endpoint_url=secrets_at,
            aws_accounts=ACCOUNT,
            directory=directory / "files",
            local="rivals=env:OAST_SECRET_RIVALS, rivals=file:rivals, football=env:OAST_SECRET_FOOTBALL",
        ),
        connectors=ConnectorSettings(
            allowed_networks="127.0.0.0/8",
            allow_http=True,
            sts_region="us-east-1",
            sts_endpoint_url=roles_at,
        ),
    )


def _fill(moto: Moto, files: Path, keys: str) -> None:
    secrets, parameters = moto.client("secretsmanager"), moto.client("ssm")
    for name in (*NOBODYS, *(f"oasthouse/{project}/db" for project in NEIGHBOURS)):
        secrets.create_secret(Name=name, SecretString=json.dumps({"password": FOREIGN}))
        secrets.put_secret_value(
            SecretId=name, SecretString=json.dumps({"password": FOREIGN})
        )  # so that there is a previous
        parameters.put_parameter(Name=f"/{name}", Value=FOREIGN, Type="SecureString")
    secrets.create_secret(Name="oasthouse/football/db", SecretString=json.dumps({"password": MINE}))
    secrets.create_secret(Name="oasthouse/football/keys", SecretString=keys)
    files.mkdir(parents=True)
    (files / "rivals").write_text(FOREIGN)
    (files / "pepper").write_text(FOREIGN)


@pytest.mark.parametrize("reference", REFERENCES, ids=[f"{number:03}" for number in range(len(REFERENCES))])
def test_no_secret_of_another(watched: Watched, reference: str) -> None:
    before = len(watched.answers)
    made = watched.call("POST", ROOT, name="new", options=SERVER, secret=reference)
    assert made.startswith("422"), "already where it is stored"
    assert watched.call("PATCH", f"{ROOT}/own", secret=reference).startswith("422")
    assert watched.call("PATCH", f"{ROOT}/own", secret=reference, options=SERVER).startswith("422")
    _plant(watched, reference)
    used = watched.call("POST", f"{ROOT}/own/test")
    assert used.startswith("422"), "and again where it is used"
    assert FOREIGN not in made + used
    assert watched.reads(FOREIGN) == 0
    assert len(watched.answers) == before, "nobody was even asked"


def _plant(watched: Watched, reference: str, name: str = "own") -> None:
    with watched.world.container.database.engine.begin() as connection:
        connection.execute(
            text("UPDATE storage_connector SET secret_ref = :reference WHERE name = :name"),
            {"reference": reference, "name": name},
        )


@pytest.mark.parametrize(
    "reference", ["aws-sm:oasthouse/rivals/db#password", "aws-ssm:/oasthouse/rivals/db", "file:rivals"]
)
def test_no_other_route_does_more(watched: Watched, reference: str) -> None:
    """Feature groups on demand and imports of both kinds use a connector by ways of their own."""
    world = watched.world
    name = "ways_" + "".join(letter for letter in reference if letter.isalpha())[:20].lower()
    bucket = {"bucket": "landing", "endpoint_url": watched.warehouse["endpoint_url"]}
    own = "aws-sm:oasthouse/football/keys"
    assert watched.call("POST", ROOT, name=f"{name}s3", kind="S3", options=bucket, secret=own).startswith("201")
    _plant(watched, reference)
    _plant(watched, reference, f"{name}s3")
    group = {"name": name, "version": 1, "kind": "ON_DEMAND", "connector": "own", "query": "SELECT 1"}
    told, runs = [watched.call("POST", "/projects/football/feature-groups", **group)], list[str]()
    for kind, arguments in (
        ("import_sql", {"connector": "own", "query": "SELECT 1 AS id", "feature_group": name}),
        ("import_files", {"connector": f"{name}s3", "path": "x.csv", "data_format": "csv", "feature_group": name}),
    ):
        path = f"/projects/football/jobs/{name}_{kind}"
        assert watched.call("PUT", path, kind=kind, arguments=arguments).startswith("200")
        started = world.call("POST", f"{path}/runs", world.key("football"), json={})
        assert started.status_code == 202
        runs.append(started.json["id"])
    world.work()
    told += [watched.call("GET", f"/projects/football/runs/{run}") for run in runs]
    told += [watched.call("GET", f"/projects/football/runs/{run}/log") for run in runs]
    assert "".join(told).replace(" ", "").count('"code":"secret-access-denied"') == 3, told
    assert FOREIGN not in "".join(told)
    assert watched.reads(FOREIGN) == 0


def test_renaming_moves_no_secret(watched: Watched) -> None:
    """A connector has no other name later, nor a project; and a name that was taken is taken."""
    assert watched.call("PATCH", f"{ROOT}/own", name="rivals").startswith("422")
    assert watched.call("POST", ROOT, name="../rivals/own", options=SERVER).startswith("422")
    with pytest.raises(Exception, match="already") as refusal:
        watched.world.container.projects.create(watched.world.operator, CreateProject("rivals", "mallory"))
    assert refusal.value.code == "project-exists"  # type: ignore[attr-defined]  # of a GatewayError


# buckets


def _buckets(warehouse: dict[str, Any]) -> list[dict[str, Any]]:
    bucket, endpoint = warehouse["bucket"], warehouse["endpoint_url"]
    prefix = warehouse["prefix"]
    port = endpoint.rpartition(":")[2]
    names = [bucket, f"s3://{bucket}", f"s3a://{bucket}/", f"s3n://{bucket}"]
    hosts = ["127.0.0.1", "localhost", "127.0.0.2", "2130706433", "[::ffff:127.0.0.1]"]
    ways: list[dict[str, Any]] = [{"bucket": name, "endpoint_url": endpoint} for name in names]
    ways += [{"bucket": bucket, "endpoint_url": f"http://{host}:{port}"} for host in hosts]
    if prefix:
        inside = [prefix, f"/{prefix}", f"{prefix}/", f"{prefix}/x", f"{prefix}/rivals/y", prefix.split("/")[0]]
        ways += [{"bucket": bucket, "endpoint_url": endpoint, "prefix": each} for each in inside]
    odd = [
        f"{bucket}/x",
        f"{bucket}/../{bucket}",
        bucket.upper(),
        f"{bucket}.",
        f"{bucket} ",
        f"{bucket}%00",
        f"{bucket}?x",
    ]
    odd += [f"x/../{bucket}", f"{bucket}#", f"{bucket}-s3alias", f"arn:aws:s3:::{bucket}", f"key:secret@{bucket}"]
    ways += [{"bucket": each, "endpoint_url": endpoint} for each in odd]
    ways += [{"bucket": bucket, "endpoint_url": endpoint, "prefix": each} for each in ("..", "x/..", "%2e%2e", "a//..")]
    return ways


def test_no_file_of_another_in_the_warehouse(watched: Watched) -> None:
    """With keys to the whole store, as an operator may have given to somebody by mistake."""
    ways = _buckets(watched.warehouse)
    for number, options in enumerate(ways):
        body = {"name": f"b{number}", "kind": "S3", "options": options, "secret": "aws-sm:oasthouse/football/keys"}
        answer = watched.call("POST", ROOT, **body)
        assert answer.startswith("422"), (options, answer)
    assert len(ways) >= 24


FOLDERS = ["rivals_Training_Datasets", "rivals", "../rivals", "rivals/x", "..", "rivals%2fx", "*", ""]


@pytest.mark.parametrize("name", FOLDERS, ids=str)
def test_no_folder_of_another(watched: Watched, name: str) -> None:
    """What is accepted is a folder of one's own that happens to be called so."""
    world = watched.world
    place = "rivals_Training_Datasets"
    theirs = world.container.connectors._kinds.load("hopsfs").files("rivals", {"dataset_name": place}, None)  # type: ignore[attr-defined]  # it holds files
    with theirs.open_output("secret.txt") as file:
        file.write(FOREIGN.encode())
    made = watched.call("POST", ROOT, name=f"f{FOLDERS.index(name)}", kind="HOPSFS", options={"dataset_name": name})
    if made.startswith("201"):
        mine = world.container.connectors._kinds.load("hopsfs").source("football", {"dataset_name": name}, None)  # type: ignore[attr-defined]  # the same
        assert mine.list_files("") == []
    there = world.container.connectors._kinds.load("hopsfs").source("rivals", {"dataset_name": place}, None)  # type: ignore[attr-defined]  # the same
    assert [entry.path for entry in there.list_files("")] == ["secret.txt"], "there it is"


# roles and endpoints

ROLES: list[dict[str, Any]] = [
    {"role_arn": ROLE},
    {"role_arn": ROLE, "external_id": "oasthouse:rivals"},
    {"role_arn": ROLE, "externalId": "oasthouse:rivals"},
    {"role_arn": f"{ROLE}?ExternalId=oasthouse:rivals"},
    {"role_arn": f"{ROLE}&ExternalId=oasthouse:rivals"},
    {"role_arn": f"{ROLE}\r\nExternalId: oasthouse:rivals"},
    {"role_arn": ROLE, "session_name": "oasthouse-rivals"},
    {"role_arn": ROLE, "project": "rivals"},
    {"role_arn": [ROLE]},
    {"role_arn": {"arn": ROLE, "external_id": "oasthouse:rivals"}},
    {"role_arn": ROLE.upper()},
    {"role_arn": f" {ROLE}"},
    {"role_arn": ROLE.replace("role/", "role//")},
    {"role_arn": ROLE.replace("role/", "user/")},
    {"role_arn": ROLE.replace("rivals", "riva*s")},
]


@pytest.mark.parametrize("options", ROLES, ids=[str(number) for number in range(len(ROLES))])
def test_no_role_of_another(watched: Watched, options: dict[str, Any]) -> None:
    name = f"r{ROLES.index(options)}"
    made = watched.call(
        "POST", ROOT, name=name, kind="S3", options={"bucket": "lake", "region": "us-east-1", **options}
    )
    if made.startswith("201"):
        assert '"external_id":"oasthouse:football"' in made.replace(" ", "")
        used = watched.call("POST", f"{ROOT}/{name}/test")
        assert used.startswith("422"), used
    assert {each["ExternalId"] for each in watched.sts.asked} & {"oasthouse:rivals"} == set()


ENDPOINTS = [
    "http://169.254.169.254",
    "http://[fd00:ec2::254]",
    "http://2852039166",
    "http://0xa9fea9fe",
    "http://0251.0376.0251.0376",
    "http://169.254.170.2",
    "http://[::ffff:169.254.169.254]",
    "http://[64:ff9b::a9fe:a9fe]",
    "http://127.0.0.1:8181",
    "http://localhost:8181",
    "http://10.0.0.1",
    "http://user:pass@127.0.0.1",
    "http://127.0.0.1/rivals",
    "http://127.0.0.1?x=rivals",
    "http://127.0.0.1#rivals",
    "file:///etc/passwd",
    "gopher://127.0.0.1",
    "//127.0.0.1",
    "http://127.0.0.1\\@evil.example.com",
    "http://\N{CIRCLED DIGIT ONE}69.254.169.254",
]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=[str(number) for number in range(len(ENDPOINTS))])
def test_no_endpoint_that_is_the_gateways_own(watched: Watched, endpoint: str) -> None:
    name = f"e{ENDPOINTS.index(endpoint)}"
    options = {"bucket": "lake", "endpoint_url": endpoint}
    made = watched.call("POST", ROOT, name=name, kind="S3", options=options, secret="aws-sm:oasthouse/football/keys")
    if made.startswith("201"):
        used = watched.call("POST", f"{ROOT}/{name}/test")
        assert used.startswith("503"), used
        assert "source-unreachable" in used


def test_so_many_ways_and_the_right_one(watched: Watched) -> None:
    """Else all this proves little: with its own secret the same connector gets through to AWS, by the same proxy."""
    assert len(REFERENCES) + len(ROLES) + len(ENDPOINTS) + len(FOLDERS) >= 300
    assert watched.reads(FOREIGN) == 0
    _plant(watched, "aws-sm:oasthouse/football/db#password")
    assert "source-unreachable" in watched.call("POST", f"{ROOT}/own/test")
    assert watched.reads(MINE) == 1
    world = watched.world
    body = {"name": "theirs", "options": SERVER, "secret": "aws-sm:oasthouse/venues/db#password"}
    key = world.key("venues", "somebody")
    assert world.call("POST", "/projects/venues/connectors", key, json=body).status_code == 201
    assert world.call("POST", "/projects/venues/connectors/theirs/test", key).status_code == 503
    assert watched.reads(FOREIGN) == 1, "the owner's own read is seen"
    watched.answers.clear()
