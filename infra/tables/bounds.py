"""Least and greatest values of a file's columns, as the Delta log keeps them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from infra.ports.tables import Bound

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
# Delta cuts the times of its statistics to milliseconds: the greatest value may lie this much after what the log says.
_CUT: Final = timedelta(milliseconds=1)

Bounds = dict[str, tuple[Bound, Bound]]


def bounded_columns(schema: pa.Schema) -> dict[str, pa.DataType]:
    """The columns that can have bounds: others have none that every reader understands alike."""
    return {field.name: field.type for field in schema if _is_bounded(field.type)}


def bounds_in_text(stats: Mapping[str, Any], columns: Mapping[str, pa.DataType]) -> Bounds:
    """From the JSON of one file's statistics."""
    least, greatest = stats.get("minValues") or {}, stats.get("maxValues") or {}
    found = {
        name: (_from_text(least[name], kind), _from_text(greatest[name], kind))
        for name, kind in columns.items()
        if name in least and name in greatest
    }
    return {name: bounds for name, pair in found.items() if (bounds := _widened(*pair)) is not None}


def bounds_of_files(actions: pa.Table, columns: Mapping[str, pa.DataType]) -> Iterator[Bounds]:
    """For each file of delta-rs's `get_add_actions`, in their order."""
    sides = [_values_by_column(actions, side, columns) for side in ("min", "max")]
    for index in range(actions.num_rows):
        pairs = {name: (sides[0][name][index], sides[1][name][index]) for name in sides[0].keys() & sides[1].keys()}
        yield {name: bounds for name, pair in pairs.items() if (bounds := _widened(*pair)) is not None}


def _is_bounded(column: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(column) or pa.types.is_date32(column) or pa.types.is_integer(column))


def _widened(least: Bound | None, greatest: Bound | None) -> tuple[Bound, Bound] | None:
    if least is None or greatest is None:
        return None
    if isinstance(greatest, datetime):
        greatest = _LATEST if greatest > _LATEST - _CUT else greatest + _CUT
    return least, greatest


def _from_text(value: object, column: pa.DataType) -> Bound | None:
    """None for what Python's calendar does not reach."""
    with suppress(ValueError, TypeError, OverflowError):
        if pa.types.is_integer(column):
            return value if isinstance(value, int) else None
        if pa.types.is_date32(column):
            return date.fromisoformat(str(value))
        at = datetime.fromisoformat(str(value))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return None


def _values_by_column(
    actions: pa.Table, side: str, columns: Mapping[str, pa.DataType]
) -> dict[str, list[Bound | None]]:
    """Columns that no file has statistics of are left out."""
    if side not in actions.column_names:
        return {}
    values = actions.column(side).combine_chunks()
    there = {field.name for field in values.type}
    return {name: _plain(pc.struct_field(values, [name]), kind) for name, kind in columns.items() if name in there}


def _plain(values: pa.Array, column: pa.DataType) -> list[Bound | None]:
    if not pa.types.is_timestamp(column):
        found: list[Bound | None] = values.to_pylist()
        return found
    # Through microseconds: a year that Python's calendar lacks would end the reading of the whole table.
    microseconds: Sequence[int | None] = values.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return [None if value is None else _moment(value) for value in microseconds]


def _moment(microseconds: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
