"""What is noticed about rows while they are written."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.featurestore.training_datasets.anomalies import Anomaly, AnomalyWatch, _Centred, _Pair
from tests.frames import frame_request
from tests.property.drawing import compared
from tests.world import World

DATASETS = "/projects/football/training-datasets"


def found(table: pa.Table, labels: tuple[str, ...] = (), batch: int = 7) -> list[Anomaly]:
    watch = AnomalyWatch(table.schema, labels)
    for each in table.to_batches(batch):
        watch.see(each)
    return watch.found()


def kinds(table: pa.Table, *labels: str) -> set[tuple[str, str]]:
    return {(anomaly.column, anomaly.kind) for anomaly in found(table, labels)}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, 2, 3]), set()),
        (pa.array([1, None, 3]), {"nulls"}),
        (pa.array([None, None], pa.int64()), {"all-null"}),
        (pa.array([7, 7, None]), {"nulls", "constant"}),
        (pa.array([7]), set()),
        (pa.array(["a"] * 20), {"constant"}),
        (pa.array(["a"] * 19 + ["b"]), set()),
        (pa.array([b"x", b"x"]), {"constant"}),
        (pa.array([True, True]), {"constant"}),
        (pa.array([Decimal("1.5")] * 2), {"constant"}),
        (pa.array([[1], [1]]), set()),
        (pa.array([[1], None]), {"nulls"}),
        (pa.array([1.0, math.nan]), {"nan"}),
        (pa.array([1.0, None, math.nan, math.inf, -math.inf]), {"nulls", "nan", "infinite"}),
        (pa.array([1.5, math.inf], pa.float32()), {"infinite"}),
        (pa.array([1e308, 1.1e308]), set()),
        (pa.array([2**53, 2**53 + 1]), set()),
        (pa.array([dt.date(2024, 1, 1), dt.date(2024, 2, 1)]), {"time-range"}),
        (pa.array([dt.date(2024, 1, 1)] * 2), {"constant", "time-range"}),
        (pa.array([], pa.int64()), set()),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_what_is_noticed_of_a_column(column: pa.Array, expected: set[str]) -> None:
    for batch in (1, 100):
        assert {each.kind for each in found(pa.table({"x": column}), batch=batch)} == expected


@pytest.mark.parametrize(
    ("times", "detail"),
    [
        ([0, 1_000_000], "from 1970-01-01T00:00:00+00:00 to 1970-01-01T00:00:01+00:00"),
        ([5, 253_402_300_800_000_000], "from 1970-01-01T00:00:00.000005+00:00 to after the year 9999"),
        ([-(2**62), 2**62], "from before the year 1 to after the year 9999"),
    ],
)
@pytest.mark.parametrize("batch", [1, 7])
def test_times_that_python_has_not_are_looked_at_too(times: list[int], detail: str, batch: int) -> None:
    table = pa.table({"at": pa.array(times).cast(pa.timestamp("us", "UTC"))})
    assert [each.detail for each in found(table, batch=batch) if each.kind == "time-range"] == [detail]


def test_details_count_and_show_no_value() -> None:
    secret = "nobody should read this"
    table = pa.table({"x": [secret, secret, None], "y": [1.0, math.nan, math.nan]})
    assert [each.detail for each in found(table)] == [
        "1 of 3 rows are null",
        "all 2 values are the same",
        "2 of 3 rows",
    ]


def test_the_time_range_is_that_of_all_batches() -> None:
    days = pa.array([dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (5, 2, 9, 7)], pa.timestamp("us", "UTC"))
    (anomaly,) = found(pa.table({"at": days}), batch=2)
    assert anomaly == Anomaly("at", "time-range", "from 2024-01-02T00:00:00+00:00 to 2024-01-09T00:00:00+00:00")


def test_a_feature_that_holds_the_answer_is_named() -> None:
    chance = np.random.default_rng(3)
    won = chance.integers(0, 2, 500)
    table = pa.table(
        {
            "won": won == 1,
            "goals_difference": won * 2.0 + chance.normal(0, 0.01, 500),
            "lost": pa.array([None if n % 9 == 0 else 1 - each for n, each in enumerate(won)]),
            "budget": chance.normal(0, 1, 500),
            "name": ["x", "y"] * 250,
        }
    )
    assert kinds(table, "won") == {
        ("goals_difference", "label-correlation"),
        ("lost", "label-correlation"),
        ("lost", "nulls"),
    }
    assert kinds(table, "name") == {("lost", "nulls")}
    (said,) = (each.detail for each in found(table, ("won",)) if each.column == "lost" and each.kind != "nulls")
    assert said == "correlates -1.0000 with the label 'won': may hold the answer"
    assert kinds(table.slice(0, 9), "won") == {("lost", "nulls")}, "of nine rows nothing is said"


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300, 0.0])
def test_numbers_that_cannot_be_correlated_do_no_harm(value: float) -> None:
    table = pa.table({"label": [float(n) for n in range(50)], "x": [value] * 50, "y": [value, -value] * 25})
    assert not {column for column, kind in kinds(table, "label") if kind == "label-correlation"}


PAIRS = st.lists(st.tuples(*[st.floats(-1e6, 1e6) | st.just(math.nan) for _ in range(2)]), min_size=10, max_size=200)


@compared(200)
@given(rows=PAIRS, batch=st.integers(1, 50), offset=st.sampled_from([0.0, 1e9]))
def test_the_correlation_is_numpys(rows: list[tuple[float, float]], batch: int, offset: float) -> None:
    values = np.array(rows) + offset
    pair = _Pair()
    for start in range(0, len(values), batch):
        pair.add(*(_Centred.of(values[start : start + batch, side]) for side in (0, 1)))
    whole = values[np.isfinite(values).all(axis=1)]
    assert pair.rows == len(whole)
    if len(whole) < 10 or min(np.ptp(whole, axis=0)) < 1e-3:
        return
    expected = np.corrcoef(whole.T)[0, 1]
    assert pair.correlation == pytest.approx(expected, abs=1e-5)


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    return world


def _manifest(world: World, name: str) -> Any:
    return world.call("GET", f"{DATASETS}/{name}/versions/1/manifest", world.key("football")).json


def test_the_manifest_holds_them(football: World) -> None:
    rows = list(range(20))
    table = pa.table({"position": rows, "twice": [2 * n for n in rows], "empty": pa.array([None] * 20, pa.string())})
    command = {"name": "d", "label": "position"}
    made = football.call("POST", DATASETS, football.key("football"), **frame_request(table, command))
    assert made.status_code == 201
    manifest = _manifest(football, "d")
    assert manifest["labels"] == ["position"]
    assert [(each["column"], each["kind"], each["write"]) for each in manifest["anomalies"]] == [
        ("twice", "label-correlation", 0),
        ("empty", "all-null", 0),
    ]
    refused = football.call(
        "POST", DATASETS, football.key("football"), **frame_request(table, {"name": "e", "label": "positoin"})
    )
    assert (refused.status_code, refused.json["candidates"]) == (422, table.column_names)


def test_what_labels_have_beside_keys_and_times_is_the_label(football: World) -> None:
    key, moments = football.key("football"), pa.array(range(0, 60_000_000, 2_000_000), pa.timestamp("us", "UTC"))
    forms = pa.table({"team_id": [1] * 30, "measured": moments, "form": [float(n % 7) for n in range(30)]})
    command = {"name": "forms", "event_time": "measured", "primary_key": ["team_id"]}
    made = football.call("POST", "/projects/football/feature-groups", key, **frame_request(forms, command))
    assert made.status_code == 201
    labels = pa.table({"team_id": [1] * 30, "at": moments, "won": [n % 7 * 3 for n in range(30)]})
    query = {"features": ["form"], "labels": {"event_time": "at"}}
    made = football.call("POST", DATASETS, key, **frame_request(labels, {"name": "spined", "query": query}))
    assert made.status_code == 201, made.json
    manifest = _manifest(football, "spined")
    assert manifest["labels"] == ["won"]
    assert [each["column"] for each in manifest["anomalies"] if each["kind"] == "label-correlation"] == ["form"]
