"""The source of an attempt, read here without a table engine: the engine reads on threads that no tracer sees."""

import pyarrow as pa
import pytest

from infra.errors import FrameInvalidError, InvalidInputError
from infra.tables.source import RowSource, empty_rows
from tests.conformance.stores import SCHEMA, rows_of
from tests.conformance.test_table_store import breaking_rows


def test_rows_are_counted_as_they_are_taken() -> None:
    source = RowSource(rows_of((1, "a", 0.5), (2, "b", 0.5), (3, "c", 0.5), rows_per_batch=2), SCHEMA)
    reader = source.reader()
    assert reader.read_next_batch().num_rows == 2
    assert reader.read_all().num_rows == 1
    assert (source.count, source.error) == (3, None)


def test_rows_take_the_shape_of_the_table() -> None:
    turned = pa.schema([("score", pa.float32()), ("team", pa.large_string()), ("id", pa.int8())])
    table = RowSource(rows_of((0.5, "a", 1), schema=turned), SCHEMA, partition_by=["id"]).reader().read_all()
    assert table.schema.equals(SCHEMA)
    assert table.to_pylist() == [{"id": 1, "team": "a", "score": 0.5}]


def test_without_a_schema_rows_stay_as_they_are() -> None:
    assert RowSource(empty_rows(SCHEMA), None).reader().read_all().schema.equals(SCHEMA)


def test_the_error_of_the_rows_is_kept_as_it_was() -> None:
    source = RowSource(breaking_rows, SCHEMA)
    with pytest.raises(Exception, match="cut"):
        source.reader().read_all()
    assert isinstance(source.error, FrameInvalidError)


def test_a_foreign_error_becomes_the_callers_mistake() -> None:
    wide = pa.schema([("id", pa.uint64()), SCHEMA.field(1), SCHEMA.field(2)])
    source = RowSource(rows_of((2**64 - 1, "a", 0.5), schema=wide), SCHEMA)
    with pytest.raises(pa.ArrowInvalid):
        source.reader().read_all()
    assert isinstance(source.error, InvalidInputError)


@pytest.mark.parametrize("text", ["", "__HIVE_DEFAULT_PARTITION__"])
def test_a_partition_that_would_be_null_is_refused(text: str) -> None:
    source = RowSource(rows_of((1, text, 0.5)), SCHEMA, partition_by=["team"])
    with pytest.raises(Exception, match="stored as null"):
        source.reader().read_all()
    assert isinstance(source.error, InvalidInputError)
