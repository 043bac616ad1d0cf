"""Databricks as the stand-in has it: secret scopes, and Spark by default where a session is."""

import sys

import pytest

from hops.featurestore.containers import resolve_container
from hops.featurestore.credentials import errors, find_key
from hops.featurestore.credentials.found import KeyRequest
from tests.cloud_sdk.gateway import KEY
from tests.lab.databricks_runtime import dbutils_of, ipython_with, pyspark_dbutils, sdk_runtime


class Session:
    """A Spark session, of which only the being there matters here."""


@pytest.fixture
def nowhere(monkeypatch):
    """Neither Databricks nor a notebook, whatever other tests have started."""
    monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)
    for name in ("IPython", "pyspark.sql", "pyspark.sql.connect.session", "pyspark.dbutils", "databricks.sdk.runtime"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return monkeypatch


@pytest.fixture
def on_databricks(nowhere):
    nowhere.setenv("DATABRICKS_RUNTIME_VERSION", "15.4")
    return nowhere


def find(**changes):
    return find_key("databricks", KeyRequest("football", **changes))


def test_the_key_is_the_projects_in_the_usual_scope(on_databricks):
    on_databricks.setitem(
        sys.modules, "IPython", ipython_with(dbutils=dbutils_of({"hopsworks": {"football": KEY + "\n"}}))
    )
    found = find()
    assert (found.key.reveal(), found.store, found.name) == (KEY, "Databricks secret scope", "hopsworks/football")


def test_scope_and_key_can_be_others(on_databricks):
    on_databricks.setitem(sys.modules, "IPython", ipython_with(dbutils=dbutils_of({"ml": {"oast": KEY}})))
    assert find(scope="ml", name="oast").name == "ml/oast"


def test_jobs_have_it_by_the_session(on_databricks):
    utilities = dbutils_of({"hopsworks": {"football": KEY}})
    on_databricks.setitem(sys.modules, "pyspark.dbutils", pyspark_dbutils(utilities))
    on_databricks.setattr(sys.modules["__main__"], "spark", Session(), raising=False)
    assert find().key.reveal() == KEY


def test_serverless_compute_has_it_by_the_sdk(on_databricks):
    for name in ("databricks", "databricks.sdk"):
        on_databricks.setitem(sys.modules, name, type(sys)(name))
    on_databricks.setitem(
        sys.modules, "databricks.sdk.runtime", sdk_runtime(dbutils_of({"hopsworks": {"football": KEY}}))
    )
    assert find().key.reveal() == KEY


@pytest.mark.parametrize(
    ("utilities", "error", "said"),
    [
        (dbutils_of({}), errors.SecretNotFoundError, "create-scope hopsworks"),
        (dbutils_of({"hopsworks": {"venues": "x"}}), errors.SecretNotFoundError, "put-secret hopsworks football"),
        (dbutils_of({}, frozenset({"hopsworks"})), errors.SecretAccessDeniedError, "put-acl hopsworks"),
        (dbutils_of({"hopsworks": {"football": " "}}), errors.SecretContentError, "is empty"),
        (object(), errors.SecretStoreUnavailableError, "cannot be read"),
    ],
    ids=["no-scope", "no-secret", "closed", "empty", "other"],
)
def test_each_refusal_says_what_to_do(on_databricks, utilities, error, said):
    on_databricks.setitem(sys.modules, "IPython", ipython_with(dbutils=utilities))
    with pytest.raises(error) as caught:
        find()
    assert said in str(caught.value)
    assert caught.value.__context__ is None


def test_elsewhere_there_is_none(nowhere):
    with pytest.raises(errors.DatabricksNotFoundError, match="no dbutils"):
        find()


def test_frames_are_sparks_where_databricks_runs_a_session(on_databricks):
    on_databricks.setitem(sys.modules, "IPython", ipython_with(spark=Session()))
    assert resolve_container() == resolve_container(None) == resolve_container("default") == "spark"
    assert resolve_container("pandas") == resolve_container(as_="pandas") == "pandas"


def test_frames_are_pandas_on_databricks_without_a_session(on_databricks):
    assert resolve_container() == "pandas"


def test_frames_are_pandas_elsewhere_even_with_a_session(nowhere):
    nowhere.setitem(sys.modules, "IPython", ipython_with(spark=Session()))
    assert resolve_container() == resolve_container(None) == "pandas"
    assert "pyspark.sql" not in sys.modules


@pytest.mark.parametrize("name", ["pyspark.sql", "pyspark.sql.connect.session"])
def test_classic_and_connect_sessions_are_found(on_databricks, name):
    module = type(sys)(name)
    module.SparkSession = type("SparkSession", (), {"getActiveSession": staticmethod(Session)})
    on_databricks.setitem(sys.modules, name, module)
    assert resolve_container() == "spark"
