"""What `connect` does where arguments are left out: environment, profile, then the stores of the platform."""

import socket
import sys
import time

import pytest

import hops.featurestore as fs_module
from hops.featurestore import default, errors
from hops.featurestore.credentials.errors import (
    ApiKeyNotFoundError,
    AwsCredentialsMissingError,
    SecretContentError,
    SecretStoreUnavailableError,
)
from hops.featurestore.destinations import Wanted, resolve
from hops.featurestore.profiles import VARIABLES, ProfileError
from tests.cloud_sdk.gateway import KEY, json_reply, me, problem
from tests.cloud_sdk.test_credentials_aws import (  # noqa: F401 - fixtures
    ROLE,
    refuse,
    sdk_account,
    sdk_moto,
    sdk_refusing_aws,
    use_aws,
)
from tests.lab.databricks_runtime import dbutils_of, ipython_with

OTHER = KEY.replace("0123456789", "9876543210")


@pytest.fixture
def blank(monkeypatch, tmp_path):
    """Neither variables nor a profile nor AWS."""
    for name in (*VARIABLES.values(), "OAST_PROFILE", "DATABRICKS_RUNTIME_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    return monkeypatch


@pytest.fixture
def no_aws(blank):
    use_aws(blank, "http://127.0.0.1:1")
    blank.delenv("AWS_ACCESS_KEY_ID")
    blank.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def connect(blank):
    opened = []

    def connect(*arguments, **named):
        opened.append(fs_module.connect(*arguments, **named))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
    default.forget_connection()


def write_profile(home, text, mode=0o600):
    path = home / ".oasthouse" / "profiles.ini"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def sent_key(gateway):
    return gateway.last().headers["Authorization"].removeprefix("ApiKey ")


def test_everything_from_the_environment(blank, connect, sdk_url, sdk_gateway, capsys):
    blank.setenv("OAST_HOST", sdk_url)
    blank.setenv("OAST_PROJECT", "football")
    blank.setenv("OAST_API_KEY", f" {KEY}\n")
    connect()
    assert sent_key(sdk_gateway) == KEY
    said = capsys.readouterr().out
    assert said == (
        "Connected to project football at 127.0.0.1, with the API key from environment: OAST_API_KEY "
        "(host from OAST_HOST, project from OAST_PROJECT)\n"
    )
    assert KEY not in said


def test_everything_from_a_profile(connect, tmp_path, sdk_url, sdk_gateway, capsys):
    write_profile(tmp_path, f"[default]\nhost = {sdk_url}\nproject = football\napi_key = {KEY}\n")
    connect()
    assert sent_key(sdk_gateway) == KEY
    assert (
        "with the API key from profile default: profile default in ~/.oasthouse/profiles.ini" in capsys.readouterr().out
    )


def test_a_named_profile(blank, connect, tmp_path, sdk_url, sdk_key_file):
    other = "[default]\nhost = nowhere.example.com\n"
    profiles = f"{other}[lab]\nhost = {sdk_url}\nproject = football\napi_key_file = {sdk_key_file}\n"
    write_profile(tmp_path, profiles, 0o644)  # a file without a key may be anybody's to read
    blank.setenv("OAST_PROFILE", "lab")
    assert connect(quiet=True).project == "football"


def test_argument_before_environment_before_profile(blank, connect, tmp_path, sdk_url, sdk_gateway, sdk_key_file):
    write_profile(tmp_path, f"[default]\nhost = nowhere.example.com\nproject = hockey\napi_key = {OTHER}\n")
    blank.setenv("OAST_PROJECT", "football")
    blank.setenv("OAST_API_KEY", OTHER)
    connect(sdk_url, api_key_file=str(sdk_key_file), quiet=True)
    assert sent_key(sdk_gateway) == KEY
    blank.setenv("OAST_API_KEY", KEY)
    connect(sdk_url, quiet=True)
    assert sent_key(sdk_gateway) == KEY


@pytest.mark.parametrize("source", ["environment", "profile"])
def test_a_key_beside_a_host_goes_to_no_other_host(blank, no_aws, connect, tmp_path, sdk_url, sdk_gateway, source):
    if source == "profile":
        write_profile(tmp_path, f"[default]\nhost = gateway.example.com\napi_key = {KEY}\n")
    else:
        blank.setenv("OAST_HOST", "gateway.example.com")
        blank.setenv("OAST_API_KEY", KEY)
    with pytest.raises(AwsCredentialsMissingError):
        connect(sdk_url, "football")
    assert sdk_gateway.asked == []


def test_the_original_call_asks_parameter_store_alone(connect, sdk_account, sdk_url, sdk_gateway):  # noqa: F811
    sdk_account.store("secretsmanager", sdk_account.project_secret, OTHER)
    sdk_account.store("parameterstore", sdk_account.project_secret, KEY)
    connect(sdk_url, "football", quiet=True)
    assert sent_key(sdk_gateway) == KEY


@pytest.mark.parametrize("store", ["secretsmanager", "parameterstore"])
def test_the_stores_are_searched_in_turn(blank, connect, sdk_account, sdk_url, sdk_gateway, capsys, store):  # noqa: F811
    blank.setenv("OAST_HOST", sdk_url)
    blank.setenv("OAST_REGION", "eu-west-1")
    sdk_account.store("parameterstore", sdk_account.project_secret, OTHER if store == "secretsmanager" else KEY)
    if store == "secretsmanager":
        sdk_account.store(store, sdk_account.project_secret, KEY)
    connect(project_name="football")
    assert sent_key(sdk_gateway) == KEY
    named = {"secretsmanager": "Secrets Manager", "parameterstore": "Parameter Store"}[store]
    assert f"from {named}" in capsys.readouterr().out


def test_a_store_that_is_chosen_is_the_only_one(blank, connect, sdk_account, sdk_url, sdk_gateway):  # noqa: F811
    blank.setenv("OAST_HOST", sdk_url)
    blank.setenv("OAST_API_KEY", OTHER)
    sdk_account.store("parameterstore", sdk_account.project_secret, KEY)
    connect(project_name="football", secrets_store="parameterstore", quiet=True)
    assert sent_key(sdk_gateway) == KEY


def test_the_scope_of_databricks_comes_last(blank, no_aws, connect, sdk_url, sdk_gateway, capsys):
    blank.setenv("OAST_HOST", sdk_url)
    blank.setitem(sys.modules, "IPython", ipython_with(dbutils=dbutils_of({"hopsworks": {"football": KEY}})))
    connect(project_name="football")
    assert "from Databricks secret scope: hopsworks/football" in capsys.readouterr().out
    assert sent_key(sdk_gateway) == KEY


def test_no_key_anywhere_says_what_each_place_answered(blank, no_aws, connect, sdk_url):
    blank.setenv("OAST_HOST", sdk_url)
    with pytest.raises(ApiKeyNotFoundError) as caught:
        connect(project_name="football")
    said = str(caught.value)
    assert all(
        part in said
        for part in ("OAST_API_KEY_FILE", "secretsmanager: boto3 found no usable", "databricks: There is no")
    )


def test_whoever_is_refused_everywhere_is_shown_the_first_statement(blank, connect, sdk_refusing_aws, sdk_url):  # noqa: F811
    blank.setenv("OAST_HOST", sdk_url)
    asked = refuse(sdk_refusing_aws, "AccessDeniedException")
    with pytest.raises(ApiKeyNotFoundError, match="secretsmanager:GetSecretValue") as caught:
        connect(project_name="football")
    assert len(asked) == 2
    assert ROLE in caught.value.hint


def test_an_outage_ends_the_search(blank, connect, sdk_refusing_aws, sdk_url):  # noqa: F811
    blank.setenv("OAST_HOST", sdk_url)
    asked = refuse(sdk_refusing_aws, "InternalServiceError", "we are sorry", 500)
    with pytest.raises(SecretStoreUnavailableError):
        connect(project_name="football")
    assert {"SecretId"} == {name for each in asked for name in each}, "Parameter Store was not asked"


def test_a_broken_secret_ends_the_search(blank, connect, sdk_account, sdk_url):  # noqa: F811
    blank.setenv("OAST_HOST", sdk_url)
    sdk_account.store("secretsmanager", sdk_account.project_secret, text="{}")
    sdk_account.store("parameterstore", sdk_account.project_secret, KEY)
    with pytest.raises(SecretContentError):
        connect(project_name="football")


def test_a_laptop_does_not_wait_for_the_metadata_of_a_machine_in_aws(blank, connect, sdk_url):
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections and never answers
    try:
        use_aws(blank, "http://127.0.0.1:1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
            blank.delenv(name)
        blank.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        blank.setenv("OAST_HOST", sdk_url)
        started = time.monotonic()
        with pytest.raises(ApiKeyNotFoundError):
            connect(project_name="football")
        assert time.monotonic() - started < 8
    finally:
        silent.close()


def test_nothing_named_asks_nobody(blank, connect):
    with pytest.raises(errors.InvalidInputError, match="No gateway is named") as caught:
        connect()
    assert "OAST_HOST" in caught.value.hint
    with pytest.raises(errors.InvalidInputError, match="No project is named"):
        connect("gateway.example.com")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_profile_file_with_a_key_is_nobody_elses(connect, tmp_path, mode):
    write_profile(tmp_path, f"[default]\nhost = h\nproject = p\n[other]\napi_key = {KEY}\n", mode)
    with pytest.raises(ProfileError, match="chmod 600"):
        connect()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"api_key = {KEY}\n", "line 1 is no profile file: MissingSectionHeaderError"),
        (f"[default]\napi_key = {KEY}\napi_key = {KEY}\n", "line 3 is no profile file: DuplicateOptionError"),
        (f"[default]\n{KEY}\n", "is no profile file: ParsingError"),
        ("[default]\nhots = gateway\n", "sets hots, which is nothing"),
    ],
)
def test_a_broken_profile_file_is_described_but_not_shown(connect, tmp_path, text, said):
    write_profile(tmp_path, text)
    with pytest.raises(ProfileError, match=said) as caught:
        connect()
    assert KEY not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_unknown_profile(blank, connect, tmp_path):
    blank.setenv("OAST_PROFILE", "lab")
    with pytest.raises(ProfileError, match="names 'lab', but there is no file"):
        connect()
    write_profile(tmp_path, "[default]\nhost = h\n")
    with pytest.raises(ProfileError, match="Did you mean: default"):
        connect()


def test_who_says_everything_needs_no_profile_file(connect, tmp_path, sdk_url, sdk_key_file):
    write_profile(tmp_path, "broken")
    connect(sdk_url, "football", secrets_store="local", api_key_file=str(sdk_key_file), quiet=True)


def test_presets_print_no_key(blank):
    blank.setenv("OAST_API_KEY", KEY)
    assert KEY not in repr(resolve(Wanted("gateway.example.com", "football")))


def test_a_key_that_is_no_longer_accepted_is_named_with_who_can_see_why(connect, sdk_url, sdk_gateway, sdk_key_file):
    sdk_gateway.on("GET", "/me", problem(401, "not-authenticated"))
    with pytest.raises(errors.NotAuthenticatedError, match="API key 0123456789 from local file") as caught:
        connect(sdk_url, "football", api_key_file=str(sdk_key_file))
    assert "oast key list football" in str(caught.value)
    assert "abcdefghij" not in str(caught.value)
    sdk_key_file.write_text("not a key\n")
    with pytest.raises(errors.NotAuthenticatedError, match="which is no API key"):
        connect(sdk_url, "football", api_key_file=str(sdk_key_file))


def test_a_connection_made_from_presets_is_the_default_one(blank, connect, sdk_url, sdk_gateway, sdk_key_file):
    sdk_gateway.on("GET", "/me", json_reply(me("venues")))
    blank.setenv("OAST_HOST", sdk_url)
    blank.setenv("OAST_API_KEY_FILE", str(sdk_key_file))
    assert connect(project_name="venues", quiet=True) is default.default_connection()
