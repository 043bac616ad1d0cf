"""Feature groups with a history, and labels to attach them to: what point-in-time joins are measured with."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pyarrow as pa

GROUPS = ("visits", "orders", "payments")
KEY, EVENT_TIME, LABEL_TIME, ROW = "customer_id", "event_time", "ts", "row"
LOOKBACK = timedelta(days=4)
"""Leaves about three labels in a hundred without a match, the time between two rows of a key being 28 hours on average."""
_PARTS = 5  # inserts, hence files
_ROWS_PER_KEY = 100
_SEED = 20_240_301
_START = 1_600_000_000_000_000  # microseconds since 1970
_RANGE = 10_000_000_000_000  # microseconds: 116 days
_WORDS = 200
_TYPES = {**{f"reading_{index}": "double" for index in range(5)}, "count": "int", "word": "string", "flag": "boolean"}


def features_of(group: str) -> list[str]:
    """Eight names that no other group has."""
    return [f"{group}_{name}" for name in _TYPES]


def all_features() -> list[str]:
    return [name for group in GROUPS for name in features_of(group)]


def schema_of(group: str) -> dict[str, str]:
    types = zip(features_of(group), _TYPES.values(), strict=True)
    return {KEY: "bigint", EVENT_TIME: "timestamp", **dict(types)}


def make_parts(group: str, rows: int) -> Iterator[pa.Table]:
    """The group, one insert after the other. Each covers the whole range of time, unsorted: no file can be left out."""
    random = np.random.default_rng([_SEED, GROUPS.index(group)])
    each = rows // _PARTS
    for part in range(_PARTS):
        yield _make_part(random, group, part, each, keys=_keys(rows))


def make_labels(labels: int, rows: int) -> pa.Table:
    """For groups of `rows`."""
    random = np.random.default_rng([_SEED, len(GROUPS)])
    return pa.table(
        {
            ROW: np.arange(labels),
            KEY: random.integers(0, _keys(rows), labels),
            LABEL_TIME: _times(_START + random.integers(0, _RANGE, labels)),
        }
    )


def answer_schema() -> pa.Schema:
    """What every way of attaching all features to the labels must come to."""
    arrow = {"double": pa.float64(), "int": pa.int32(), "string": pa.string(), "boolean": pa.bool_()}
    fields = [(ROW, pa.int64()), (KEY, pa.int64()), (LABEL_TIME, pa.timestamp("us", tz="UTC"))]
    fields += [(name, arrow[kind]) for group in GROUPS for name, kind in schema_of(group).items() if kind in arrow]
    return pa.schema(fields)


def _make_part(random: np.random.Generator, group: str, part: int, rows: int, *, keys: int) -> pa.Table:
    step = _RANGE // (rows * _PARTS)
    slots = random.permutation(rows) * _PARTS + part
    words = pa.DictionaryArray.from_arrays(
        pa.array(random.integers(0, _WORDS, rows, dtype=np.int32)),
        pa.array([f"v{index:03}" for index in range(_WORDS)]),
    )
    values = [
        *(random.standard_normal(rows) for _ in range(5)),
        random.integers(0, 1_000, rows, dtype=np.int32),
        words.dictionary_decode(),
        random.integers(0, 2, rows).astype(bool),
    ]
    return pa.table(
        {
            KEY: random.integers(0, keys, rows),
            # A slot belongs to one row, so that no two times are equal.
            EVENT_TIME: _times(_START + slots * step + random.integers(0, step, rows)),
            **dict(zip(features_of(group), values, strict=True)),
        }
    )


def _times(microseconds: np.ndarray) -> pa.Array:
    return pa.array(microseconds, pa.timestamp("us", tz="UTC"))


def _keys(rows: int) -> int:
    return max(1, rows // _ROWS_PER_KEY)
