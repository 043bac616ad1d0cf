"""Training datasets, in each of the argument lists that the original clients had."""

from datetime import timedelta

import pandas as pd
import pyarrow as pa
import pytest

from hops.featurestore.default import default_connection
from hops.featurestore.errors import InvalidInputError, NotReproducibleError, NotSupportedError
from tests.cloud_sdk.answers import dataset
from tests.cloud_sdk.gateway import Reply, arrow_reply, json_reply, problem

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
    made("td", "a", sink="lake", path="models/2030", num_bins=7)
    assert sdk_gateway.last().json == {
        **COMMAND,
        "query": {"features": ["a"]},
        "sink": "lake",
        "path": "models/2030",
        "statistics": {"bins": 7},
    }


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


def test_a_frame_may_stand_where_features_do(made, sdk_gateway, fs):
    for rows in (FRAME, TABLE, TABLE.to_pydict(), TABLE.to_pylist(), TABLE.to_reader()):
        made("td", rows, description="text", data_format="csv")
        assert sdk_gateway.last().table.to_pylist() == TABLE.to_pylist()
        assert sdk_gateway.last().command == {**COMMAND, "description": "text", "data_format": "csv"}
    made("td", features=FRAME)
    made("td", df=FRAME)
    assert sdk_gateway.last().command == COMMAND
    for other in ({"join_key": "team_id"}, {"featuregroups_version_dict": {"g": 1}}):
        with pytest.raises(InvalidInputError, match="here are rows already"):
            made("td", FRAME, **other)
    with pytest.raises(InvalidInputError, match="features= is about features"):
        default_connection().create_training_dataset("td", ["a"], df=FRAME)


@pytest.mark.parametrize("arguments", [("td", ["a"]), (["a"], "td"), (FRAME, "td")])
def test_unknown_arguments_are_named_with_the_function(made, arguments):
    with pytest.raises(TypeError, match=r"^create_training_dataset\(\): got an unexpected keyword argument 'colour'"):
        made(*arguments, colour=1)


LABELS = pd.DataFrame(
    {"team_id": [1, 2], "at": pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True), "won": [True, False]}
)


def test_a_training_dataset_of_labels_with_their_features(made, sdk_gateway):
    made("td", ["a"], spine=LABELS, event_time="at", lookback=timedelta(seconds=1), as_known=True)
    sdk_gateway.last().assert_intact()
    labels = {"event_time": "at"}
    query = {"features": ["a"], "lookback": 1_000_000, "as_known": True, "labels": labels}
    assert sdk_gateway.last().command == {**COMMAND, "query": query}
    assert sdk_gateway.last().table.column_names == ["team_id", "at", "won"]
    assert "Idempotency-Key" in sdk_gateway.last().headers
    made("td", ["a"], spine="results_2", join_type="left", joins={"g": {"prefix": "x_"}}, as_of=3)
    labels = {"feature_group": "results_2"}
    query = {"features": ["a"], "join_type": "left", "joins": {"g": {"prefix": "x_"}}, "as_of": 3, "labels": labels}
    assert sdk_gateway.last().json == {**COMMAND, "query": query}


def test_labels_in_a_file_are_kept_with_their_features(made, sdk_gateway, tmp_path):
    LABELS.to_parquet(tmp_path / "labels.parquet")
    made("td", ["a"], spine=tmp_path / "labels.parquet", event_time="at")
    assert sdk_gateway.last().command == {**COMMAND, "query": {"features": ["a"], "labels": {"event_time": "at"}}}
    assert sdk_gateway.last().table.num_rows == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"event_time": "at"}, "event_time= is about labels"),
        ({"spine": LABELS, "event_time": "at", "join_type": "inner"}, "never inner"),
        ({"spine": LABELS.assign(at=LABELS["at"].dt.tz_localize(None)), "event_time": "at"}, "time zone"),
    ],
)
def test_labels_are_looked_at_first(made, sdk_gateway, arguments, said):
    sdk_gateway.on("POST", f"{P}/training-datasets", problem(422, "invalid-input", "It has no time zone."))
    with pytest.raises(InvalidInputError, match=said):
        made("td", ["a"], **arguments)


def test_a_training_dataset_of_sql(made, sdk_gateway):
    made("td", sql_query="SELECT 1 AS one")
    assert sdk_gateway.last().json == {**COMMAND, "sql": {"query": "SELECT 1 AS one"}}
    assert "Idempotency-Key" in sdk_gateway.last().headers
    made("td", None, "SELECT 1 AS one", "venues_featurestore")
    assert sdk_gateway.last().json["sql"] == {"query": "SELECT 1 AS one", "featurestore": "venues_featurestore"}
    for other in ({"features": ["a"]}, {"spine": LABELS}, {"join_key": "a"}):
        with pytest.raises(InvalidInputError, match="Leave out"):
            made("td", sql_query="SELECT 1 AS one", **other)


@pytest.mark.parametrize(
    ("arguments", "way"),
    [
        ({}, {"by": "random"}),
        ({"split_by": "team_id"}, {"by": "entity", "columns": ["team_id"]}),
        ({"split_by": ["team_id", "season"], "seed": 7}, {"by": "entity", "columns": ["team_id", "season"], "seed": 7}),
        ({"split_time": "at"}, {"by": "time", "columns": ["at"]}),
    ],
)
def test_splits(made, sdk_gateway, arguments, way):
    shares = {"train": 0.8, "test": 0.2}
    made("td", ["a"], splits=shares, **arguments)
    splits = {"shares": shares, "seed": 0, **way}
    assert sdk_gateway.last().json == {**COMMAND, "query": {"features": ["a"]}, "splits": splits}
    made(FRAME, "td", splits=shares, **arguments)
    assert sdk_gateway.last().command == {**COMMAND, "splits": splits}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"split_by": "a"}, "splits= is not there"),
        ({"split_time": "a"}, "splits= is not there"),
        ({"splits": ["train", "test"]}, "is a dict of shares"),
        ({"splits": {"train": 0.5, "test": 0.5}, "split_by": "a", "split_time": "b"}, "not by both"),
    ],
)
def test_splits_that_say_too_little_or_too_much(made, arguments, said):
    with pytest.raises(InvalidInputError, match=said):
        made("td", ["a"], **arguments)


def test_reading_one_split(fs, sdk_gateway):
    sdk_gateway.on("GET", f"{P}/training-datasets/td/versions/1/rows", arrow_reply(TABLE))
    assert fs.get_training_dataset("td", as_="pyarrow", split="train").equals(TABLE)
    assert sdk_gateway.last().query["split"] == "train"


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


def test_what_is_said_of_a_training_dataset_when_it_is_made(made, sdk_gateway):
    made("td", ["a"], label="won", fixed=False)
    assert sdk_gateway.last().json == {**COMMAND, "query": {"features": ["a"]}, "label": "won", "fixed": False}
    made(FRAME, "td", label="team_budget", fixed=False)
    assert sdk_gateway.last().command == {**COMMAND, "label": "team_budget", "fixed": False}
    made(["a"], "td", fixed=False)
    assert sdk_gateway.last().json == {**COMMAND, "query": {"features": ["a"]}, "fixed": False}


def test_rows_are_written_to_a_training_dataset(fs, sdk_gateway):
    path = f"{P}/training-datasets/td/versions/2/rows"
    sdk_gateway.on("POST", path, json_reply(dataset(revision=2)))
    written = fs.insert_into_training_dataset(FRAME, "td", None, 2, False, write_mode="append")
    assert written.revision == 2
    sdk_gateway.last().assert_intact()
    assert sdk_gateway.last().query["mode"] == "append"
    assert "Idempotency-Key" in sdk_gateway.last().headers
    fs.insert_into_training_dataset(TABLE, "td", training_dataset_version=2)
    assert sdk_gateway.last().query["mode"] == "overwrite"
    with pytest.raises(InvalidInputError, match="no way to insert") as caught:
        fs.insert_into_training_dataset(TABLE, "td", write_mode="upsert")
    assert caught.value.candidates == ("overwrite", "append")


def test_a_training_dataset_is_made_again(fs, sdk_gateway):
    answer = {
        "dataset": dataset(version=4),
        "equal": False,
        "content_hash": "b",
        "recorded_content_hash": "a",
        "code_changed": ["duckdb 1 → 2"],
    }
    sdk_gateway.on("POST", f"{P}/training-datasets/td/versions/3/recreate", json_reply(answer, 201))
    again = fs.recreate_training_dataset("td", 3)
    assert sdk_gateway.last().json == {}
    assert "Idempotency-Key" in sdk_gateway.last().headers
    assert (again.dataset.version, again.equal, again.code_changed) == (4, False, ["duckdb 1 → 2"])
    fs.recreate_training_dataset("td", 3, new_version=9, new_name="other")
    assert sdk_gateway.last().json == {"name": "other", "version": 9}
    gone = problem(422, "training-dataset-not-reproducible", "It was deleted.")
    sdk_gateway.on("POST", f"{P}/training-datasets/td/versions/1/recreate", gone)
    with pytest.raises(NotReproducibleError, match="It was deleted"):
        fs.recreate_training_dataset("td")
