"""Every rule against pandas, on rows with nulls, NaN, unicode, decimals and dates, however they are cut into batches."""

import math
import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.featurestore.validation.evaluation import Evaluator, RowsToCheck
from app.featurestore.validation.expectations import MAX_JSON_BYTES, MAX_RULES, Expectations
from app.featurestore.validation.patterns import MAX_TEXT_BYTES
from app.featurestore.validation.report import EXAMPLES, Report, RuleResult
from app.featurestore.validation.rules import RULES
from infra.errors import EngineLimitError, InvalidInputError
from infra.tables.duplicates import DuckDbDuplicateFinder

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("small", pa.int8()),
        ("score", pa.float64()),
        ("single", pa.float32()),
        ("price", pa.decimal128(10, 2)),
        ("text", pa.string()),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("raw", pa.binary()),
        ("list", pa.list_(pa.int64())),
    ]
)


class FixedClock:
    def now(self) -> datetime:
        return NOW


def evaluated(rules: list[dict[str, Any]], table: pa.Table, batch_rows: int | None = None, **options: Any) -> Report:
    expectations = Expectations.read({"rules": rules})
    expectations.require_fit(table.schema)
    evaluator = Evaluator(duplicates=DuckDbDuplicateFinder(), clock=FixedClock(), seconds=options.pop("seconds", 60))
    read: Callable[..., Any] = lambda columns: table.select(list(columns)).to_reader(batch_rows)  # noqa: E731
    return evaluator.evaluate(expectations, RowsToCheck(table.schema, read, **options))


def one(rule: dict[str, Any], table: pa.Table, **options: Any) -> RuleResult:
    return evaluated([rule], table, **options).results[0]


def failed(rule: dict[str, Any], column: list[Any], kind: pa.DataType | None = None) -> list[int | None]:
    """The rows of one column `x` that fail; at most as many as there are examples."""
    found = one({"column": "x", **rule}, pa.table({"x": pa.array(column, kind)}))
    assert found.rows_failed == len(found.examples)
    assert found.passed == (not found.examples)
    return [example.row for example in found.examples]


class TestAgainstPandas:
    values = st.lists(
        st.fixed_dictionaries(
            {
                "id": st.none() | st.integers(-3, 3),
                "score": st.none() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0]) | st.floats(-5, 5),
                "price": st.none() | st.decimals(-9, 9, places=2),
                "text": st.none() | st.text(max_size=4) | st.sampled_from(["ä", "🦊", "a\nb", ""]),
                "day": st.none() | st.dates(date(2019, 12, 30), date(2020, 1, 3)),
            }
        ),
        max_size=30,
    )

    @given(rows=values, batch_rows=st.integers(1, 7))
    @settings(max_examples=60)
    def test_each_rule(self, rows: list[dict[str, Any]], batch_rows: int) -> None:
        schema = pa.schema([SCHEMA.field(name) for name in ("id", "score", "price", "text", "day")])
        table = pa.Table.from_pylist(rows, schema)
        frame = pd.DataFrame({name: pd.Series(table[name].to_pylist(), dtype=object) for name in schema.names})
        expected = {name: _oracle(frame, rule) for name, rule in _RULES.items()}
        report = evaluated(list(_RULES.values()), table, batch_rows)
        for (name, mask), result in zip(expected.items(), report.results, strict=True):
            rows_failed = [index for index, fails in enumerate(mask) if fails]
            assert (name, result.rows_failed) == (name, len(rows_failed))
            assert result.rows_passed == len(rows) - len(rows_failed)
            assert result.passed == (not rows_failed)
            if result.rule != "unique":
                assert [example.row for example in result.examples] == rows_failed[:EXAMPLES]
            else:
                assert {example.row for example in result.examples} <= set(rows_failed)
        assert report == evaluated(list(_RULES.values()), table), "however the rows are cut"


_RULES: dict[str, dict[str, Any]] = {
    "not null": {"rule": "not_null", "columns": ["id", "text"]},
    "range": {"rule": "range", "column": "score", "min": -1, "max": 2.5},
    "open range": {"rule": "range", "column": "id", "min": -1, "exclusive_min": True},
    "closed above": {"rule": "range", "column": "id", "max": 2, "exclusive_max": True},
    "decimals": {"rule": "range", "column": "price", "min": "-1.005", "max": "1000000000000"},
    "days": {"rule": "range", "column": "day", "min": "2020-01-01"},
    "set": {"rule": "in_set", "column": "text", "values": ["", "ä", "🦊"]},
    "numbers": {"rule": "in_set", "column": "score", "values": [0, 1.5]},
    "unique": {"rule": "unique", "columns": ["id"]},
    "unique together": {"rule": "unique", "columns": ["id", "text"]},
    "pattern": {"rule": "regex", "column": "text", "pattern": "^[a-zä]"},
}


def _oracle(frame: pd.DataFrame, rule: dict[str, Any]) -> list[bool]:
    """Which rows fail, as pandas says."""
    if rule["rule"] == "not_null":
        return [bool(row) for row in frame[rule["columns"]].map(lambda value: value is None).any(axis=1)]
    if rule["rule"] == "unique":
        there = frame[rule["columns"]].map(lambda value: value is not None).all(axis=1)
        twice = frame[there].duplicated(rule["columns"], keep=False)
        return [bool(twice.get(index, False)) for index in frame.index]
    series = frame[rule["column"]]
    return [value is not None and not _keeps(value, rule) for value in series]


def _keeps(value: Any, rule: dict[str, Any]) -> bool:
    if rule["rule"] == "in_set":
        return value in rule["values"]
    if rule["rule"] == "regex":
        return bool(pd.Series([value]).str.match(rule["pattern"]).iloc[0])
    convert = {Decimal: Decimal, date: date.fromisoformat}.get(type(value), lambda bound: bound)
    least, most = (convert(rule[side]) if side in rule else None for side in ("min", "max"))
    above = least is None or (value > least if rule.get("exclusive_min") else value >= least)
    below = most is None or (value < most if rule.get("exclusive_max") else value <= most)
    return bool(above and below)


class TestRange:
    def test_nan_is_outside_and_null_is_no_value(self) -> None:
        assert failed({"rule": "range", "min": 0}, [math.nan, None, 1.0, -0.0]) == [0]
        assert failed({"rule": "range", "max": 5}, [math.nan, math.inf, -math.inf]) == [0, 1]

    def test_a_bound_is_rounded_as_the_column_is(self) -> None:
        assert failed({"rule": "range", "max": 0.1}, [0.1], pa.float32()) == []

    def test_a_bound_may_lie_beyond_what_the_column_holds(self) -> None:
        assert failed({"rule": "range", "min": -1000, "max": 1000}, [-128, 127], pa.int8()) == []
        assert failed({"rule": "range", "max": 100}, [Decimal("99.99")], pa.decimal128(4, 2)) == []
        nines = Decimal("9" * 38)
        assert failed({"rule": "range", "max": "1e37"}, [nines], pa.decimal128(38, 0)) == [0]

    def test_whole_numbers_are_compared_exactly(self) -> None:
        assert failed({"rule": "range", "max": 2**53}, [2**53, 2**53 + 1]) == [1]

    @pytest.mark.parametrize(
        "bound",
        ["1." + "0" * 900, "0" * 900 + "1", "1e0", "10e-1", "1" + "0" * 900 + "e-900"],
        ids=lambda each: each[:3],
    )
    def test_a_decimal_may_be_written_at_length(self, bound: str) -> None:
        assert failed({"rule": "range", "min": bound}, [Decimal("0.99"), Decimal(1)], pa.decimal128(10, 2)) == [0]

    @pytest.mark.parametrize("bound", ["0", "0e-999999999", "-0e5", "0." + "0" * 900], ids=lambda each: each[:3])
    def test_nought_is_nought(self, bound: str) -> None:
        assert failed({"rule": "range", "max": bound}, [Decimal("0.01"), Decimal(0)], pa.decimal128(10, 2)) == [0]

    @pytest.mark.parametrize("bound", ["1e37", "-99999999999999999999999999999999999999", "1e-38"])
    def test_the_largest_and_smallest_decimals(self, bound: str) -> None:
        assert failed({"rule": "range", "min": bound, "max": bound}, [Decimal(0)], pa.decimal128(38, 38)) == [0]

    def test_times_are_compared_as_moments(self) -> None:
        noon = [NOW, NOW + timedelta(microseconds=1)]
        kind = pa.timestamp("us", "UTC")
        assert failed({"rule": "range", "max": "2026-03-01T13:00:00+01:00"}, noon, kind) == [1]
        assert failed({"rule": "range", "max": "2026-03-01T12:00:00"}, noon, kind) == [1]


class TestInSet:
    def test_both_zeros_are_zero(self) -> None:
        assert failed({"rule": "in_set", "values": [0]}, [0.0, -0.0, None, math.nan]) == [3]

    @pytest.mark.parametrize(
        ("kind", "values", "column"),
        [
            (pa.bool_(), [True], [True, False]),
            (pa.int8(), [1, 2.0, 300], [2, 3]),
            (pa.decimal128(4, 2), ["1.2", 3], [Decimal("1.20"), Decimal("1.21")]),
            (pa.date32(), ["2020-01-01"], [date(2020, 1, 1), date(2020, 1, 2)]),
            (pa.timestamp("us", "UTC"), ["2026-03-01T12:00:00Z"], [NOW, NOW + timedelta(1)]),
            (pa.string(), ["", "ä"], ["ä", "a\u0308"]),
        ],
    )
    def test_of_each_type(self, kind: pa.DataType, values: list[Any], column: list[Any]) -> None:
        assert failed({"rule": "in_set", "values": values}, [None, *column], kind) == [2]


class TestUnique:
    def test_every_row_of_a_pair_counts_and_the_first_is_shown(self) -> None:
        table = pa.table({"id": [7, 1, 7, 7, 1], "day": ["a", "b", "a", "c", "b"]})
        found = one({"rule": "unique", "columns": ["id", "day"]}, table)
        assert (found.rows_failed, found.rows_passed) == (4, 1)
        shown = [(example.row, example.column, example.value) for example in found.examples]
        assert shown == [(0, "id, day", "7, a"), (1, "id, day", "1, b")]

    @pytest.mark.parametrize("name", ["times", "twice", "uploaded", "count"])
    def test_a_column_may_be_called_like_something_of_the_engine(self, name: str) -> None:
        found = one({"rule": "unique", "columns": [name]}, pa.table({name: [0, 0, 7]}))
        assert (found.passed, found.rows_failed) == (False, 2)

    def test_a_null_is_like_no_other(self) -> None:
        table = pa.table({"id": pa.array([None, None, 1], pa.int64()), "day": ["a", "a", "a"]})
        assert one({"rule": "unique", "columns": ["id", "day"]}, table).passed

    def test_names_that_need_quoting(self) -> None:
        table = pa.table({'a "b"': [1, 1], "select": [2, 2]})
        assert one({"rule": "unique", "columns": ['a "b"', "select"]}, table).rows_failed == 2


class TestRegex:
    def test_it_is_found_anywhere(self) -> None:
        assert failed({"rule": "regex", "pattern": "@"}, ["a@b", "ab", None, ""]) == [1, 3]

    def test_a_text_without_end_matches_nothing(self) -> None:
        long = "a" * (MAX_TEXT_BYTES + 1)
        assert failed({"rule": "regex", "pattern": "a"}, [long[1:], long, "a", None]) == [1]

    @pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "(?<!a)b", "a{1001}", "(a{1000}){1000}", "\ud800"])
    def test_what_is_no_pattern_of_re2(self, pattern: str) -> None:
        with pytest.raises(InvalidInputError):
            failed({"rule": "regex", "pattern": pattern}, ["a"])

    def test_what_other_engines_never_finish(self) -> None:
        started = time.monotonic()
        assert failed({"rule": "regex", "pattern": "^(a+)+$"}, ["a" * 60_000 + "!"]) == [0]
        assert time.monotonic() - started < 5

    def test_looking_is_given_up(self) -> None:
        text = "".join(random.Random(7).choices("ab", k=60_000))
        texts = pa.table({"x": [text] * 50})
        rule = {"rule": "regex", "column": "x", "pattern": "(a|b)*a[ab]{500}c"}
        started = time.monotonic()
        with pytest.raises(EngineLimitError, match="seconds"):
            evaluated([rule], texts, seconds=0.5)
        assert time.monotonic() - started < 20

    def test_so_is_comparing_rows_with_each_other(self) -> None:
        table = pa.table({"x": range(2_000)})

        def slow(columns: Any) -> pa.RecordBatchReader:
            def batches() -> Any:
                for batch in table.to_batches(max_chunksize=100):
                    time.sleep(0.05)
                    yield batch.select(list(columns))

            return pa.RecordBatchReader.from_batches(table.select(list(columns)).schema, batches())

        evaluator = Evaluator(duplicates=DuckDbDuplicateFinder(), clock=FixedClock(), seconds=1.3)
        unique = Expectations.read({"rules": [{"rule": "unique", "columns": ["x"]}]})
        with pytest.raises(EngineLimitError, match="seconds"):
            evaluator.evaluate(unique, RowsToCheck(table.schema, slow))


class TestAboutAllRows:
    @pytest.mark.parametrize(
        ("newest", "passes"), [(timedelta(hours=1), True), (timedelta(hours=1, microseconds=1), False)]
    )
    def test_freshness(self, newest: timedelta, passes: bool) -> None:
        times = [NOW - timedelta(days=9), None, NOW - newest]
        rule = {"rule": "freshness", "column": "at", "max_age_seconds": 3600}
        table = pa.table({"at": pa.array(times, pa.timestamp("us", "UTC"))})
        for batch_rows in (1, 2, None):
            found = one(rule, table, batch_rows=batch_rows)
            assert (found.passed, found.rows_failed, bool(found.examples)) == (passes, 0, not passes)

    def test_a_date_counts_from_its_midnight(self) -> None:
        table = pa.table({"day": [date(2026, 3, 1)]})
        assert one({"rule": "freshness", "column": "day", "max_age_seconds": 12 * 3600}, table).passed
        assert not one({"rule": "freshness", "column": "day", "max_age_seconds": 12 * 3600 - 1}, table).passed

    @pytest.mark.parametrize(
        ("rule", "passes"), [({"min": 3}, False), ({"max": 2}, True), ({"min": 1, "max": 1}, False)]
    )
    def test_row_count(self, rule: dict[str, Any], passes: bool) -> None:
        found = one({"rule": "row_count", **rule}, pa.table({"x": [1, 2]}))
        assert found.passed is passes


def test_no_rows_keep_every_rule_but_a_count() -> None:
    rules = [
        {"rule": "not_null", "columns": ["id"]},
        {"rule": "unique", "columns": ["id", "text"]},
        {"rule": "regex", "column": "text", "pattern": "a"},
        {"rule": "range", "column": "price", "min": 1},
        {"rule": "freshness", "column": "at", "max_age_seconds": 1},
        {"rule": "row_count", "min": 1},
    ]
    report = evaluated(rules, SCHEMA.empty_table())
    assert [result.rule for result in report.failed] == ["row_count"]


def test_examples_are_few_and_short() -> None:
    table = pa.table({"x": ["ä" * 500] * 100})
    found = one({"rule": "in_set", "column": "x", "values": ["a"]}, table, batch_rows=3)
    assert (found.rows_failed, [example.row for example in found.examples]) == (100, [0, 1, 2, 3, 4])
    assert {len(example.value or "") for example in found.examples} == {80}


def test_rows_without_an_order_have_no_numbers() -> None:
    found = one({"rule": "not_null", "columns": ["x"]}, pa.table({"x": [None, 1]}), numbered=False)
    assert [example.row for example in found.examples] == [None]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("rule", "says"),
        [
            ({"rule": "colour"}, "no rule"),
            ({"columns": ["id"]}, "kind"),
            ({"rule": "not_null", "columns": []}, "at least 1"),
            ({"rule": "not_null", "columns": ["id", "id"]}, "twice"),
            ({"rule": "not_null", "columns": ["idd"]}, "no feature"),
            ({"rule": "not_null", "columns": ["id"], "colour": 1}, "colour"),
            ({"rule": "range", "column": "id"}, "min, max or both"),
            ({"rule": "range", "column": "id", "min": 2, "max": 1}, "above"),
            ({"rule": "range", "column": "id", "min": 1, "max": 1, "exclusive_max": True}, "no value"),
            ({"rule": "range", "column": "id", "max": 1, "exclusive_min": True}, "goes with min"),
            ({"rule": "range", "column": "id", "min": 0.5}, "whole number"),
            ({"rule": "in_set", "column": "single", "values": [1e39]}, "more than a float holds"),
            ({"rule": "range", "column": "id", "min": 2**63}, "64 bits"),
            ({"rule": "range", "column": "id", "min": True}, "valid"),
            ({"rule": "range", "column": "score", "min": math.inf}, "finite"),
            ({"rule": "range", "column": "score", "min": 10**400}, "not a number"),
            ({"rule": "range", "column": "price", "min": "NaN"}, "a number"),
            ({"rule": "range", "column": "price", "min": "1e-999999999"}, "38 digits"),
            ({"rule": "range", "column": "price", "min": "1e999999999"}, "38 digits"),
            ({"rule": "range", "column": "price", "min": 5e-324}, "38 digits"),
            ({"rule": "range", "column": "price", "min": "1e38"}, "38 digits"),
            ({"rule": "range", "column": "text", "min": "a"}, "numbers, dates and times"),
            ({"rule": "range", "column": "day", "min": "soon"}, "a date"),
            ({"rule": "range", "column": "at", "min": 5}, "a time"),
            ({"rule": "in_set", "column": "flag", "values": [1]}, "true or false"),
            ({"rule": "in_set", "column": "list", "values": [1]}, "cannot name"),
            ({"rule": "in_set", "column": "id", "values": list(range(1001))}, "at most 1000"),
            ({"rule": "unique", "columns": ["list"]}, "not compared"),
            ({"rule": "regex", "column": "id", "pattern": "1"}, "for texts"),
            ({"rule": "regex", "column": "text", "pattern": "a" * 1001}, "1000"),
            ({"rule": "freshness", "column": "id", "max_age_seconds": 1}, "times and dates"),
            ({"rule": "freshness", "column": "at", "max_age_seconds": 0}, "greater than 0"),
            ({"rule": "row_count", "min": 2, "max": 1}, "above"),
        ],
    )
    def test_a_rule(self, rule: dict[str, Any], says: str) -> None:
        fine = {"rule": "not_null", "columns": ["id"]}
        with pytest.raises(InvalidInputError, match=r"rules\.1") as refused:
            Expectations.read({"rules": [fine, rule]}).require_fit(SCHEMA)
        assert says in str(refused.value.errors[0]["message"])
        assert refused.value.errors[0]["field"] == "rules.1"

    def test_a_wrong_column_names_those_that_there_are(self) -> None:
        with pytest.raises(InvalidInputError) as refused:
            Expectations.read({"rules": [{"rule": "not_null", "columns": ["idd"]}]}).require_fit(SCHEMA)
        assert "id" in refused.value.candidates

    def test_too_much(self) -> None:
        rule = {"rule": "not_null", "columns": ["id"]}
        texts = ["x" * 1000 + str(number) for number in range(MAX_JSON_BYTES // 1000)]
        for rules in ([], [rule] * (MAX_RULES + 1), [{"rule": "in_set", "column": "text", "values": texts}]):
            with pytest.raises(InvalidInputError):
                Expectations.read({"rules": rules})
        with pytest.raises(InvalidInputError, match="compare"):
            Expectations.read({"rules": [{"rule": "unique", "columns": ["id"]}] * 11}).require_fit(SCHEMA)
        with pytest.raises(InvalidInputError, match="policy"):
            Expectations.read({"policy": "lenient", "rules": [rule]})


def test_what_is_stored_reads_the_same() -> None:
    rules = [*_RULES.values(), {"rule": "row_count", "max": 5, "name": "few"}]
    expectations = Expectations.read({"policy": "report", "rules": rules})
    assert Expectations.read(expectations.as_json()) == expectations
    assert {rule["rule"] for rule in expectations.as_json()["rules"]} <= RULES.keys()
