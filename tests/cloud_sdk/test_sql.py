"""fs.sql: what is asked, and what becomes of refusals."""

import pyarrow as pa
import pytest

from hops.featurestore import errors
from tests.cloud_sdk.gateway import arrow_reply, json_reply, problem

PATH = "/projects/football/sql"


def test_what_is_asked(fs, sdk_gateway):
    sdk_gateway.on("POST", PATH, arrow_reply(pa.table({"n": [42]})))
    assert fs.sql("SELECT 42 AS n")["n"].tolist() == [42]
    assert sdk_gateway.last("POST").json == {"query": "SELECT 42 AS n"}
    assert fs.sql("SELECT 1", "venues_featurestore", "numpy", dialect="hive").tolist() == [[42]]
    assert sdk_gateway.last("POST").json == {
        "query": "SELECT 1",
        "featurestore": "venues_featurestore",
        "dialect": "hive",
    }
    assert fs.sql("SELECT 1", as_="pyarrow").to_pydict() == {"n": [42]}


def test_a_question_is_asked_again_when_the_gateway_is_busy(fs, sdk_gateway, sdk_waits):
    sdk_gateway.on("POST", PATH, problem(503, "unavailable"), arrow_reply(pa.table({"n": [1]})))
    assert len(fs.sql("SELECT 1 AS n")) == 1
    assert len(sdk_waits) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (422, "query-invalid", errors.QueryInvalidError),
        (422, "query-refused", errors.QueryRefusedError),
        (413, "engine-limit", errors.EngineLimitError),
        (404, "feature-group-not-found", errors.FeatureGroupNotFoundError),
    ],
)
def test_refusals_by_code(fs, sdk_gateway, status, code, kind):
    sdk_gateway.on("POST", PATH, problem(status, code, "Line 1, column 8.", candidates=["teams_1"]))
    with pytest.raises(kind, match="Line 1, column 8") as refused:
        fs.sql("SELECT")
    assert (refused.value.code, refused.value.candidates) == (code, ("teams_1",))


def test_arguments_are_checked_before_anything_is_asked(fs, sdk_gateway):
    for wrong in (
        lambda: fs.sql(None),
        lambda: fs.sql(b"SELECT 1"),
        lambda: fs.sql("SELECT 1", dataframe_type="excel"),
        lambda: fs.explain_sql(1),
    ):
        with pytest.raises(errors.InvalidInputError):
            wrong()
    with pytest.raises(errors.NotSupportedError, match="online"):
        fs.sql("SELECT 1", None, "pandas", True)
    assert sdk_gateway.count("POST", PATH) == 0


def test_explain(fs, sdk_gateway):
    table = {
        "table": "teams_1", "project": "football", "featurestore": "football_featurestore", "name": "teams", "version": 1,
        "table_version": 4, "files": 2, "grant": "own project",
    }  # fmt: skip
    answer = {"sql": "SELECT * FROM teams_1 WHERE a < 2", "dialect": "duckdb", "tables": [table], "text": "1 table"}
    sdk_gateway.on("POST", f"{PATH}/explain", json_reply(answer), json_reply({**answer, "text": "", "new": 1}))
    explained = fs.explain_sql("SELECT * FROM teams_1 WHERE a < 2", "football_featurestore")
    assert sdk_gateway.last("POST").json["featurestore"] == "football_featurestore"
    assert repr(explained) == "1 table"
    assert explained.tables[0]["table_version"] == 4
    without_text = fs.explain_sql("SELECT * FROM teams_1 WHERE a < 2")
    assert "own project" in repr(without_text)
    assert "a &lt; 2" in explained._repr_html_()
    assert "read as duckdb" in explained._repr_html_()
