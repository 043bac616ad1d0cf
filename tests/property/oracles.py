"""Point-in-time joins by two libraries, as far as these go: for groups with event time, for ages that fit into 64 bits, and
without nulls and ties, which are taken out beforehand. Both want their input sorted by time."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from tests.property.cases import Case, Group
from tests.property.running import Matches
from tests.property.times import DATE_KEY, FLAG_KEY, NUMBER_KEY, TEXT_KEY

AsOfJoin: TypeAlias = Callable[[pa.Table, pa.Table, list[str], int | None], dict[int, int]]
"""From labels (keys, t, n) and rows (keys, t, order, position): for each n that gets a row the position of that."""

_KEYS: Final = {NUMBER_KEY: pa.int64(), TEXT_KEY: pa.string(), DATE_KEY: pa.date32(), FLAG_KEY: pa.bool_()}


def answers_of(join: AsOfJoin, case: Case) -> list[list[Matches]]:
    """For each world and group the row that each label gets."""
    by_group = [_joined(join, case, position) for position in range(len(case.question.groups))]
    return [[matched[world] for matched in by_group] for world in range(len(case.worlds))]


def is_within_64_bits(case: Case) -> bool:
    """Whether no difference of two times is too large for the libraries."""
    rows = [row for world in case.worlds for rows in world.rows for row in rows]
    labels = [case.question.time.moment(label[-1]) for world in case.worlds for label in world.labels]
    times = [time for time in (*labels, *(row.time for row in rows)) if time is not None]
    return max(times, default=0) - min(times, default=0) < 2**63


def by_pandas(labels: pa.Table, rows: pa.Table, keys: list[str], lookback: int | None) -> dict[int, int]:
    if not labels.num_rows or not rows.num_rows:  # empty texts are too much for merge_asof
        return {}
    left = labels.to_pandas().sort_values("t", kind="stable")
    right = rows.to_pandas().sort_values(["t", "order"]).drop_duplicates([*keys, "t"], keep="last")
    tolerance: Any = lookback
    if lookback is not None and pa.types.is_timestamp(labels.schema.field("t").type):
        tolerance = pd.Timedelta(np.timedelta64(lookback, "us"))
    joined = pd.merge_asof(left, right, on="t", by=keys, tolerance=tolerance)
    found = joined.dropna(subset=["position"])
    return dict(zip(found["n"], found["position"].astype("int64"), strict=True))


def by_polars(labels: pa.Table, rows: pa.Table, keys: list[str], lookback: int | None) -> dict[int, int]:
    # As numbers: durations end after 292 years in Polars.
    left, right = (pl.DataFrame(table).with_columns(pl.col("t").cast(pl.Int64)) for table in (labels, rows))
    right = right.sort("order").unique([*keys, "t"], keep="last").sort("t")
    joined = left.sort("t").join_asof(right, on="t", by=keys, tolerance=lookback, check_sortedness=False)
    return dict(joined.drop_nulls("position").select("n", "position").iter_rows())


def _joined(join: AsOfJoin, case: Case, position: int) -> list[Matches]:
    """For each world the row of one group that each label gets."""
    question, group = case.question, case.question.groups[position]
    labels = [(n, label) for n, world in enumerate(case.worlds) for label in world.labels_of(question, group)]
    rows = [(n, row) for n, world in enumerate(case.worlds) for row in world.rows[position]]
    left = _table(case, group, [(n, *label.key, label.time, index, 0) for index, (n, label) in enumerate(labels)])
    right = _table(case, group, [(n, *row.key, row.time, index, row.order) for index, (n, row) in enumerate(rows)])
    keys = [name for name in left.column_names if name not in ("t", "position", "order")]
    left = left.drop_columns("order").rename_columns([*keys, "t", "n"])
    found = join(left, right, keys, question.lookback(group))
    answers: list[Matches] = [[] for _ in case.worlds]
    for index, (n, _) in enumerate(labels):
        answers[n].append(rows[found[index]][1] if index in found else None)
    return answers


def _table(case: Case, group: Group, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Of the rows that have all of their keys and a time."""
    is_moment = pa.types.is_temporal(case.question.time.arrow) or group.catalog.features["at"] != "bigint"
    keys = [(f"k{each}", _KEYS[case.question.key_types[each]]) for each in group.keys]
    time = ("t", pa.timestamp("us") if is_moment else pa.int64())
    schema = pa.schema([("world", pa.int64()), *keys, time, ("position", pa.int64()), ("order", pa.int64())])
    columns = list(zip(*(row for row in rows if None not in row), strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)
