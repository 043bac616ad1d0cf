import logging
from datetime import UTC, datetime, timedelta

import pytest

import hops.featurestore as fs_module
from hops.featurestore import default, errors
from hops.featurestore.credentials.errors import ApiKeyFileError
from hops.featurestore.credentials.local import ReadableKeyFileWarning
from hops.featurestore.identity import KeyExpiryWarning, KeyOfOtherProjectError
from tests.cloud_sdk.gateway import json_reply, me, page, problem


@pytest.fixture
def sdk_connect(sdk_url, sdk_key_file):
    """`fs.connect` itself, as a notebook calls it."""

    def connect(project="football", **changes):
        return fs_module.connect(
            sdk_url, project, **{"secrets_store": "local", "api_key_file": str(sdk_key_file), **changes}
        )

    yield connect
    if default._current:
        default.default_connection().close()
    default.forget_connection()


def test_connect_makes_the_default_connection_and_says_so(sdk_connect, sdk_key_file, capsys, caplog):
    with caplog.at_level(logging.INFO, "hops"):
        connection = sdk_connect()
    assert default.default_connection() is connection
    line = f"Connected to project football at 127.0.0.1, with the API key from local file: {sdk_key_file}"
    assert capsys.readouterr().out == line + "\n"
    assert caplog.messages == [line]
    assert connection.identity.role == "data_owner"


def test_a_connection_closes_behind_its_block(sdk_open, sdk_url):
    with sdk_open(sdk_url) as connection:
        assert connection.project == "football"
    with pytest.raises(errors.NotConnectedError, match="closed"):
        connection.get_featuregroups()


def test_quiet_prints_nothing(sdk_connect, capsys):
    sdk_connect(quiet=True)
    assert capsys.readouterr().out == ""


def test_the_last_connection_is_the_default(sdk_connect):
    first = sdk_connect(quiet=True)
    assert sdk_connect(quiet=True) is default.default_connection() is not first
    first.close()


def test_not_connected():
    with pytest.raises(errors.NotConnectedError, match=r"Call fs\.connect"):
        fs_module.get_featuregroups()


@pytest.mark.parametrize(
    ("project", "message"),
    [("venues", "belongs to project 'venues', not to 'football'"), (None, "belongs to no project")],
)
def test_a_key_of_another_project(sdk_connect, sdk_gateway, project, message):
    sdk_gateway.on("GET", "/me", json_reply(me(project)))
    with pytest.raises(KeyOfOtherProjectError, match=message):
        sdk_connect()
    assert default._current == []


def test_a_key_that_the_gateway_does_not_know(sdk_connect, sdk_gateway):
    sdk_gateway.on("GET", "/me", problem(401, "not-authenticated"))
    with pytest.raises(errors.NotAuthenticatedError):
        sdk_connect()


@pytest.mark.parametrize(("days", "warned"), [(13, True), (-1, True), (15, False)])
def test_a_key_that_expires_soon(sdk_connect, sdk_gateway, days, warned, recwarn):
    moment = datetime.now(UTC) + timedelta(days=days, hours=1)
    sdk_gateway.on("GET", "/me", json_reply(me(expires_at=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))))
    if warned:
        with pytest.warns(KeyExpiryWarning, match=f"expires in {max(days, 0)} days"):
            sdk_connect(quiet=True)
    else:
        sdk_connect(quiet=True)


def test_an_unknown_store(sdk_connect):
    with pytest.raises(
        errors.UnknownSecretStorageError, match="Did you mean: parameterstore, secretsmanager, databricks, local"
    ):
        sdk_connect(secrets_store="vault")


@pytest.mark.parametrize("content", [None, "", "\nsecond"])
def test_an_unusable_key_file(sdk_connect, tmp_path, content):
    path = tmp_path / "other.key"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ApiKeyFileError, match=r"other\.key"):
        sdk_connect(api_key_file=str(path))


def test_a_key_file_must_be_named(sdk_connect):
    with pytest.raises(ApiKeyFileError, match="needs api_key_file"):
        sdk_connect(api_key_file=None)


def test_a_key_file_that_others_can_read(sdk_connect, sdk_key_file):
    sdk_key_file.chmod(0o644)
    with pytest.warns(ReadableKeyFileWarning, match="chmod 600"):
        sdk_connect(quiet=True)


def test_names_of_feature_stores(fs, sdk_gateway):
    own = {"name": "football_featurestore", "project": "football", "shared": False}
    venues = {"name": "venues_featurestore", "project": "venues", "shared": True}
    sdk_gateway.on("GET", "/projects/football/featurestores", page(own, venues))
    sdk_gateway.on("GET", "/projects/venues/feature-groups", page())
    sdk_gateway.on("GET", "/projects/football/feature-groups", page())
    assert fs.project_featurestore() == "football_featurestore"
    assert fs.project_training_datasets_sink() == "football_Training_Datasets"
    assert fs.get_project_featurestores() == ["football_featurestore", "venues_featurestore"]
    assert fs.get_featuregroups("venues_featurestore") == []
    assert sdk_gateway.last().path == "/api/v1/projects/venues/feature-groups"
    before = len(sdk_gateway.asked)
    fs.get_featuregroups("football_featurestore")
    assert len(sdk_gateway.asked) == before + 1
    with pytest.raises(errors.FeaturestoreNotFound, match="venues_featurestore"):
        fs.get_featuregroups("absent_featurestore")


@pytest.mark.parametrize(("cached", "listings"), [(False, 2), (True, 1)])
def test_the_names_are_remembered_only_if_asked_to(sdk_open, sdk_url, sdk_gateway, cached, listings):
    venues = {"name": "venues_featurestore", "project": "venues", "shared": True}
    sdk_gateway.on("GET", "/projects/football/featurestores", page(venues))
    sdk_gateway.on("GET", "/projects/venues/feature-groups", page())
    connection = sdk_open(sdk_url, use_metadata_cache=cached)
    connection.get_featuregroups("venues_featurestore")
    connection.get_featuregroups("venues_featurestore")
    assert sdk_gateway.count("GET", "/projects/football/featurestores") == listings


def test_a_store_that_is_new_is_found_although_names_are_remembered(sdk_open, sdk_url, sdk_gateway):
    venues = {"name": "venues_featurestore", "project": "venues", "shared": True}
    sdk_gateway.on("GET", "/projects/football/featurestores", page(), page(venues))
    sdk_gateway.on("GET", "/projects/venues/feature-groups", page())
    connection = sdk_open(sdk_url, use_metadata_cache=True)
    assert connection.get_project_featurestores() == []
    assert connection.get_featuregroups("venues_featurestore") == []
