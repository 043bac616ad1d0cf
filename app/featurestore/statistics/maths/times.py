"""Points in time as text and as seconds, from the whole numbers that they are stored as."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY: Final = 86_400
_INT64: Final = np.iinfo(np.int64)


def unit_of(column: pa.DataType) -> str:
    """As numpy names it."""
    if pa.types.is_date(column):
        return "D" if pa.types.is_date32(column) else "ms"
    unit: str = column.unit
    return unit


def seconds_of(unit: str) -> float:
    return float(_DAY) if unit == "D" else 1 / _PER_SECOND[unit]


def nanoseconds_of(unit: str) -> int:
    return _DAY * 10**9 if unit == "D" else 10**9 // _PER_SECOND[unit]


def iso_texts(ticks: Sequence[int], column: pa.DataType) -> list[str]:
    """Of a type with a zone in UTC and with a Z, of a span of time its seconds as in PT1.5S."""
    unit = unit_of(column)
    if pa.types.is_duration(column):
        return [f"PT{tick * seconds_of(unit):.9g}S" for tick in ticks]
    # The upper edge of the last bin may lie beyond the last time there is, and the first number of all is numpy's "no time".
    whole = pa.array([min(max(tick, _INT64.min + 1), _INT64.max) for tick in ticks], pa.int64())
    if pa.types.is_time(column):
        return list(map(str, _as_time(whole, column).cast(pa.string()).to_pylist()))
    found = whole.to_numpy().view(f"datetime64[{unit}]")
    if pa.types.is_date(column):
        found = found.astype("datetime64[D]")
    zone = "Z" if pa.types.is_timestamp(column) and column.tz else ""
    return [f"{each}{zone}" for each in found.astype(str).tolist()]


def _as_time(ticks: pa.Array, column: pa.DataType) -> pa.Array:
    last = round(_DAY / seconds_of(unit_of(column))) - 1
    clipped = pa.array(np.clip(ticks.to_numpy(), 0, last), pa.int64())
    return clipped.cast(pa.int32()).view(column) if column.bit_width == 32 else clipped.view(column)
