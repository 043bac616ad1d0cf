"""Rules from lists, pandera and Great Expectations; what is asked of the gateway, and what is made of its answers."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hops.featurestore import default
from hops.featurestore.errors import InvalidInputError, ValidationFailedError
from hops.featurestore.expectation_rules import expectations_of, rules_of
from hops.featurestore.validations import Expectations
from tests.cloud_sdk.gateway import json_reply, page, problem

GROUP = "/projects/football/feature-groups/players/versions/1"
NOT_NULL = {"rule": "not_null", "columns": ["id"]}
# As `ExpectationSuite.to_json_dict()` writes one in Great Expectations 1.x …
SUITE = {
    "name": "players",
    "id": "5e1b4b57-0a0c-4b4e-9d53-0d8a5f1f7a11",
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}, "meta": {}, "severity": "critical"},
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "age", "min_value": 16, "max_value": 50.5, "strict_max": True, "mostly": 1.0},
            "meta": {"notes": "adults"},
            "id": "a",
        },
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "position", "value_set": ["goal", "wing"]}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}, "meta": {}},
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "email", "regex": "@", "mostly": None}},
        {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["id", "day"]}, "meta": {}},
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1, "max_value": 9}, "meta": {}},
    ],
    "meta": {"great_expectations_version": "1.5.5"},
    "notes": None,
}
RULES_OF_SUITE = [
    NOT_NULL,
    {"rule": "range", "column": "age", "min": 16, "max": 50.5, "exclusive_max": True},
    {"rule": "in_set", "column": "position", "values": ["goal", "wing"]},
    {"rule": "unique", "columns": ["id"]},
    {"rule": "regex", "column": "email", "pattern": "@"},
    {"rule": "unique", "columns": ["id", "day"]},
    {"rule": "row_count", "min": 1, "max": 9},
]


def old(suite):
    """… and in 0.18."""
    renamed = [
        {"expectation_type": each["type"], "kwargs": each["kwargs"], "meta": {}} for each in suite["expectations"]
    ]
    return {
        "expectation_suite_name": suite["name"],
        "ge_cloud_id": None,
        "data_asset_type": None,
        "expectations": renamed,
        "meta": {"great_expectations_version": "0.18.21"},
    }


def suite_of(kind, severity=None, **kwargs):
    return {"name": "s", "expectations": [{"type": kind, "kwargs": kwargs, "severity": severity}]}


class TestLists:
    def test_values_that_json_has_not(self):
        rules = [
            {"rule": "range", "column": "day", "min": date(2020, 1, 1), "max": pd.Timestamp("2021-01-01", tz="UTC")},
            {"rule": "range", "column": "price", "min": Decimal("1.10"), "max": np.int8(5)},
            {"rule": "in_set", "column": "score", "values": np.array([1.5, 2])},
            {"rule": "not_null", "columns": ("id",)},
        ]
        assert json.loads(json.dumps(rules_of(rules))) == [
            {"rule": "range", "column": "day", "min": "2020-01-01", "max": "2021-01-01T00:00:00+00:00"},
            {"rule": "range", "column": "price", "min": "1.10", "max": 5},
            {"rule": "in_set", "column": "score", "values": [1.5, 2.0]},
            NOT_NULL,
        ]

    @pytest.mark.parametrize("given", [None, 5, "not json", ["not_null"], {"id": "not null"}, pd.DataFrame({"a": [1]})])
    def test_what_is_no_rule(self, given):
        with pytest.raises(InvalidInputError):
            rules_of(given)

    def test_a_pattern_is_text(self):
        with pytest.raises(InvalidInputError, match="compiled"):
            rules_of([{"rule": "regex", "column": "a", "pattern": re.compile("a")}])


class TestGreatExpectations:
    @pytest.mark.parametrize("suite", [SUITE, old(SUITE)], ids=["1.x", "0.18"])
    def test_every_known_expectation(self, suite):
        assert rules_of(suite) == RULES_OF_SUITE
        assert rules_of(json.dumps(suite)) == RULES_OF_SUITE
        assert rules_of(SimpleNamespace(to_json_dict=lambda: suite)) == RULES_OF_SUITE

    @pytest.mark.parametrize(
        ("suite", "named"),
        [
            (suite_of("expect_column_mean_to_be_between", column="a"), "expect_column_mean_to_be_between"),
            (suite_of("expect_column_values_to_not_be_null", column="a", mostly=0.9), r"mostly=0\.9"),
            (suite_of("expect_column_values_to_be_unique", column="a", row_condition="b>1"), "row_condition"),
            (suite_of("expect_column_values_to_be_unique", "warning", column="a"), "severity"),
            (suite_of("expect_column_values_to_be_between", column="a", min_value={"$PARAMETER": "x"}), "PARAMETER"),
            (suite_of("expect_compound_columns_to_be_unique", column_list=["a"], ignore_row_if="never"), "never"),
            (suite_of("expect_table_row_count_to_be_between", min_value=1, strict_min=True), "strict_min"),
            (suite_of("expect_column_values_to_be_in_set", column="a"), "value_set"),
        ],
    )
    def test_what_has_no_counterpart_is_named(self, suite, named):
        with pytest.raises(InvalidInputError, match=named):
            rules_of(suite)

    def test_nulls_are_left_to_not_null(self):
        asked = suite_of(
            "expect_compound_columns_to_be_unique", column_list=["a"], ignore_row_if="any_value_is_missing"
        )
        assert rules_of(asked) == [{"rule": "unique", "columns": ["a"]}]


def check(function, statistics=None, **changes):
    """As pandera's own checks look from outside."""
    of_pandera = SimpleNamespace(__name__=function, __module__="pandera.api.function_dispatch")
    values = {"name": function, "ignore_na": True, "raise_warning": False, "groupby": None, **changes}
    return SimpleNamespace(_check_fn=of_pandera, statistics=statistics or {}, **values)


def column(name, *checks, nullable=True, unique=False, **changes):
    values = {"parsers": [], "regex": False, **changes}
    return SimpleNamespace(name=name, checks=list(checks), nullable=nullable, unique=unique, **values)


def schema(*columns, unique=None, checks=(), index=None):
    named = {each.name: each for each in columns}
    return SimpleNamespace(columns=named, unique=unique, checks=list(checks), index=index, parsers=[])


class TestPanderaByItsAttributes:
    def test_every_known_check(self):
        found = rules_of(
            schema(
                column("id", nullable=False, unique=True),
                column("a", check("in_range", {"min_value": 0, "max_value": 5, "include_min": False})),
                column("b", check("greater_than", {"min_value": 0}), check("less_than", {"max_value": 9})),
                column("c", check("isin", {"allowed_values": frozenset({"x"})}, name="mine")),
                column("d", check("str_matches", {"pattern": re.compile("a", re.IGNORECASE)})),
                unique="id",
            )
        )
        assert found == [
            {"rule": "unique", "columns": ["id"]},
            NOT_NULL,
            {"rule": "unique", "columns": ["id"]},
            {"rule": "range", "column": "a", "min": 0, "max": 5, "exclusive_min": True},
            {"rule": "range", "column": "b", "min": 0, "exclusive_min": True},
            {"rule": "range", "column": "b", "max": 9, "exclusive_max": True},
            {"rule": "in_set", "column": "c", "values": ["x"], "name": "mine"},
            {"rule": "regex", "column": "d", "pattern": r"\A(?i)(?:a)"},
        ]

    @pytest.mark.parametrize(
        ("given", "named"),
        [
            (schema(column("a", check("str_length", {"min_value": 1}))), "str_length"),
            (schema(column("a", check("isin", {"allowed_values": [1]}, raise_warning=True))), "only warns"),
            (schema(column("a", check("isin", {"allowed_values": [1]}, ignore_na=False))), "ignore_na"),
            (schema(column("a", regex=True)), "patterns"),
            (schema(column("a", parsers=["strip"])), "parsers"),
            (schema(column("a"), checks=["whole"]), "whole frame"),
            (schema(column("a"), index="Index"), "index"),
            (schema(column("a", default=0)), "default"),
            (schema(column("a", check("str_matches", {"pattern": re.compile("a", re.VERBOSE)}))), "flags"),
        ],
    )
    def test_what_has_no_counterpart_is_named(self, given, named):
        with pytest.raises(InvalidInputError, match=named):
            rules_of(given)

    def test_a_function_of_the_callers_own_is_not_taken_for_panderas(self):
        def isin(values):
            return values == 1

        mine = check("isin", {"allowed_values": [1]})
        mine._check_fn = isin
        with pytest.raises(InvalidInputError, match="isin"):
            rules_of(schema(column("a", mine)))


@pytest.mark.filterwarnings("ignore")  # what it imports on its way is not ours to mend
class TestPanderaItself:
    @pytest.fixture
    def pandera(self):
        return pytest.importorskip("pandera.pandas")

    def test_a_schema(self, pandera):
        found = rules_of(
            pandera.DataFrameSchema(
                {
                    "id": pandera.Column(int, unique=True),
                    "age": pandera.Column(
                        float, [pandera.Check.in_range(0, 120, include_max=False), pandera.Check.ge(1)], nullable=True
                    ),
                    "position": pandera.Column(str, pandera.Check.isin(["goal"]), nullable=True),
                    "email": pandera.Column(str, pandera.Check.str_matches(r".+@"), nullable=True, required=False),
                },
                unique=["id", "age"],
            )
        )
        assert found == [
            {"rule": "unique", "columns": ["id", "age"]},
            NOT_NULL,
            {"rule": "unique", "columns": ["id"]},
            {"rule": "range", "column": "age", "min": 0, "max": 120, "exclusive_max": True},
            {"rule": "range", "column": "age", "min": 1},
            {"rule": "in_set", "column": "position", "values": ["goal"]},
            {"rule": "regex", "column": "email", "pattern": r"\A(?:.+@)"},
        ]

    def test_a_model(self, pandera):
        class Players(pandera.DataFrameModel):
            id: int = pandera.Field(gt=0, lt=10)
            born: datetime = pandera.Field(le=datetime(2020, 1, 1, tzinfo=UTC), nullable=True)

        assert rules_of(Players) == [
            NOT_NULL,
            {"rule": "range", "column": "id", "min": 0, "exclusive_min": True},
            {"rule": "range", "column": "id", "max": 10, "exclusive_max": True},
            {"rule": "range", "column": "born", "max": "2020-01-01T00:00:00+00:00"},
        ]

    def test_what_has_no_counterpart(self, pandera):
        class Players(pandera.DataFrameModel):
            id: int

            @pandera.check("id")
            def odd(cls, values):  # noqa: N805
                return values % 2 == 1

        for given in (
            Players,
            pandera.DataFrameSchema({"a": pandera.Column(int, pandera.Check(lambda values: values > 0))}),
            pandera.DataFrameSchema({"a": pandera.Column(str, pandera.Check.str_contains("x"))}),
            pandera.DataFrameSchema({"a": pandera.Column(int)}, checks=pandera.Check(lambda frame: frame.empty)),
            pandera.DataFrameSchema({"a": pandera.Column(int)}, index=pandera.Index(int, name="i")),
            pandera.DataFrameSchema({"a": pandera.Column(int, default=0)}),
            pandera.DataFrameSchema({"a": pandera.Column(int)}, drop_invalid_rows=True),
            pandera.DataFrameSchema({"a.*": pandera.Column(int, regex=True)}),
        ):
            with pytest.raises(InvalidInputError, match="no rule"):
                rules_of(given)


@pytest.mark.parametrize(
    ("given", "expectations"),
    [
        ([NOT_NULL], {"policy": "strict", "rules": [NOT_NULL]}),
        ({"policy": "report", "rules": [NOT_NULL]}, {"policy": "report", "rules": [NOT_NULL]}),
        (Expectations("report", [NOT_NULL], 4), {"policy": "report", "rules": [NOT_NULL]}),
        (SUITE, {"policy": "strict", "rules": RULES_OF_SUITE}),
        (schema(column("id", nullable=False)), {"policy": "strict", "rules": [NOT_NULL]}),
        (Expectations("strict", []), {}),
    ],
    ids=["rules", "with a policy", "those of another group", "suite", "pandera", "none"],
)
def test_of_a_group_that_is_made(given, expectations):
    assert expectations_of(given) == expectations


class TestAsked:
    def test_set_get_and_remove(self, fs, sdk_gateway):
        stored = {"policy": "report", "rules": [NOT_NULL], "revision": 3, "a_field_of_a_newer_gateway": 1}
        sdk_gateway.on("PUT", f"{GROUP}/expectations", json_reply(stored))
        sdk_gateway.on("GET", f"{GROUP}/expectations", json_reply(stored))
        sdk_gateway.on("DELETE", f"{GROUP}/expectations", json_reply({}))
        assert fs.set_expectations("players", [NOT_NULL], policy="report").revision == 3
        assert sdk_gateway.last().json == {"policy": "report", "rules": [NOT_NULL]}
        found = fs.get_expectations("players")
        assert (found.policy, found.rules) == ("report", [NOT_NULL])
        fs.set_expectations("players", found)
        assert sdk_gateway.last().json == {"policy": "strict", "rules": [NOT_NULL]}
        fs.remove_expectations("players")
        assert sdk_gateway.last().method == "DELETE"

    def test_another_policy_is_refused_before_anything_is_asked(self, fs, sdk_gateway):
        asked = len(sdk_gateway.asked)
        with pytest.raises(InvalidInputError, match="lenient"):
            fs.set_expectations("players", [NOT_NULL], policy="lenient")
        assert len(sdk_gateway.asked) == asked

    def test_validations(self, fs, sdk_gateway):
        result = {
            "rule": "range", "name": None, "columns": ["age"], "description": "age is at least 16", "passed": False,
            "rows_passed": 1, "rows_failed": 1, "examples": [{"row": 0, "column": "age", "value": "3"}],
        }  # fmt: skip
        report = {
            "id": "r", "of": "insert", "table_version": None, "policy": "strict", "passed": False, "rows": 2,
            "results": [result], "at": "2026-03-01T12:00:00Z", "by": "ada",
        }  # fmt: skip
        fine = {**report, "passed": True, "table_version": 4, "results": [{**result, "passed": True}]}
        sdk_gateway.on("GET", f"{GROUP}/validations", page(report, fine))
        rejected, kept = fs.get_validations("players")
        assert rejected.failed[0].examples[0]["value"] == "3"
        assert repr(rejected) == "Validation(rejected insert, 2 rows: age is at least 16)"
        assert repr(kept) == "Validation(insert at version 4, 2 rows: all rules hold)"
        assert pd.DataFrame([vars(each) for each in (rejected, kept)])["passed"].tolist() == [False, True]

    def test_a_run_is_started_once(self, fs, sdk_gateway):
        lost = problem(503, "storage-unavailable", retryable=True)
        sdk_gateway.on("POST", f"{GROUP}/validations", lost, json_reply({"id": "r1", "state": "queued"}, 202))
        assert fs.validate_featuregroup("players") == {"id": "r1", "state": "queued"}
        keys = {asked.headers["Idempotency-Key"] for asked in sdk_gateway.asked if asked.method == "POST"}
        assert (len(keys), sdk_gateway.count("POST", f"{GROUP}/validations")) == (1, 2)

    def test_what_is_wrong_is_readable(self, fs, sdk_gateway):
        errors = [
            {
                "field": "age", "message": "2 of 9 rows fail: age is at least 16", "rule": "range", "rows_failed": 2,
                "examples": [{"row": 4, "column": "age", "value": "3"}, {"row": 7, "column": "age", "value": None}],
            },
            {"field": "rows", "message": "there are at least 10 rows", "examples": []},
        ]  # fmt: skip
        detail = "2 of 2 rules fail: adults; many. Nothing was written."
        sdk_gateway.on("POST", f"{GROUP}/rows", problem(422, "validation-failed", detail, errors=errors))
        with pytest.raises(ValidationFailedError) as refused:
            fs.insert_into_featuregroup(pa.table({"age": [3]}), "players")
        assert isinstance(refused.value, InvalidInputError)
        assert str(refused.value).splitlines()[:3] == [
            detail,
            "  - age: 2 of 9 rows fail: age is at least 16; such as 3 in row 4, null in row 7",
            "  - rows: there are at least 10 rows",
        ]


def test_against_a_gateway(live_world):
    live_world.projects("football")
    with live_world.connect("football") as connection:
        frame = pd.DataFrame(
            {"id": [1, 2], "email": ["a@b", "c@d"], "born": pd.to_datetime(["2000-01-01"] * 2, utc=True)}
        )
        connection.create_featuregroup(frame, "players")
        rules = [
            *rules_of(schema(column("email", check("str_matches", {"pattern": re.compile("[A-Z]@", re.IGNORECASE)})))),
            {"rule": "range", "column": "born", "min": pd.Timestamp("1990-01-01")},
            {"rule": "unique", "columns": ["id"], "name": "one each"},
        ]
        connection.set_expectations("players", rules)
        with pytest.raises(ValidationFailedError, match="one each") as refused:
            connection.insert_into_featuregroup(frame.assign(id=3, email="@"), "players")
        assert "3 in row 0" in str(refused.value)
        done = connection.insert_into_featuregroup(frame.assign(id=[3, 4]), "players")
        assert done.validation["passed"]
        run = connection.validate_featuregroup("players")
        live_world.work()
        latest, accepted, rejected = connection.get_validations("players")
        assert (latest.id, latest.of, latest.passed, latest.rows) == (run["id"], "table", True, 4)
        assert (accepted.table_version, rejected.table_version, rejected.passed) == (1, None, False)
        other = connection.get_expectations("players")
        connection.create_featuregroup(frame, "others")
        assert connection.set_expectations("others", other, policy="report").rules == other.rules
        connection.remove_expectations("players")
        assert connection.get_expectations("players").rules == []


def test_a_group_is_made_with_its_rules_or_not_at_all(live_world):
    import hops.featurestore as fs

    live_world.projects("football")
    connection = live_world.connect("football")
    default.use_connection(connection)
    try:
        frame = pd.DataFrame({"id": [1, 2], "age": [20, 30]})
        adults = {"rule": "range", "column": "age", "min": 18}
        with pytest.raises(InvalidInputError, match="no feature 'height'"):
            fs.create_featuregroup(frame, "players", expectations=[{**adults, "column": "height"}])
        with pytest.raises(ValidationFailedError):
            fs.create_featuregroup(frame, "players", expectations=[{**adults, "min": 25}])
        assert fs.get_featuregroups() == []
        fs.create_featuregroup(frame, "players", expectations=[adults])
        fs.create_featuregroup(
            None, "empty", schema={"age": "INT"}, expectations={"policy": "report", "rules": [adults]}
        )
        assert [fs.get_expectations(name).policy for name in ("players", "empty")] == ["strict", "report"]
        with pytest.raises(ValidationFailedError):
            fs.insert_into_featuregroup(pd.DataFrame({"id": [3], "age": [3]}), "players")
    finally:
        default.forget_connection()
        connection.close()
