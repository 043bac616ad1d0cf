"""What the benchmarks' figures stand on: that equal answers are told from others, and time and memory from none."""

import random
from datetime import timedelta
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks.checksums import Checksum
from benchmarks.contest import contestant
from benchmarks.findings import Target
from benchmarks.frames import WrongRowsError
from benchmarks.histories import EVENT_TIME, GROUPS, KEY, LOOKBACK, features_of, make_labels, make_parts, schema_of
from benchmarks.memory import PeakMemory
from benchmarks.rounds import Entry, Turns, require_equal

SCHEMA = pa.schema([("row", pa.int64()), ("number", pa.float64()), ("word", pa.string()), ("flag", pa.bool_())])
ANSWER = pa.table(
    {
        "row": [0, 1, 2, 3],
        "number": [1.5, None, -0.0, 1.5],
        "word": ["v1", None, "v1", ""],
        "flag": [True, False, None, True],
    },
    SCHEMA,
)


def _checksum(*tables: pa.Table) -> str:
    checksum = Checksum(SCHEMA, "row")
    for table in tables:
        checksum.add(table)
    return checksum.value()


def test_a_checksum_knows_no_order_of_rows_or_columns_and_no_batches() -> None:
    order = random.sample(range(4), 4)
    shuffled = ANSWER.take(order).select(["word", "flag", "number", "row"])
    assert _checksum(shuffled.slice(0, 3), shuffled.slice(3)) == _checksum(ANSWER)


def test_a_checksum_knows_no_types_that_hold_the_same_values() -> None:
    other = pa.table(
        {
            "row": ANSWER["row"].cast(pa.int32()),
            "number": ANSWER["number"],
            "word": ANSWER["word"].cast(pa.large_string()),
            "flag": ANSWER["flag"],
        }
    )
    assert _checksum(other) == _checksum(ANSWER)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("number", [1.5, None, 0.1, 1.5]),
        ("number", [None, 1.5, -0.0, 1.5]),
        ("number", [1.5, 0.0, -0.0, 1.5]),
        ("word", ["v1", "", "v1", ""]),
        ("word", ["v1", None, "v2", ""]),
        ("flag", [True, False, False, True]),
        ("row", [1, 0, 2, 3]),
    ],
)
def test_a_checksum_knows_every_value_and_its_place(column: str, values: list[object]) -> None:
    changed = ANSWER.set_column(
        SCHEMA.get_field_index(column), SCHEMA.field(column), pa.array(values, SCHEMA.field(column).type)
    )
    assert _checksum(changed) != _checksum(ANSWER)


def test_a_checksum_counts_rows_and_nulls() -> None:
    assert _checksum(ANSWER).startswith("4:3:")
    assert _checksum(ANSWER, ANSWER).startswith("8:6:")


def test_different_answers_are_no_measurement() -> None:
    one, other = Turns(Entry("one", "scan"), checksum="a"), Turns(Entry("other", "scan"), checksum="b")
    without = Turns(Entry("scan", "scan"))
    require_equal([one, without])
    with pytest.raises(WrongRowsError, match="'one': 'a', 'other': 'b'"):
        require_equal([one, other])


def test_histories_are_the_same_in_every_run_and_have_no_equal_times() -> None:
    first, again = (pa.concat_tables(make_parts(GROUPS[1], 5_000)) for _ in range(2))
    assert first.equals(again)
    assert first.column_names == list(schema_of(GROUPS[1]))
    assert pc.count_distinct(first[EVENT_TIME]).as_py() == first.num_rows == 5_000
    assert not first.equals(pa.concat_tables(make_parts(GROUPS[2], 5_000)).rename_columns(first.column_names))


def test_labels_ask_for_keys_that_there_are() -> None:
    history, labels = pa.concat_tables(make_parts(GROUPS[0], 5_000)), make_labels(300, 5_000)
    assert labels.num_rows == 300
    assert set(labels[KEY].to_pylist()) <= set(history[KEY].to_pylist())
    assert timedelta(days=1) < LOOKBACK


def test_each_way_starts_afresh_and_tells_what_it_took(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    pq.write_table(next(make_parts(GROUPS[0], 1_000)), path)
    with contestant("scan", {"groups": {GROUPS[0]: [str(path)]}}) as process:
        assert psutil.pid_exists(process.pid)
        spent = process.run()
        assert (spent.rows, process.checksum()) == (200, None)
        assert spent.cpu > 0
        assert spent.seconds > 0
    assert not psutil.pid_exists(process.pid)


def test_a_peak_is_of_one_moment_in_all_and_of_each_party_apart() -> None:
    peak = PeakMemory()
    peak.note({"own": 10.0, "gateway": 5.0})
    peak.note({"own": 1.0, "gateway": 8.0, "query": 2.0})
    assert peak == PeakMemory(15.0, {"own": 10.0, "gateway": 8.0, "query": 2.0})


@pytest.mark.parametrize(
    ("measured", "at_least", "met"),
    [(2.0, False, True), (2.1, False, False), (2.1, True, True), (1.9, True, False)],
)
def test_a_target_is_met_or_missed(measured: float, at_least: bool, met: bool) -> None:
    assert Target("ratio", measured, 2.0, at_least).is_met is met


def test_features_belong_to_one_group() -> None:
    names = [name for group in GROUPS for name in features_of(group)]
    assert len(set(names)) == len(names) == 24
