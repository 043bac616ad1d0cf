"""The SQL that tells two states apart, against a model of it in Python."""

from collections import Counter
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.featurestore.changes.lowering import NEW, OLD, change_column, to_sql
from tests.conformance.test_table_store import EVERY_TYPE, every_value

SCHEMA = pa.schema([("id", pa.int64()), ("day", pa.int32()), ("value", pa.float64())])
Row = tuple[Any, ...]


def changes(old: list[Row], new: list[Row], key: list[str], schema: pa.Schema = SCHEMA) -> list[Row]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, rows in ((OLD, old), (NEW, new)):
            columns = [pa.array([row[index] for row in rows], field.type) for index, field in enumerate(schema)]
            connection.register(name, pa.table(columns, schema=schema))
        found = connection.execute(to_sql(schema.names, key)).to_arrow_table()
    assert found.column_names == [change_column(schema.names), *schema.names]
    return [tuple(row.values()) for row in found.to_pylist()]


def model(old: list[Row], new: list[Row], keys: int) -> Counter[Row]:
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    by_key = [Counter(row[:keys] for row in side.elements()) for side in (gone, come)]
    expected: Counter[Row] = Counter()
    for row, count in gone.items():
        expected["update_before" if is_update(row[:keys], by_key) else "delete", *row] += count
    for row, count in come.items():
        expected["update_after" if is_update(row[:keys], by_key) else "insert", *row] += count
    return expected


def is_update(key: Row, by_key: list[Counter[Row]]) -> bool:
    return None not in key and all(side[key] == 1 for side in by_key)


numbers = st.one_of(st.none(), st.integers(0, 2))
rows = st.lists(st.tuples(numbers, numbers, st.sampled_from([0.5, 1.5, None])), max_size=12)


@pytest.mark.parametrize("key", [["id"], ["id", "day"]])
@settings(max_examples=40)
@given(old=rows, new=rows)
def test_changes_are_those_of_the_model(key: list[str], old: list[Row], new: list[Row]) -> None:
    assert Counter(changes(old, new, key)) == model(old, new, len(key))


@settings(max_examples=40)
@given(state=rows)
def test_a_state_does_not_differ_from_itself_in_another_order(state: list[Row]) -> None:
    assert changes(state, state[::-1], ["id"]) == []


def test_changes_come_by_key_and_an_update_before_first() -> None:
    old = [(1, 0, 1.0), (2, 0, 1.0), (3, 0, 1.0), (3, 0, 1.0), (4, 0, 1.0)]
    new = [(4, 0, 1.0), (3, 0, 2.0), (3, 0, 1.0), (2, 0, 2.0), (0, 0, 1.0)]
    assert changes(old, new, ["id"]) == [
        ("insert", 0, 0, 1.0),
        ("delete", 1, 0, 1.0),
        ("update_before", 2, 0, 1.0),
        ("update_after", 2, 0, 2.0),
        ("update_before", 3, 0, 1.0),
        ("update_after", 3, 0, 2.0),
    ]


def test_a_key_that_is_not_unique_among_the_changes_makes_no_update() -> None:
    assert changes([(1, 0, 1.0)], [(1, 0, 2.0), (1, 0, 2.0)], ["id"]) == [
        ("delete", 1, 0, 1.0),
        ("insert", 1, 0, 2.0),
        ("insert", 1, 0, 2.0),
    ]
    assert [row[0] for row in changes([(None, 0, 1.0)], [(None, 0, 2.0)], ["id"])] == ["delete", "insert"]


def test_values_of_every_type_are_compared() -> None:
    value = every_value()
    nothing = (1, *[None] * (len(value) - 1))
    assert changes([value, value, nothing], [value, nothing, value], ["id"], EVERY_TYPE) == []
    assert changes([value], [nothing], ["id"], EVERY_TYPE) == [("update_before", *value), ("update_after", *nothing)]
    not_a_number = (1, 0, float("nan"))
    assert changes([not_a_number], [not_a_number], ["id"]) == []


def test_a_feature_may_be_called_change() -> None:
    schema = pa.schema([("id", pa.int64()), ("change", pa.string())])
    assert changes([(1, "a")], [(1, "b")], ["id"], schema) == [("update_before", 1, "a"), ("update_after", 1, "b")]
