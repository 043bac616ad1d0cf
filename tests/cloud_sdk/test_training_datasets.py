"""Training datasets, in each of the argument lists that the original clients had."""

import pyarrow as pa
import pytest

from hops.featurestore.errors import InvalidInputError, NotSupportedError
from tests.cloud_sdk.answers import dataset
from tests.cloud_sdk.gateway import Reply, arrow_reply, json_reply

P = "/projects/football"
TABLE = pa.table({"team_id": [1, 2], "team_budget": [1.5, 2.5]})
FRAME = TABLE.to_pandas()


@pytest.fixture
def made(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/training-datasets", json_reply(dataset(), 201))
    return fs.create_training_dataset


QUERY = {
    "features": ["a", "b"],
    "featurestore": "football_featurestore",
    "feature_group_versions": {"g": 2},
    "join_key": "a",
}
COMMAND = {"name": "td", "version": 1, "data_format": "parquet"}


def test_a_training_dataset_of_features(made, sdk_gateway):
    assert made("td", ["a", "b"]).versioned_name == "positions_1"
    assert sdk_gateway.last().json == {**COMMAND, "query": {"features": ["a", "b"]}}
    assert "Idempotency-Key" in sdk_gateway.last().headers
    made("td", ["a", "b"], None, "football_featurestore", {"g": 2}, "a", "text", "csv", 3, True, ["job"])
    whole = {
        "name": "td",
        "version": 3,
        "data_format": "csv",
        "description": "text",
        "overwrite": True,
        "jobs": ["job"],
        "query": QUERY,
    }
    assert sdk_gateway.last().json == whole
    made(["a", "b"], "td", "football_featurestore", {"g": 2}, "a", "text", "csv", 3, True, ["job"])
    assert sdk_gateway.last().json == whole
    made(features=("a", "b"), training_dataset="td")
    assert sdk_gateway.last().json == {**COMMAND, "query": {"features": ["a", "b"]}}
    made("td", "a", sink="football_Training_Datasets")
    assert sdk_gateway.last().json == {**COMMAND, "query": {"features": ["a"]}}


def test_a_training_dataset_of_a_frame(made, sdk_gateway):
    made(FRAME, "td", "text", None, "tsv", 2, ["job"])
    sdk_gateway.last().assert_intact()
    assert sdk_gateway.last().command == {
        "name": "td",
        "version": 2,
        "data_format": "tsv",
        "description": "text",
        "jobs": ["job"],
    }
    made(df=FRAME, training_dataset="td", overwrite=True)
    assert sdk_gateway.last().command == {**COMMAND, "overwrite": True}
    made([{"a": 1}], "td")
    assert sdk_gateway.last().command == COMMAND


@pytest.mark.parametrize(
    ("data_format", "said"),
    [
        ("petastorm", "write parquet"),
        ("image", "a column of their addresses"),
        ("lance", "Did you mean: parquet, csv, tsv"),
    ],
)
def test_formats_that_there_are_not(made, data_format, said):
    with pytest.raises(NotSupportedError, match=said):
        made("td", ["a"], data_format=data_format)


def test_calls_that_no_shape_fits(made):
    with pytest.raises(InvalidInputError, match="The first argument is a int"):
        made(5, "td")
    with pytest.raises(TypeError, match="training_dataset"):
        made()
    with pytest.raises(InvalidInputError, match="names of one or more features"):
        made("td")


def test_training_datasets_are_read_and_deleted(fs, sdk_gateway):
    path = f"{P}/training-datasets/positions/versions/1"
    sdk_gateway.on("GET", path, json_reply(dataset()))
    sdk_gateway.on("GET", f"{path}/rows", arrow_reply(TABLE))
    sdk_gateway.on("GET", f"{path}/manifest", json_reply({"files": [], "rows": 2}))
    sdk_gateway.on("DELETE", path, Reply(204))
    assert fs.get_training_dataset("positions", as_="arrow").equals(TABLE)
    assert fs.get_training_dataset_path("positions") == "s3://bucket/x"
    assert fs.get_training_dataset_manifest("positions")["rows"] == 2
    fs.delete_training_dataset("positions")
    assert sdk_gateway.last().method == "DELETE"
