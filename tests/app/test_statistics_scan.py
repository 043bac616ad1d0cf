"""Statistics do not depend on how rows come, and what they are asked for is checked."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.featurestore.statistics.maths.compute import compute_statistics
from app.featurestore.statistics.maths.options import StatisticsOptions, require_options
from infra.errors import InvalidInputError

CHANCE = np.random.default_rng(7)


@pytest.fixture(autouse=True)
def _draws_of_its_own() -> None:
    """Whatever ran before, and in which order, each test draws the same."""
    CHANCE.bit_generator.state = np.random.PCG64(7).state


@dataclass
class TableScan:
    """`cuts` are the sizes of the batches, again and again."""

    table: pa.Table
    cuts: Sequence[int] = (10_000,)
    asked: list[list[str]] = field(default_factory=list)

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    @property
    def rows(self) -> int | None:
        return None

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self.asked.append(list(columns))
        rows, at, turn = self.table.select(list(columns)), 0, 0
        while at < rows.num_rows:
            size = self.cuts[turn % len(self.cuts)]
            yield from rows.slice(at, size).to_batches()
            at, turn = at + size, turn + 1


def computed(table: pa.Table, cuts: Sequence[int] = (10_000,), **options: Any) -> dict[str, Any]:
    """After a journey through strict JSON."""
    found = compute_statistics(TableScan(table, cuts), StatisticsOptions(**options))
    stored = json.loads(json.dumps(found, allow_nan=False))
    assert stored == found
    return found


def column_of(values: pa.Array | pa.ChunkedArray, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = computed(pa.table({"x": values}), clusters=False, **options)["columns"][0]
    return found


def mixed(rows: int) -> pa.Table:
    text = [f"Zürich {number} 💚" for number in CHANCE.integers(0, 40, rows)]
    missing = CHANCE.random(rows) < 0.2
    return pa.table(
        {
            "float": pa.array(CHANCE.normal(1e9, 1e-3, rows), mask=missing),
            "narrow": pa.array(CHANCE.normal(size=rows).astype(np.float32)),
            "strange": CHANCE.choice([1.0, np.nan, np.inf, -np.inf, -0.0, 0.0], rows),
            "whole": pa.array(CHANCE.integers(-(2**63), 2**63 - 1, rows), mask=missing),
            "unsigned": CHANCE.integers(2**63, 2**64 - 1, rows, dtype=np.uint64),
            "small": CHANCE.integers(0, 5, rows).astype(np.int8),
            "money": pa.array(
                [Decimal(int(cents)) / 100 for cents in CHANCE.integers(0, 10**9, rows)], pa.decimal128(15, 2)
            ),
            "text": pa.array(text, mask=missing),
            "coded": pa.array(text).dictionary_encode(),
            "flag": pa.array(CHANCE.random(rows) < 0.3, mask=missing),
            "at": pa.array(CHANCE.integers(0, 10**15, rows), pa.timestamp("us", "UTC"), mask=missing),
            "day": pa.array(CHANCE.integers(0, 20_000, rows).astype(np.int32), pa.date32()),
            "bytes": [text[:3].encode() for text in text],
            "list": [[1.0] * int(size) for size in CHANCE.integers(0, 4, rows)],
            "struct": [{"a": 1} for _ in range(rows)],
            "nothing": pa.nulls(rows),
        }
    )


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_the_result_does_not_depend_on_how_the_rows_were_cut(method: str) -> None:
    table = mixed(3_000)
    first = computed(table, correlation_method=method)
    assert first == computed(table, [1, 700, 3, 64], correlation_method=method)
    chunked = pa.concat_tables([table.slice(0, 11), table.slice(11, 1_500), table.slice(1_511)])
    assert first == computed(chunked, [100_000], correlation_method=method)


def test_nor_where_there_are_more_rows_than_are_kept() -> None:
    rows = 600_000
    table = pa.table(
        {
            "float": CHANCE.normal(size=rows),
            "whole": pa.array(CHANCE.integers(0, 10**6, rows), mask=CHANCE.random(rows) < 0.1),
            "text": pa.array(CHANCE.integers(0, 30_000, rows)).cast(pa.string()),
        }
    )
    assert computed(table, [65_536]) == computed(table, [50_000, 7, 131_072])


@given(st.lists(st.floats(width=32) | st.none(), max_size=40), st.lists(st.integers(1, 7), min_size=1, max_size=4))
@settings(max_examples=30)
def test_any_floats_in_any_batches(values: list[float | None], cuts: list[int]) -> None:
    table = pa.table({"x": pa.array(values, pa.float64()), "y": pa.array(range(len(values)), pa.int64())})
    assert computed(table, cuts) == computed(table)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), max_size=30), st.sampled_from(["pearson", "spearman"]))
@settings(max_examples=50)
def test_any_whole_numbers(values: list[int | None], method: str) -> None:
    found = computed(pa.table({"x": pa.array(values, pa.int64())}), correlation_method=method)["columns"][0]
    present = [value for value in values if value is not None]
    assert found["descriptive"]["sum"] == sum(present)
    assert found["descriptive"]["distinct"]["count"] == len(set(present))
    assert sum((found["histogram"] or {"counts": []})["counts"]) == len(present)


def test_long_texts_end_a_block_sooner() -> None:
    texts = ["ab" * 4_000_000, None, "c"] * 12
    found = column_of(pa.array(texts))
    assert found["descriptive"] == {
        "distinct": {"count": 2, "exact": True, "error": 0.0},
        "lengths": {"min": 1, "max": 8_000_000, "mean": 4_000_000.5},
    }
    assert found["histogram"]["counts"] == [12, 12]
    assert sorted(map(len, found["histogram"]["values"])) == [1, 100]


def test_only_the_columns_that_are_asked_for_are_read() -> None:
    scan = TableScan(mixed(100))
    found = compute_statistics(scan, StatisticsOptions(columns=("text", "small", "narrow")))
    assert [column["name"] for column in found["columns"]] == ["text", "small", "narrow"]
    assert scan.asked == [["small", "narrow", "text"], ["small", "narrow"]]


def test_what_is_not_asked_for_is_null() -> None:
    found = computed(mixed(50), descriptive=False, histograms=False, correlations=False, clusters=False)
    assert found["correlations"] is found["clusters"] is None
    assert all(column["descriptive"] is column["histogram"] is None for column in found["columns"])
    assert {column["count"] + column["nulls"] for column in found["columns"]} == {50}


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows(rows: int) -> None:
    found = computed(mixed(rows))
    assert found["rows"] == rows
    assert {column["completeness"] for column in found["columns"]} <= ({None} if rows == 0 else {0.0, 1.0})
    assert all(value is None for row in found["correlations"]["values"] for value in row)
    assert found["clusters"] == {"skipped": "There are no rows."} if rows == 0 else found["clusters"]["count"] == 1


def test_no_columns() -> None:
    found = computed(pa.table({}))
    assert found["columns"] == []
    assert "skipped" in found["clusters"]


def test_progress_is_told_and_may_give_up() -> None:
    steps: list[tuple[str, int]] = []
    table = pa.table({"x": range(70_000), "y": range(70_000)})
    compute_statistics(TableScan(table), StatisticsOptions(), lambda step, rows: steps.append((step, rows)))
    assert steps == [
        ("summing up", 65_536),
        ("summing up", 70_000),
        ("counting", 65_536),
        ("counting", 70_000),
        ("clustering", 70_000),
    ]

    def give_up(step: str, rows: int) -> None:
        raise TimeoutError(step)

    with pytest.raises(TimeoutError, match="summing up"):
        compute_statistics(TableScan(table), StatisticsOptions(), give_up)


def test_an_error_of_the_scan_is_the_caller_s() -> None:
    class Broken(TableScan):
        def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            yield from super().batches(columns)
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        compute_statistics(Broken(mixed(10)), StatisticsOptions())


WIDE = pa.schema([(f"c{number}", pa.float64()) for number in range(51)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (StatisticsOptions(columns=("nope",)), "no column 'nope'"),
        (StatisticsOptions(columns=("c1", "c1")), "named twice"),
        (StatisticsOptions(bins=1), "2 to 1000 bins"),
        (StatisticsOptions(bins=1_001), "2 to 1000 bins"),
        (StatisticsOptions(correlation_method="kendall"), "'kendall'"),
        (StatisticsOptions(cluster_count=0), "1 to 100 clusters"),
        (StatisticsOptions(columns=tuple(WIDE.names)), "51 numeric columns"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(options: StatisticsOptions, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said) as refused:
        require_options(options, WIDE)
    assert refused.value.hint or refused.value.candidates or "twice" in said
    with pytest.raises(InvalidInputError):
        compute_statistics(TableScan(WIDE.empty_table()), options)


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="same name"):
        require_options(StatisticsOptions(), pa.schema([("x", pa.int8()), ("x", pa.int8())]))


def test_too_many_columns_lose_the_matrix_only() -> None:
    table = pa.table({name: CHANCE.normal(size=300) for name in WIDE.names} | {"text": ["a"] * 300})
    found = computed(table)
    assert found["correlations"]["skipped"].startswith("There are 51 numeric columns")
    assert len(found["columns"]) == 52
    assert all(column["histogram"] and column["descriptive"] for column in found["columns"])
    assert len(found["clusters"]["centers"][0]) == 51
    named = computed(table, columns=tuple(WIDE.names[:50]))
    assert len(named["correlations"]["values"]) == 50
    require_options(StatisticsOptions(columns=tuple(WIDE.names), correlations=False), WIDE)


def test_many_columns_that_are_no_numbers() -> None:
    table = pa.table({f"t{number}": ["a", "b"] for number in range(60)} | {"x": [1, 2], "y": [3, 5]})
    found = computed(table)
    assert [column["name"] for column in found["columns"]] == table.column_names
    assert found["clusters"]["columns"] == found["correlations"]["columns"] == ["x", "y"]


def _extension() -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16)))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: pa.array(["a", "a"], pa.string_view()), "text"),
        (lambda: pa.array(["a", None], pa.large_string()), "text"),
        (lambda: pa.array([b"a", b"b"], pa.binary(1)), "binary"),
        (_extension, "binary"),
        (lambda: pa.RunEndEncodedArray.from_arrays([2, 5], [7, 8]), "integer"),
        (lambda: pa.array([1.0, 2.0], pa.float16()), "float"),
        (lambda: pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), "list"),
        (lambda: pa.array([[1, 2], None], pa.large_list(pa.int8())), "list"),
        (lambda: pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int8())), "other"),
    ],
)
def test_kinds_of_types(make: Callable[[], pa.Array], kind: str) -> None:
    values = make()
    found = column_of(values)
    assert (found["kind"], found["type"]) == (kind, str(values.type))
    assert found["count"] + found["nulls"] == len(values)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_columns_of_nulls(method: str) -> None:
    table = mixed(1)
    nulls = pa.table(
        {field.name: pa.nulls(7, field.type) for field in table.schema}
        | {"span": pa.nulls(7, pa.month_day_nano_interval())}
    )
    found = computed(nulls, correlation_method=method)
    assert {(column["count"], column["nulls"], column["completeness"]) for column in found["columns"]} == {(0, 7, 0.0)}
    assert found["clusters"]["count"] == 1


@pytest.mark.parametrize(("columns", "asked", "bins"), [(3, 1_000, 1_000), (200, 1_000, 500), (6_000, 30, 20)])
def test_bins_of_all_columns_together_are_bounded(columns: int, asked: int, bins: int) -> None:
    assert StatisticsOptions(bins=asked).bins_among(columns) == bins


def test_fewer_bins_of_many_columns() -> None:
    numbers = CHANCE.normal(size=600)
    found = computed(
        pa.table({f"n{number}": numbers for number in range(210)}), bins=1_000, correlations=False, clusters=False
    )
    assert {len(column["histogram"]["counts"]) for column in found["columns"]} == {100_000 // 210}
