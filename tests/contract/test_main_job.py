"""The main job through the real SDK, over a socket, on every pair of database and warehouse."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import hops.featurestore as fs
from hops.featurestore import default, errors
from hops.featurestore.connection import Connection
from tests.lab.aws import Moto
from tests.world import World

TEAMS = pd.DataFrame({"team_budget": [12957.076, 2403.37, 3390.376], "team_id": [1, 2, 3], "team_position": [1, 2, 3]})
PLAYERS = pd.DataFrame({"team_id": [1, 2, 3], "average_player_age": [25.6, 24.9, 26.1]})
ATTENDANCES = pd.DataFrame({"team_id": [1, 2, 3], "average_attendance": [3271.9, 37.6, np.nan]})


@pytest.fixture
def stadium(any_world: World) -> Iterator[tuple[Connection, Connection, Connection]]:
    """Connections of football, venues and rivals."""
    any_world.projects("football", "venues", "rivals")
    connections = tuple(any_world.connect(project) for project in ("football", "venues", "rivals"))
    yield connections  # type: ignore[misc]  # three of them
    for connection in connections:
        connection.close()


def test_features_of_two_projects_become_a_training_dataset(
    stadium: tuple[Connection, Connection, Connection],
) -> None:
    football, venues, rivals = stadium
    football.create_featuregroup(TEAMS, "teams_features", primary_key="team_id", description="Budgets")
    football.create_featuregroup(PLAYERS, "players_features", primary_key=["team_id"])
    venues.create_featuregroup(ATTENDANCES, "attendances_features", primary_key="team_id")

    with pytest.raises(errors.FeatureNotFoundError):
        football.get_feature("average_attendance")
    share = venues.offer_share("football")
    with pytest.raises(errors.FeatureNotFoundError):
        football.get_feature("average_attendance")
    football.accept_share(share.id)

    asked = ["team_position", "average_attendance", "average_player_age", "team_budget"]
    features = football.get_features(asked).sort_values("team_position").reset_index(drop=True)
    expected = TEAMS.merge(PLAYERS, on="team_id").merge(ATTENDANCES, on="team_id")[asked]
    pd.testing.assert_frame_equal(features, expected)

    plan = football.explain(asked)
    assert "venues_featurestore.attendances_features_1" in str(plan)

    for data_format in ("parquet", "csv", "tsv"):
        name = f"team_position_prediction_{data_format}"
        football.create_training_dataset(name, features=asked, data_format=data_format)
        read = football.get_training_dataset(name).sort_values("team_position").reset_index(drop=True)
        pd.testing.assert_frame_equal(read, expected)
        manifest = football.get_training_dataset_manifest(name)
        assert [group["name"] for group in manifest["groups"]] == [
            "teams_features",
            "attendances_features",
            "players_features",
        ]
        assert manifest["rows"] == 3

    for feature in ("average_attendance", "team_budget"):
        with pytest.raises(errors.FeatureNotFoundError) as refused:
            rivals.get_feature(feature)
        assert refused.value.candidates in ([], ())
    with pytest.raises(errors.FeatureStoreError):
        rivals.get_featuregroup("attendances_features", featurestore="venues_featurestore")
    with pytest.raises(errors.FeatureStoreError):
        rivals.get_training_dataset("team_position_prediction_csv")


def test_insert_append_overwrite_upsert_and_read_in_every_form(
    stadium: tuple[Connection, Connection, Connection],
) -> None:
    football, _, _ = stadium
    football.create_featuregroup(PLAYERS, "players_features", primary_key="team_id")
    appended = football.insert_into_featuregroup(
        pd.DataFrame({"average_player_age": [30.5], "team_id": [4]}), "players_features"
    )
    assert (appended.rows_received, appended.rows_inserted, appended.rows_updated) == (1, 1, 0)
    upserted = football.insert_into_featuregroup(
        pl.DataFrame({"team_id": [4, 5], "average_player_age": [31.5, 22.0]}), "players_features", mode="upsert"
    )
    assert (upserted.rows_inserted, upserted.rows_updated) == (1, 1)
    arrow = football.get_featuregroup("players_features", as_="pyarrow").sort_by("team_id")
    assert arrow.column_names == ["team_id", "average_player_age"]
    assert arrow.to_pydict() == {"team_id": [1, 2, 3, 4, 5], "average_player_age": [25.6, 24.9, 26.1, 31.5, 22.0]}
    assert isinstance(football.get_featuregroup("players_features", as_="polars"), pl.DataFrame)
    assert football.get_feature("average_player_age", dataframe_type="numpy").shape == (5, 1)
    football.insert_into_featuregroup(
        pa.table({"team_id": [9], "average_player_age": [1.0]}), "players_features", mode="overwrite"
    )
    assert football.get_featuregroup("players_features").to_dict("list") == {
        "team_id": [9],
        "average_player_age": [1.0],
    }


def test_a_mismatch_names_every_column_and_stores_nothing(stadium: tuple[Connection, Connection, Connection]) -> None:
    football, _, _ = stadium
    football.create_featuregroup(PLAYERS, "players_features", primary_key="team_id")
    with pytest.raises(errors.SchemaMismatchError) as refused:
        football.insert_into_featuregroup(pd.DataFrame({"team_id": ["x"], "age": [1.0]}), "players_features")
    assert [(e["field"], e["expected"], e["received"]) for e in refused.value.errors] == [
        ("average_player_age", "double", None),
        ("team_id", "bigint", "string"),
        ("age", None, "double"),
    ]
    assert len(football.get_featuregroup("players_features")) == 3


def test_versions_metadata_and_deletion(stadium: tuple[Connection, Connection, Connection]) -> None:
    football, _, _ = stadium
    football.create_featuregroup(PLAYERS, "players_features", primary_key="team_id")
    football.create_featuregroup(PLAYERS.assign(sum_player_age=[1, 2, 3]), "players_features", featuregroup_version=2)
    assert football.get_featuregroups() == ["players_features_1", "players_features_2"]
    assert football.get_latest_featuregroup_version("players_features") == 2
    assert football.get_features_list().count("average_player_age") == 2
    assert list(football.get_feature("sum_player_age").iloc[:, 0]) == [1, 2, 3]
    with pytest.raises(errors.FeatureGroupExistsError):
        football.create_featuregroup(PLAYERS, "players_features")
    football.add_metadata("players_features", {"owner": "scouting"})
    assert football.get_metadata("players_features") == {"owner": "scouting"}
    football.remove_metadata("players_features", ["owner"])
    football.delete_featuregroup("players_features", 2)
    assert football.get_featuregroups() == ["players_features_1"]
    football.create_featuregroup(
        pd.DataFrame({"team_id": [1, 2], "score": [1, 3], "day": ["a/b", None]}), "games", partition_by=["score", "day"]
    )
    partitions = football.get_featuregroup_partitions("games")
    assert sorted(partitions["partition"]) == ["score=1/day=a%2Fb", "score=3/day=__HIVE_DEFAULT_PARTITION__"]
    assert sorted(football.get_featuregroup("games")["day"].fillna("none")) == ["a/b", "none"]


@pytest.mark.parametrize("secrets_store", ["secretsmanager", "parameterstore"])
def test_the_key_comes_from_aws(
    any_world: World, moto_endpoint: str, moto: Moto, monkeypatch: pytest.MonkeyPatch, secrets_store: str
) -> None:
    monkeypatch.setattr(default, "_current", [])
    any_world.project("football")
    key = any_world.key("football")
    name = "hopsworks/project/football/role/SageMakerRole"
    if secrets_store == "secretsmanager":
        moto.client("secretsmanager").create_secret(Name=name, SecretString=f'{{"api-key": "{key}"}}')
    else:
        moto.client("ssm").put_parameter(Name=f"/{name}/type/api-key", Value=key, Type="SecureString")
    session = moto.client("sts").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/SageMakerRole", RoleSessionName="SageMaker"
    )["Credentials"]
    # The notebook's environment, not the gateway's, which runs in this process too and may reach S3 with other keys.
    with monkeypatch.context() as notebook:
        notebook.setenv("AWS_ENDPOINT_URL", moto_endpoint)
        notebook.setenv("AWS_ACCESS_KEY_ID", session["AccessKeyId"])
        notebook.setenv("AWS_SECRET_ACCESS_KEY", session["SecretAccessKey"])
        notebook.setenv("AWS_SESSION_TOKEN", session["SessionToken"])
        fs.connect(any_world.address, "football", region_name="us-east-1", secrets_store=secrets_store)
    fs.create_featuregroup(PLAYERS, "players_features", primary_key="team_id")
    assert fs.get_featuregroups() == ["players_features_1"]
    assert fs.get_feature("average_player_age")["average_player_age"].tolist() == [25.6, 24.9, 26.1]
