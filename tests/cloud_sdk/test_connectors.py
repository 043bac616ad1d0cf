"""Connectors and feature groups on demand: what is asked, and what comes back from a gateway over a real database."""

from pathlib import Path

import pytest

from app.settings import ConnectorSettings, SecretSettings
from hops.featurestore import errors
from tests.cloud_sdk.answers import group
from tests.cloud_sdk.gateway import json_reply, page, problem
from tests.lab.source import PASSWORD, READER
from tests.world import listening, make_world

P = "/projects/football"
CONNECTOR = {
    "name": "sales",
    "kind": "JDBC",
    "options": {"engine": "postgresql"},
    "has_secret": True,
    "secret": None,
    "newer": 1,
}


def test_listing_and_reading(fs, sdk_gateway):
    sdk_gateway.on("GET", f"{P}/connectors", page(CONNECTOR, {**CONNECTOR, "name": "other"}))
    assert fs.get_storage_connectors() == [("sales", "JDBC"), ("other", "JDBC")]
    sdk_gateway.on("GET", f"{P}/connectors/sales", json_reply(CONNECTOR))
    found = fs.get_storage_connector("sales")
    assert (found.name, found.kind, found.options, found.has_secret) == (
        "sales",
        "JDBC",
        {"engine": "postgresql"},
        True,
    )


def test_making_one(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/connectors", json_reply(CONNECTOR, 201))
    fs.create_jdbc_connector(
        "sales",
        engine="postgresql",
        host="h",
        port=1,
        database="d",
        user="u",
        tls_mode="require",
        secret="aws-sm:x",
        description="t",
    )
    assert sdk_gateway.last().json == {
        "name": "sales", "kind": "JDBC", "description": "t", "secret": "aws-sm:x",
        "options": {"engine": "postgresql", "host": "h", "port": 1, "database": "d", "user": "u", "tls_mode": "require"},
    }  # fmt: skip
    fs.create_jdbc_connector("sales", connection_string="jdbc:mysql://h/d", arguments="user=u")
    assert sdk_gateway.last().json["options"] == {"connection_string": "jdbc:mysql://h/d", "arguments": "user=u"}


def test_making_one_of_each_other_kind(fs, sdk_gateway):
    made = {**CONNECTOR, "kind": "S3", "external_id": "oasthouse:football", "built_in": False}
    sdk_gateway.on("POST", f"{P}/connectors", json_reply(made, 201))
    found = fs.create_s3_connector(
        "landing", "bucket", prefix="in", region="eu-north-1", endpoint_url="https://s3.example.com",
        role_arn="arn:aws:iam::123456789012:role/x", description="t",
    )  # fmt: skip
    assert (found.external_id, found.built_in) == ("oasthouse:football", False)
    assert sdk_gateway.last().json == {
        "name": "landing", "kind": "S3", "description": "t", "secret": None,
        "options": {"bucket": "bucket", "prefix": "in", "region": "eu-north-1", "endpoint_url": "https://s3.example.com",
                    "role_arn": "arn:aws:iam::123456789012:role/x"},
    }  # fmt: skip
    fs.create_s3_connector("landing", "bucket", secret="aws-sm:x")
    assert (sdk_gateway.last().json["options"], sdk_gateway.last().json["secret"]) == ({"bucket": "bucket"}, "aws-sm:x")
    fs.create_redshift_connector("dwh", host="h", database="d", user="u", secret="aws-sm:x#p")
    assert sdk_gateway.last().json == {
        "name": "dwh", "kind": "REDSHIFT", "description": "", "secret": "aws-sm:x#p",
        "options": {"host": "h", "database": "d", "user": "u"},
    }  # fmt: skip
    fs.create_hopsfs_connector("resources")
    assert sdk_gateway.last().json["options"] == {"dataset_name": "resources"}
    fs.create_hopsfs_connector("resources", "Resources")
    assert sdk_gateway.last().json == {
        "name": "resources", "kind": "HOPSFS", "description": "", "secret": None, "options": {"dataset_name": "Resources"},
    }  # fmt: skip


def test_changing_one(fs, sdk_gateway):
    sdk_gateway.on("PATCH", f"{P}/connectors/sales", json_reply(CONNECTOR))
    fs.update_storage_connector("sales", description="x")
    assert sdk_gateway.last().json == {"description": "x"}
    fs.update_storage_connector("sales", options={"bucket": "b"}, secret="aws-sm:x")
    assert sdk_gateway.last().json == {"options": {"bucket": "b"}, "secret": "aws-sm:x"}
    fs.update_storage_connector("sales", without_secret=True)
    assert sdk_gateway.last().json == {"secret": None}
    with pytest.raises(errors.InvalidInputError, match="not both"):
        fs.update_storage_connector("sales", secret="aws-sm:x", without_secret=True)


def test_testing_and_deleting(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/connectors/sales/test", json_reply({"latency_ms": 1.5}))
    assert fs.test_storage_connector("sales") == 1.5
    sdk_gateway.on("DELETE", f"{P}/connectors/sales", problem(409, "connector-in-use"))
    with pytest.raises(errors.ConnectorInUseError):
        fs.delete_storage_connector("sales")


def test_a_group_on_demand(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/feature-groups", json_reply({**group(), "kind": "ON_DEMAND"}, 201))
    made = fs.create_on_demand_featuregroup("SELECT 1", "g", "sales", None, "text", 2)
    assert sdk_gateway.last().json == {
        "name": "g", "version": 2, "kind": "ON_DEMAND", "connector": "sales", "query": "SELECT 1", "description": "text",
    }  # fmt: skip
    assert "Idempotency-Key" in sdk_gateway.last().headers
    assert made.kind == "ON_DEMAND"
    fs.create_on_demand_featuregroup(
        "SELECT 1", "g", "sales", primary_key="a", event_time="t", feature_descriptions={"a": "x"}, tags={"k": "v"}
    )
    sent = sdk_gateway.last().json
    assert (sent["primary_key"], sent["event_time"], sent["tags"]) == (["a"], "t", {"k": "v"})
    assert sent["features"] == [{"name": "a", "description": "x"}]


def test_names_of_the_original_clients():
    from hops import exceptions

    assert exceptions.StorageConnectorNotFound is errors.ConnectorNotFoundError
    assert exceptions.CannotInsertIntoOnDemandFeatureGroup is errors.OnDemandFeatureGroupError


def test_against_a_gateway_and_a_database(source, tmp_path: Path, local_warehouse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OAST_SECRET_DB", PASSWORD)
    source.execute("CREATE TABLE teams (team_id int, budget float8)", "INSERT INTO teams VALUES (1, 2.5)")
    world = make_world(
        tmp_path / "data",
        None,
        local_warehouse,
        secrets=SecretSettings(local="football=env:OAST_SECRET_DB"),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8"),
    )
    world.projects("football")
    with listening(world), world.connect("football") as connection:
        connection.create_jdbc_connector(
            "sales",
            connection_string=f"jdbc:postgresql://127.0.0.1:{source.port}/{source.database}?ssl=false",
            arguments=f"user={READER}",
            secret="env:OAST_SECRET_DB",
        )
        assert connection.test_storage_connector("sales") > 0
        made = connection.create_on_demand_featuregroup(
            "SELECT * FROM teams", "teams", "sales", primary_key=["team_id"]
        )
        assert [(feature.name, feature.type) for feature in made.features] == [("team_id", "int"), ("budget", "double")]
        assert connection.get_featuregroups() == ["teams_1"]
        with pytest.raises(errors.OnDemandFeatureGroupError):
            connection.insert_into_featuregroup({"team_id": [1], "budget": [1.0]}, "teams")
        with pytest.raises(errors.PlainPasswordError):
            connection.create_jdbc_connector("x", connection_string="jdbc:mysql://h/d", arguments="user=u,password=p")
        connection.delete_featuregroup("teams")
        connection.delete_storage_connector("sales")
        with pytest.raises(errors.ConnectorNotFoundError):
            connection.get_storage_connector("sales")


def test_buckets_and_folders_against_a_gateway(
    tmp_path: Path, local_warehouse, seaweedfs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OAST_SECRET_BUCKET", '{"access_key_id": "admin", "secret_access_key": "adminsecret"}')
    world = make_world(
        tmp_path / "data",
        None,
        local_warehouse,
        secrets=SecretSettings(local="football=env:OAST_SECRET_BUCKET"),
        connectors=ConnectorSettings(allowed_networks="127.0.0.0/8", allow_http=True),
    )
    world.projects("football")
    with listening(world), world.connect("football") as connection:
        built_in = connection.get_storage_connectors()
        assert built_in == [
            ("football", "JDBC"),
            (connection.project_training_datasets_sink(), "HOPSFS"),
            (connection.project_featurestore(), "JDBC"),
        ]
        for name, _ in built_in:
            assert connection.get_storage_connector(name).built_in
            assert connection.test_storage_connector(name) >= 0
            with pytest.raises(errors.ConflictError) as refusal:
                connection.delete_storage_connector(name)
            assert refusal.value.code == "connector-built-in"
        options = {"endpoint_url": seaweedfs.endpoint_url, "secret": "env:OAST_SECRET_BUCKET"}
        connection.create_s3_connector("landing", f"s3a://{seaweedfs.new_bucket()}", prefix="in", **options)
        assert connection.test_storage_connector("landing") > 0
        with pytest.raises(errors.RefusedInputError):
            connection.update_storage_connector("landing", options={"bucket": "elsewhere"})
        with pytest.raises(errors.PlainPasswordError):
            connection.create_s3_connector("keys", "s3a://key:secret@bucket")
        connection.create_hopsfs_connector("resources")
        assert connection.test_storage_connector("resources") > 0
        connection.delete_storage_connector("landing")
        assert connection.get_storage_connectors() == [*built_in, ("resources", "HOPSFS")]
