"""Arguments that cannot be meant are refused before anything is asked, in words that name them."""

import pathlib
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hops.featurestore import arguments
from hops.featurestore.errors import InvalidInputError, RefusedInputError
from tests.cloud_sdk.answers import dataset, group
from tests.cloud_sdk.gateway import arrow_reply, json_reply, page, problem

P = "/projects/football"
GROUP = f"{P}/feature-groups/teams_features/versions/1"
TABLE = pa.table({"team_id": [1, 2]})
LABELS = TABLE.to_pandas()


@pytest.fixture
def refused(fs, sdk_gateway):
    """What a call is refused with; nothing was asked."""

    def call(function, *arguments, **named):
        before = len(sdk_gateway.asked)
        with pytest.raises(InvalidInputError) as caught:
            getattr(fs, function)(*arguments, **named)
        assert len(sdk_gateway.asked) == before
        assert caught.value.hint or caught.value.candidates
        return str(caught.value)

    return call


@pytest.mark.parametrize("name", ["a/b", "../../me?x#y", "", ".", "..", None, 0, ["teams_features"]])
def test_names_that_no_address_can_hold(refused, name):
    for function, *others in (
        ("get_featuregroup",),
        ("insert_into_featuregroup",),
        ("delete_featuregroup",),
        ("get_commits",),
        ("changes_between", 0, 1),
        ("get_metadata",),
        ("get_latest_featuregroup_version",),
        ("get_featuregroup_features_list",),
    ):
        given = (LABELS, name) if function == "insert_into_featuregroup" else (name, *others)
        assert "no name of a feature group" in refused(function, *given)
    for function in ("get_training_dataset", "delete_training_dataset", "get_latest_training_dataset_version"):
        assert "no name of a training dataset" in refused(function, name)
    for function in ("get_storage_connector", "delete_storage_connector", "test_storage_connector"):
        assert "no name of a storage connector" in refused(function, name)
    assert "no name of a piece of metadata" in refused("remove_metadata", "teams_features", [name])


@pytest.mark.parametrize("version", ["latest", None, 1.0, -1, True, "-1", "", [1], np.float64(1)])
def test_versions_that_are_none(refused, version):
    assert "featuregroup_version=" in refused("get_featuregroup", "teams_features", featuregroup_version=version)
    assert "featuregroup_version=" in refused("create_featuregroup", LABELS, "g", featuregroup_version=version)
    asked = refused("get_training_dataset", "positions", training_dataset_version=version)
    assert "training_dataset_version=" in asked
    assert "get_latest_training_dataset_version" in asked


@pytest.mark.parametrize("version", [1, "1", np.int64(1), np.uint8(1)])
def test_versions_of_every_kind_of_whole_number(fs, sdk_gateway, version):
    sdk_gateway.on("GET", f"{GROUP}/rows", arrow_reply(TABLE))
    sdk_gateway.on("POST", f"{P}/feature-groups", json_reply(group(), 201))
    sdk_gateway.on("POST", f"{P}/training-datasets", json_reply(dataset(), 201))
    assert len(fs.get_featuregroup("teams_features", featuregroup_version=version)) == 2
    fs.create_featuregroup(LABELS, "teams_features", featuregroup_version=version)
    assert sdk_gateway.last().command["version"] == 1
    fs.create_training_dataset("positions", ["a"], training_dataset_version=version)
    assert sdk_gateway.last().json["version"] == 1


@pytest.mark.parametrize("value", [np.int64(3), np.int8(3), np.bool_(True)])
def test_what_numpy_computed_is_sent_as_it_is(fs, sdk_gateway, value):
    sdk_gateway.on("POST", f"{P}/queries", arrow_reply(TABLE))
    fs.get_features(["team_id"], featuregroups_version_dict={"teams_features": value}, as_of=3)
    assert sdk_gateway.last().json["feature_group_versions"] == {"teams_features": value}
    assert arguments.as_json({"tags": {"n": value}}) in {'{"tags": {"n": 3}}', '{"tags": {"n": true}}'}


def test_a_numpy_duration_is_no_number():
    assert arguments.plain(np.timedelta64(3, "D")) == np.timedelta64(3, "D")
    assert isinstance(arguments.plain(np.timedelta64(3, "ns")), np.timedelta64)


def test_what_json_cannot_hold(fs):
    with pytest.raises(InvalidInputError, match="is nothing that an argument can hold"):
        fs.create_featuregroup(LABELS, "g", tags={"owner": object()})
    with pytest.raises(InvalidInputError, match="a DataFrame is nothing that an argument can hold"):
        fs.sql("SELECT 1", featurestore=LABELS)


@pytest.mark.parametrize("features", [None, 5, [], [5], b"ab", [None]])
def test_features_are_names(refused, features):
    for function in ("get_features", "explain"):
        assert "names of one or more features" in refused(function, features)


def test_names_may_be_in_a_series(fs, sdk_gateway):
    sdk_gateway.on("POST", f"{P}/queries", arrow_reply(TABLE))
    sdk_gateway.on("POST", f"{P}/training-datasets", json_reply(dataset(), 201))
    fs.get_features(pd.Series(["team_id"]))
    assert sdk_gateway.last().json == {"features": ["team_id"]}
    fs.create_training_dataset("td", pd.Series(["team_id"]))
    assert sdk_gateway.last().json["query"] == {"features": ["team_id"]}


def test_labels_and_features_the_wrong_way_round(refused):
    for labels in (LABELS, TABLE, TABLE.to_pydict(), TABLE.to_pylist()):
        asked = refused("get_features", labels, ["budget"])
        assert "and not a" in asked
        assert "spine=labels" in asked
    asked = refused("get_features", ["budget"], LABELS)
    assert "featurestore= is a DataFrame" in asked
    assert "spine=" in asked


def test_what_says_something_by_name_is_a_dict(refused, fs):
    asked = refused("get_features", ["budget"], joins=fs.Join(prefix="x_"))
    assert "joins= is a Join" in asked
    assert 'joins={"teams_features": Join(…)}' in asked
    assert "featuregroups_version_dict= is a list" in refused("get_features", ["budget"], None, ["teams_features"])


@pytest.mark.parametrize(
    ("types", "said"), [(["z"], "is a list"), ("z", "is a str"), ({"z": int}, "'z': <class 'int'>"), ({1: "INT"}, "1:")]
)
def test_types_are_texts_by_name(refused, types, said):
    for function, *others, argument in (
        ("append_features", "teams_features", "features"),
        ("create_featuregroup", None, "teams_features", "schema"),
        ("create_featuregroup", LABELS, "teams_features", "schema"),
    ):
        asked = refused(function, *others, **{argument: types})
        assert f"{argument}=" in asked
        assert said in asked
        assert f'{argument}={{"wins": "INT"}}' in asked


@pytest.mark.parametrize("kind", ["outer", "LEFT", "", 5])
def test_kinds_of_joins_are_checked_where_they_are_said(refused, fs, kind):
    for make in (lambda: fs.Join(how=kind), lambda: fs.get_features(["a"], joins={"g": {"how": kind}})):
        with pytest.raises(InvalidInputError, match=r"how=.* is no kind of join") as caught:
            make()
        assert caught.value.candidates == ("inner", "left")
    assert "join_type=" in refused("get_features", ["a"], join_type=kind)


def test_as_known_is_true_or_false(refused, fs, sdk_gateway):
    for known in ("no", "", 1, 0, None, date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)):
        asked = refused("get_features", ["a"], spine=LABELS, as_known=known)
        assert "as_known=" in asked
        assert "as_of=" in asked
    sdk_gateway.on("POST", f"{P}/queries", arrow_reply(TABLE))
    fs.get_features(["a"], spine="results", as_known=np.bool_(True))
    assert sdk_gateway.last().json["as_known"] is True
    fs.get_features(["a"], spine="results", as_known=np.bool_(False))
    assert "as_known" not in sdk_gateway.last().json


def test_the_argument_that_is_no_state_is_named(refused):
    assert "to_version='tt'" in refused("changes_between", "teams_features", 0, "tt")
    assert "from_version=1.5" in refused("changes_between", "teams_features", 1.5, 2)
    assert "0 is no name of a feature group" in refused("changes_between", 0, 2, "tt")
    asked = refused("get_featuregroup", "teams_features", as_of=date(2026, 3, 1))
    assert "datetime(2026, 3, 1, tzinfo=timezone.utc)" in asked
    assert 'tz="UTC"' in refused("get_featuregroup", "teams_features", as_of=np.datetime64("2026-03-01"))


@pytest.mark.parametrize("time", ["2026-03-01T12:00:00Z", "20260301T120000Z", "2026-03-01 12:00+01:00", "12"])
def test_texts_that_may_be_a_state_are_asked_for(fs, sdk_gateway, time):
    sdk_gateway.on("GET", f"{GROUP}/rows", arrow_reply(TABLE))
    fs.get_featuregroup("teams_features", as_of=time)
    assert sdk_gateway.last().query["as_of"] == time


def test_a_column_of_nulls_is_told_how_to_get_a_type(fs, sdk_gateway):
    nulls = {"field": "c", "message": "There is no feature type for Arrow's null."}
    sdk_gateway.on("POST", f"{P}/feature-groups", problem(422, "invalid-input", hint="Rename columns.", errors=[nulls]))
    with pytest.raises(RefusedInputError) as caught:
        fs.create_featuregroup({"id": [1], "c": [None]}, "g")
    assert 'schema={"c": "STRING"}' in str(caught.value)
    other = {"field": "C", "message": "cannot name a feature"}
    sdk_gateway.on("POST", f"{P}/feature-groups", problem(422, "invalid-input", hint="Rename columns.", errors=[other]))
    with pytest.raises(RefusedInputError) as caught:
        fs.create_featuregroup({"id": [1], "C": [1]}, "g")
    assert caught.value.hint == "Rename columns."


def test_names_with_other_odd_signs_are_the_gateways_to_refuse(fs, sdk_gateway):
    sdk_gateway.on("GET", f"{P}/feature-groups", page())
    fs.get_latest_featuregroup_version("a b")
    with pytest.raises(Exception, match="Nothing at GET"):
        fs.get_featuregroup("me?x#y")
    assert sdk_gateway.last().path == f"/api/v1{P}/feature-groups/me%3Fx%23y/versions/1/rows"


def test_a_long_value_is_not_shown():
    assert arguments.shown("x" * 100) == "a str"
    assert arguments.shown(LABELS) == "a DataFrame"
    assert arguments.shown(pathlib.PurePosixPath("x")) == "PurePosixPath('x')"
