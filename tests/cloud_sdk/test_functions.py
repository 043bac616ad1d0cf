# ruff: noqa: E501 - the gateway's answers, one line each
"""Each public function: what it asks the gateway, and what it makes of the answer."""

import io

import pandas as pd
import pyarrow as pa
import pytest

from hops.featurestore import errors
from hops.featurestore.errors import InvalidInputError, NotSupportedError
from tests.cloud_sdk.answers import dataset, group
from tests.cloud_sdk.gateway import Reply, arrow_reply, json_reply, page, problem

P = "/projects/football"
GROUP = f"{P}/feature-groups/teams_features/versions/1"
TABLE = pa.table({"team_id": [1, 2], "team_budget": [1.5, 2.5]})
FRAME = TABLE.to_pandas()
INSERTED = json_reply({"rows_received": 2, "rows_inserted": 1, "rows_updated": 1, "table_version": 4, "mode": "upsert"})


@pytest.fixture
def groups(sdk_gateway):
    sdk_gateway.on(
        "GET",
        f"{P}/feature-groups",
        page(group(), next_cursor="more"),
        page(group(version=3, features=("team_id",)), group("teams_features_2", 7)),
    )


# reading


def test_get_featuregroup(fs, sdk_gateway):
    sdk_gateway.on("GET", f"{GROUP}/rows", arrow_reply(TABLE))
    pd.testing.assert_frame_equal(fs.get_featuregroup("teams_features"), FRAME)
    assert sdk_gateway.last().query == {"compression": "none"}
    fs.get_featuregroup("teams_features", columns=["team_id", "team_budget"])
    assert sdk_gateway.last().query == {"columns": "team_id,team_budget", "compression": "none"}


def test_get_feature(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/queries", arrow_reply(TABLE.select(["team_budget"])))
    assert list(fs.get_feature("team_budget").columns) == ["team_budget"]
    assert sdk_gateway.last().json == {"features": ["team_budget"]}
    fs.get_feature("team_budget", "football_featurestore", "teams_features")
    assert sdk_gateway.last().json == {
        "features": ["team_budget"], "featurestore": "football_featurestore", "feature_group": "teams_features", "version": 1,
    }  # fmt: skip
    fs.get_feature("team_budget", featuregroup_version=2)
    assert sdk_gateway.last().json == {"features": ["team_budget"], "version": 2}


def test_get_features_and_explain_ask_the_same(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/queries", arrow_reply(TABLE))
    sdk_gateway.on(
        "POST", f"{P}/queries/explain", json_reply({"sql": "SELECT 1", "text": "as text", "join_key": ["team_id"]})
    )
    arguments = (["team_id", "team_budget"], "football_featurestore", {"teams_features": 1}, ("team_id", "year"))
    assert fs.get_features(*arguments).shape == (2, 2)
    asked = sdk_gateway.last().json
    assert asked == {
        "features": ["team_id", "team_budget"], "featurestore": "football_featurestore", "feature_group_versions": {"teams_features": 1},
        "join_key": ["team_id", "year"],
    }  # fmt: skip
    explained = fs.explain(*arguments)
    assert (explained.sql, repr(explained)) == ("SELECT 1", "as text")
    assert sdk_gateway.last().json == asked
    fs.get_features("team_id", join_key="team_id")
    assert sdk_gateway.last().json == {"features": ["team_id"], "join_key": "team_id"}
    assert "Idempotency-Key" not in sdk_gateway.last().headers


def test_a_query_is_repeated_before_its_first_byte(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/queries", problem(503, "unavailable"), arrow_reply(TABLE))
    assert len(fs.get_features(["team_id"])) == 2


@pytest.mark.parametrize("features", [[], [5]])
def test_no_features(fs, features):
    with pytest.raises(InvalidInputError, match="names of one or more features"):
        fs.get_features(features)


def test_partitions_look_as_hive_prints_them(fs, sdk_gateway):
    sdk_gateway.on(
        "GET",
        f"{GROUP}/partitions",
        page({"score": "1", "day": "a/b=c"}, next_cursor="x"),
        page({"score": None, "day": "é"}),
    )
    assert fs.get_featuregroup_partitions("teams_features")["partition"].tolist() == [
        "score=1/day=a%2Fb%3Dc",
        "score=__HIVE_DEFAULT_PARTITION__/day=é",
    ]


# the catalogue


def test_lists(fs, sdk_gateway, groups):
    assert fs.get_featuregroups() == ["teams_features_1", "teams_features_3", "teams_features_2_7"]
    assert sdk_gateway.last().query == {"limit": "500", "cursor": "more"}


def test_features_list_keeps_what_occurs_twice(fs, groups):
    assert fs.get_features_list() == ["team_id", "team_budget", "team_id", "team_id", "team_budget"]


def test_training_datasets(fs, sdk_gateway):
    sdk_gateway.on("GET", f"{P}/training-datasets", page(dataset(), dataset(version=2)))
    assert fs.get_training_datasets() == ["positions_1", "positions_2"]
    assert fs.get_latest_training_dataset_version("positions") == 2
    assert sdk_gateway.last().query["name"] == "positions"
    assert fs.get_latest_training_dataset_version("absent") == 0


def test_latest_version(fs, groups):
    assert fs.get_latest_featuregroup_version("teams_features") == 3
    assert fs.get_latest_featuregroup_version("absent") == 0


def test_features_of_one(fs, sdk_gateway, groups):
    sdk_gateway.on("GET", f"{P}/feature-groups/teams_features/versions/3", json_reply(group(version=3)))
    assert fs.get_featuregroup_features_list("teams_features") == ["team_id", "team_budget"]
    assert fs.get_featuregroup_features_list("teams_features", 3) == ["team_id", "team_budget"]
    sdk_gateway.on("GET", f"{P}/training-datasets", page())
    sdk_gateway.on("GET", f"{P}/training-datasets/absent/versions/1", problem(404, "training-dataset-not-found"))
    with pytest.raises(errors.TrainingDatasetNotFound):
        fs.get_training_dataset_features_list("absent")
    sdk_gateway.on("GET", f"{P}/training-datasets/positions/versions/2", json_reply(dataset()))
    assert fs.get_training_dataset_features_list("positions", 2) == ["team_id"]


def test_metadata_of_a_store(fs, sdk_gateway, groups):
    sdk_gateway.on("GET", f"{P}/training-datasets", page(dataset()))
    sdk_gateway.on("GET", f"{P}/featurestores", page())
    metadata = fs.get_featurestore_metadata(update_cache=True)
    assert list(metadata.featuregroups) == ["teams_features_1", "teams_features_3", "teams_features_2_7"]
    assert metadata.training_datasets["positions_1"].path == "s3://bucket/x"
    assert metadata.featurestore == "football_featurestore"
    assert fs.get_featurestore_metadata().project == "football"


# writing


def test_create_from_a_frame(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/feature-groups", json_reply(group(), 201))
    made = fs.create_featuregroup(
        FRAME, "teams_features", "team_id", "Teams", partition_by="team_id", jobs=["job"], event_time="at", tags={"k": "v"},
        feature_descriptions={"team_budget": "in euro"}, schema={"team_id": "INT"},
    )  # fmt: skip
    asked = sdk_gateway.last()
    asked.assert_intact()
    assert asked.headers["Content-Type"] == "application/vnd.apache.arrow.stream"
    assert asked.command == {
        "name": "teams_features", "version": 1, "description": "Teams", "primary_key": ["team_id"], "event_time": "at",
        "partition_by": ["team_id"], "tags": {"k": "v"}, "jobs": ["job"],
        "features": [{"name": "team_id", "type": "INT"}, {"name": "team_budget", "description": "in euro"}],
    }  # fmt: skip
    assert list(asked.table.schema.metadata) == [b"oasthouse"]
    assert asked.table.to_pydict() == TABLE.to_pydict()
    assert (made.versioned_name, made.features[0].primary) == ("teams_features_1", True)


def test_what_is_left_out_is_not_said(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/feature-groups", json_reply(group(), 201))
    fs.create_featuregroup(FRAME, "teams_features")
    assert sdk_gateway.last().command == {"name": "teams_features", "version": 1}


def test_create_from_a_schema(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/feature-groups", json_reply(group(), 201))
    fs.create_featuregroup(
        None, "g", ["a", "b"], schema={"a": "INT", "b": "STRING"}, feature_descriptions={"b": "text"}
    )
    assert sdk_gateway.last().json == {
        "name": "g", "version": 1, "primary_key": ["a", "b"],
        "features": [{"name": "a", "type": "INT"}, {"name": "b", "type": "STRING", "description": "text"}],
    }  # fmt: skip
    assert len(sdk_gateway.last().headers["Idempotency-Key"]) == 36


def test_create_from_nothing(fs):
    with pytest.raises(InvalidInputError, match="needs a frame, or schema"):
        fs.create_featuregroup(None, "g")
    with pytest.raises(InvalidInputError, match="names what schema does not: b"):
        fs.create_featuregroup(None, "g", schema={"a": "INT"}, feature_descriptions={"b": "text"})


def test_insert(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{GROUP}/rows", INSERTED)
    result = fs.insert_into_featuregroup(FRAME, "teams_features", mode="upsert")
    assert (result.rows_inserted, result.rows_updated, result.table_version) == (1, 1, 4)
    assert sdk_gateway.last().query == {"mode": "upsert"}
    assert not sdk_gateway.last().table.schema.metadata


def test_insert_more_than_fits_in_memory(fs, sdk_gateway, monkeypatch):
    monkeypatch.setattr("hops.featurestore.upload.IN_MEMORY", 1000)
    sdk_gateway.on("POST", f"{GROUP}/rows", problem(503, "unavailable"), INSERTED)
    many = pa.table({"n": list(range(100_000))})
    fs.insert_into_featuregroup(many.to_reader(max_chunksize=7_000), "teams_features")
    sdk_gateway.last().assert_intact()
    assert sdk_gateway.last().table.equals(many)


def test_insert_in_an_unknown_way(fs):
    with pytest.raises(InvalidInputError, match="append, overwrite, upsert"):
        fs.insert_into_featuregroup(FRAME, "teams_features", mode="merge")


def test_a_mismatch_lists_the_columns(fs, sdk_gateway):
    offending = [{"field": "score", "message": "has another type", "expected": "BIGINT", "received": "STRING"}]
    sdk_gateway.on("POST", f"{GROUP}/rows", problem(422, "schema-mismatch", errors=offending))
    with pytest.raises(
        errors.SchemaMismatchError, match=r"- score: has another type \(expected BIGINT, received STRING\)"
    ):
        fs.insert_into_featuregroup(FRAME, "teams_features")


def test_update_and_delete(fs, sdk_gateway):
    sdk_gateway.on("PATCH", GROUP, json_reply(group(description="New")))
    assert fs.update_featuregroup_metadata("teams_features", description="New").description == "New"
    assert sdk_gateway.last().json == {"description": "New"}
    assert "If-Match" not in sdk_gateway.last().headers
    fs.update_featuregroup_metadata("teams_features", feature_descriptions={"a": "b"}, jobs=[], revision=1)
    assert sdk_gateway.last().json == {"features": [{"name": "a", "description": "b"}], "jobs": []}
    assert sdk_gateway.last().headers["If-Match"] == '"1"'
    sdk_gateway.on("DELETE", GROUP, Reply(204))
    assert fs.delete_featuregroup("teams_features") is None
    sdk_gateway.on("GET", GROUP, json_reply(group()))
    from hops.featurestore.default import default_connection

    assert default_connection().get_featuregroup_metadata("teams_features").revision == 1


def test_attached_metadata(fs, sdk_gateway):
    sdk_gateway.on("PUT", f"{GROUP}/tags/owner", json_reply({"name": "owner", "value": "ada"}))
    sdk_gateway.on("PUT", f"{GROUP}/tags/rows", json_reply({"name": "rows", "value": "5"}))
    fs.add_metadata("teams_features", {"owner": "ada", "rows": 5})
    assert [each.json for each in sdk_gateway.asked if each.method == "PUT"] == [{"value": "ada"}, {"value": "5"}]
    sdk_gateway.on(
        "GET",
        f"{GROUP}/tags",
        json_reply({"items": [{"name": "owner", "value": "ada"}, {"name": "rows", "value": "5"}]}),
    )
    assert fs.get_metadata("teams_features") == {"owner": "ada", "rows": "5"}
    assert fs.get_metadata("teams_features", ["rows"]) == {"rows": "5"}
    assert fs.get_metadata("teams_features", "rows") == {"rows": "5"}
    with pytest.raises(InvalidInputError, match="no metadata absent"):
        fs.get_metadata("teams_features", ["absent"])
    sdk_gateway.on("DELETE", f"{GROUP}/tags/owner", Reply(204))
    fs.remove_metadata("teams_features", ["owner"])
    fs.remove_metadata("teams_features", "owner")
    assert sdk_gateway.count("DELETE", f"{GROUP}/tags/owner") == 2


# what there is not


@pytest.mark.parametrize(
    "call",
    [
        lambda fs: fs.get_featuregroup("g", online=True),
        lambda fs: fs.get_featuregroup("g", None, 1, True),  # the cloud client's place for online
        lambda fs: fs.get_feature("a", online=True),
        lambda fs: fs.get_features(["a"], online=True),
        lambda fs: fs.get_featuregroups(online=True),
        lambda fs: fs.get_features_list(online=True),
        lambda fs: fs.create_featuregroup(FRAME, "g", online=True),
        lambda fs: fs.create_featuregroup(FRAME, "g", online_types={"a": "INT"}),
        lambda fs: fs.insert_into_featuregroup(FRAME, "g", online=True),
        lambda fs: fs.insert_into_featuregroup(FRAME, "g", offline=False),
        lambda fs: fs.create_training_dataset("td", ["a"], online=True),
    ],
)
def test_what_is_not_supported_is_refused_before_anything_is_asked(fs, sdk_gateway, call):
    asked = len(sdk_gateway.asked)
    with pytest.raises(NotSupportedError):
        call(fs)
    assert len(sdk_gateway.asked) == asked


def test_online_false_in_the_cloud_clients_place_means_pandas(fs, sdk_gateway):
    sdk_gateway.on("GET", f"{GROUP}/rows", arrow_reply(TABLE))
    assert isinstance(fs.get_featuregroup("teams_features", None, 1, False), pd.DataFrame)


@pytest.mark.parametrize("name", ["enable_featuregroup_online", "disable_featuregroup_online"])
def test_what_later_work_brings_is_absent(fs, name):
    assert not hasattr(fs, name)


# sharing


def test_shares(sdk_connection, sdk_gateway):
    share = {"id": "s1", "owner": "football", "receiver": "venues", "what": "feature_store", "state": "pending"}
    sdk_gateway.on("POST", f"{P}/shares", json_reply(share, 201))
    sdk_gateway.on("GET", f"{P}/shares", page(share))
    sdk_gateway.on("POST", f"{P}/shares/s1/accept", json_reply({**share, "state": "accepted"}))
    sdk_gateway.on("POST", f"{P}/shares/s1/decline", json_reply({**share, "state": "declined"}))
    sdk_gateway.on("DELETE", f"{P}/shares/s1", Reply(204))
    assert sdk_connection.offer_share("venues").state == "pending"
    assert sdk_gateway.last().json == {"receiver": "venues", "what": "feature_store"}
    sdk_connection.offer_share("venues", "training_datasets", expires_at="2030-01-01T00:00:00Z")
    assert sdk_gateway.last().json["expires_at"] == "2030-01-01T00:00:00Z"
    assert [each.id for each in sdk_connection.list_shares()] == ["s1"]
    assert sdk_connection.accept_share("s1").state == "accepted"
    assert sdk_connection.decline_share("s1").state == "declined"
    sdk_connection.end_share("s1")
    assert sdk_gateway.last().method == "DELETE"


# how things show themselves


def test_reprs(fs, sdk_gateway, groups):
    sdk_gateway.on("GET", f"{P}/training-datasets", page(dataset(description="<b>bold</b>")))
    metadata = fs.get_featurestore_metadata()
    shown = metadata.featuregroups["teams_features_1"]
    assert repr(shown).splitlines()[:4] == [
        "Feature group teams_features_1 in football_featurestore", "Teams",
        "  feature      type             description", "  team_id      BIGINT  primary  -",
    ]  # fmt: skip
    assert "<th>feature</th>" in shown._repr_html_()
    assert "teams_features_2_7" in repr(metadata)
    assert "<td>positions_1</td>" in metadata._repr_html_()
    made = metadata.training_datasets["positions_1"]
    assert "2 rows as parquet" in repr(made)
    assert "&lt;b&gt;bold" in made._repr_html_()
    assert "<b>" not in made._repr_html_()


def test_an_explanation_shows_itself(fs, sdk_gateway):
    chosen = {
        "featurestore": "football_featurestore",
        "name": "teams_features",
        "version": 1,
        "columns": ["a", "b"],
        "why": "only one",
    }
    answer = {"sql": "SELECT a < b", "join_key": [], "groups": [chosen]}
    sdk_gateway.on("POST", f"{P}/queries/explain", json_reply(answer))
    explained = fs.explain(["a"])
    assert "only one" in repr(explained)
    assert "<pre>SELECT a &lt; b</pre>" in explained._repr_html_()
    assert "joined on nothing" in explained._repr_html_()


def test_hashing_sink_is_writable():
    from hops.featurestore.upload import _HashingSink

    assert _HashingSink(io.BytesIO()).writable()
